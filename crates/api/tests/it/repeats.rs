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
        assert_eq!(first.expect(201)[field], again.expect(201)[field], "{path}");
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
