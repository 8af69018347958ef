//! Lists projects.

use axum::{Json, extract::State as AxumState};
use novelfoundry_database::{Position, projects};

use super::Project;
use crate::{
    State,
    auth::Member,
    page::{List, PageQuery, Paging},
    problem::Problem,
};

/// Lists the workspace's projects, newest first.
#[utoipa::path(get, path = "/v1/projects", tag = "projects", security(("bearer" = [])), params(PageQuery),
    responses(
        (status = 200, body = List<Project>),
        (status = 400, description = "`invalid-cursor`, `invalid-parameter`"),
        (status = 401, description = "`unauthenticated`, `invalid-token`"),
        (status = 403, description = "`no-workspace`, `not-a-member`"),
    ))]
pub(crate) async fn list(
    AxumState(state): AxumState<State>,
    member: Member,
    paging: Paging,
) -> Result<Json<List<Project>>, Problem> {
    let page = paging.page(member.tenant_id())?;
    let rows = member.read(&state, "projects.list", projects::list(page)).await?;
    let position =
        |row: &projects::Project| Position { created_at: row.created_at, id: row.project_id.as_uuid() };
    Ok(Json(paging.list(member.tenant_id(), rows, position, Project::from)))
}
