//! Lists and versions.

use std::collections::HashSet;

use reqwest::Method;
use serde_json::json;

use crate::app::App;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_newest_first_and_pages_neither_repeat_nor_skip() {
    let app = App::start().await;
    let anna = app.writer().await;
    let mut made = Vec::new();
    for number in 0..7 {
        let title = json!({"title": format!("Project {number}")});
        made.push(app.post(&anna, "/v1/projects", title).await.expect(201)["project_id"].clone());
    }
    // A tie in time is broken by id.
    let tie = format!(
        "update app.projects set created_at = date_trunc('day', now()) where tenant_id = '{}'",
        anna.tenant
    );
    app.database.sql(&tie).await.unwrap();
    made.reverse();
    let mut seen = Vec::new();
    let mut path = "/v1/projects?limit=3".to_owned();
    loop {
        let page = app.get(&anna, &path).await.expect(200);
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 3);
        seen.extend(items.iter().map(|item| item["project_id"].clone()));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/projects?limit=3&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, made);
    assert_eq!(seen.iter().map(ToString::to_string).collect::<HashSet<_>>().len(), 7);

    let first = app.get(&anna, "/v1/projects?limit=2").await.expect(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    let bruno = app.writer().await;
    let project = app.project(&anna).await;
    for (writer, path) in [
        (&bruno, format!("/v1/projects?cursor={cursor}")),
        (&anna, format!("{project}/manuscripts?cursor={cursor}")),
        (&anna, format!("/v1/projects?cursor={}", &cursor[1..])),
        (&anna, "/v1/projects?cursor=%00".to_owned()),
    ] {
        let answer = app.get(writer, &path).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, "invalid-cursor"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_meant_for_another_version_is_refused() {
    let app = App::start().await;
    let anna = app.writer().await;
    let project = app.project(&anna).await;
    let patch = async |tag: Option<&str>, title: &str| {
        let mut request = app.request(&anna.token, Method::PATCH, &project).json(&json!({"title": title}));
        if let Some(tag) = tag {
            request = request.header("if-match", tag);
        }
        app.send(request).await
    };
    let read = app.get(&anna, &project).await;
    let tag = read.headers["etag"].to_str().unwrap().to_owned();
    let changed = patch(Some(&tag), "Second").await;
    let newer = changed.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(changed.expect(200)["title"], "Second");
    assert_ne!(tag, newer);
    assert_eq!(patch(Some(&tag), "Third").await.code(), "precondition-failed");
    assert_eq!(patch(Some("W/\"1\""), "Third").await.code(), "precondition-failed");
    patch(Some("*"), "Fourth").await.expect(200);
    patch(None, "Fifth").await.expect(200);
    let request = app.request(&anna.token, Method::DELETE, &project).header("if-match", &tag);
    assert_eq!(app.send(request).await.code(), "precondition-failed");
    app.delete(&anna, &project).await.expect(204);
    for answer in [app.get(&anna, &project).await, app.delete(&anna, &project).await, patch(None, "x").await]
    {
        assert_eq!((answer.status.as_u16(), answer.code()), (404, "project-not-found"));
    }
    assert!(app.get(&anna, "/v1/projects").await.expect(200)["items"].as_array().unwrap().is_empty());
}
