//! A server on loopback that answers what it is told to, and remembers what it was asked.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use novelfoundry_objects::Store;
use tokio::{net::TcpListener, task::JoinHandle};
use url::Url;

use crate::{SECRET, options, sigv4};

/// Answers in their order; the last one stays.
pub(crate) type Script = VecDeque<Box<dyn Fn() -> Response + Send>>;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Seen {
    method: String,
    signature: Result<(), String>,
    checksum_mode: Option<String>,
}

struct Shared {
    address: SocketAddr,
    script: Mutex<Script>,
    seen: Mutex<Vec<Seen>>,
}

pub(crate) fn answer(
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
) -> Response {
    let mut answer = Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    answer.body(Body::from(body)).unwrap()
}

impl Server {
    pub(crate) async fn start(script: Vec<Box<dyn Fn() -> Response + Send>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { address, script: Mutex::new(script.into()), seen: Mutex::default() });
        let app = Router::new().fallback(handle).with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, shared, task }
    }

    /// A server that always gives the one answer.
    pub(crate) async fn always(
        status: u16,
        headers: &'static [(&'static str, &'static str)],
        body: &'static str,
    ) -> Self {
        Self::start(vec![Box::new(move || answer(status, headers, body))]).await
    }

    pub(crate) fn store(&self) -> Store {
        let (mut options, _) = options(&format!("http://{}/base", self.address));
        // The server's own calls must not go by the browsers' address.
        options.public_url = Some("https://files.invalid".parse().unwrap());
        Store::new(options).unwrap()
    }

    /// Returns how many requests came, having checked that each was signed.
    pub(crate) fn requests(&self, method: &str) -> usize {
        let seen = self.shared.seen.lock().unwrap();
        for request in seen.iter() {
            assert_eq!(request.method, method);
            assert_eq!(request.signature, Ok(()));
            assert_eq!(request.checksum_mode.as_deref(), (method == "HEAD").then_some("ENABLED"));
        }
        seen.len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let url: Url = format!("http://{}{}", shared.address, request.uri()).parse().unwrap();
    let headers: Vec<(&str, &str)> =
        request.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    let signature = sigv4::verify(request.method().as_str(), &url, &headers, SECRET);
    let checksum_mode =
        request.headers().get("x-amz-checksum-mode").map(|mode| mode.to_str().unwrap().to_owned());
    shared.seen.lock().unwrap().push(Seen { method: request.method().to_string(), signature, checksum_mode });
    let mut script = shared.script.lock().unwrap();
    let next = if script.len() > 1 { script.pop_front() } else { None };
    match next.as_ref().or(script.front()) {
        Some(answer) => answer(),
        None => answer(StatusCode::NOT_IMPLEMENTED.as_u16(), &[], ""),
    }
}
