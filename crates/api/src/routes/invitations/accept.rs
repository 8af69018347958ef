//! Joins a workspace by an invitation.

use axum::{Json, extract::State as AxumState};
use novelfoundry_core::{ProblemCode, Role, Secret, TenantId};
use novelfoundry_database::{
    directory,
    invitations::{self, InvitationToken},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{State, auth::Caller, json::Body, problem::Problem};

/// The token of an invitation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Acceptance {
    /// What stands behind `#token=` in the link.
    #[schema(value_type = String)]
    token: Secret,
}

/// The workspace that the caller is a member of.
#[derive(Serialize, ToSchema)]
pub(crate) struct Joined {
    /// The workspace.
    #[schema(value_type = uuid::Uuid)]
    tenant_id: TenantId,
    /// Its name.
    name: String,
    /// What the caller may do there: `viewer`, `editor` or `owner`.
    #[schema(value_type = String)]
    role: Role,
}

/// Makes the caller a member of the workspace that the invitation leads to, whatever address they signed in with.
/// Activate it and refresh the session to work in it. Repeating it answers alike. Who is a member already keeps their
/// role where it is as high as the invitation's, and the invitation stays open; a lower role is raised.
#[utoipa::path(post, path = "/v1/invitations/accept", tag = "invitations",
    security(("bearer" = [])), request_body = Acceptance,
    responses(
        (status = 200, body = Joined),
        (status = 401, description = "`unauthenticated`, `invalid-token`"),
        (status = 404, description = "`invitation-not-found`: used, expired, withdrawn or never made"),
        (status = 409, description = "`too-many-workspaces`"),
        (status = 422, description = "`invalid-field`"),
    ))]
pub(crate) async fn accept(
    AxumState(state): AxumState<State>,
    Caller(claims): Caller,
    Body { value, .. }: Body<Acceptance>,
) -> Result<Json<Joined>, Problem> {
    let missing = || Problem::new(ProblemCode::InvitationNotFound);
    let hash = InvitationToken::presented(value.token).hash();
    let redeemed = invitations::redeem(&state.control, &claims, hash).await?.ok_or_else(missing)?;
    directory::remember(&state.control, &claims).await?;
    let (workspace, member) = invitations::accept(&state.tenant, &redeemed, &state.ids).await?;
    let (workspace, member) = workspace.zip(member).ok_or_else(missing)?;
    Ok(Json(Joined { tenant_id: workspace.tenant_id, name: workspace.name, role: member.role }))
}
