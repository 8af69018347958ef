//! The routes below `/auth/v1`.

mod discovery;
mod extract;
mod page;
mod recover;
mod sign_out;
mod sign_up;
mod token;
mod user;
mod verify;

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use novelfoundry_http::Watched;
use tower_http::cors::CorsLayer;

use super::{
    Issuer,
    answer::{METHOD_NOT_ALLOWED, NOT_FOUND, Refused, SLOW_BODY, TIMEOUT},
};

const MAX_BODY_BYTES: usize = 16 * 1024;
const PREFLIGHT_MAX_AGE: Duration = Duration::from_mins(10);

pub(super) fn router(issuer: &Issuer) -> Router {
    let routes = Router::new()
        .route("/signup", post(sign_up::handler))
        .route("/token", post(token::handler))
        .route("/user", get(user::handler).put(user::update))
        .route("/recover", post(recover::handler))
        .route(verify::PATH, get(verify::show).post(verify::handler))
        .route("/logout", post(sign_out::handler))
        .route("/.well-known/jwks.json", get(discovery::key_set))
        .route("/health", get(discovery::health))
        .route("/settings", get(discovery::settings))
        .fallback(async || NOT_FOUND)
        .method_not_allowed_fallback(async || METHOD_NOT_ALLOWED)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn_with_state(issuer.clone(), bounded))
        .layer(cors(issuer))
        .with_state(issuer.clone());
    Router::new().nest("/auth/v1", routes)
}

/// Ends a request at its deadline, tells people by a page why they are refused, and keeps answers out of caches unless
/// they say otherwise.
async fn bounded(State(issuer): State<Issuer>, request: Request, next: Next) -> Response {
    let is_for_people = verify::is_for_people(&request);
    let (parts, body) = request.into_parts();
    let (body, arrival) = Watched::new(body);
    let request = Request::from_parts(parts, Body::new(body));
    let mut response = match tokio::time::timeout(issuer.0.options.deadline, next.run(request)).await {
        Ok(response) => response,
        Err(_) if arrival.is_awaited() => SLOW_BODY.into_response(),
        Err(_) => TIMEOUT.into_response(),
    };
    if is_for_people && let Some(Refused(error)) = response.extensions().get() {
        response = page::refusal(error);
    }
    if response.status() == StatusCode::REQUEST_TIMEOUT {
        // What is still to come of the request is no other request's beginning.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn cors(issuer: &Issuer) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(issuer.0.options.allowed_origins.clone())
        .allow_methods([Method::GET, Method::POST, Method::PUT])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            HeaderName::from_static("apikey"),
            HeaderName::from_static("x-client-info"),
            HeaderName::from_static("x-supabase-api-version"),
        ])
        .expose_headers([header::RETRY_AFTER])
        .max_age(PREFLIGHT_MAX_AGE)
}
