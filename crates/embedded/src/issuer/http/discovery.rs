//! What anybody may know: the public keys, that the issuer is there, and what it offers.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::header;
use serde_json::{Value, json};

use super::super::{Issuer, SignUp, options::JWKS_MAX_AGE};

/// `GET /.well-known/jwks.json`
pub(super) async fn key_set(State(issuer): State<Issuer>) -> Response {
    let cache_control = format!("public, max-age={}", JWKS_MAX_AGE.as_secs());
    let headers =
        [(header::CONTENT_TYPE, "application/json".to_owned()), (header::CACHE_CONTROL, cache_control)];
    (headers, issuer.0.keys.current().await.key_set()).into_response()
}

/// `GET /health`
pub(super) async fn health() -> axum::Json<Value> {
    axum::Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "name": "NovelFoundry",
        "description": "The embedded issuer speaks a subset of Supabase Auth",
    }))
}

/// `GET /settings`
pub(super) async fn settings(State(issuer): State<Issuer>) -> axum::Json<Value> {
    axum::Json(json!({
        "external": {"email": true, "phone": false, "anonymous_users": false},
        "disable_signup": issuer.0.options.sign_up != SignUp::Open,
        "mailer_autoconfirm": true,
        "phone_autoconfirm": false,
        "sms_provider": "",
        "saml_enabled": false,
    }))
}
