//! `POST /token`: signs a person in by password or by the code of a link, or goes on with a session by its refresh token.

use axum::extract::{Query, State, rejection::QueryRejection};
use novelfoundry_core::{Secret, SessionId};
use novelfoundry_database::issuer::{self as queries, Account, Rotation};
use serde::Deserialize;
use serde_json::Value;

use super::{
    super::{
        AuthError, Inner, Issuer,
        answer::{
            BAD_VERIFIER, INVALID_CREDENTIALS, NO_FLOW, SESSION_EXPIRED, TOKEN_REUSED, TOKEN_UNKNOWN,
            UNSUPPORTED_GRANT, USER_BANNED,
        },
        email::Email,
        link::LinkToken,
        password,
        refresh::RefreshToken,
        session,
    },
    extract::{Client, Json},
};

#[derive(Deserialize)]
pub(super) struct Parameters {
    grant_type: Grant,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Grant {
    Password,
    RefreshToken,
    Pkce,
}

#[derive(Deserialize)]
pub(super) struct Body {
    email: Option<String>,
    password: Option<Secret>,
    refresh_token: Option<Secret>,
    auth_code: Option<Secret>,
    code_verifier: Option<Secret>,
}

pub(super) async fn handler(
    State(issuer): State<Issuer>,
    client: Client,
    parameters: Result<Query<Parameters>, QueryRejection>,
    Json(body): Json<Body>,
) -> Result<axum::Json<Value>, AuthError> {
    let Query(Parameters { grant_type }) = parameters.map_err(|_| UNSUPPORTED_GRANT)?;
    let answer = match grant_type {
        Grant::Password => {
            let email = body.email.as_deref().and_then(Email::parse).ok_or(INVALID_CREDENTIALS)?;
            let password = body.password.ok_or(INVALID_CREDENTIALS)?;
            issuer.admit(client, &email)?;
            issuer.sign_in_by_password(&email, &password).await?
        }
        Grant::RefreshToken => {
            let token = body.refresh_token.and_then(|token| RefreshToken::parse(token.expose()));
            issuer.refresh(&token.ok_or(TOKEN_UNKNOWN)?).await?
        }
        Grant::Pkce => {
            let code = body.auth_code.and_then(|code| LinkToken::parse(code.expose())).ok_or(NO_FLOW)?;
            issuer.sign_in_by_code(&code, &body.code_verifier.ok_or(BAD_VERIFIER)?).await?
        }
    };
    Ok(axum::Json(answer))
}

impl Issuer {
    /// Counts an attempt with a password.
    pub(super) fn admit(&self, client: Client, email: &Email) -> Result<(), AuthError> {
        let limiters = &self.0.limiters;
        limiters.credentials_by_address.check(client.0)?;
        limiters.credentials_by_account.check(email.normalised.expose())?;
        Ok(())
    }

    async fn sign_in_by_password(&self, email: &Email, password: &Secret) -> Result<Value, AuthError> {
        let Inner { db, hasher, .. } = &*self.0;
        if password.expose().len() > password::MAX_BYTES {
            return Err(INVALID_CREDENTIALS);
        }
        let account = queries::account_by_email(db, email.normalised.expose()).await?;
        let hash = account.as_ref().map(Account::password_hash);
        let right = hasher.verify(password.expose().to_owned(), hash).await?;
        let Some(account) = account else {
            tracing::info!("sign-in refused: no such account");
            return Err(INVALID_CREDENTIALS);
        };
        if !right {
            tracing::info!(user_id = %account.user_id(), "sign-in refused: wrong password");
            return Err(INVALID_CREDENTIALS);
        }
        if account.is_disabled() {
            tracing::info!(user_id = %account.user_id(), "sign-in refused: account disabled");
            return Err(USER_BANNED);
        }
        self.provision(&account).await?;
        self.sign_in(&account).await
    }

    /// Opens a session of a person who is who they say.
    pub(super) async fn sign_in(&self, account: &Account) -> Result<Value, AuthError> {
        let Inner { options, db, .. } = &*self.0;
        let token = RefreshToken::random();
        let session = SessionId::from_uuid(options.ids.next());
        // Not where the password was changed, or the account shut, since it was looked at.
        let who = queries::open_session(db, session, account, token.hash(), options.clock.now())
            .await?
            .ok_or(INVALID_CREDENTIALS)?;
        let access = self.access_token(&who, who.session.method.as_str()).await?;
        tracing::info!(user_id = %account.user_id(), session_id = %session, "signed in");
        Ok(session::answer(&access, &token.to_text(), &who.account))
    }

    /// The token is used last: where anything before fails, the client still holds a good one.
    async fn refresh(&self, token: &RefreshToken) -> Result<Value, AuthError> {
        let Inner { options, db, .. } = &*self.0;
        let who = queries::session_by_refresh_token(db, token.hash()).await?.ok_or(TOKEN_UNKNOWN)?;
        let (user_id, session_id) = (who.account.user_id(), who.session.session_id);
        if who.account.is_disabled() {
            return Err(USER_BANNED);
        }
        let now = options.clock.now();
        if self.session_end(&who) <= now {
            return Err(SESSION_EXPIRED);
        }
        let access = self.access_token(&who, "token_refresh").await?;
        match queries::rotate(db, token.hash(), token.propose(), now, options.reuse_grace).await? {
            Rotation::Rotated(salts) => {
                let newest = salts.iter().fold(token.clone(), |token, salt| token.follow(salt));
                tracing::debug!(%user_id, %session_id, "refreshed");
                Ok(session::answer(&access, &newest.to_text(), &who.account))
            }
            Rotation::Reused => {
                tracing::warn!(%user_id, %session_id, "a refresh token was used again; its session is ended");
                Err(TOKEN_REUSED)
            }
            Rotation::Unknown => Err(TOKEN_UNKNOWN),
        }
    }
}
