//! Reads an analysis.

use axum::{
    Json,
    extract::{Path, State as AxumState},
};
use http::HeaderMap;
use novelfoundry_core::ProblemCode;
use novelfoundry_database::analyses;

use super::{Analysis, ids};
use crate::{State, auth::Member, problem::Problem, routes::projects::version};

/// Reads an analysis.
#[utoipa::path(get, path = "/v1/projects/{project_id}/analyses/{analysis_id}", tag = "analyses",
    security(("bearer" = [])),
    params(("project_id" = uuid::Uuid, Path), ("analysis_id" = uuid::Uuid, Path)),
    responses(
        (status = 200, body = Analysis, headers(("etag" = String))),
        (status = 401, description = "`unauthenticated`, `invalid-token`"),
        (status = 403, description = "`no-workspace`, `not-a-member`"),
        (status = 404, description = "`analysis-not-found`"),
    ))]
pub(crate) async fn get(
    AxumState(state): AxumState<State>,
    member: Member,
    Path(path): Path<(String, String)>,
) -> Result<(HeaderMap, Json<Analysis>), Problem> {
    let (project, analysis) = ids(&path)?;
    let found = member
        .read(&state, "analyses.get", analyses::by_id(project, analysis))
        .await?
        .ok_or_else(|| Problem::new(ProblemCode::AnalysisNotFound))?;
    Ok((version(found.version), Json(found.into())))
}
