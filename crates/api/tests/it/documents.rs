//! The OpenAPI document and the pages made from it.

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
        assert!(html.contains(&format!("/docs/problems/{code}")), "{code}");
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
