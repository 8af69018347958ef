//! Confirms an upload.

use axum::{
    Json,
    extract::{Path, State as AxumState},
};
use novelfoundry_core::{AnalysisId, AnalyzeManuscript, JobId, ProblemCode};
use novelfoundry_database::{
    DbError, Refusal, analyses, events, jobs,
    revisions::{self, RevisionState},
};
use novelfoundry_objects::ObjectKey;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Ids, ids, read};
use crate::{
    State, auth::Member, idempotency::replayed, json::Body, problem::Problem, routes::analyses::resume,
};

/// Nothing needs to be said.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Completion {}

/// A stored revision and the analysis that has begun.
#[derive(Serialize, ToSchema)]
pub(crate) struct Completed {
    /// `stored`.
    state: &'static str,
    /// The analysis of the file.
    #[schema(value_type = uuid::Uuid)]
    analysis_id: AnalysisId,
}

/// Confirms that the file was uploaded, and starts its analysis. Doing so again answers alike.
#[utoipa::path(post, path = "/v1/projects/{project_id}/manuscripts/{manuscript_id}/revisions/{revision_id}/complete",
    tag = "revisions", security(("bearer" = [])), request_body = Completion,
    params(("project_id" = uuid::Uuid, Path), ("manuscript_id" = uuid::Uuid, Path), ("revision_id" = uuid::Uuid, Path)),
    responses(
        (status = 200, body = Completed),
        (status = 401, description = "`unauthenticated`, `invalid-token`"),
        (status = 403, description = "`no-workspace`, `not-a-member`, `role-too-low`"),
        (status = 404, description = "`revision-not-found`"),
        (status = 409, description = "`upload-not-found`, `upload-mismatch`, `upload-expired`"),
        (status = 503, description = "`storage-unavailable`; `commit-unknown`: also where an earlier request has completed it"),
    ))]
pub(crate) async fn complete(
    AxumState(state): AxumState<State>,
    member: Member,
    Path(path): Path<(String, String, String)>,
    Body { .. }: Body<Completion>,
) -> Result<Json<Completed>, Problem> {
    let ids = ids(&path)?;
    let mut revision = read(&state, &member, "revisions.look_up", ids).await?;
    if revision.state == RevisionState::Pending {
        verify(&state, &revision).await?;
        if store(&state, &member, ids, &revision).await? {
            state.wake_workers();
            return Ok(stored(revision.analysis_id));
        }
        revision = read(&state, &member, "revisions.completed", ids).await.map_err(replayed)?;
    } else if revision.state == RevisionState::Stored {
        let call = analyses::by_id(ids.project, revision.analysis_id);
        let analysis = member.read(&state, "analyses.look_up", call).await.map_err(replayed)?;
        if let Some(analysis) = analysis {
            resume(&state, &member, ids.project, &analysis).await.map_err(replayed)?;
        }
    }
    match revision.state {
        RevisionState::Stored => Ok(stored(revision.analysis_id)),
        RevisionState::Expired => Err(Problem::new(ProblemCode::UploadExpired)),
        RevisionState::Pending | RevisionState::Deleted => Err(Problem::new(ProblemCode::RevisionNotFound)),
    }
}

fn stored(analysis_id: AnalysisId) -> Json<Completed> {
    Json(Completed { state: RevisionState::Stored.as_str(), analysis_id })
}

/// Asks the store what has arrived; no transaction is open meanwhile.
async fn verify(state: &State, revision: &revisions::Revision) -> Result<(), Problem> {
    let key: ObjectKey =
        revision.object_key.parse().map_err(|error| Problem::new(ProblemCode::Internal).with_cause(error))?;
    let object = state.store.head(&key).await?.ok_or_else(|| Problem::new(ProblemCode::UploadNotFound))?;
    let same_size = i64::try_from(object.bytes) == Ok(revision.bytes);
    let same_digest = object.sha256.is_none_or(|sha256| sha256[..] == revision.sha256[..]);
    if same_size && same_digest { Ok(()) } else { Err(Problem::new(ProblemCode::UploadMismatch)) }
}

/// False where another request completed it, or it has ended.
async fn store(
    state: &State,
    member: &Member,
    ids: Ids,
    revision: &revisions::Revision,
) -> Result<bool, Problem> {
    let Ids { project, manuscript, revision: id } = ids;
    let analysis = revision.analysis_id;
    let payload = AnalyzeManuscript { project_id: project, manuscript_id: manuscript, revision_id: id };
    let calls = (
        // The job that would settle the ticket first, as the worker locks it.
        jobs::cancel(JobId::from_uuid(id.as_uuid())),
        revisions::store(project, manuscript, id),
        analyses::insert(project, analysis, manuscript, id),
        jobs::insert(JobId::from(analysis), &payload, None),
        events::record_usage(state.ids.next(), "upload.bytes", revision.bytes, id.as_uuid()),
        revisions::count_stored(revision.bytes),
    );
    match member.write(state, "revisions.complete", calls).await {
        Ok(_) => Ok(true),
        Err(DbError::Refused(Refusal::RevisionNotPending)) => Ok(false),
        Err(DbError::Refused(Refusal::ManuscriptNotFound | Refusal::ProjectNotFound)) => {
            Err(Problem::new(ProblemCode::RevisionNotFound))
        }
        Err(error) => Err(error.into()),
    }
}
