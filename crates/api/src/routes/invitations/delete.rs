//! Withdraws an invitation.

use axum::extract::{Path, State as AxumState};
use http::StatusCode;
use novelfoundry_core::ProblemCode;
use novelfoundry_database::invitations;

use crate::{State, auth::Member, problem::Problem, routes::id};

/// Withdraws an open invitation: its links lead nowhere from now on. One that was accepted counts as missing; the
/// member it made can be removed.
#[utoipa::path(delete, path = "/v1/invitations/{invitation_id}",
    tag = "invitations", security(("bearer" = [])), params(("invitation_id" = uuid::Uuid, Path)),
    responses(
        (status = 204, description = "Withdrawn"),
        (status = 401, description = "`unauthenticated`, `invalid-token`"),
        (status = 403, description = "`no-workspace`, `not-a-member`, `role-too-low`"),
        (status = 404, description = "`invitation-not-found`"),
    ))]
pub(crate) async fn delete(
    AxumState(state): AxumState<State>,
    member: Member,
    Path(invitation): Path<String>,
) -> Result<StatusCode, Problem> {
    let invitation = id(&invitation, ProblemCode::InvitationNotFound)?;
    let revocation = invitations::revoke(Some(member.user_id), invitation, state.ids.next());
    member.write(&state, "invitations.revoke", revocation).await?;
    Ok(StatusCode::NO_CONTENT)
}
