//! Lists manuscripts.

use axum::{
    Json,
    extract::{Path, State as AxumState},
};
use novelfoundry_core::ProblemCode;
use novelfoundry_database::{Position, manuscripts, projects};

use super::Manuscript;
use crate::{
    State,
    auth::Member,
    page::{List, PageQuery, Paging},
    problem::Problem,
    routes::id,
};

/// Lists a project's manuscripts, newest first.
#[utoipa::path(get, path = "/v1/projects/{project_id}/manuscripts", tag = "manuscripts", security(("bearer" = [])),
    params(("project_id" = uuid::Uuid, Path), PageQuery),
    responses(
        (status = 200, body = List<Manuscript>),
        (status = 400, description = "`invalid-cursor`, `invalid-parameter`"),
        (status = 401, description = "`unauthenticated`, `invalid-token`"),
        (status = 403, description = "`no-workspace`, `not-a-member`"),
        (status = 404, description = "`project-not-found`"),
    ))]
pub(crate) async fn list(
    AxumState(state): AxumState<State>,
    member: Member,
    Path(project): Path<String>,
    paging: Paging,
) -> Result<Json<List<Manuscript>>, Problem> {
    let project = id(&project, ProblemCode::ProjectNotFound)?;
    let page = paging.page(member.tenant_id())?;
    let calls = (projects::by_id(project), manuscripts::list(project, page));
    let (parent, rows) = member.read(&state, "manuscripts.list", calls).await?;
    parent.ok_or_else(|| Problem::new(ProblemCode::ProjectNotFound))?;
    let position = |row: &manuscripts::Manuscript| Position {
        created_at: row.created_at,
        id: row.manuscript_id.as_uuid(),
    };
    Ok(Json(paging.list(member.tenant_id(), rows, position, Manuscript::from)))
}
