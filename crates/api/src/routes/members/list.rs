//! Lists members.

use axum::{Json, extract::State as AxumState};
use novelfoundry_database::{Position, memberships};

use super::WorkspaceMember;
use crate::{
    State,
    auth::Member,
    page::{List, PageQuery, Paging},
    problem::Problem,
};

/// Lists the workspace's members, who joined last first.
#[utoipa::path(get, path = "/v1/members", tag = "members",
    security(("bearer" = [])), params(PageQuery),
    responses(
        (status = 200, body = List<WorkspaceMember>),
        (status = 400, description = "`invalid-cursor`, `invalid-parameter`"),
        (status = 401, description = "`unauthenticated`, `invalid-token`"),
        (status = 403, description = "`no-workspace`, `not-a-member`"),
    ))]
pub(crate) async fn list(
    AxumState(state): AxumState<State>,
    member: Member,
    paging: Paging,
) -> Result<Json<List<WorkspaceMember>>, Problem> {
    let page = paging.page(member.tenant_id())?;
    let read = memberships::list(page);
    let rows = member.read(&state, "members.list", read).await?;
    let position =
        |row: &memberships::Member| Position { created_at: row.joined_at, id: row.user_id.as_uuid() };
    Ok(Json(paging.list(member.tenant_id(), rows, position, WorkspaceMember::from)))
}
