//! Deletes a manuscript.

use axum::extract::{Path, State as AxumState};
use http::StatusCode;
use novelfoundry_core::ProblemCode;
use novelfoundry_database::manuscripts;

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
    let purge_at = state.purge_at();
    let outcome = member
        .run(&state, "manuscripts.delete", |tx| {
            Box::pin(manuscripts::delete_in(tx, project, manuscript, expected, purge_at))
        })
        .await
        .map_err(missing_parent)?;
    if let Some(exists) = outcome {
        return Err(unchanged(exists, ProblemCode::ManuscriptNotFound));
    }
    Ok(StatusCode::NO_CONTENT)
}
