//! Sends one request, and sorts what came of it.

use std::time::Duration;

use novelfoundry_core::{Operation, Role};
use reqwest::Method;
use serde_json::Value;

use crate::{
    history::{Class, Outcome, Violation},
    plan::Step,
};

use super::Client;

/// One that is told to come back does so after this long.
const PAUSE: Duration = Duration::from_millis(20);
/// Longer than the server takes to give up.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Request {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Option<Value>,
    pub(super) key: Option<String>,
    pub(super) if_match: Option<i32>,
    /// Whether it is about the person, not about the workspace.
    pub(super) personal: bool,
}

impl Request {
    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), body: None, key: None, if_match: None, personal: false }
    }

    pub(super) fn post(path: impl Into<String>, body: Value) -> Self {
        Self { body: Some(body), ..Self::new(Method::POST, path) }
    }
}

pub(super) struct Reply {
    pub(super) outcome: Outcome,
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) version: Option<i32>,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) request: String,
}

impl Reply {
    pub(super) fn is_done(&self) -> bool {
        self.outcome == Outcome::Done
    }

    /// Tells whether sending it again may fare better.
    pub(super) fn is_worth_another_try(&self) -> bool {
        match &self.outcome {
            Outcome::Done => false,
            Outcome::Unknown(_) => true,
            Outcome::Refused(why) => why.starts_with("503") || why.ends_with("idempotency-key-in-flight"),
        }
    }
}

/// Finds the operation of a request.
fn operation(method: &str, path: &str) -> Option<Operation> {
    let path = path.split('?').next().unwrap_or(path);
    let is_of = |row: &str| {
        let (mut own, mut asked) = (row.split('/'), path.split('/'));
        own.by_ref().zip(asked.by_ref()).all(|(own, asked)| own == asked || own.starts_with('{'))
            && row.split('/').count() == path.split('/').count()
    };
    Operation::ALL
        .iter()
        .filter(|operation| operation.definition().method == method && is_of(operation.definition().path))
        // `accept` is also what stands for an id.
        .min_by_key(|operation| operation.definition().path.matches('{').count())
        .copied()
}

struct Received {
    status: u16,
    version: Option<i32>,
    head: Vec<u8>,
    body: Vec<u8>,
}

impl Client<'_> {
    /// Sends a request, with the step's patience.
    pub(super) async fn send(&self, step: &Step, request: Request) -> Reply {
        self.send_within(step.patience.unwrap_or(PATIENCE), request).await
    }

    /// Sends a request and waits for the answer.
    pub(super) async fn send_patiently(&self, request: Request) -> Reply {
        self.send_within(PATIENCE, request).await
    }

    async fn send_within(&self, patience: Duration, request: Request) -> Reply {
        let line = format!("{} {}", request.method, request.path);
        self.shared.used.lock().unwrap().extend(operation(request.method.as_str(), &request.path));
        let (is_change, personal) = (request.method != Method::GET, request.personal);
        let start = self.shared.tick();
        // Dropping the exchange closes its connection: the server sees its client go.
        let received = tokio::time::timeout(patience, self.exchange(request)).await;
        let end = self.shared.tick();
        let reply = |outcome, status, body, version| Reply {
            outcome,
            status,
            body,
            version,
            start,
            end,
            request: line.clone(),
        };
        let received = match received {
            Ok(Ok(received)) => received,
            Ok(Err(_)) => {
                tokio::time::sleep(PAUSE).await;
                return reply(Outcome::Unknown("connection lost".into()), 0, Value::Null, None);
            }
            Err(_) => return reply(Outcome::Unknown("hung up".into()), 0, Value::Null, None),
        };
        let Received { status, version, head, body } = received;
        let succeeded = (200..300).contains(&status);
        let viewer = self.viewer(personal);
        for part in [&head, &body] {
            self.shared.observer.see(&viewer, part, succeeded, &line);
        }
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let code = body["code"].as_str().unwrap_or_default();
        let report = |class, text| self.shared.observer.report(Violation::new(class, [], text));
        if status == 500 {
            report(Class::Internal, format!("{line} was answered {body}"));
        }
        if succeeded && is_change && !personal && self.role == Role::Viewer {
            report(Class::RoleIgnored, format!("a viewer's {line} was answered {status}"));
        }
        let why = format!("{status} {code}");
        // These say that nothing was changed, and are held to it.
        let nothing = ["database-unavailable", "storage-unavailable", "issuer-unavailable"].contains(&code);
        let outcome = if succeeded {
            Outcome::Done
        } else if (400..500).contains(&status) || nothing {
            Outcome::Refused(why)
        } else {
            Outcome::Unknown(why)
        };
        if status >= 500 {
            tokio::time::sleep(PAUSE).await;
        }
        reply(outcome, status, body, version)
    }

    async fn exchange(&self, request: Request) -> Result<Received, reqwest::Error> {
        let shared = self.shared;
        let url = format!("{}{}", shared.system.api_url, request.path);
        let mut sent = shared.http.request(request.method, url).bearer_auth(&self.token);
        if let Some(key) = request.key {
            sent = sent.header("idempotency-key", key);
        }
        if let Some(version) = request.if_match {
            sent = sent.header("if-match", format!("\"{version}\""));
        }
        if let Some(body) = request.body {
            sent = sent.json(&body);
        }
        let response = sent.send().await?;
        let status = response.status().as_u16();
        let etag = response.headers().get("etag").and_then(|etag| etag.to_str().ok());
        let version = etag.and_then(|etag| etag.trim_matches('"').parse().ok());
        let mut head = Vec::new();
        for (name, value) in response.headers() {
            // The request's own id is nobody's thing.
            if name != "x-request-id" {
                head.extend_from_slice(value.as_bytes());
                head.push(b'\n');
            }
        }
        Ok(Received { status, version, head, body: response.bytes().await?.to_vec() })
    }
}
