//! `POST /signup`: opens an account and signs its person in.

use axum::extract::State;
use novelfoundry_core::Secret;
use novelfoundry_database::issuer as queries;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    super::{
        AuthError, Issuer,
        answer::{INVALID_EMAIL, LONG_PASSWORD, NO_ANONYMOUS, NO_PASSWORD, NO_PHONES, SIGNUP_DISABLED},
        email::Email,
        link::LinkToken,
        password,
    },
    extract::{Client, Json},
};

/// The member of `data` that holds an invitation's token.
const INVITATION: &str = "invitation_token";

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
    let mut data = body.data.unwrap_or_default();
    // A secret, which no token of the account may carry on.
    let invitation = data.remove(INVITATION);
    let mode = issuer.0.options.sign_up;
    if !mode.admits(false) {
        let is_invited = mode.admits(true) && issuer.is_invited(invitation.as_ref()).await?;
        if !mode.admits(is_invited) {
            return Err(SIGNUP_DISABLED);
        }
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
    let account = issuer.open_account(email, password.expose().to_owned(), data).await?;
    issuer.sign_in(&account).await.map(axum::Json)
}

impl Issuer {
    /// Tells whether this is the token of an open invitation. It is not used up: joining is another step, which the
    /// person takes once signed in.
    async fn is_invited(&self, invitation: Option<&Value>) -> Result<bool, AuthError> {
        let token = invitation.and_then(Value::as_str).and_then(LinkToken::parse);
        let Some(token) = token else { return Ok(false) };
        Ok(queries::invitation_is_open(&self.0.db, token.hash()).await?)
    }
}
