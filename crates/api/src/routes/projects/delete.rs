//! Deletes a project.

use axum::extract::{Path, State as AxumState};
use http::StatusCode;
use novelfoundry_core::{ProblemCode, ProjectId};
use novelfoundry_database::projects;

use crate::{
    State,
    auth::Member,
    etag::{IfMatch, unchanged},
    problem::Problem,
    routes::id,
};

/// Deletes a project with all it holds. It is gone from every answer at once; its files follow after the
/// installation's holding time.
#[utoipa::path(delete, path = "/v1/projects/{project_id}", tag = "projects", security(("bearer" = [])),
    params(("project_id" = uuid::Uuid, Path), ("if-match" = Option<String>, Header, description = "The `etag` that was read")),
    responses(
        (status = 204, description = "Deleted"),
        (status = 401, description = "`unauthenticated`, `invalid-token`"),
        (status = 403, description = "`no-workspace`, `not-a-member`, `role-too-low`"),
        (status = 404, description = "`project-not-found`"),
        (status = 412, description = "`precondition-failed`"),
    ))]
pub(crate) async fn delete(
    AxumState(state): AxumState<State>,
    member: Member,
    Path(project): Path<String>,
    IfMatch(expected): IfMatch,
) -> Result<StatusCode, Problem> {
    let project: ProjectId = id(&project, ProblemCode::ProjectNotFound)?;
    let purge_at = state.purge_at();
    let outcome = member
        .run(&state, "projects.delete", |tx| Box::pin(projects::delete_in(tx, project, expected, purge_at)))
        .await?;
    if let Some(exists) = outcome {
        return Err(unchanged(exists, ProblemCode::ProjectNotFound));
    }
    Ok(StatusCode::NO_CONTENT)
}
