//! `GET /user`: who the bearer of a token is, while the session lives. `PUT /user`: a new password, and what the person
//! says of themselves.

use axum::extract::State;
use novelfoundry_core::Secret;
use novelfoundry_database::issuer::{self as queries, SignedIn};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    super::{
        AuthError, Inner, Issuer,
        answer::{
            LONG_PASSWORD, NO_EMAIL_CHANGE, NO_PHONES, SAME_PASSWORD, SESSION_GONE, UNAVAILABLE, USER_BANNED,
        },
        email::Email,
        password, provision, session,
        token::Bearer,
    },
    extract::{Authenticated, Client, Json},
};

/// How often the metadata is merged anew when somebody else changes it meanwhile.
const ATTEMPTS: u32 = 5;

/// The members that are heeded; the client also sends a challenge and perhaps a nonce.
#[derive(Deserialize)]
pub(super) struct Body {
    email: Option<String>,
    phone: Option<String>,
    password: Option<Secret>,
    data: Option<Map<String, Value>>,
}

pub(super) async fn handler(
    State(issuer): State<Issuer>,
    _: Client,
    Authenticated(bearer): Authenticated,
) -> Result<axum::Json<Value>, AuthError> {
    let who = issuer.who(bearer).await?;
    Ok(axum::Json(session::user(&who.account)))
}

pub(super) async fn update(
    State(issuer): State<Issuer>,
    client: Client,
    Authenticated(bearer): Authenticated,
    Json(body): Json<Body>,
) -> Result<axum::Json<Value>, AuthError> {
    let Inner { options, db, hasher, .. } = &*issuer.0;
    let who = issuer.who(bearer).await?;
    let own = Email::parse(who.account.email());
    if let Some(email) = body.email.filter(|email| !email.is_empty()) {
        let normalised = |email: Email| email.normalised;
        if Email::parse(&email).map(normalised) != own.clone().map(normalised) {
            return Err(NO_EMAIL_CHANGE);
        }
    }
    if body.phone.is_some_and(|phone| !phone.is_empty()) {
        return Err(NO_PHONES);
    }
    let hash = match body.password {
        Some(password) => {
            if password.expose().len() > password::MAX_BYTES {
                return Err(LONG_PASSWORD);
            }
            password::check(password.expose())?;
            // Else whoever finds an open session could guess the password by what is refused as the same.
            if let Some(own) = &own {
                issuer.admit(client, own)?;
            }
            let present = who.account.password_hash();
            if hasher.verify(password.expose().to_owned(), Some(present)).await? {
                return Err(SAME_PASSWORD);
            }
            Some(hasher.hash(password.expose().to_owned()).await?)
        }
        None => None,
    };
    let Bearer { user_id, session_id, .. } = bearer;
    let mut account = who.account;
    // Each in one transaction: who is told to try again would be refused a password that is the same by now.
    if let Some(data) = body.data.filter(|data| !data.is_empty()) {
        let kept = issuer.merge_metadata(bearer, &data, hash.as_ref()).await?;
        account = account.with_user_metadata(kept);
    } else if let Some(hash) = &hash
        && !queries::set_password(db, user_id, hash, Some(session_id), options.clock.now()).await?
    {
        return Err(SESSION_GONE);
    }
    if hash.is_some() {
        tracing::info!(%user_id, %session_id, "password changed; all other sessions ended");
    }
    Ok(axum::Json(session::user(&account)))
}

impl Issuer {
    async fn who(&self, bearer: Bearer) -> Result<SignedIn, AuthError> {
        let found = queries::session_by_id(&self.0.db, bearer.session_id, bearer.user_id).await?;
        let who = found.ok_or(SESSION_GONE)?;
        if who.account.is_disabled() { Err(USER_BANNED) } else { Ok(who) }
    }

    /// Reads what the person says of themselves, as the database writes it, while the session lives.
    async fn metadata(&self, bearer: Bearer) -> Result<String, AuthError> {
        let found = queries::user_metadata(&self.0.db, bearer.user_id, bearer.session_id).await?;
        found.ok_or(SESSION_GONE)
    }

    /// Merges what the person says of themselves, and sets the password where one is given; what is refused changes
    /// neither. Returns the metadata as it is kept.
    async fn merge_metadata(
        &self,
        bearer: Bearer,
        data: &Map<String, Value>,
        hash: Option<&Secret>,
    ) -> Result<Value, AuthError> {
        let Bearer { user_id, session_id, .. } = bearer;
        let Inner { options, db, .. } = &*self.0;
        let password = hash.map(|hash| (hash, options.clock.now()));
        for _ in 0..ATTEMPTS {
            let read = self.metadata(bearer).await?;
            let merged = merged(&read, data)?;
            let kept =
                queries::replace_user_metadata(db, user_id, session_id, read, merged, password).await?;
            if let Some(kept) = kept {
                return Ok(kept);
            }
        }
        Err(UNAVAILABLE)
    }
}

/// Puts members in, and takes those out that are null.
fn merged(present: &str, data: &Map<String, Value>) -> Result<Value, AuthError> {
    let mut merged: Map<String, Value> =
        serde_json::from_str(present).map_err(|error| AuthError::defect(&error))?;
    for (name, value) in data {
        if value.is_null() {
            merged.remove(name);
        } else {
            merged.insert(name.clone(), value.clone());
        }
    }
    provision::check_metadata(&merged)?;
    Ok(Value::Object(merged))
}
