//! What a person who signs in or refreshes is given.

use jiff::Timestamp;
use novelfoundry_core::Secret;
use novelfoundry_database::issuer::{self as queries, Account, SignedIn};
use serde_json::{Value, json};

use super::{
    AuthError, Inner, Issuer,
    answer::{SESSION_EXPIRED, UNEXPECTED},
    keys::later,
    token,
};

/// A signed access token.
pub(super) struct AccessToken {
    text: String,
    issued_at: Timestamp,
    expires_at: Timestamp,
}

impl Issuer {
    /// Signs a token for a session that lives, with the workspace the database names.
    pub(super) async fn access_token(
        &self,
        who: &SignedIn,
        authentication_method: &str,
    ) -> Result<AccessToken, AuthError> {
        let Inner { options, db, keys, .. } = &*self.0;
        let now = options.clock.now();
        let expires_at = self.session_end(who).min(later(now, options.token_lifetime));
        if expires_at.as_second() <= now.as_second() {
            return Err(SESSION_EXPIRED);
        }
        let event = json!({
            "user_id": who.account.user_id(),
            "claims": token::claims(options, who, now, expires_at),
            "authentication_method": authentication_method,
        });
        let claims = queries::token_claims(db, event).await?;
        if !claims.is_object() {
            tracing::error!("the access-token hook returns no claims");
            return Err(UNEXPECTED);
        }
        let text = keys.current().await.sign(&claims).map_err(|error| AuthError::defect(&error))?;
        Ok(AccessToken { text, issued_at: now, expires_at })
    }

    /// Returns when the session ends for good.
    pub(super) fn session_end(&self, who: &SignedIn) -> Timestamp {
        let lifetime = self.0.options.session_lifetime;
        lifetime.map_or(Timestamp::MAX, |lifetime| later(who.session.created_at, lifetime))
    }
}

/// Writes the answer to a sign-up, sign-in or refresh.
pub(super) fn answer(token: &AccessToken, refresh_token: &Secret, account: &Account) -> Value {
    json!({
        "access_token": token.text,
        "token_type": "bearer",
        "expires_in": token.expires_at.as_second() - token.issued_at.as_second(),
        "expires_at": token.expires_at.as_second(),
        "refresh_token": refresh_token.expose(),
        "user": user(account),
    })
}

/// Writes a person.
pub(super) fn user(account: &Account) -> Value {
    let (id, email, created_at) = (account.user_id(), account.email(), account.created_at());
    let last_sign_in_at = account.last_sign_in_at();
    // A client takes a user without identities for an address that has an account already.
    let identity = json!({
        "identity_id": id,
        "id": id,
        "user_id": id,
        "identity_data": {"sub": id, "email": email, "email_verified": false, "phone_verified": false},
        "provider": "email",
        "last_sign_in_at": last_sign_in_at,
        "created_at": created_at,
        "updated_at": created_at,
        "email": email,
    });
    json!({
        "id": id,
        "aud": "authenticated",
        "role": "authenticated",
        "email": email,
        "email_confirmed_at": created_at,
        "confirmed_at": created_at,
        "phone": "",
        "last_sign_in_at": last_sign_in_at,
        "app_metadata": token::app_metadata(),
        "user_metadata": account.user_metadata(),
        "identities": [identity],
        "created_at": created_at,
        "updated_at": last_sign_in_at.unwrap_or(created_at),
        "is_anonymous": false,
    })
}
