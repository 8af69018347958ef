//! Deletes a workspace.

use axum::extract::{Path, State as AxumState};
use http::StatusCode;
use novelfoundry_core::{ProblemCode, TenantId};
use novelfoundry_database::{DbError, Refusal, workspaces};

use crate::{State, auth::Member, problem::Problem, routes::id};

const ACTIVE: &str = "only the active workspace, which the token names, can be deleted: activate it and refresh the session first";

/// Deletes the workspace that the token names, with all that anybody made in it, for good. Nobody is a member of it from
/// then on: refresh the session to get a token of another workspace, or of none. Its files follow after the installation's
/// holding time. To delete another workspace, activate it first.
#[utoipa::path(delete, path = "/v1/tenants/{tenant_id}", tag = "workspaces", security(("bearer" = [])),
    params(("tenant_id" = uuid::Uuid, Path)),
    responses(
        (status = 204, description = "Deleted"),
        (status = 401, description = "`unauthenticated`, `invalid-token`"),
        (status = 403, description = "`no-workspace`, `role-too-low`"),
        (status = 404, description = "`tenant-not-found`: also of a workspace that the token does not name"),
    ))]
pub(crate) async fn delete(
    AxumState(state): AxumState<State>,
    member: Member,
    Path(tenant): Path<String>,
) -> Result<StatusCode, Problem> {
    // The same of another's, of one's own that is not active, and of none.
    let missing = || Problem::new(ProblemCode::TenantNotFound).with_detail(ACTIVE);
    let tenant: TenantId = id(&tenant, ProblemCode::TenantNotFound).map_err(|_| missing())?;
    if tenant != member.tenant_id() {
        return Err(missing());
    }
    match workspaces::delete(&state.tenant, member.authority(), state.deletion()).await {
        Ok(true) => Ok(StatusCode::NO_CONTENT),
        Ok(false) | Err(DbError::Refused(Refusal::NotAMember)) => Err(missing()),
        Err(error) => Err(error.into()),
    }
}
