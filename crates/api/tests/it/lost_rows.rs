//! Repeating a request puts back what a coordinator's crash has lost of it. The rows are removed as the crash would: those
//! of the tenant are there, those of the coordinator are not.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::app::{App, Writer};

async fn count(app: &App, from: &str) -> String {
    let rows = app.database.sql(&format!("select count(*) from {from}")).await.unwrap();
    rows[0][0].clone().unwrap()
}

async fn lose(app: &App, job: &str) {
    app.database.sql(&format!("delete from app.jobs where job_id = '{job}'")).await.unwrap();
}

fn id(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn completing_again_puts_the_analysis_s_job_back_once() {
    let app = App::start().await;
    let anna = app.writer().await;
    let manuscript = app.manuscript(&anna).await;
    let (revision, done) = app.upload(&anna, &manuscript, "a.txt", b"words").await;
    let analysis = done["analysis_id"].as_str().unwrap();
    lose(&app, analysis).await;
    let path = format!("{revision}/complete");
    for answer in join_all((0..8).map(|_| app.post(&anna, &path, json!({})))).await {
        assert_eq!(answer.expect(200), done);
    }
    let job = format!(
        "app.jobs where job_id = '{analysis}' and tenant_id = '{}' and kind = 'analyze_manuscript' and state = 'queued'
            and payload ->> 'revision_id' = '{}'",
        anna.tenant,
        id(&revision)
    );
    assert_eq!(count(&app, &job).await, "1");

    // Where the analysis has ended, or is deleted, nothing is put back.
    let project = manuscript.split("/manuscripts").next().unwrap();
    app.delete(&anna, &format!("{project}/analyses/{analysis}")).await;
    lose(&app, analysis).await;
    app.post(&anna, &path, json!({})).await.expect(200);
    assert_eq!(count(&app, &job).await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeating_with_its_key_puts_the_job_of_an_analysis_back_once() {
    let app = App::start().await;
    let anna = app.writer().await;
    let manuscript = app.manuscript(&anna).await;
    let project = manuscript.split("/manuscripts").next().unwrap();
    let (revision, _) = app.upload(&anna, &manuscript, "a.txt", b"words").await;
    let path = format!("{project}/analyses");
    let body = json!({"manuscript_id": id(&manuscript), "revision_id": id(&revision)});
    let ask = || app.request(&anna.token, Method::POST, &path).header("idempotency-key", "again").json(&body);
    let made = app.send(ask()).await.expect(201);
    let analysis = made["analysis_id"].as_str().unwrap();
    lose(&app, analysis).await;
    for answer in join_all((0..4).map(|_| app.send(ask()))).await {
        // Repeated at the same moment, the key may be in flight.
        assert!([201, 409].contains(&answer.status.as_u16()), "{}", answer.body);
    }
    assert_eq!(app.send(ask()).await.expect(201)["analysis_id"], made["analysis_id"]);
    assert_eq!(count(&app, &format!("app.jobs where job_id = '{analysis}'")).await, "1");

    let ended = format!(
        "update app.analyses set state = 'succeeded', finished_at = now() where analysis_id = '{analysis}'"
    );
    app.database.sql(&ended).await.unwrap();
    lose(&app, analysis).await;
    app.send(ask()).await.expect(201);
    assert_eq!(count(&app, &format!("app.jobs where job_id = '{analysis}'")).await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn creating_a_workspace_again_lists_its_maker_again_but_nobody_who_was_removed() {
    let app = App::start().await;
    let anna: Writer = app.writer().await;
    let create = || {
        let request = app.request(&anna.token, Method::POST, "/v1/tenants").header("idempotency-key", "ours");
        app.send(request.json(&json!({"name": "Ours"})))
    };
    let made = create().await.expect(201);
    let tenant = made["tenant_id"].as_str().unwrap();
    let listed = format!("app.user_tenants where tenant_id = '{tenant}' and user_id = '{}'", anna.user);
    let forget = async || app.database.sql(&format!("delete from {listed}")).await.unwrap();
    forget().await;
    for answer in join_all((0..4).map(|_| create())).await {
        assert_eq!(answer.expect(201)["tenant_id"], made["tenant_id"]);
    }
    assert_eq!(count(&app, &format!("{listed} and tenant_name = 'Ours'")).await, "1");

    forget().await;
    let remove =
        format!("delete from app.memberships where tenant_id = '{tenant}' and user_id = '{}'", anna.user);
    app.database.sql(&remove).await.unwrap();
    assert_eq!(create().await.status, 404);
    assert_eq!(count(&app, &listed).await, "0");
}
