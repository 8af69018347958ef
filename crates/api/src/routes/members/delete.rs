//! Takes a member out of the workspace.

use axum::extract::{Path, State as AxumState};
use http::StatusCode;
use novelfoundry_core::{ProblemCode, Role, UserId};
use novelfoundry_database::memberships;

use crate::{State, auth::Member, problem::Problem, routes::id};

/// Takes a member out: an owner anybody, everybody themselves, which is how to leave. They are out at their next
/// request, whatever their token says; the next token names another workspace of theirs, where they have one. What
/// they have written stays; invitations of theirs that nobody has accepted end.
#[utoipa::path(delete, operation_id = "remove_member", path = "/v1/members/{user_id}", tag = "members",
    security(("bearer" = [])), params(("user_id" = uuid::Uuid, Path)),
    responses(
        (status = 204, description = "Removed"),
        (status = 401, description = "`unauthenticated`, `invalid-token`"),
        (status = 403, description = "`no-workspace`, `not-a-member`, `role-too-low`"),
        (status = 404, description = "`member-not-found`"),
        (status = 409, description = "`last-owner`"),
    ))]
pub(crate) async fn delete(
    AxumState(state): AxumState<State>,
    member: Member,
    Path(user): Path<String>,
) -> Result<StatusCode, Problem> {
    let user: UserId = id(&user, ProblemCode::MemberNotFound)?;
    let (role, name) = if user == member.user_id {
        (Role::Viewer, "members.leave")
    } else {
        (Role::Owner, "members.remove")
    };
    let removal = memberships::remove(member.user_id, user, state.ids.next());
    state.tenant.write(&member.authority, role, name, removal).await?;
    Ok(StatusCode::NO_CONTENT)
}
