//! Signs a download.

use axum::{
    Json,
    extract::{Path, State as AxumState},
};
use jiff::{SignedDuration, Timestamp};
use novelfoundry_core::ProblemCode;
use novelfoundry_database::revisions::RevisionState;
use novelfoundry_objects::ObjectKey;
use serde::Serialize;
use utoipa::ToSchema;

use super::{ids, read};
use crate::{State, auth::Member, problem::Problem};

/// A signed URL to GET a file from.
#[derive(Serialize, ToSchema)]
pub(crate) struct Download {
    /// The signed URL; the file comes as an attachment under its own name.
    url: String,
    /// When the URL ends.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Signs the URL that a stored revision's file is downloaded from.
#[utoipa::path(get, path = "/v1/projects/{project_id}/manuscripts/{manuscript_id}/revisions/{revision_id}/download",
    tag = "revisions", security(("bearer" = [])),
    params(("project_id" = uuid::Uuid, Path), ("manuscript_id" = uuid::Uuid, Path), ("revision_id" = uuid::Uuid, Path)),
    responses(
        (status = 200, body = Download),
        (status = 401, description = "`unauthenticated`, `invalid-token`"),
        (status = 403, description = "`no-workspace`, `not-a-member`"),
        (status = 404, description = "`revision-not-found`"),
        (status = 409, description = "`revision-not-stored`"),
    ))]
pub(crate) async fn download(
    AxumState(state): AxumState<State>,
    member: Member,
    Path(path): Path<(String, String, String)>,
) -> Result<Json<Download>, Problem> {
    let revision = read(&state, &member, "revisions.download", ids(&path)?).await?;
    if revision.state != RevisionState::Stored {
        return Err(Problem::new(ProblemCode::RevisionNotStored));
    }
    let key: ObjectKey =
        revision.object_key.parse().map_err(|error| Problem::new(ProblemCode::Internal).with_cause(error))?;
    let expiry = state.settings.download_expiry;
    let url = state.store.presign_get(&key, &revision.filename, &revision.media_type, expiry);
    let lasts = SignedDuration::try_from(expiry).unwrap_or(SignedDuration::ZERO);
    let expires_at = state.clock.now().checked_add(lasts).unwrap_or(Timestamp::MAX);
    Ok(Json(Download { url: url.into(), expires_at }))
}
