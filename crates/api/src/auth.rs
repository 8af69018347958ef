//! From the bearer token to the caller: verified claims, and the authority over the workspace they name.

use std::pin::Pin;

use axum::extract::{FromRequestParts, MatchedPath};
use http::{header, request::Parts};
use novelfoundry_core::{Operation, ProblemCode, Role, TenantId, UserId};
use novelfoundry_database::{Authority, DbError, Pipeline, TenantTx};
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
        let claims = state.verifier.verify(token).await?;
        if operation(parts).is_some_and(Operation::is_lasting)
            && let Some(accounts) = &state.accounts
            && !accounts.is_signed_in(&claims).await?
        {
            return Err(Problem::signed_out());
        }
        Ok(Self(claims))
    }
}

fn operation(parts: &Parts) -> Option<Operation> {
    let path = parts.extensions.get::<MatchedPath>()?;
    Operation::at(parts.method.as_str(), path.as_str())
}

/// A caller with the authority over the workspace of the token, for the one operation that is called. Each transaction
/// checks membership and the role that [`Operation`]'s table demands; a handler cannot ask for less.
pub(crate) struct Member {
    authority: Authority,
    role: Role,
    pub(crate) user_id: UserId,
}

impl Member {
    pub(crate) fn tenant_id(&self) -> TenantId {
        self.authority.tenant_id()
    }

    /// For what is one operation of the database as a whole, and demands its role itself.
    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Runs statements that read, as [`TenantDb::read`](novelfoundry_database::TenantDb::read).
    pub(crate) async fn read<P: Pipeline>(
        &self,
        state: &State,
        name: &'static str,
        calls: P,
    ) -> Result<P::Output, DbError> {
        state.tenant.read(&self.authority, self.role, name, calls).await
    }

    /// Runs statements that write, as [`TenantDb::write`](novelfoundry_database::TenantDb::write).
    pub(crate) async fn write<P: Pipeline>(
        &self,
        state: &State,
        name: &'static str,
        calls: P,
    ) -> Result<P::Output, DbError> {
        state.tenant.write(&self.authority, self.role, name, calls).await
    }

    /// Runs a closure in a transaction, as [`TenantDb::run`](novelfoundry_database::TenantDb::run).
    pub(crate) async fn run<T, F>(&self, state: &State, name: &'static str, body: F) -> Result<T, DbError>
    where
        F: for<'a> Fn(&'a mut TenantTx) -> Pin<Box<dyn Future<Output = Result<T, DbError>> + Send + 'a>>,
    {
        state.tenant.run(&self.authority, self.role, name, body).await
    }
}

impl FromRequestParts<State> for Member {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        let Caller(claims) = Caller::from_request_parts(parts, state).await?;
        let role = operation(parts).and_then(|operation| operation.access().role()).ok_or_else(|| {
            Problem::new(ProblemCode::Internal)
                .with_cause("an operation for members is not one in the table of operations")
        })?;
        let authority =
            Authority::from_claims(&claims).ok_or_else(|| Problem::new(ProblemCode::NoWorkspace))?;
        Ok(Self { authority, role, user_id: claims.user_id() })
    }
}
