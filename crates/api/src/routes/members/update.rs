//! Changes what a member may do.

use axum::{
    Json,
    extract::{Path, State as AxumState},
};
use novelfoundry_core::{ProblemCode, Role, UserId};
use novelfoundry_database::memberships;
use serde::Deserialize;
use utoipa::ToSchema;

use super::WorkspaceMember;
use crate::{State, auth::Member, json::Body, problem::Problem, routes::id};

/// What a member may do from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRole {
    /// `viewer`, `editor` or `owner`.
    #[schema(value_type = String)]
    role: Role,
}

/// Changes a member's role, from their next request on. Open invitations end with the ownership of who made them.
#[utoipa::path(patch, path = "/v1/members/{user_id}", tag = "members",
    security(("bearer" = [])), params(("user_id" = uuid::Uuid, Path)), request_body = NewRole,
    responses(
        (status = 200, body = WorkspaceMember),
        (status = 401, description = "`unauthenticated`, `invalid-token`"),
        (status = 403, description = "`no-workspace`, `not-a-member`, `role-too-low`"),
        (status = 404, description = "`member-not-found`"),
        (status = 409, description = "`last-owner`"),
        (status = 422, description = "`invalid-field`"),
    ))]
pub(crate) async fn update(
    AxumState(state): AxumState<State>,
    member: Member,
    Path(user): Path<String>,
    Body { value, .. }: Body<NewRole>,
) -> Result<Json<WorkspaceMember>, Problem> {
    let user: UserId = id(&user, ProblemCode::MemberNotFound)?;
    let change = memberships::set_role(Some(member.user_id), user, value.role, state.ids.next());
    let calls = (change, memberships::by_id(user));
    let ((), changed) = member.write(&state, "members.update", calls).await?;
    let changed = changed.ok_or_else(|| Problem::new(ProblemCode::MemberNotFound))?;
    Ok(Json(changed.into()))
}
