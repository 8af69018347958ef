//! `POST /signup`: opens an account and signs its person in.

use axum::extract::State;
use novelfoundry_core::Secret;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    super::{
        AuthError, Issuer,
        answer::{INVALID_EMAIL, LONG_PASSWORD, NO_ANONYMOUS, NO_PASSWORD, NO_PHONES, SIGNUP_DISABLED},
        email::Email,
        password,
    },
    extract::{Client, Json},
};

/// The members that are heeded; the client also sends a captcha token and a code challenge.
#[derive(Deserialize)]
pub(super) struct Body {
    email: Option<String>,
    password: Option<Secret>,
    phone: Option<String>,
    data: Option<Map<String, Value>>,
}

pub(super) async fn handler(
    State(issuer): State<Issuer>,
    client: Client,
    Json(body): Json<Body>,
) -> Result<axum::Json<Value>, AuthError> {
    // Nobody brings an invitation yet.
    if !issuer.0.options.sign_up.admits(false) {
        return Err(SIGNUP_DISABLED);
    }
    let given = |text: &String| !text.is_empty();
    let email = match (body.email.filter(given), body.phone.filter(given)) {
        (Some(email), _) => Email::parse(&email).ok_or(INVALID_EMAIL)?,
        (None, Some(_)) => return Err(NO_PHONES),
        (None, None) => return Err(NO_ANONYMOUS),
    };
    let password = body.password.filter(|password| !password.expose().is_empty()).ok_or(NO_PASSWORD)?;
    if password.expose().len() > password::MAX_BYTES {
        return Err(LONG_PASSWORD);
    }
    password::check(password.expose())?;
    issuer.admit(client, &email)?;
    let account =
        issuer.open_account(email, password.expose().to_owned(), body.data.unwrap_or_default()).await?;
    issuer.sign_in(&account).await.map(axum::Json)
}
