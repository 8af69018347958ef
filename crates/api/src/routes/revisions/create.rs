//! Gives an upload ticket.

use axum::{
    Json,
    extract::{Path, State as AxumState},
};
use http::{HeaderMap, StatusCode};
use jiff::{SignedDuration, Timestamp};
use novelfoundry_core::{AnalysisId, JobId, ProblemCode, RevisionId, SettleUpload};
use novelfoundry_database::{
    jobs, manuscripts,
    revisions::{self, NewRevision, RevisionState},
};
use novelfoundry_manuscript::Format;
use novelfoundry_objects::{FileType, ObjectKey};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Ids, Revision, read};
use crate::{
    State,
    auth::Member,
    idempotency::{Key, Made, replayed},
    json::{Body, text_field},
    problem::Problem,
    routes::{
        manuscripts::{ids, missing_parent},
        projects::location,
    },
};

/// How long after its ticket's end an upload is settled: a PUT may begin before the end and finish after it.
const SETTLE_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// What an upload ticket is asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUpload {
    /// The file's name, 1 to 255 characters.
    filename: String,
    /// Its size in bytes.
    #[schema(minimum = 1)]
    bytes: u64,
    /// Its SHA-256, 64 hexadecimal digits.
    sha256: String,
    /// Its media type, such as `text/plain`.
    media_type: String,
}

/// A revision with the ticket to upload its file.
#[derive(Serialize, ToSchema)]
pub(crate) struct Ticket {
    #[serde(flatten)]
    revision: Revision,
    /// Where the file goes; null where it has arrived already.
    upload: Option<Upload>,
}

/// A signed request. Send it with exactly these headers; `content-length` is part of the signature too.
#[derive(Serialize, ToSchema)]
pub(crate) struct Upload {
    /// `PUT`.
    method: &'static str,
    /// The signed URL.
    url: String,
    /// The headers to send.
    headers: std::collections::BTreeMap<String, String>,
    /// When the URL ends.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Reserves room for a file and signs the URL it is uploaded to.
#[utoipa::path(post, path = "/v1/projects/{project_id}/manuscripts/{manuscript_id}/revisions", tag = "revisions",
    security(("bearer" = [])),
    params(
        ("project_id" = uuid::Uuid, Path),
        ("manuscript_id" = uuid::Uuid, Path),
        ("idempotency-key" = Option<String>, Header, description = "Makes repetition safe for 24 hours; the URL is signed anew"),
    ),
    request_body = NewUpload,
    responses(
        (status = 201, body = Ticket, headers(("location" = String))),
        (status = 401, description = "`unauthenticated`, `invalid-token`"),
        (status = 403, description = "`no-workspace`, `not-a-member`, `role-too-low`"),
        (status = 404, description = "`manuscript-not-found`; `revision-not-found`: the one that the key made is gone"),
        (status = 409, description = "`quota-exceeded`, `idempotency-key-in-flight`, `upload-expired`"),
        (status = 413, description = "`file-too-large`"),
        (status = 415, description = "`unsupported-format`"),
        (status = 422, description = "`invalid-field`, `idempotency-key-reused`"),
    ))]
pub(crate) async fn create(
    AxumState(state): AxumState<State>,
    member: Member,
    Path(path): Path<(String, String)>,
    key: Key,
    Body { value, hash }: Body<NewUpload>,
) -> Result<(StatusCode, HeaderMap, Json<Ticket>), Problem> {
    let (project, manuscript) = ids(&path)?;
    let revision = RevisionId::from_uuid(state.ids.next());
    let new = checked(&state, &member, value, Ids { project, manuscript, revision })?;
    let bytes = new.bytes;
    let settle_at = new.expires_at.checked_add(SETTLE_AFTER).unwrap_or(new.expires_at);
    let settle = SettleUpload { project_id: project, manuscript_id: manuscript, revision_id: revision };
    let calls = (
        key.claim(member.user_id, hash, revision.as_uuid()),
        manuscripts::require(project, manuscript),
        revisions::insert(new),
        jobs::insert(JobId::from_uuid(revision.as_uuid()), &settle, Some(settle_at)),
        revisions::reserve(bytes),
    );
    let outcome = member.write(&state, "revisions.create", calls).await;
    let made = match key.settle(&state, &member, outcome.map_err(missing_parent)).await? {
        Made::Now(((), (), made, (), ())) => made,
        Made::Before(id) => {
            let ids = Ids { project, manuscript, revision: RevisionId::from_uuid(id) };
            read(&state, &member, "revisions.replay", ids).await.map_err(replayed)?
        }
    };
    let upload = if made.state == RevisionState::Pending { Some(signed(&state, &made)?) } else { None };
    let path = format!("/v1/projects/{project}/manuscripts/{manuscript}/revisions/{}", made.revision_id);
    Ok((StatusCode::CREATED, location(&state, &path, None), Json(Ticket { revision: made.into(), upload })))
}

fn checked(state: &State, member: &Member, value: NewUpload, ids: Ids) -> Result<NewRevision, Problem> {
    let filename = text_field("filename", value.filename, 255)?;
    let bytes = i64::try_from(value.bytes)
        .ok()
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| Problem::field("bytes", "the file's size, 1 or more"))?;
    let mut sha256 = [0; 32];
    hex::decode_to_slice(&value.sha256, &mut sha256)
        .map_err(|_| Problem::field("sha256", "64 hexadecimal digits"))?;
    let media_type = value.media_type;
    let plain = |c: char| c.is_ascii_graphic() || c == ' ';
    if media_type.is_empty()
        || media_type.len() > 127
        || !media_type.contains('/')
        || !media_type.chars().all(plain)
    {
        return Err(Problem::field("media_type", "a media type such as text/plain, at most 127 characters"));
    }
    if !Format::accepts(&filename, &media_type) {
        return Err(Problem::new(ProblemCode::UnsupportedFormat));
    }
    let key = ObjectKey::new(
        member.tenant_id(),
        member.user_id,
        ids.project,
        FileType::Manuscript,
        ids.revision,
        &filename,
    );
    let expiry =
        SignedDuration::try_from(state.settings.upload_expiry).unwrap_or(SignedDuration::from_mins(15));
    let expires_at = state.clock.now().checked_add(expiry).unwrap_or(Timestamp::MAX);
    Ok(NewRevision {
        project_id: ids.project,
        manuscript_id: ids.manuscript,
        revision_id: ids.revision,
        filename,
        media_type,
        bytes,
        sha256,
        object_key: key.to_string(),
        analysis_id: AnalysisId::from_uuid(state.ids.next()),
        created_by: member.user_id,
        expires_at,
    })
}

/// Signs for what is left of the ticket's time, whenever that is asked.
fn signed(state: &State, revision: &revisions::Revision) -> Result<Upload, Problem> {
    let left = revision.expires_at.duration_since(state.clock.now());
    let left = std::time::Duration::try_from(left).ok().filter(|left| left.as_secs() > 0);
    let left = left.ok_or_else(|| Problem::new(ProblemCode::UploadExpired))?;
    let internal = || Problem::new(ProblemCode::Internal);
    let key: ObjectKey = revision.object_key.parse().map_err(|error| internal().with_cause(error))?;
    let sha256 =
        <[u8; 32]>::try_from(revision.sha256.as_slice()).map_err(|error| internal().with_cause(error))?;
    let bytes = u64::try_from(revision.bytes).map_err(|error| internal().with_cause(error))?;
    let put = state.store.presign_put(&key, bytes, &revision.media_type, sha256, left);
    Ok(Upload {
        method: "PUT",
        url: put.url.into(),
        headers: put.headers.into_iter().collect(),
        expires_at: revision.expires_at,
    })
}
