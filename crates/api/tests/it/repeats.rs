//! `Idempotency-Key`: a creation repeated takes effect once.

use std::time::Duration;

use novelfoundry_testkit::{Database, DelayingProxy};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Answer, App, Writer, upload};

async fn create(app: &App, writer: &Writer, path: &str, key: &str, body: &Value) -> Answer {
    let request = app.request(&writer.token, Method::POST, path).header("idempotency-key", key).json(body);
    app.send(request).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_creation_repeats_to_the_same_resource() {
    let app = App::start().await;
    let anna = app.writer().await;
    let manuscript = app.manuscript(&anna).await;
    let project = manuscript.split("/manuscripts").next().unwrap().to_owned();
    let (revision, _) = app.upload(&anna, &manuscript, "a.txt", b"words").await;
    let id = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    let analysis = json!({"manuscript_id": id(&manuscript), "revision_id": id(&revision)});
    for (path, body, field) in [
        ("/v1/tenants".to_owned(), json!({"name": "Once"}), "tenant_id"),
        ("/v1/projects".to_owned(), json!({"title": "Once"}), "project_id"),
        (format!("{project}/manuscripts"), json!({"title": "Once"}), "manuscript_id"),
        (format!("{manuscript}/revisions"), upload("once.txt", b"once"), "revision_id"),
        (format!("{project}/analyses"), analysis, "analysis_id"),
    ] {
        let key = format!("key of {field}");
        let first = create(&app, &anna, &path, &key, &body).await;
        let again = create(&app, &anna, &path, &key, &body).await;
        assert_eq!(first.headers["location"], again.headers["location"], "{path}");
        let (first, again) = (first.expect(201), again.expect(201));
        assert_eq!(first[field], again[field], "{path}");
        let mut other = body.clone();
        for name in ["name", "title", "filename"] {
            if other.get(name).is_some() {
                other[name] = json!("twice.txt");
            }
        }
        if other != body {
            let answer = create(&app, &anna, &path, &key, &other).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (422, "idempotency-key-reused"), "{path}");
        }
        // The same key of another person is another key.
        let bruno = app.writer().await;
        if path == "/v1/projects" || path == "/v1/tenants" {
            create(&app, &bruno, &path, &key, &other).await.expect(201);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_who_was_removed_does_not_come_back_by_repeating_the_creation() {
    let app = App::start().await;
    let anna = app.writer().await;
    let body = json!({"name": "Ours"});
    let made = create(&app, &anna, "/v1/tenants", "again", &body).await.expect(201);
    let tenant = made["tenant_id"].as_str().unwrap();
    let removal = format!(
        "delete from app.memberships where tenant_id = '{tenant}'; delete from app.user_tenants where tenant_id = '{tenant}'; update app.idempotency_keys set created_at = now() - interval '2 days' where tenant_id = '{tenant}'"
    );
    app.database.sql(&removal).await.unwrap();
    let again = create(&app, &anna, "/v1/tenants", "again", &body).await;
    assert_eq!((again.status.as_u16(), again.code()), (404, "tenant-not-found"));
    let members = format!("select count(*) from app.memberships where tenant_id = '{tenant}'");
    assert_eq!(app.database.sql(&members).await.unwrap()[0][0].as_deref(), Some("0"));
}

/// The route is part of what a key was used for: a body that fits another route is another request there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_one_route_is_refused_on_another_with_the_same_body() {
    let app = App::start().await;
    let anna = app.writer().await;
    let (one, other) = (app.project(&anna).await, app.project(&anna).await);
    let body = json!({"title": "Alike"});
    let (mine, theirs) = (format!("{one}/manuscripts"), format!("{other}/manuscripts"));
    for (first, second) in [("/v1/projects", &mine), (mine.as_str(), &theirs)] {
        let key = format!("of {first}");
        create(&app, &anna, first, &key, &body).await.expect(201);
        let answer = create(&app, &anna, second, &key, &body).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (422, "idempotency-key-reused"), "{second}");
    }
    let made = app.get(&anna, &theirs).await.expect(200);
    assert_eq!(made["items"], json!([]), "what was refused made nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_another_request_holds_is_refused_until_that_ends() {
    let app = App::start().await;
    let (anna, body) = (app.writer().await, json!({"title": "One"}));
    let holder = app.database.connect_as(&app.database.tenant).await.unwrap();
    let (tenant, user, id) = (anna.tenant.as_uuid(), anna.user.as_uuid(), app.issuer.id());
    holder.batch_execute("begin").await.unwrap();
    holder.batch_execute(&format!("set local app.tenant_id = '{tenant}'")).await.unwrap();
    // Prepared, as the application sends it: on a cluster that decides on which node it runs.
    let guard = "select app.require_role($1, $2, $3)";
    holder.query(guard, &[&tenant, &user, &"editor"]).await.unwrap();
    let claim = "select app.claim_idempotency_key($1, $2, $3, $4, $5)";
    holder.query(claim, &[&tenant, &user, &"held", &vec![0_u8; 32], &id]).await.unwrap();
    let refused = create(&app, &anna, "/v1/projects", "held", &body).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "idempotency-key-in-flight"));
    create(&app, &anna, "/v1/projects", "free", &body).await.expect(201);
    holder.batch_execute("rollback").await.unwrap();
    create(&app, &anna, "/v1/projects", "held", &body).await.expect(201);
    let list = app.get(&anna, "/v1/projects").await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
}

/// The ids are kept, the signed URL is not: it is made anew, and is as good as the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_that_is_repeated_has_a_url_of_its_own_that_takes_the_file() {
    let app = App::start().await;
    let anna = app.writer().await;
    let manuscript = app.manuscript(&anna).await;
    let (path, body) = (format!("{manuscript}/revisions"), upload("once.txt", b"once"));
    let first = create(&app, &anna, &path, "ticket", &body).await.expect(201);
    // A signature names its second.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    let again = loop {
        let again = create(&app, &anna, &path, "ticket", &body).await.expect(201);
        if again["upload"]["url"] != first["upload"]["url"] {
            break again;
        }
        assert!(tokio::time::Instant::now() < deadline, "the URL is the stored one: {again}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(again["upload"]["expires_at"], first["upload"]["expires_at"], "a repeat gives no more time");
    assert_eq!(again["revision_id"], first["revision_id"]);
    let object = |ticket: &Value| {
        let url: reqwest::Url = ticket["upload"]["url"].as_str().unwrap().parse().unwrap();
        url.path().to_owned()
    };
    assert_eq!(object(&again), object(&first), "the object is the same");
    assert_eq!(app.put(&again, b"once".to_vec()).await, 200);
    let complete = format!("{path}/{}/complete", again["revision_id"].as_str().unwrap());
    app.post(&anna, &complete, json!({})).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_with_one_key_make_one_project() {
    let app = App::start().await;
    let anna = app.writer().await;
    let body = json!({"title": "One"});
    let answers =
        futures_util::future::join_all((0..12).map(|_| create(&app, &anna, "/v1/projects", "one", &body)))
            .await;
    for answer in &answers {
        assert!(answer.status == 201 || answer.code() == "idempotency-key-in-flight", "{}", answer.body);
    }
    let list = app.get(&anna, "/v1/projects").await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

/// The line is lost at COMMIT, before or after it took effect: the client is told that it is not known, and its key
/// settles it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_lost_at_commit_answers_503_and_the_key_makes_one_project() {
    let database = Database::shared().await;
    let proxy = DelayingProxy::start(&database.tenant, Duration::ZERO).await;
    let app = App::start_through(proxy.url(&database.tenant)).await;
    for committed in [true, false] {
        let anna = app.writer().await;
        let body = json!({"title": "Once"});
        proxy.cut_at_commit(committed);
        proxy.cut_before_commit(!committed);
        let lost = create(&app, &anna, "/v1/projects", "lost", &body).await;
        assert_eq!((lost.status.as_u16(), lost.code()), (503, "commit-unknown"), "{}", lost.body);
        assert!(lost.headers.contains_key("retry-after"));
        proxy.cut_at_commit(false);
        proxy.cut_before_commit(false);
        let count = format!("select count(*) from app.projects where tenant_id = '{}'", anna.tenant);
        let rows = app.database.sql(&count).await.unwrap()[0][0].clone();
        assert_eq!(rows.as_deref(), Some(if committed { "1" } else { "0" }));
        let again = create(&app, &anna, "/v1/projects", "lost", &body).await.expect(201);
        let listed = app.get(&anna, "/v1/projects").await.expect(200);
        let items = listed["items"].as_array().unwrap();
        assert_eq!(items.len(), 1);
        assert_eq!(items[0]["project_id"], again["project_id"]);
    }
    assert_eq!(proxy.commits_swallowed(), 2);
}
