//! Changes a project.

use axum::{
    Json,
    extract::{Path, State as AxumState},
};
use http::HeaderMap;
use novelfoundry_core::ProblemCode;
use novelfoundry_database::projects;

use super::{Project, Titled, version};
use crate::{
    State,
    auth::Member,
    etag::{IfMatch, unchanged},
    json::{Body, title},
    problem::Problem,
    routes::id,
};

/// Changes a project's title.
#[utoipa::path(patch, path = "/v1/projects/{project_id}", tag = "projects", security(("bearer" = [])),
    params(("project_id" = uuid::Uuid, Path), ("if-match" = Option<String>, Header, description = "The `etag` that was read")),
    request_body = Titled,
    responses(
        (status = 200, body = Project, headers(("etag" = String))),
        (status = 401, description = "`unauthenticated`, `invalid-token`"),
        (status = 403, description = "`no-workspace`, `not-a-member`, `role-too-low`"),
        (status = 404, description = "`project-not-found`"),
        (status = 412, description = "`precondition-failed`"),
        (status = 422, description = "`invalid-field`"),
    ))]
pub(crate) async fn update(
    AxumState(state): AxumState<State>,
    member: Member,
    Path(project): Path<String>,
    IfMatch(expected): IfMatch,
    Body { value, .. }: Body<Titled>,
) -> Result<(HeaderMap, Json<Project>), Problem> {
    let project = id(&project, ProblemCode::ProjectNotFound)?;
    let title = title(value.title)?;
    let calls = (projects::update_title(project, title, expected), projects::by_id(project));
    let (changed, present) = member.write(&state, "projects.update", calls).await?;
    let changed = changed.ok_or_else(|| unchanged(present.is_some(), ProblemCode::ProjectNotFound))?;
    Ok((version(changed.version), Json(changed.into())))
}
