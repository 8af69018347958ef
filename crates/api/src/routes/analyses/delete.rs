//! Deletes an analysis.

use axum::extract::{Path, State as AxumState};
use http::StatusCode;
use novelfoundry_core::ProblemCode;
use novelfoundry_database::analyses;

use super::ids;
use crate::{
    State,
    auth::Member,
    etag::{IfMatch, unchanged},
    problem::Problem,
};

/// Deletes an analysis, and cancels it where it has not ended.
#[utoipa::path(delete, path = "/v1/projects/{project_id}/analyses/{analysis_id}", tag = "analyses",
    security(("bearer" = [])),
    params(
        ("project_id" = uuid::Uuid, Path),
        ("analysis_id" = uuid::Uuid, Path),
        ("if-match" = Option<String>, Header, description = "The `etag` that was read"),
    ),
    responses(
        (status = 204, description = "Deleted"),
        (status = 401, description = "`unauthenticated`, `invalid-token`"),
        (status = 403, description = "`no-workspace`, `not-a-member`, `role-too-low`"),
        (status = 404, description = "`analysis-not-found`"),
        (status = 412, description = "`precondition-failed`"),
    ))]
pub(crate) async fn delete(
    AxumState(state): AxumState<State>,
    member: Member,
    Path(path): Path<(String, String)>,
    IfMatch(expected): IfMatch,
) -> Result<StatusCode, Problem> {
    let (project, analysis) = ids(&path)?;
    let outcome = member
        .run(&state, "analyses.delete", |tx| Box::pin(analyses::delete_in(tx, project, analysis, expected)))
        .await?;
    match outcome {
        Some(exists) => Err(unchanged(exists, ProblemCode::AnalysisNotFound)),
        None => Ok(StatusCode::NO_CONTENT),
    }
}
