//! What surrounds every request: its id, its deadline, its metrics, and the rendering of problems.

use std::{panic::AssertUnwindSafe, time::Instant};

use axum::{
    body::Body,
    extract::{MatchedPath, Request, State as AxumState},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt as _;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use novelfoundry_core::ProblemCode;
use novelfoundry_http::Watched;

use crate::{
    State,
    problem::{Problem, Raised},
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives the request an id and a deadline, and turns whatever failed into a problem document. A panic is a failure like
/// any other: the panic hook has logged it.
pub(crate) async fn surround(AxumState(state): AxumState<State>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = state.ids.next().hyphenated().to_string();
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let (parts, body) = request.into_parts();
    let (body, arrival) = Watched::new(body);
    let request = Request::from_parts(parts, Body::new(body));
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
    let mut response = match tokio::time::timeout(state.settings.request_timeout, answer).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => Problem::new(ProblemCode::Internal).into_response(),
        Err(_) if arrival.is_awaited() => Problem::new(ProblemCode::RequestTimeout).into_response(),
        Err(_) => Problem::new(ProblemCode::DeadlineExceeded).into_response(),
    };
    if response.status().is_client_error() || response.status().is_server_error() {
        response = rendered(response, &id, &state.settings.public_url);
    }
    let status = response.status();
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    if status == StatusCode::REQUEST_TIMEOUT {
        // What is still to come of the request is no other request's beginning.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-cache"));
    let labels =
        [("method", known(&method).to_owned()), ("path", path), ("status", status.as_str().to_owned())];
    metrics::histogram!("novelfoundry_request_seconds", &labels).record(started.elapsed().as_secs_f64());
    response
}

/// Names a method for a label; a client may invent any number of others.
fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PATCH" => "PATCH",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

fn rendered(response: Response, id: &str, docs: &str) -> Response {
    if let Some(Raised(problem)) = response.extensions().get::<Raised>() {
        return problem.render(id, docs);
    }
    // The issuer answers in its own client's format, or by a page for people.
    let media_type = response.headers().get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if media_type.starts_with(b"application/json") || media_type.starts_with(b"text/html") {
        return response;
    }
    let code = match response.status() {
        StatusCode::NOT_FOUND => ProblemCode::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => ProblemCode::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => ProblemCode::BodyTooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ProblemCode::UnsupportedMediaType,
        status if status.is_client_error() => ProblemCode::InvalidParameter,
        _ => ProblemCode::Internal,
    };
    let allow = response.headers().get(header::ALLOW).cloned();
    let mut rendered = Problem::new(code).render(id, docs);
    if let Some(allow) = allow {
        rendered.headers_mut().insert(header::ALLOW, allow);
    }
    rendered
}
