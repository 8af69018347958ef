//! Deletes a manuscript.

use axum::extract::{Path, State as AxumState};
use http::StatusCode;
use novelfoundry_core::{JobId, JobKind, ProblemCode, PurgeObjects};
use novelfoundry_database::{analyses, jobs, manuscripts, projects, revisions};

use super::{ids, missing_parent};
use crate::{
    State,
    auth::Member,
    etag::{IfMatch, unchanged},
    problem::Problem,
};

/// Deletes a manuscript with its revisions and analyses. It is gone from every answer at once; its files follow after
/// the installation's holding time.
#[utoipa::path(delete, path = "/v1/projects/{project_id}/manuscripts/{manuscript_id}", tag = "manuscripts",
    security(("bearer" = [])),
    params(
        ("project_id" = uuid::Uuid, Path),
        ("manuscript_id" = uuid::Uuid, Path),
        ("if-match" = Option<String>, Header, description = "The `etag` that was read"),
    ),
    responses(
        (status = 204, description = "Deleted"),
        (status = 401, description = "`unauthenticated`, `invalid-token`"),
        (status = 403, description = "`no-workspace`, `not-a-member`, `role-too-low`"),
        (status = 404, description = "`manuscript-not-found`"),
        (status = 412, description = "`precondition-failed`"),
    ))]
pub(crate) async fn delete(
    AxumState(state): AxumState<State>,
    member: Member,
    Path(path): Path<(String, String)>,
    IfMatch(expected): IfMatch,
) -> Result<StatusCode, Problem> {
    let (project, manuscript) = ids(&path)?;
    // Fixed, so that the job can be put back where it was lost, and not twice.
    let purge = JobId::from_uuid(manuscript.as_uuid());
    let payload = PurgeObjects { project_id: project, manuscript_id: Some(manuscript) };
    let purge_at = state.purge_at();
    let outcome = member
        .run(&state, "manuscripts.delete", |tx| {
            Box::pin(async move {
                let deletion = (
                    projects::require(project),
                    manuscripts::mark_deleted(project, manuscript, expected),
                    manuscripts::by_id(project, manuscript),
                );
                let ((), deleted, present) = tx.send(&deletion).await?;
                if deleted.is_none() {
                    return Ok(Some(present.is_some()));
                }
                let consequences = (
                    // Jobs first, as the worker locks them.
                    jobs::cancel_under(JobKind::AnalyzeManuscript, project, Some(manuscript)),
                    analyses::cancel_under(project, Some(manuscript)),
                    jobs::insert(purge, &payload, Some(purge_at)),
                    revisions::release_under(project, Some(manuscript)),
                );
                tx.send(&consequences).await?;
                Ok(None)
            })
        })
        .await
        .map_err(missing_parent)?;
    if let Some(exists) = outcome {
        return Err(unchanged(exists, ProblemCode::ManuscriptNotFound));
    }
    Ok(StatusCode::NO_CONTENT)
}
