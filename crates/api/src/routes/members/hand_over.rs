//! Hands the workspace over.

use axum::{
    Json,
    extract::{Path, State as AxumState},
};
use novelfoundry_core::{ProblemCode, UserId};
use novelfoundry_database::memberships;

use super::WorkspaceMember;
use crate::{State, auth::Member, problem::Problem, routes::id};

/// Makes a member the owner in the caller's place, who becomes an editor: both or neither. Other owners stay what they
/// are. The caller's open invitations end.
#[utoipa::path(post, path = "/v1/members/{user_id}/hand-over", tag = "members",
    security(("bearer" = [])), params(("user_id" = uuid::Uuid, Path)),
    responses(
        (status = 200, body = WorkspaceMember, description = "The new owner"),
        (status = 401, description = "`unauthenticated`, `invalid-token`"),
        (status = 403, description = "`no-workspace`, `not-a-member`, `role-too-low`"),
        (status = 404, description = "`member-not-found`"),
        (status = 409, description = "`last-owner`: the caller themselves"),
    ))]
pub(crate) async fn hand_over(
    AxumState(state): AxumState<State>,
    member: Member,
    Path(user): Path<String>,
) -> Result<Json<WorkspaceMember>, Problem> {
    let user: UserId = id(&user, ProblemCode::MemberNotFound)?;
    let calls = (memberships::hand_over(member.user_id, user, state.ids.next()), memberships::by_id(user));
    let ((), owner) = member.write(&state, "members.hand_over", calls).await?;
    let owner = owner.ok_or_else(|| Problem::new(ProblemCode::MemberNotFound))?;
    Ok(Json(owner.into()))
}
