//! `POST /recover`: mails a link to a new password. The answer is the same, and as quick, whether or not there is such an
//! account: all that depends on it is done after.

use axum::extract::{Query, State, rejection::QueryRejection};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{
        AuthError, Issuer,
        answer::{INVALID_CHALLENGE, INVALID_EMAIL},
        email::Email,
        link,
        redirect::Redirect,
    },
    extract::{Client, Json},
};

#[derive(Deserialize)]
pub(super) struct Parameters {
    redirect_to: Option<String>,
}

/// The members that are heeded; the client also sends a captcha token.
#[derive(Deserialize)]
pub(super) struct Body {
    email: Option<String>,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
}

pub(super) async fn handler(
    State(issuer): State<Issuer>,
    client: Client,
    parameters: Result<Query<Parameters>, QueryRejection>,
    Json(body): Json<Body>,
) -> Result<axum::Json<Value>, AuthError> {
    let email = body.email.as_deref().and_then(Email::parse).ok_or(INVALID_EMAIL)?;
    let challenge = match body.code_challenge.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => {
            Some(link::challenge(text, body.code_challenge_method.as_deref()).ok_or(INVALID_CHALLENGE)?)
        }
        None => None,
    };
    let options = &issuer.0.options;
    let redirect = parameters.ok().and_then(|Query(parameters)| parameters.redirect_to);
    let redirect = redirect.and_then(|text| Redirect::parse(&text, options));
    let limiters = &issuer.0.limiters;
    limiters.recoveries_by_address.check(client.0).map_err(AuthError::mail_limited)?;
    limiters.recoveries_by_account.check(email.normalised.expose()).map_err(AuthError::mail_limited)?;
    if let Some(mailer) = &options.mailer {
        let mail = issuer.clone().recovery_mail(email, challenge, redirect);
        mailer.post(mail).map_err(|_| AuthError::limited(1))?;
    } else {
        tracing::warn!("a link to a new password is not sent: there is nothing to send it by");
    }
    Ok(axum::Json(json!({})))
}
