//! Deletes the signed-in person.
//!
//! It goes through all workspaces, which no transaction spans: each step may be repeated, the account comes last, and
//! whoever repeats a request that ended half-way finishes it.

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
/// account is erased where this installation keeps it. The only owner of others must hand over first, and nothing happens.
/// Repeat a request whose answer was lost; 401 then says that the account is gone.
#[utoipa::path(delete, path = "/v1/me", tag = "people", security(("bearer" = [])), responses(
    (status = 200, body = Departed),
    (status = 401, description = "`unauthenticated`, `invalid-token`"),
    (status = 409, description = "`last-owner`; `detail` lists the workspaces"),
))]
pub(crate) async fn delete(
    AxumState(state): AxumState<State>,
    Caller(claims): Caller,
) -> Result<Json<Departed>, Problem> {
    let leaver = Leaver::from_claims(&claims);
    let depart = || departure::depart(&state.control, &state.tenant, &leaver, || state.deletion());
    departure::refuse_last_owner(&state.control, &state.tenant, &leaver).await?;
    depart().await?;
    let Some(accounts) = &state.accounts else { return Ok(Json(Departed { account: "at-issuer" })) };
    accounts.erase(claims.user_id()).await?;
    // A token that was refreshed amid it may have entered one more; from here on none is.
    depart().await?;
    Ok(Json(Departed { account: "erased" }))
}

impl From<DepartureError> for Problem {
    fn from(error: DepartureError) -> Self {
        match error {
            DepartureError::Database(error) => error.into(),
            DepartureError::Endless => Self::new(ProblemCode::Internal).with_cause(error),
            DepartureError::LastOwner(workspaces) => {
                let ids: Vec<_> = workspaces.iter().map(TenantId::to_string).collect();
                Self::new(ProblemCode::LastOwner)
                    .with_detail(format!("you are the only owner of others in: {}", ids.join(", ")))
            }
        }
    }
}
