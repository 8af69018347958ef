//! Another tenant's thing and a missing thing answer alike, byte for byte on the wire but for the request's id and the
//! date; and so do another tenant's cursors, keys and versions, and URLs signed for another tenant's files.

mod urls;

use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::{
    app::{App, Writer},
    things::{Operation, Things, operations},
    wire::{exchange, status},
};

/// Anna's things are foreign to Bruno, who asks.
struct Two {
    anna: Writer,
    hers: Things,
    bruno: Writer,
    his: Things,
    never: Things,
}

/// What a person's things look like to that person.
async fn look(app: &App, writer: &Writer, things: &Things) -> [Value; 6] {
    let project = format!("/v1/projects/{}", things.project);
    let manuscript = format!("{project}/manuscripts/{}", things.manuscript);
    let revision = format!("{manuscript}/revisions/{}", things.revision);
    let analysis = format!("{project}/analyses/{}", things.analysis);
    let get = async |path: &str| app.get(writer, path).await.expect(200);
    let listed = async |path: &str, name: &str, id: &str| {
        let list = get(&format!("{path}?limit=100")).await;
        let item = list["items"].as_array().unwrap().iter().find(|item| item[name] == id).cloned();
        item.unwrap()
    };
    [
        get(&project).await,
        get(&manuscript).await,
        get(&revision).await,
        get(&analysis).await,
        listed("/v1/invitations", "invitation_id", &things.invitation).await,
        listed("/v1/members", "user_id", &things.user).await,
    ]
}

impl Two {
    async fn make(app: &App) -> Self {
        let (anna, bruno) = (app.writer().await, app.writer().await);
        let (hers, his) = (Things::make(app, &anna).await, Things::make(app, &bruno).await);
        Self { anna, hers, bruno, his, never: Things::missing(app) }
    }

    /// Sends Bruno's request whose first ids are his own and whose others are of `things`.
    async fn ask(
        &self,
        app: &App,
        operation: &Operation,
        (own, things): (usize, &Things),
        headers: &[(&str, &str)],
    ) -> String {
        let ids = operation.ids();
        let value = |name: &str| {
            let place = ids.iter().position(|id| *id == name).unwrap_or_default();
            if place < own { self.his.value(name) } else { things.value(name) }
        };
        let (path, body) = (operation.path_of(value), operation.body_of(value));
        exchange(app, &self.bruno, &operation.method, &path, headers, body.as_ref()).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_equals_missing_for_every_operation_on_the_wire() {
    let app = App::start().await;
    let two = Two::make(&app).await;
    let key = "a key that she has used";
    let mut compared = 0;
    let both = [(&two.anna, &two.hers), (&two.bruno, &two.his)];
    let mut before = Vec::new();
    for (writer, things) in both {
        before.push(look(&app, writer, things).await);
    }
    for operation in operations(&app).await {
        let mut variants: Vec<Vec<(&str, &str)>> = vec![Vec::new()];
        if operation.takes("header", "if-match") {
            variants.extend(["\"1\"", "\"7\"", "*", "\"hers\""].map(|tag| vec![("if-match", tag)]));
        }
        if operation.takes("header", "idempotency-key") {
            let (path, body) = (operation.path(&two.hers), operation.body(&two.hers));
            let used = [("idempotency-key", key)];
            let made = exchange(&app, &two.anna, &operation.method, &path, &used, body.as_ref()).await;
            assert!(["201", "422"].contains(&status(&made)), "{}: {made}", operation.id);
            variants.push(used.to_vec());
        }
        for own in 0..operation.ids().len() {
            for headers in &variants {
                let what = format!("{} with {headers:?} and {own} ids of his own", operation.id);
                let foreign = two.ask(&app, &operation, (own, &two.hers), headers).await;
                let missing = two.ask(&app, &operation, (own, &two.never), headers).await;
                assert_eq!(foreign, missing, "{what}");
                let refused = if headers.contains(&("if-match", "\"hers\"")) { "412" } else { "404" };
                assert_eq!(status(&foreign), refused, "{what}: {foreign}");
                for id in two.hers.ids().into_iter().chain(two.his.ids()) {
                    assert!(!foreign.contains(id), "{what} echoes an id: {foreign}");
                }
                compared += 1;
            }
        }
    }
    assert!(compared >= 60, "only {compared} pairs were compared");
    for ((writer, things), before) in both.into_iter().zip(before) {
        assert_eq!(look(&app, writer, things).await, before, "a request for another's thing changed one");
    }
}

/// A list with a cursor of hers is one with a cursor of nobody's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_of_another_tenant_is_no_cursor() {
    let app = App::start().await;
    let two = Two::make(&app).await;
    // A second of each, so that every list goes on.
    for operation in operations(&app).await.iter().filter(|operation| operation.method == Method::POST) {
        if operation.takes("header", "idempotency-key") && operation.id != "tenants.create" {
            let body = Value::Object(operation.body(&two.hers).unwrap());
            app.post(&two.anna, &operation.path(&two.hers), body).await.expect(201);
        }
    }
    let lists: Vec<_> =
        operations(&app).await.into_iter().filter(|list| list.takes("query", "cursor")).collect();
    assert!(lists.len() >= 4);
    for list in lists {
        let page = app.get(&two.anna, &format!("{}?limit=1", list.path(&two.hers))).await.expect(200);
        let cursor = page["next_cursor"].as_str().unwrap_or_else(|| panic!("{} is at its end", list.id));
        let nobodys = "A".repeat(cursor.len());
        let ask = async |path: &str, cursor: &str| {
            exchange(&app, &two.bruno, &Method::GET, &format!("{path}?cursor={cursor}"), &[], None).await
        };
        let own = list.path(&two.his);
        let (foreign, garbage) = (ask(&own, cursor).await, ask(&own, &nobodys).await);
        assert_eq!(foreign, garbage, "{}", list.id);
        assert_eq!(status(&foreign), "400", "{foreign}");
        assert!(foreign.contains("\"invalid-cursor\""), "{foreign}");
        // On her own list, which is missing to him, her cursor opens nothing either.
        let (hers, never) = (list.path(&two.hers), list.path(&two.never));
        assert_eq!(ask(&hers, cursor).await, ask(&never, cursor).await, "{}", list.id);
        app.get(&two.anna, &format!("{hers}?cursor={cursor}")).await.expect(200);
    }
}

/// Her key is a new key in another workspace, whoever uses it there: herself, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idempotency_key_of_another_tenant_is_a_new_key() {
    let app = App::start().await;
    let two = Two::make(&app).await;
    let second = app.post(&two.anna, "/v1/tenants", json!({"name": "Second"})).await.expect(201);
    let second: novelfoundry_core::TenantId = second["tenant_id"].as_str().unwrap().parse().unwrap();
    let elsewhere =
        Writer { token: app.issuer.token(two.anna.user, Some(second)), tenant: second, user: two.anna.user };
    let in_second = Things::make(&app, &elsewhere).await;
    for operation in operations(&app).await {
        if !operation.takes("header", "idempotency-key") {
            continue;
        }
        let key = format!("a key of {}", operation.id);
        let create = async |writer: &Writer, things: &Things| {
            let request = app.request(&writer.token, operation.method.clone(), &operation.path(things));
            let body = operation.body(things).map(Value::Object);
            let answer = app.send(request.header("idempotency-key", &key).json(&body)).await;
            assert_eq!(answer.status, 201, "{}: {}", operation.id, answer.body);
            answer.headers["location"].to_str().unwrap().rsplit('/').next().unwrap().to_owned()
        };
        let (hers, his) = (create(&two.anna, &two.hers).await, create(&two.bruno, &two.his).await);
        let in_second = create(&elsewhere, &in_second).await;
        assert_ne!(hers, his, "{}", operation.id);
        // A workspace is made by the person, not in a workspace.
        assert_eq!(hers == in_second, operation.id == "tenants.create", "{}", operation.id);
        assert_eq!(his, create(&two.bruno, &two.his).await, "{}", operation.id);
    }
}

/// A version is compared with the thing that is named, and with nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_of_another_tenant_guards_nothing() {
    let app = App::start().await;
    let two = Two::make(&app).await;
    let hers = format!("/v1/projects/{}", two.hers.project);
    let rename = async |writer: &Writer, path: &str, tag: &str| {
        let title: Map<String, Value> = Map::from_iter([("title".to_owned(), json!("Renamed"))]);
        exchange(&app, writer, &Method::PATCH, path, &[("if-match", tag)], Some(&title)).await
    };
    assert_eq!(status(&rename(&two.anna, &hers, "\"1\"").await), "200");
    let tag = app.get(&two.anna, &hers).await.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(tag, "\"2\"");
    let his = format!("/v1/projects/{}", two.his.project);
    assert_eq!(rename(&two.bruno, &his, &tag).await, rename(&two.bruno, &his, "\"9\"").await);
    assert_eq!(status(&rename(&two.bruno, &his, &tag).await), "412");
    assert_eq!(status(&rename(&two.bruno, &his, "\"1\"").await), "200");
}
