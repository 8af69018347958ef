//! Deletes a project.

use axum::extract::{Path, State as AxumState};
use http::StatusCode;
use novelfoundry_core::{JobId, JobKind, ProblemCode, ProjectId, PurgeObjects};
use novelfoundry_database::{DbError, analyses, jobs, projects, revisions};

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
    // Fixed, so that the job can be put back where it was lost, and not twice.
    let purge = JobId::from_uuid(project.as_uuid());
    let payload = PurgeObjects { project_id: project, manuscript_id: None };
    let purge_at = state.purge_at();
    let outcome = member
        .run(&state, "projects.delete", |tx| {
            Box::pin(async move {
                let deletion = (projects::mark_deleted(project, expected), projects::by_id(project));
                let (deleted, present) = tx.send(&deletion).await?;
                if deleted.is_none() {
                    return Ok(Some(present.is_some()));
                }
                let consequences = (
                    // Jobs first, as the worker locks them.
                    jobs::cancel_under(JobKind::AnalyzeManuscript, project, None),
                    analyses::cancel_under(project, None),
                    jobs::insert(purge, &payload, Some(purge_at)),
                    revisions::release_under(project, None),
                );
                tx.send(&consequences).await?;
                Ok::<_, DbError>(None)
            })
        })
        .await?;
    if let Some(exists) = outcome {
        return Err(unchanged(exists, ProblemCode::ProjectNotFound));
    }
    Ok(StatusCode::NO_CONTENT)
}
