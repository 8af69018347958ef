//! Tickets, completion and quota.

use serde_json::json;

use crate::app::{App, Writer, upload};

async fn usage(app: &App, writer: &Writer) -> (String, String) {
    let sql = format!(
        "select stored_bytes, reserved_bytes from app.tenant_usage where tenant_id = '{}'",
        writer.tenant
    );
    let row = app.database.sql(&sql).await.unwrap().remove(0);
    (row[0].clone().unwrap(), row[1].clone().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_declared_bytes_are_taken_and_completing_needs_them() {
    let app = App::start().await;
    let anna = app.writer().await;
    let manuscript = app.manuscript(&anna).await;
    let ticket = app.ticket(&anna, &manuscript, "a.txt", b"right").await;
    let revision = format!("{manuscript}/revisions/{}", ticket["revision_id"].as_str().unwrap());
    assert_eq!(usage(&app, &anna).await, ("0".into(), "5".into()));
    let early = app.post(&anna, &format!("{revision}/complete"), json!({})).await;
    assert_eq!((early.status.as_u16(), early.code()), (409, "upload-not-found"));
    let download = app.get(&anna, &format!("{revision}/download")).await;
    assert_eq!((download.status.as_u16(), download.code()), (409, "revision-not-stored"));
    for wrong in [&b"wrong"[..], b"right!", b"rig"] {
        assert!(!app.put(&ticket, wrong.to_vec()).await.is_success());
    }
    assert_eq!(app.post(&anna, &format!("{revision}/complete"), json!({})).await.code(), "upload-not-found");
    assert_eq!(app.put(&ticket, b"right".to_vec()).await, 200);
    let path = format!("{revision}/complete");
    let many = (0..8).map(|_| app.post(&anna, &path, json!({})));
    let answers = futures_util::future::join_all(many).await;
    let ids: std::collections::HashSet<_> =
        answers.into_iter().map(|answer| answer.expect(200)["analysis_id"].to_string()).collect();
    assert_eq!(ids.len(), 1, "completing is idempotent");
    assert_eq!(usage(&app, &anna).await, ("5".into(), "0".into()));
    let jobs = format!(
        "select count(*) from app.jobs where tenant_id = '{}' and kind = 'analyze_manuscript'",
        anna.tenant
    );
    assert_eq!(app.database.sql(&jobs).await.unwrap()[0][0].as_deref(), Some("1"));
    app.delete(&anna, &manuscript).await.expect(204);
    assert_eq!(usage(&app, &anna).await, ("0".into(), "0".into()));
    assert_eq!(app.get(&anna, &revision).await.code(), "revision-not-found");
    assert_eq!(app.post(&anna, &path, json!({})).await.code(), "revision-not-found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_interleaving_of_tickets_oversubscribes_the_plan() {
    let app = App::start().await;
    let anna = app.writer().await;
    let manuscript = app.manuscript(&anna).await;
    let limit: i64 = 5_368_709_120;
    let near = format!(
        "update app.tenant_usage set stored_bytes = {} where tenant_id = '{}'",
        limit - 50,
        anna.tenant
    );
    app.database.sql(&near).await.unwrap();
    let path = format!("{manuscript}/revisions");
    let many = (0..40).map(|_| app.post(&anna, &path, upload("a.txt", b"ten bytes.")));
    let answers = futures_util::future::join_all(many).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(made, 5);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!((answer.status.as_u16(), answer.code()), (409, "quota-exceeded"), "{}", answer.body);
    }
    let revisions = app.get(&anna, &path).await.expect(200);
    assert_eq!(revisions["items"].as_array().unwrap().len(), 5, "a refused ticket leaves no row");
    let mut huge = upload("a.txt", b"x");
    huge["bytes"] = json!(200_000_000);
    let answer = app.post(&anna, &path, huge).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (413, "file-too-large"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browsers_of_the_allowed_origin_may_call_and_no_others() {
    let app = App::start().await;
    let preflight = async |origin: &str| {
        let request = app
            .http
            .request(reqwest::Method::OPTIONS, format!("{}/v1/projects", app.url))
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type,idempotency-key");
        app.send(request).await.headers
    };
    let allowed = preflight("https://app.example.com").await;
    assert_eq!(allowed["access-control-allow-origin"], "https://app.example.com");
    assert!(!preflight("https://evil.example.com").await.contains_key("access-control-allow-origin"));
    // A page may read why it was refused, too.
    for (path, status) in [("/v1/projects", 401), ("/v1/me", 401)] {
        let request = app.http.get(format!("{}{path}", app.url)).header("origin", "https://app.example.com");
        let refused = app.send(request).await;
        assert_eq!(refused.status, status);
        assert_eq!(refused.headers["access-control-allow-origin"], "https://app.example.com", "{path}");
    }
}
