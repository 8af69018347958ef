//! The series of the API's metrics: they count what was asked, and a stranger cannot add to them.

use std::collections::BTreeSet;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use reqwest::Method;
use serde_json::json;

use crate::app::App;

/// Returns the value of a series, nought where there is none.
fn value(handle: &PrometheusHandle, series: &str) -> u64 {
    let text = handle.render();
    let found = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    found.map_or(0, |value| value.parse().unwrap())
}

fn requests(handle: &PrometheusHandle, method: &str, path: &str, status: u16) -> u64 {
    let labels = format!("{{method=\"{method}\",path=\"{path}\",status=\"{status}\"}}");
    value(handle, &format!("novelfoundry_request_seconds_count{labels}"))
}

/// On one thread, whose recorder is this test's own.
#[tokio::test]
async fn requests_and_transactions_are_counted() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let app = App::start().await;
    let anna = app.writer().await;
    for _ in 0..3 {
        app.post(&anna, "/v1/projects", json!({"title": "A project"})).await.expect(201);
    }
    for _ in 0..5 {
        app.get(&anna, "/v1/projects").await.expect(200);
    }
    for id in [app.issuer.id(), app.issuer.id()] {
        app.get(&anna, &format!("/v1/projects/{id}")).await.expect(404);
    }
    app.send(app.http.get(format!("{}/v1/projects", app.url))).await.expect(401);

    assert_eq!(requests(&handle, "POST", "/v1/projects", 201), 3);
    assert_eq!(requests(&handle, "GET", "/v1/projects", 200), 5);
    assert_eq!(requests(&handle, "GET", "/v1/projects/{project_id}", 404), 2);
    assert_eq!(requests(&handle, "GET", "/v1/projects", 401), 1);
    let transactions =
        |name: &str| format!("novelfoundry_transaction_seconds_count{{name=\"{name}\",outcome=\"ok\"}}");
    assert_eq!(value(&handle, &transactions("projects.create")), 3);
    assert_eq!(value(&handle, &transactions("projects.list")), 5);
}

#[tokio::test]
async fn a_stranger_s_methods_and_paths_add_no_series() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let app = App::start().await;
    let series = || {
        let text = handle.render();
        let names = text.lines().filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned()));
        names.filter(|name| name.contains("method=")).collect::<BTreeSet<_>>()
    };
    let mut first = BTreeSet::new();
    for round in 0..20 {
        let method = Method::from_bytes(format!("BREW{round}").as_bytes()).unwrap();
        for path in ["/v1/projects".to_owned(), format!("/cup/{round}"), format!("/v1/projects/{round}/cup")]
        {
            let asked = app.http.request(method.clone(), format!("{}{path}", app.url));
            let answer = app.send(asked).await;
            assert!(answer.status.is_client_error(), "{method} {path}: {}", answer.status);
        }
        if round == 0 {
            first = series();
        }
    }
    assert!(!first.is_empty());
    assert_eq!(series(), first);
    assert_eq!(requests(&handle, "other", "/v1/projects", 405), 20);
    assert_eq!(requests(&handle, "other", "unmatched", 404), 40);
}
