//! Lists invitations.

use axum::{Json, extract::State as AxumState};
use novelfoundry_database::{Position, invitations};

use super::Invitation;
use crate::{
    State,
    auth::Member,
    page::{List, PageQuery, Paging},
    problem::Problem,
};

/// Lists the workspace's open invitations, newest first; those that were accepted or have expired are not among them.
#[utoipa::path(get, path = "/v1/invitations", tag = "invitations",
    security(("bearer" = [])), params(PageQuery),
    responses(
        (status = 200, body = List<Invitation>),
        (status = 400, description = "`invalid-cursor`, `invalid-parameter`"),
        (status = 401, description = "`unauthenticated`, `invalid-token`"),
        (status = 403, description = "`no-workspace`, `not-a-member`, `role-too-low`"),
    ))]
pub(crate) async fn list(
    AxumState(state): AxumState<State>,
    member: Member,
    paging: Paging,
) -> Result<Json<List<Invitation>>, Problem> {
    let page = paging.page(member.tenant_id())?;
    let read = invitations::list(page);
    let rows = member.read(&state, "invitations.list", read).await?;
    let position = |row: &invitations::Invitation| Position {
        created_at: row.created_at,
        id: row.invitation_id.as_uuid(),
    };
    Ok(Json(paging.list(member.tenant_id(), rows, position, Invitation::from)))
}
