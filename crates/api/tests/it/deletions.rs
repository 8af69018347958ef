//! An analysis that is deleted leaves nothing.

use reqwest::Method;
use serde_json::json;

use crate::app::App;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_analysis_is_gone_from_answers_and_tables_at_once() {
    let app = App::start().await;
    let anna = app.writer().await;
    let manuscript = app.manuscript(&anna).await;
    let project = manuscript.split("/manuscripts").next().unwrap().to_owned();
    let (revision, done) = app.upload(&anna, &manuscript, "a.txt", b"words").await;
    let id = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    let body = json!({"manuscript_id": id(&manuscript), "revision_id": id(&revision)});
    let other = app.post(&anna, &format!("{project}/analyses"), body).await.expect(201);
    let gone = format!("{project}/analyses/{}", done["analysis_id"].as_str().unwrap());
    let kept = format!("{project}/analyses/{}", other["analysis_id"].as_str().unwrap());

    let other_version = app.request(&anna.token, Method::DELETE, &gone).header("if-match", "\"99\"");
    app.send(other_version).await.expect(412);
    app.get(&anna, &gone).await.expect(200);
    app.delete(&anna, &gone).await.expect(204);
    app.get(&anna, &gone).await.expect(404);
    app.delete(&anna, &gone).await.expect(404);
    app.get(&anna, &kept).await.expect(200);
    app.get(&anna, &revision).await.expect(200);

    let rows = format!("select analysis_id from app.analyses where tenant_id = '{}'", anna.tenant);
    let rows = app.database.sql(&rows).await.unwrap();
    assert_eq!(rows, [[Some(id(&kept))]]);
    let state = format!("select state from app.jobs where job_id = '{}'", id(&gone));
    assert_eq!(app.database.sql(&state).await.unwrap(), [[Some("cancelled".to_owned())]]);
}
