//! Another tenant's thing and a missing thing answer alike, byte for byte but for the request's id and date.

use reqwest::Method;
use serde_json::json;

use crate::app::{Answer, App, upload};

fn comparable(answer: &Answer) -> (u16, Vec<(String, String)>, serde_json::Value) {
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "date" | "x-request-id" | "content-length"))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    let mut body = answer.body.clone();
    body["instance"] = json!(null);
    (answer.status.as_u16(), headers, body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_equals_missing_for_every_operation() {
    let app = App::start().await;
    let (anna, bruno) = (app.writer().await, app.writer().await);
    let hers = app.manuscript(&anna).await;
    let project = hers.split("/manuscripts").next().unwrap().to_owned();
    let (revision, done) = app.upload(&anna, &hers, "a.txt", b"words").await;
    let analysis = format!("{project}/analyses/{}", done["analysis_id"].as_str().unwrap());
    let id = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    let new_analysis = json!({"manuscript_id": id(&hers), "revision_id": id(&revision)});
    let title = Some(json!({"title": "Mine now"}));
    let operations = [
        (Method::GET, project.clone(), None),
        (Method::PATCH, project.clone(), title.clone()),
        (Method::DELETE, project.clone(), None),
        (Method::GET, format!("{project}/manuscripts"), None),
        (Method::POST, format!("{project}/manuscripts"), title.clone()),
        (Method::GET, hers.clone(), None),
        (Method::PATCH, hers.clone(), title),
        (Method::DELETE, hers.clone(), None),
        (Method::GET, format!("{hers}/revisions"), None),
        (Method::POST, format!("{hers}/revisions"), Some(upload("b.txt", b"x"))),
        (Method::GET, revision.clone(), None),
        (Method::GET, format!("{revision}/download"), None),
        (Method::POST, format!("{revision}/complete"), Some(json!({}))),
        (Method::GET, format!("{project}/analyses"), None),
        (Method::POST, format!("{project}/analyses"), Some(new_analysis)),
        (Method::GET, analysis.clone(), None),
        (Method::DELETE, analysis, None),
        (Method::POST, format!("/v1/tenants/{}/activate", anna.tenant), None),
        (Method::DELETE, format!("/v1/tenants/{}", anna.tenant), None),
    ];
    for (method, path, body) in operations {
        let send = async |path: &str| {
            let mut request = app.request(&bruno.token, method.clone(), path);
            if let Some(body) = &body {
                request = request.json(body);
            }
            app.send(request).await
        };
        let foreign = send(&path).await;
        let missing = send(&replace_ids(&path)).await;
        assert_eq!(foreign.status, 404, "{method} {path}: {}", foreign.body);
        assert_eq!(comparable(&foreign), comparable(&missing), "{method} {path}");
        for part in path.split('/').filter(|part| part.len() == 36) {
            assert!(!foreign.body.to_string().contains(part), "{method} {path} echoes an id");
        }
    }
    app.get(&anna, &revision).await.expect(200);
}

/// Turns every id of a path into one that was never given.
fn replace_ids(path: &str) -> String {
    let missing = "0190b3f8-1c2d-7a3b-8c4d-5e6f70819293";
    path.split('/').map(|part| if part.len() == 36 { missing } else { part }).collect::<Vec<_>>().join("/")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_without_a_right_are_refused_by_name() {
    let app = App::start().await;
    let anna = app.writer().await;
    let project = app.project(&anna).await;
    let answer = app.send(app.http.get(format!("{}{project}", app.url))).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (401, "unauthenticated"));
    assert_eq!(answer.headers["www-authenticate"], "Bearer");
    for token in ["x", "a.b.c", &anna.token[..anna.token.len() - 4]] {
        let answer = app.send(app.request(token, Method::GET, &project)).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (401, "invalid-token"), "{token}");
    }
    let nowhere = app.issuer.token(anna.user, None);
    let answer = app.send(app.request(&nowhere, Method::GET, &project)).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (403, "no-workspace"));
    let me = app.send(app.request(&nowhere, Method::GET, "/v1/me")).await.expect(200);
    assert!(me["workspace"].is_null());

    let sql = format!("delete from app.memberships where tenant_id = '{}'", anna.tenant);
    app.database.sql(&sql).await.unwrap();
    let answer = app.get(&anna, &project).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (403, "not-a-member"), "at the next request");
    let answer = app.post(&anna, "/v1/projects", json!({"title": "x"})).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (403, "not-a-member"));
    let viewer = format!("insert into app.memberships values ('{}', '{}', 'viewer')", anna.tenant, anna.user);
    app.database.sql(&viewer).await.unwrap();
    app.get(&anna, &project).await.expect(200);
    for (method, path) in [
        (Method::POST, "/v1/projects".to_owned()),
        (Method::PATCH, project.clone()),
        (Method::DELETE, project.clone()),
    ] {
        let answer = app.send(app.request(&anna.token, method, &path).json(&json!({"title": "x"}))).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (403, "role-too-low"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_workspace_is_created_and_activated_for_a_session() {
    let app = App::start().await;
    let anna = app.writer().await;
    let made = app.post(&anna, "/v1/tenants", json!({"name": "Second"})).await.expect(201);
    let second = made["tenant_id"].as_str().unwrap();
    let done = app.post(&anna, &format!("/v1/tenants/{second}/activate"), json!({})).await.expect(200);
    assert_eq!(done["name"], "Second");
    let me = app.get(&anna, "/v1/me").await.expect(200);
    assert_eq!(me["workspaces"].as_array().unwrap().len(), 2);
    assert_eq!(me["workspace"]["tenant_id"], anna.tenant.to_string(), "the old token stays where it was");
}
