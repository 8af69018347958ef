//! Lists analyses.

use axum::{
    Json,
    extract::{Path, State as AxumState},
};
use novelfoundry_core::ProblemCode;
use novelfoundry_database::{Position, analyses, projects};

use super::Analysis;
use crate::{
    State,
    auth::Member,
    page::{List, PageQuery, Paging},
    problem::Problem,
    routes::id,
};

/// Lists a project's analyses without their results, newest first.
#[utoipa::path(get, path = "/v1/projects/{project_id}/analyses", tag = "analyses", security(("bearer" = [])),
    params(("project_id" = uuid::Uuid, Path), PageQuery),
    responses(
        (status = 200, body = List<Analysis>),
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
) -> Result<Json<List<Analysis>>, Problem> {
    let project = id(&project, ProblemCode::ProjectNotFound)?;
    let page = paging.page(member.tenant_id())?;
    let calls = (projects::by_id(project), analyses::list(project, page));
    let (parent, rows) = member.read(&state, "analyses.list", calls).await?;
    parent.ok_or_else(|| Problem::new(ProblemCode::ProjectNotFound))?;
    let position =
        |row: &analyses::Analysis| Position { created_at: row.created_at, id: row.analysis_id.as_uuid() };
    Ok(Json(paging.list(member.tenant_id(), rows, position, Analysis::from)))
}
