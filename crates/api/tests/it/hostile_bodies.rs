//! Hostile bodies, made from the OpenAPI document for every operation that takes one: each is a 4xx problem and writes
//! nothing.

use proptest::{
    prelude::any,
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};
use reqwest::{Method, header::CONTENT_TYPE};
use serde_json::{Map, Value, json};

use crate::{
    app::{Answer, App, Writer},
    kept::Kept,
    things::{self, Things},
};

/// What a body may be refused as; anything else would mean that it was read past.
const REFUSALS: [&str; 6] = [
    "invalid-json",
    "invalid-field",
    "body-too-large",
    "unsupported-format",
    "file-too-large",
    "invitation-not-found",
];

/// An operation that may take a body, with one that it accepts.
struct Operation {
    method: Method,
    path: String,
    accepted: Option<Map<String, Value>>,
}

async fn operations(app: &App, things: &Things) -> Vec<Operation> {
    let takes_bodies = |method: &Method| [Method::POST, Method::PATCH, Method::PUT].contains(method);
    let all = things::operations(app).await.into_iter().filter(|operation| takes_bodies(&operation.method));
    let operations = all.map(|operation| Operation {
        path: operation.path(things),
        // What may be left out is tried beside its operation.
        accepted: operation.shortest_body(things),
        method: operation.method,
    });
    operations.collect()
}

/// Writes a body with another text in the place of a field's value.
fn with(accepted: &Map<String, Value>, field: &str, text: &str) -> Vec<u8> {
    let mut body = accepted.clone();
    body.insert(field.to_owned(), json!("<here>"));
    Value::Object(body).to_string().replace("\"<here>\"", text).into_bytes()
}

/// Bodies that no operation accepts in the place of this one.
fn hostile(accepted: &Map<String, Value>) -> Vec<Vec<u8>> {
    let whole = Value::Object(accepted.clone()).to_string();
    let nested = |open: &str, close: &str| open.repeat(5_000) + close.repeat(5_000).as_str();
    let (lists, objects) = (nested("[", "]"), nested("{\"a\":", "}").replace(":}", ":1}"));
    let mut bodies: Vec<Vec<u8>> = [
        "",
        " ",
        "null",
        "true",
        "5",
        "\"a\"",
        "[]",
        "{",
        "}",
        "{]",
        "{\"",
        "{\"a\"}",
        "{'a':1}",
        "NaN",
        "\u{feff}{}",
        &lists,
        &objects,
        &whole[..whole.len() - 1],
        &format!("{whole}{whole}"),
        &format!("[{whole}]"),
        &format!("{whole}{}", " ".repeat(70_000)),
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    for value in ["null", "1", "\"\\u0000\"", &lists, &objects] {
        bodies.push(with(accepted, "unknown", value));
    }
    bodies.push(b"{\"\xff\":1}".to_vec());
    bodies.push(vec![0xff; 40]);
    bodies.push(whole.encode_utf16().flat_map(u16::to_le_bytes).collect());
    for (field, value) in accepted {
        let mut without = accepted.clone();
        without.remove(field);
        bodies.push(Value::Object(without).to_string().into_bytes());
        bodies.push(format!("{{\"{field}\":{value},{}", &whole[1..]).into_bytes());
        let wrong: &[&str] = if value.is_string() {
            &["5", "\"\"", "\"a\\u0000b\"", "\"a\\nb\"", "\"\\ud800\"", "\"\\x41\"", "\"a\nb\""]
        } else {
            &["\"5\"", "-1", "0", "1.5", "1e400", "18446744073709551616", "05"]
        };
        let shapes: [&str; 6] = ["null", "true", "[]", "{}", &lists, &objects];
        bodies.extend(wrong.iter().chain(&shapes).map(|text| with(accepted, field, text)));
        bodies.push(with(accepted, field, &format!("[{value}]")));
        if value.is_string() {
            bodies.push(with(accepted, field, &format!("\"{}\"", "x".repeat(300))));
            bodies.push(with(accepted, field, &format!("\"{}\"", "\u{1d11e}".repeat(15_000))));
            let mut bytes = with(accepted, field, "\"?\"");
            let place = bytes.iter().position(|byte| *byte == b'?').unwrap();
            bytes[place] = 0xff;
            bodies.push(bytes);
        }
    }
    bodies
}

async fn send(app: &App, writer: &Writer, operation: &Operation, kind: &str, body: Vec<u8>) -> Answer {
    let request = app.request(&writer.token, operation.method.clone(), &operation.path);
    app.send(request.header(CONTENT_TYPE, kind).body(body)).await
}

fn is_problem(answer: &Answer, what: &str) {
    assert!(answer.status.is_client_error(), "{what}: {} {}", answer.status, answer.body);
    assert_eq!(answer.headers[CONTENT_TYPE], "application/problem+json", "{what}");
    assert_eq!(answer.body["status"], answer.status.as_u16(), "{what}");
    assert_eq!(answer.body["instance"], answer.headers["x-request-id"].to_str().unwrap(), "{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_refuses_every_hostile_body_and_writes_nothing() {
    let app = App::start().await;
    let anna = app.writer().await;
    let things = Things::make(&app, &anna).await;
    let kept = Kept::of(&app, &anna).await;
    let mut compared = 0;
    for operation in operations(&app, &things).await {
        let name = format!("{} {}", operation.method, operation.path);
        let Some(accepted) = &operation.accepted else {
            for body in hostile(&Map::new()) {
                let answer = send(&app, &anna, &operation, "application/json", body).await;
                assert!(!answer.status.is_server_error(), "{name}: {}", answer.body);
            }
            continue;
        };
        let before = kept.rows().await;
        for body in hostile(accepted) {
            let start = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
            let what = format!("{name} with {start} ({} bytes)", body.len());
            let answer = send(&app, &anna, &operation, "application/json", body).await;
            is_problem(&answer, &what);
            assert!(REFUSALS.contains(&answer.code()), "{what}: {}", answer.body);
            assert_eq!(kept.rows().await, before, "{what} was refused and left a trace");
            compared += 1;
        }
        let whole = Value::Object(accepted.clone()).to_string().into_bytes();
        for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
            let answer = send(&app, &anna, &operation, kind, whole.clone()).await;
            is_problem(&answer, &name);
            assert_eq!(answer.code(), "unsupported-media-type", "{name} as {kind:?}");
            assert_eq!(kept.rows().await, before, "{name} as {kind:?} was refused and left a trace");
        }
    }
    assert!(compared >= 500, "only {compared} refusals were compared");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_with_a_few_bytes_changed_is_taken_or_refused_and_never_a_defect() {
    let app = App::start().await;
    let anna = app.writer().await;
    let things = Things::make(&app, &anna).await;
    let mut runner = TestRunner::deterministic();
    let edits = proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>(), 0..3_u8), 1..4);
    for operation in operations(&app, &things).await {
        let Some(accepted) = &operation.accepted else { continue };
        let whole = Value::Object(accepted.clone()).to_string().into_bytes();
        let answer = send(&app, &anna, &operation, "application/json", whole.clone()).await;
        let name = format!("{} {}", operation.method, operation.path);
        assert!(
            answer.status.is_success(),
            "{name} accepts the body that the others are made from: {}",
            answer.body
        );
        for _ in 0..40 {
            let mut body = whole.clone();
            for (place, byte, edit) in edits.new_tree(&mut runner).unwrap().current() {
                let place = place.index(body.len());
                match edit {
                    0 => body[place] = byte,
                    1 => body.insert(place, byte),
                    _ => drop(body.remove(place)),
                }
                if body.is_empty() {
                    break;
                }
            }
            let what = format!("{name} with {:?}", String::from_utf8_lossy(&body));
            let answer = send(&app, &anna, &operation, "application/json", body).await;
            if !answer.status.is_success() {
                is_problem(&answer, &what);
            }
        }
    }
}
