//! Access tokens: the claims of one, and reading one back.

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, Validation};
use novelfoundry_core::{SessionId, UserId};
use novelfoundry_database::issuer::SignedIn;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{IssuerOptions, keys::Ring};

const MAX_BYTES: usize = 16 * 1024;

/// What the token says of every account, before the database adds the workspace.
pub(super) fn app_metadata() -> Value {
    json!({"provider": "email", "providers": ["email"]})
}

/// Returns the claims as they go to the access-token hook.
pub(super) fn claims(
    options: &IssuerOptions,
    who: &SignedIn,
    now: Timestamp,
    expires_at: Timestamp,
) -> Value {
    let SignedIn { session, account } = who;
    json!({
        "iss": options.issuer_url,
        "aud": options.audience,
        "exp": expires_at.as_second(),
        "iat": now.as_second(),
        "sub": account.user_id(),
        "role": "authenticated",
        "aal": "aal1",
        "session_id": session.session_id,
        "email": account.email(),
        "phone": "",
        "is_anonymous": false,
        "app_metadata": app_metadata(),
        "user_metadata": account.user_metadata(),
        "amr": [{"method": session.method.as_str(), "timestamp": session.created_at.as_second()}],
    })
}

/// Whose token it is.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Bearer {
    #[serde(rename = "sub")]
    pub(super) user_id: UserId,
    pub(super) session_id: SessionId,
    exp: i64,
}

/// Reads a token that one of the ring's keys has signed and that has not run out.
pub(super) fn verify(token: &str, ring: &Ring, options: &IssuerOptions, now: Timestamp) -> Option<Bearer> {
    if token.len() > MAX_BYTES {
        return None;
    }
    let kid = jsonwebtoken::decode_header(token).ok()?.kid?;
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_issuer(&[&options.issuer_url]);
    validation.set_audience(&[&options.audience]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // The library reads the wall clock.
    validation.validate_exp = false;
    let bearer = jsonwebtoken::decode::<Bearer>(token, ring.verifying_key(&kid)?, &validation).ok()?.claims;
    (bearer.exp > now.as_second()).then_some(bearer)
}
