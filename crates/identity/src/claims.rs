//! What a token may say and what is made of it. The checks are written out here, because a library's defaults
//! are generous: they skip the issuer, read the wall clock and take a list of audiences for one.

use std::{borrow::Cow, fmt, str::FromStr};

use jiff::{SignedDuration, Timestamp};
use novelfoundry_core::{SessionId, TenantId, UserId};
use serde::Deserialize;

use crate::{VerifyError, strict::Object};

/// What a token's signature vouches for: who, in which session, in which workspace, until when.
///
/// Only [`Verifier::verify`](crate::Verifier::verify) makes one. `Debug` leaves out the e-mail address.
#[derive(Clone)]
pub struct VerifiedClaims {
    user_id: UserId,
    session_id: Option<SessionId>,
    tenant_id: Option<TenantId>,
    email: Option<String>,
    issued_at: Timestamp,
    expires_at: Timestamp,
}

impl VerifiedClaims {
    /// Returns the person, the token's `sub`.
    pub const fn user_id(&self) -> UserId {
        self.user_id
    }

    /// Returns the session, where the issuer names one.
    pub const fn session_id(&self) -> Option<SessionId> {
        self.session_id
    }

    /// Returns the one workspace the token is for; none before the person has one.
    pub const fn tenant_id(&self) -> Option<TenantId> {
        self.tenant_id
    }

    /// Returns the e-mail address, where the person has one.
    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// Returns when the token was issued, to the second.
    pub const fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// Returns when the token runs out.
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

impl fmt::Debug for VerifiedClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedClaims")
            .field("user_id", &self.user_id)
            .field("session_id", &self.session_id)
            .field("tenant_id", &self.tenant_id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// What the claims are held against.
pub(crate) struct Expected {
    pub(crate) issuer: String,
    pub(crate) audience: String,
    pub(crate) leeway: SignedDuration,
}

/// The claims as they stand in the token; `user_metadata` is absent on purpose, since its owner can edit it.
#[derive(Deserialize)]
struct TokenClaims<'a> {
    exp: Option<i64>,
    iat: Option<i64>,
    nbf: Option<i64>,
    #[serde(borrow)]
    iss: Option<Cow<'a, str>>,
    #[serde(borrow)]
    aud: Option<Cow<'a, str>>,
    #[serde(borrow)]
    sub: Option<Cow<'a, str>>,
    #[serde(borrow)]
    role: Option<Cow<'a, str>>,
    is_anonymous: Option<bool>,
    #[serde(borrow)]
    session_id: Option<Cow<'a, str>>,
    email: Option<String>,
    #[serde(borrow)]
    app_metadata: Option<Object<AppMetadata<'a>>>,
}

#[derive(Deserialize)]
struct AppMetadata<'a> {
    #[serde(borrow)]
    tenant_id: Option<Cow<'a, str>>,
}

/// Checks the payload of a token whose signature is right.
pub(crate) fn check(
    payload: &[u8],
    expected: &Expected,
    now: Timestamp,
) -> Result<VerifiedClaims, VerifyError> {
    let Object(claims) = serde_json::from_slice::<Object<TokenClaims<'_>>>(payload)
        .map_err(|_| VerifyError::Malformed("the payload"))?;

    let issuer = claims.iss.ok_or(VerifyError::Claim("iss"))?;
    if issuer != expected.issuer {
        return Err(VerifyError::WrongIssuer);
    }
    let audience = claims.aud.ok_or(VerifyError::Claim("aud"))?;
    if audience != expected.audience {
        return Err(VerifyError::WrongAudience);
    }

    let expires_at = moment(claims.exp, "exp")?.ok_or(VerifyError::Claim("exp"))?;
    if now.duration_since(expires_at) >= expected.leeway {
        return Err(VerifyError::Expired);
    }
    let issued_at = moment(claims.iat, "iat")?.ok_or(VerifyError::Claim("iat"))?;
    let not_before = moment(claims.nbf, "nbf")?.unwrap_or(issued_at);
    if issued_at.max(not_before).duration_since(now) > expected.leeway {
        return Err(VerifyError::NotYetValid);
    }

    if claims.role.is_some_and(|role| role != "authenticated") || claims.is_anonymous == Some(true) {
        return Err(VerifyError::NotAPerson);
    }

    let tenant_id = claims.app_metadata.and_then(|Object(metadata)| metadata.tenant_id);
    Ok(VerifiedClaims {
        user_id: id(claims.sub, "sub")?.ok_or(VerifyError::Claim("sub"))?,
        session_id: id(claims.session_id, "session_id")?,
        tenant_id: id(tenant_id, "app_metadata.tenant_id")?,
        email: claims.email.filter(|email| !email.is_empty()),
        issued_at,
        expires_at,
    })
}

fn moment(seconds: Option<i64>, claim: &'static str) -> Result<Option<Timestamp>, VerifyError> {
    seconds.map(Timestamp::from_second).transpose().map_err(|_| VerifyError::Claim(claim))
}

/// Reads an id in lower case only, the one form in which the database writes it too.
fn id<T: FromStr>(text: Option<Cow<'_, str>>, claim: &'static str) -> Result<Option<T>, VerifyError> {
    let Some(text) = text else { return Ok(None) };
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(VerifyError::Claim(claim));
    }
    text.parse().map(Some).map_err(|_| VerifyError::Claim(claim))
}
