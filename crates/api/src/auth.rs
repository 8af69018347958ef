//! From the bearer token to the caller: verified claims, and the authority over the workspace they name.

use axum::extract::FromRequestParts;
use http::{header, request::Parts};
use novelfoundry_core::{ProblemCode, TenantId, UserId};
use novelfoundry_database::Authority;
use novelfoundry_identity::VerifiedClaims;

use crate::{State, problem::Problem};

/// A person with a valid token, in a workspace or not.
pub(crate) struct Caller(pub(crate) VerifiedClaims);

impl FromRequestParts<State> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(header::AUTHORIZATION).iter();
        let value = values.next().ok_or_else(|| Problem::new(ProblemCode::Unauthenticated))?;
        if values.next().is_some() {
            return Err(Problem::new(ProblemCode::InvalidToken));
        }
        let token = value
            .to_str()
            .ok()
            .and_then(|text| text.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or_else(|| Problem::new(ProblemCode::Unauthenticated))?;
        Ok(Self(state.verifier.verify(token).await?))
    }
}

/// A caller with the authority over the workspace of the token. Membership and role are checked by the transaction.
pub(crate) struct Member {
    pub(crate) authority: Authority,
    pub(crate) user_id: UserId,
}

impl Member {
    pub(crate) fn tenant_id(&self) -> TenantId {
        self.authority.tenant_id()
    }
}

impl FromRequestParts<State> for Member {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        let Caller(claims) = Caller::from_request_parts(parts, state).await?;
        let authority =
            Authority::from_claims(&claims).ok_or_else(|| Problem::new(ProblemCode::NoWorkspace))?;
        Ok(Self { authority, user_id: claims.user_id() })
    }
}
