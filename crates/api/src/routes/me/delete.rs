//! Deletes the signed-in person.
//!
//! It goes through all workspaces, which no transaction spans: whoever repeats a request that ended half-way finishes it,
//! and where nobody does, a worker.

use axum::{Json, extract::State as AxumState};
use novelfoundry_core::{ProblemCode, TenantId};
use novelfoundry_database::departure::{self, DepartureError, Leaver};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{State, auth::Caller, problem::Problem};

/// What became of the account.
#[derive(Serialize, ToSchema)]
pub(crate) struct Departed {
    /// `erased`, or `at-issuer`: then the person has left here, and the account itself is to be deleted where they sign in.
    account: &'static str,
}

/// Deletes the signed-in person: they leave every workspace, those that nobody else is in are deleted with them, and the
/// account is erased where this installation keeps it. The only owner of others must hand over first, and nothing happens
/// unless another owner leaves at that very moment. Once begun it is finished, here or in the background: repeat a request
/// whose answer was lost or is `commit-unknown`; 401 then says that the account is gone.
#[utoipa::path(delete, path = "/v1/me", tag = "people", security(("bearer" = [])), responses(
    (status = 200, body = Departed),
    (status = 401, description = "`unauthenticated`, `invalid-token`"),
    (status = 409, description = "`last-owner`; `detail` lists the workspaces"),
    (status = 503, description = "`commit-unknown`: begun, and finished by a repeat, or within minutes; `database-unavailable`"),
))]
pub(crate) async fn delete(
    AxumState(state): AxumState<State>,
    Caller(claims): Caller,
) -> Result<Json<Departed>, Problem> {
    let leaver = Leaver::from_claims(&claims);
    let erase = async {
        match &state.accounts {
            Some(accounts) => accounts.erase(claims.user_id()).await,
            None => Ok(()),
        }
    };
    departure::depart(&state.control, &state.tenant, &leaver, || state.deletion(), erase).await?;
    Ok(Json(Departed { account: if state.accounts.is_some() { "erased" } else { "at-issuer" } }))
}

impl From<DepartureError> for Problem {
    fn from(error: DepartureError) -> Self {
        match error {
            DepartureError::Database(error) => error.into(),
            DepartureError::Endless => Self::new(ProblemCode::Internal).with_cause(error),
            DepartureError::Unfinished(error) => Self::from(error)
                .after_a_change()
                .with_detail("the deletion has begun; repeat the request to finish it now"),
            DepartureError::LastOwner { workspaces, begun } => {
                let ids: Vec<_> = workspaces.iter().map(TenantId::to_string).collect();
                let left = if begun { "; other workspaces are left already" } else { "" };
                Self::new(ProblemCode::LastOwner)
                    .with_detail(format!("you are the only owner of others in: {}{left}", ids.join(", ")))
            }
        }
    }
}
