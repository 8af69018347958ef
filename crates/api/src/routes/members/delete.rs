//! Takes a member out of the workspace.

use axum::extract::{Path, State as AxumState};
use http::StatusCode;
use novelfoundry_core::{ProblemCode, UserId};
use novelfoundry_database::memberships;

use crate::{State, auth::Member, problem::Problem, routes::id};

/// Takes a member out: an owner anybody, everybody themselves, which is how to leave. They are out at their next
/// request, whatever their token says; the next token names another workspace of theirs, where they have one. What
/// they have written stays; invitations of theirs that nobody has accepted end.
#[utoipa::path(delete, path = "/v1/members/{user_id}", tag = "members",
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
    // Whoever is not an owner and means somebody else is refused by the statement.
    let name = if user == member.user_id { "members.leave" } else { "members.remove" };
    let removal = memberships::remove(Some(member.user_id), user, state.ids.next());
    member.write(&state, name, removal).await?;
    Ok(StatusCode::NO_CONTENT)
}
