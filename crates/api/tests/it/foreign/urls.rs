//! Signed URLs: the tenant stands in the key, and the key is under the signature.

use reqwest::Url;
use serde_json::Value;

use super::Two;
use crate::app::App;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_url_opens_nothing_of_another_tenant() {
    let app = App::start().await;
    let two = Two::make(&app).await;
    let revisions =
        format!("/v1/projects/{}/manuscripts/{}/revisions", two.hers.project, two.hers.manuscript);
    let download =
        app.get(&two.anna, &format!("{revisions}/{}/download", two.hers.revision)).await.expect(200);
    let download = download["url"].as_str().unwrap();
    let his = app
        .get(
            &two.bruno,
            &format!(
                "/v1/projects/{}/manuscripts/{}/revisions/{}/download",
                two.his.project, two.his.manuscript, two.his.revision
            ),
        )
        .await
        .expect(200);
    let his = Url::parse(his["url"].as_str().unwrap()).unwrap();
    let get = async |url: &str| app.http.get(url).send().await.unwrap().status().as_u16();
    assert_eq!(get(download).await, 200);
    assert_eq!(get(his.as_str()).await, 200);

    let (anna, bruno) = (two.anna.tenant.to_string(), two.bruno.tenant.to_string());
    assert!(download.contains(&anna) && his.path().contains(&bruno));
    let mut moved = Url::parse(download).unwrap();
    let in_his = moved.path().replace(&anna, &bruno);
    moved.set_path(&in_his);
    assert_eq!(get(moved.as_str()).await, 403, "the tenant of the key was changed");
    let mut aimed = Url::parse(download).unwrap();
    aimed.set_path(his.path());
    assert_eq!(get(aimed.as_str()).await, 403, "the key was changed to one that is there");
    let around = download.replacen(&anna, &format!("{anna}/../{bruno}"), 1);
    assert!([400, 403].contains(&get(&around).await), "the key was led around");
    aimed.set_query(None);
    assert_eq!(get(aimed.as_str()).await, 403, "without a signature");

    let ticket = app.ticket(&two.anna, revisions.trim_end_matches("/revisions"), "b.txt", b"other").await;
    let mut put = ticket.clone();
    for path in [ticket_path(&ticket).replace(&anna, &bruno), his.path().to_owned()] {
        let mut url = Url::parse(ticket["upload"]["url"].as_str().unwrap()).unwrap();
        url.set_path(&path);
        put["upload"]["url"] = Value::String(url.into());
        assert_eq!(app.put(&put, b"other".to_vec()).await, 403, "{path}");
    }
    let file = app.http.get(his).send().await.unwrap().text().await.unwrap();
    assert_eq!(file, "words", "his file is as it was");
    assert_eq!(app.put(&ticket, b"other".to_vec()).await, 200);
}

fn ticket_path(ticket: &Value) -> String {
    Url::parse(ticket["upload"]["url"].as_str().unwrap()).unwrap().path().to_owned()
}
