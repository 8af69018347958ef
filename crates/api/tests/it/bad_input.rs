//! Bad input anywhere is a 4xx problem with a stable code and a sentence, never a 500 and never a partial write.

use reqwest::{Method, header::CONTENT_TYPE};
use serde_json::{Value, json};

use crate::app::{Answer, App, upload};

fn check(answer: &Answer, status: u16, code: &str, what: &str) {
    assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{what}: {}", answer.body);
    assert_eq!(answer.headers[CONTENT_TYPE], "application/problem+json", "{what}");
    assert_eq!(answer.body["status"], status, "{what}");
    assert_eq!(answer.body["instance"], answer.headers["x-request-id"].to_str().unwrap(), "{what}");
    assert!(answer.body["type"].as_str().unwrap().ends_with(&format!("/docs/problems/{code}")), "{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_are_read_strictly() {
    let app = App::start().await;
    let anna = app.writer().await;
    let long = "x".repeat(201);
    let cases: Vec<(&str, u16, &str)> = vec![
        ("", 400, "invalid-json"),
        ("{", 400, "invalid-json"),
        ("\"title\"", 422, "invalid-field"),
        ("[]", 422, "invalid-field"),
        ("[\"A title\"]", 422, "invalid-field"),
        ("[", 400, "invalid-json"),
        ("{}", 422, "invalid-field"),
        ("{\"title\":5}", 422, "invalid-field"),
        ("{\"title\":null}", 422, "invalid-field"),
        ("{\"title\":\"\"}", 422, "invalid-field"),
        ("{\"title\":\"  \"}", 422, "invalid-field"),
        ("{\"title\":\"a\\u0000b\"}", 422, "invalid-field"),
        ("{\"title\":\"a\",\"titel\":\"b\"}", 422, "invalid-field"),
        ("{\"title\":\"a\",\"title\":\"b\"}", 422, "invalid-field"),
        ("{\"title\":\"\\ud800\"}", 400, "invalid-json"),
    ];
    for (body, status, code) in cases {
        let request =
            app.request(&anna.token, Method::POST, "/v1/projects").header(CONTENT_TYPE, "application/json");
        check(&app.send(request.body(body)).await, status, code, body);
    }
    check(&app.post(&anna, "/v1/projects", json!({"title": long})).await, 422, "invalid-field", "long");
    let binary =
        app.request(&anna.token, Method::POST, "/v1/projects").header(CONTENT_TYPE, "application/json");
    check(&app.send(binary.body(vec![0xff_u8; 40])).await, 400, "invalid-json", "binary");
    let huge =
        app.request(&anna.token, Method::POST, "/v1/projects").header(CONTENT_TYPE, "application/json");
    check(&app.send(huge.body(vec![b' '; 70_000])).await, 413, "body-too-large", "huge");
    let form = app.request(&anna.token, Method::POST, "/v1/projects").header(CONTENT_TYPE, "text/plain");
    check(&app.send(form.body("{\"title\":\"x\"}")).await, 415, "unsupported-media-type", "text");
    let deep = "[".repeat(60_000);
    let request =
        app.request(&anna.token, Method::POST, "/v1/projects").header(CONTENT_TYPE, "application/json");
    let answer = app.send(request.body(deep)).await;
    assert!(answer.status.is_client_error(), "{}", answer.status);
    assert!(app.get(&anna, "/v1/projects").await.expect(200)["items"].as_array().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paths_parameters_and_headers_are_checked() {
    let app = App::start().await;
    let anna = app.writer().await;
    for (path, status, code) in [
        ("/v1/nothing", 404, "not-found"),
        ("/", 404, "not-found"),
        ("/v1/projects/x", 404, "project-not-found"),
        ("/v1/projects/%00", 404, "project-not-found"),
        ("/v1/projects/%ff", 400, "invalid-parameter"),
        ("/v1/projects/..%2f..", 404, "project-not-found"),
        ("/v1/projects/{0190b3f8-1c2d-7a3b-8c4d-5e6f70819293}", 404, "project-not-found"),
        ("/v1/projects?limit=0", 400, "invalid-parameter"),
        ("/v1/projects?limit=101", 400, "invalid-parameter"),
        ("/v1/projects?limit=-1", 400, "invalid-parameter"),
        ("/v1/projects?limit=ten", 400, "invalid-parameter"),
        ("/v1/projects?limit=1&limit=2", 400, "invalid-parameter"),
        ("/v1/projects?page=2", 400, "invalid-parameter"),
    ] {
        check(&app.get(&anna, path).await, status, code, path);
    }
    let put = app.send(app.request(&anna.token, Method::PUT, "/v1/projects")).await;
    check(&put, 405, "method-not-allowed", "PUT");
    assert!(put.headers["allow"].to_str().unwrap().contains("POST"));
    for key in ["", &"k".repeat(201)] {
        let request = app.request(&anna.token, Method::POST, "/v1/projects").header("idempotency-key", key);
        check(&app.send(request.json(&json!({"title": "x"}))).await, 400, "invalid-parameter", key);
    }
}

/// A panic answers like any other defect, tells nothing of itself, and leaves connection and server in service.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_is_a_problem_like_any_other() {
    let app = App::start().await;
    let anna = app.writer().await;
    for _ in 0..3 {
        let answer = app.get(&anna, "/test/panic").await;
        check(&answer, 500, "internal", "panic");
        assert!(!answer.body.to_string().contains("on purpose"), "{}", answer.body);
        app.get(&anna, "/v1/projects").await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_are_checked_field_by_field() {
    let app = App::start().await;
    let anna = app.writer().await;
    let manuscript = app.manuscript(&anna).await;
    let path = format!("{manuscript}/revisions");
    let with = |name: &str, value: Value| {
        let mut body = upload("a.txt", b"words");
        body[name] = value;
        body
    };
    for (body, status, code) in [
        (with("filename", json!("")), 422, "invalid-field"),
        (with("filename", json!("a\nb.txt")), 422, "invalid-field"),
        (with("filename", json!("x".repeat(256))), 422, "invalid-field"),
        (with("bytes", json!(0)), 422, "invalid-field"),
        (with("bytes", json!(-1)), 422, "invalid-field"),
        (with("bytes", json!(1.5)), 422, "invalid-field"),
        (with("bytes", json!(u64::MAX)), 422, "invalid-field"),
        (with("bytes", json!(i64::MAX)), 413, "file-too-large"),
        (with("sha256", json!("abc")), 422, "invalid-field"),
        (with("sha256", json!("z".repeat(64))), 422, "invalid-field"),
        (with("media_type", json!("")), 422, "invalid-field"),
        (with("media_type", json!("text/plain\r\nx: y")), 422, "invalid-field"),
        (with("filename", json!("a.exe")), 415, "unsupported-format"),
        (with("media_type", json!("image/png")), 415, "unsupported-format"),
    ] {
        check(&app.post(&anna, &path, body.clone()).await, status, code, &body.to_string());
    }
    for name in ["../../etc/passwd.txt", "a\u{202e}txt.exe.txt", "%2e%2e.txt", "CON.txt", "\\\\host\\a.txt"] {
        let made = app.post(&anna, &path, upload(name, b"words")).await.expect(201);
        let url = made["upload"]["url"].as_str().unwrap();
        assert!(url.contains(&format!("/novelfoundry/{}/{}/", anna.tenant, anna.user)), "{name}: {url}");
    }
}
