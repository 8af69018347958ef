//! Reads a project.

use axum::{
    Json,
    extract::{Path, State as AxumState},
};
use http::HeaderMap;
use novelfoundry_core::ProblemCode;
use novelfoundry_database::projects;

use super::{Project, version};
use crate::{State, auth::Member, problem::Problem, routes::id};

/// Reads a project.
#[utoipa::path(get, path = "/v1/projects/{project_id}", tag = "projects", security(("bearer" = [])),
    params(("project_id" = uuid::Uuid, Path)),
    responses(
        (status = 200, body = Project, headers(("etag" = String))),
        (status = 401, description = "`unauthenticated`, `invalid-token`"),
        (status = 403, description = "`no-workspace`, `not-a-member`"),
        (status = 404, description = "`project-not-found`"),
    ))]
pub(crate) async fn get(
    AxumState(state): AxumState<State>,
    member: Member,
    Path(project): Path<String>,
) -> Result<(HeaderMap, Json<Project>), Problem> {
    let project = id(&project, ProblemCode::ProjectNotFound)?;
    let project = member
        .read(&state, "projects.get", projects::by_id(project))
        .await?
        .ok_or_else(|| Problem::new(ProblemCode::ProjectNotFound))?;
    Ok((version(project.version), Json(project.into())))
}
