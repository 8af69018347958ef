//! Deletes the signed-in person.
//!
//! It goes through all workspaces, which no transaction spans: each step may be repeated, the account comes last, and
//! whoever repeats a request that ended half-way finishes it.

use axum::{Json, extract::State as AxumState};
use novelfoundry_core::{ProblemCode, TenantId};
use novelfoundry_database::{ConfirmedMembership, DbError, Refusal, departure};
use novelfoundry_identity::VerifiedClaims;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{State, auth::Caller, problem::Problem};

/// How often the workspaces are listed: to leave them, and to see that none is left.
const ROUNDS: usize = 3;

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
    let workspaces = departure::workspaces(&state.control, &claims).await?;
    if let Err(refused) = refuse_last_owner(&state, &workspaces).await {
        // An earlier attempt may have got half-way.
        departure::stay(&state.control, claims.user_id()).await?;
        return Err(refused);
    }
    leave(&state, &claims).await?;
    let Some(accounts) = &state.accounts else { return Ok(Json(Departed { account: "at-issuer" })) };
    accounts.erase(claims.user_id()).await?;
    // A token that was refreshed amid it may have entered one more; from here on none is.
    leave(&state, &claims).await?;
    Ok(Json(Departed { account: "erased" }))
}

/// Leaves every workspace and has the directory forget the person.
async fn leave(state: &State, claims: &VerifiedClaims) -> Result<(), Problem> {
    let user = claims.user_id();
    departure::begin(&state.control, claims).await?;
    for _ in 0..ROUNDS {
        let workspaces = departure::workspaces(&state.control, claims).await?;
        if workspaces.is_empty() {
            departure::forget(&state.control, user).await?;
            return Ok(());
        }
        for membership in &workspaces {
            match departure::leave(&state.tenant, membership, state.deletion()).await {
                Ok(()) | Err(DbError::Refused(Refusal::NotAMember)) => {}
                // An owner has left since.
                Err(DbError::Refused(Refusal::LastOwner)) => {
                    departure::stay(&state.control, user).await?;
                    return Err(last_owner(&[membership.tenant_id()]));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    Err(Problem::new(ProblemCode::Internal)
        .with_cause("a person who leaves is in workspaces again and again"))
}

/// Looks before anything is left: who is refused has lost nothing.
async fn refuse_last_owner(state: &State, workspaces: &[ConfirmedMembership]) -> Result<(), Problem> {
    let mut owned = Vec::new();
    for membership in workspaces {
        match departure::owes_hand_over(&state.tenant, membership).await {
            Ok(true) => owned.push(membership.tenant_id()),
            Ok(false) | Err(DbError::Refused(Refusal::NotAMember)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if owned.is_empty() { Ok(()) } else { Err(last_owner(&owned)) }
}

fn last_owner(workspaces: &[TenantId]) -> Problem {
    let ids: Vec<_> = workspaces.iter().map(TenantId::to_string).collect();
    Problem::new(ProblemCode::LastOwner)
        .with_detail(format!("you are the only owner of others in: {}", ids.join(", ")))
}
