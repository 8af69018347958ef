//! Asks for an analysis.

use axum::{
    Json,
    extract::{Path, State as AxumState},
};
use http::{HeaderMap, StatusCode};
use novelfoundry_core::{AnalysisId, AnalyzeManuscript, JobId, ManuscriptId, ProblemCode, RevisionId};
use novelfoundry_database::{analyses, jobs, revisions};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Analysis, resume};
use crate::{
    State,
    auth::Member,
    idempotency::{Key, Made, replayed},
    json::Body,
    problem::Problem,
    routes::{id, projects::location},
};

/// What is to be analysed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAnalysis {
    /// The manuscript.
    #[schema(value_type = uuid::Uuid)]
    manuscript_id: ManuscriptId,
    /// The stored revision of it.
    #[schema(value_type = uuid::Uuid)]
    revision_id: RevisionId,
}

/// Asks for another analysis of a stored revision. Completing an upload asks for the first.
#[utoipa::path(post, path = "/v1/projects/{project_id}/analyses", tag = "analyses", security(("bearer" = [])),
    params(
        ("project_id" = uuid::Uuid, Path),
        ("idempotency-key" = Option<String>, Header, description = "Makes repetition safe for 24 hours"),
    ),
    request_body = NewAnalysis,
    responses(
        (status = 201, body = Analysis, headers(("location" = String), ("etag" = String))),
        (status = 401, description = "`unauthenticated`, `invalid-token`"),
        (status = 403, description = "`no-workspace`, `not-a-member`, `role-too-low`"),
        (status = 404, description = "`project-not-found`, `manuscript-not-found`, `revision-not-found`; `analysis-not-found`: the one that the key made is gone"),
        (status = 409, description = "`revision-not-stored`, `idempotency-key-in-flight`"),
        (status = 422, description = "`invalid-field`, `idempotency-key-reused`"),
    ))]
pub(crate) async fn create(
    AxumState(state): AxumState<State>,
    member: Member,
    Path(project): Path<String>,
    key: Key,
    Body { value, hash }: Body<NewAnalysis>,
) -> Result<(StatusCode, HeaderMap, Json<Analysis>), Problem> {
    let project = id(&project, ProblemCode::ProjectNotFound)?;
    let NewAnalysis { manuscript_id, revision_id } = value;
    let analysis = AnalysisId::from_uuid(state.ids.next());
    let payload = AnalyzeManuscript { project_id: project, manuscript_id, revision_id };
    let calls = (
        key.claim(member.user_id, hash, analysis.as_uuid()),
        revisions::require_stored(project, manuscript_id, revision_id),
        analyses::insert(project, analysis, manuscript_id, revision_id),
        jobs::insert(JobId::from(analysis), &payload, None),
        analyses::by_id(project, analysis),
    );
    let outcome = member.write(&state, "analyses.create", calls).await;
    let made = match key.settle(&state, &member, outcome).await? {
        Made::Now(((), (), (), (), made)) => {
            state.wake_workers();
            made
        }
        Made::Before(id) => {
            let read = analyses::by_id(project, AnalysisId::from_uuid(id));
            let made = member.read(&state, "analyses.replay", read).await.map_err(replayed)?;
            if let Some(made) = &made {
                resume(&state, &member, project, made).await.map_err(replayed)?;
            }
            made
        }
    };
    let made = made.ok_or_else(|| Problem::new(ProblemCode::AnalysisNotFound))?;
    let path = format!("/v1/projects/{project}/analyses/{}", made.analysis_id);
    Ok((StatusCode::CREATED, location(&state, &path, Some(made.version)), Json(made.into())))
}
