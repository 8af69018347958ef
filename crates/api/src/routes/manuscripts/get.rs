//! Reads a manuscript.

use axum::{
    Json,
    extract::{Path, State as AxumState},
};
use http::HeaderMap;
use novelfoundry_core::ProblemCode;
use novelfoundry_database::manuscripts;

use super::{Manuscript, ids};
use crate::{State, auth::Member, problem::Problem, routes::projects::version};

/// Reads a manuscript.
#[utoipa::path(get, path = "/v1/projects/{project_id}/manuscripts/{manuscript_id}", tag = "manuscripts",
    security(("bearer" = [])),
    params(("project_id" = uuid::Uuid, Path), ("manuscript_id" = uuid::Uuid, Path)),
    responses(
        (status = 200, body = Manuscript, headers(("etag" = String))),
        (status = 401, description = "`unauthenticated`, `invalid-token`"),
        (status = 403, description = "`no-workspace`, `not-a-member`"),
        (status = 404, description = "`manuscript-not-found`"),
    ))]
pub(crate) async fn get(
    AxumState(state): AxumState<State>,
    member: Member,
    Path(path): Path<(String, String)>,
) -> Result<(HeaderMap, Json<Manuscript>), Problem> {
    let (project, manuscript) = ids(&path)?;
    let found = member
        .read(&state, "manuscripts.get", manuscripts::by_id(project, manuscript))
        .await?
        .ok_or_else(|| Problem::new(ProblemCode::ManuscriptNotFound))?;
    Ok((version(found.version), Json(found.into())))
}
