//! Lists revisions.

use axum::{
    Json,
    extract::{Path, State as AxumState},
};
use novelfoundry_core::ProblemCode;
use novelfoundry_database::{Position, manuscripts, revisions};

use super::Revision;
use crate::{
    State,
    auth::Member,
    page::{List, PageQuery, Paging},
    problem::Problem,
    routes::manuscripts::ids,
};

/// Lists a manuscript's revisions, newest first.
#[utoipa::path(get, path = "/v1/projects/{project_id}/manuscripts/{manuscript_id}/revisions", tag = "revisions",
    security(("bearer" = [])),
    params(("project_id" = uuid::Uuid, Path), ("manuscript_id" = uuid::Uuid, Path), PageQuery),
    responses(
        (status = 200, body = List<Revision>),
        (status = 400, description = "`invalid-cursor`, `invalid-parameter`"),
        (status = 401, description = "`unauthenticated`, `invalid-token`"),
        (status = 403, description = "`no-workspace`, `not-a-member`"),
        (status = 404, description = "`manuscript-not-found`"),
    ))]
pub(crate) async fn list(
    AxumState(state): AxumState<State>,
    member: Member,
    Path(path): Path<(String, String)>,
    paging: Paging,
) -> Result<Json<List<Revision>>, Problem> {
    let (project, manuscript) = ids(&path)?;
    let page = paging.page(member.tenant_id())?;
    let calls = (manuscripts::by_id(project, manuscript), revisions::list(project, manuscript, page));
    let (parent, rows) = member.read(&state, "revisions.list", calls).await?;
    parent.ok_or_else(|| Problem::new(ProblemCode::ManuscriptNotFound))?;
    let position =
        |row: &revisions::Revision| Position { created_at: row.created_at, id: row.revision_id.as_uuid() };
    Ok(Json(paging.list(member.tenant_id(), rows, position, Revision::from)))
}
