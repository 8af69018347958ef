//! The OpenAPI document and the pages made from it.

use std::collections::HashSet;

use reqwest::Url;
use serde_json::json;

use crate::app::App;

#[test]
fn the_document_is_as_published() {
    let document = novelfoundry_api::openapi("0.0.0");
    insta::assert_json_snapshot!(document);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_stand_on_their_own_and_every_problem_has_one() {
    let app = App::start().await;
    let page = app.http.get(format!("{}/docs", app.url)).send().await.unwrap();
    assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    let html = page.text().await.unwrap();
    for foreign in ["<script", "src=", "http://", "https://"] {
        assert!(!html.contains(foreign), "{foreign}");
    }
    for problem in novelfoundry_core::ProblemCode::ALL {
        let code = problem.definition().code;
        assert!(html.contains(&format!("\"docs/problems/{code}\"")), "{code}");
        let page = app.http.get(format!("{}/docs/problems/{code}", app.url)).send().await.unwrap();
        assert_eq!(page.status(), 200, "{code}");
    }
    let document: serde_json::Value =
        app.http.get(format!("{}/openapi.json", app.url)).send().await.unwrap().json().await.unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    for path in ["/healthz", "/readyz"] {
        assert_eq!(app.http.get(format!("{}{path}", app.url)).send().await.unwrap().status(), 200);
    }
}

/// A proxy takes the base path off, so nothing but the public URL knows it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn below_a_base_path_every_link_leads_there() {
    const BASE: &str = "https://novels.example/app/api";
    let app = App::start_behind(BASE).await;
    let anna = app.writer().await;
    let made = app.post(&anna, "/v1/projects", json!({"title": "Salt"})).await;
    let id = made.body["project_id"].as_str().unwrap();
    assert_eq!(made.headers["location"], format!("/app/api/v1/projects/{id}"));
    let made = app.post(&anna, "/v1/tenants", json!({"name": "Second"})).await;
    assert!(made.headers["location"].to_str().unwrap().starts_with("/app/api/v1/tenants/"));

    let missing = app.get(&anna, "/v1/nothing").await;
    assert_eq!(missing.body["type"], format!("{BASE}/docs/problems/not-found"));
    let document = app.get(&anna, "/openapi.json").await.expect(200);
    assert_eq!(document["servers"], json!([{ "url": BASE }]));
    for path in ["/docs", "/docs/problems/not-found"] {
        let page = app.get(&anna, path).await.expect(200);
        let here = Url::parse(&format!("{BASE}{path}")).unwrap();
        let links: HashSet<_> = page.as_str().unwrap().split("href=\"").skip(1).collect();
        assert!(!links.is_empty(), "{path}");
        for link in links {
            let mut there = here.join(link.split('"').next().unwrap()).unwrap();
            there.set_fragment(None);
            let below = there.as_str().strip_prefix(BASE).unwrap_or_else(|| panic!("{there} is not below"));
            app.get(&anna, below).await.expect(200);
        }
    }
}
