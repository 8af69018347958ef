//! Revisions: one uploaded file of a manuscript each.

use jiff::Timestamp;
use novelfoundry_core::{AnalysisId, ManuscriptId, ProjectId, RevisionId, UserId};
use tokio_postgres::Row;

use crate::{
    Call, DbError, Page,
    query::{FromRow, Query, all, get, nothing, one, optional, parameters, parse, query},
};

/// Where a revision stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevisionState {
    /// A ticket was given; the file has not been confirmed.
    Pending,
    /// The file is in the object store and counted.
    Stored,
    /// The ticket ran out before the file was confirmed.
    Expired,
    /// The file was deleted.
    Deleted,
}

impl RevisionState {
    /// Returns the name that is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Stored => "stored",
            Self::Expired => "expired",
            Self::Deleted => "deleted",
        }
    }
}

impl std::str::FromStr for RevisionState {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Pending, Self::Stored, Self::Expired, Self::Deleted]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or(())
    }
}

/// A revision.
#[derive(Clone, Debug)]
pub struct Revision {
    /// Its id.
    pub revision_id: RevisionId,
    /// Where it stands.
    pub state: RevisionState,
    /// The name the writer gave the file.
    pub filename: String,
    /// The media type signed into its ticket.
    pub media_type: String,
    /// Its size in bytes.
    pub bytes: i64,
    /// Its SHA-256.
    pub sha256: Vec<u8>,
    /// Where it lies in the object store.
    pub object_key: String,
    /// The analysis that completing it starts.
    pub analysis_id: AnalysisId,
    /// When its ticket was given.
    pub created_at: Timestamp,
    /// When its ticket ends.
    pub expires_at: Timestamp,
    /// When its file was confirmed.
    pub stored_at: Option<Timestamp>,
}

impl FromRow for Revision {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            revision_id: RevisionId::from_uuid(get(row, "revision_id")?),
            state: parse(row, "state")?,
            filename: get(row, "filename")?,
            media_type: get(row, "media_type")?,
            bytes: get(row, "bytes")?,
            sha256: get(row, "sha256")?,
            object_key: get(row, "object_key")?,
            analysis_id: AnalysisId::from_uuid(get(row, "analysis_id")?),
            created_at: get(row, "created_at")?,
            expires_at: get(row, "expires_at")?,
            stored_at: get(row, "stored_at")?,
        })
    }
}

/// What a ticket records.
#[derive(Clone, Debug)]
pub struct NewRevision {
    /// The project.
    pub project_id: ProjectId,
    /// The manuscript.
    pub manuscript_id: ManuscriptId,
    /// The revision's id.
    pub revision_id: RevisionId,
    /// The name the writer gave the file.
    pub filename: String,
    /// The media type signed into the ticket.
    pub media_type: String,
    /// The size in bytes.
    pub bytes: i64,
    /// The SHA-256.
    pub sha256: [u8; 32],
    /// Where it will lie in the object store.
    pub object_key: String,
    /// The analysis that completing it starts.
    pub analysis_id: AnalysisId,
    /// Who uploads.
    pub created_by: UserId,
    /// When the ticket ends.
    pub expires_at: Timestamp,
}

static INSERT: Query = query!(
    "revisions.insert",
    [UUID, UUID, UUID, UUID, TEXT, TEXT, INT8, BYTEA, TEXT, UUID, UUID, TIMESTAMPTZ],
    "insert into app.revisions
       (tenant_id, project_id, manuscript_id, revision_id, filename, media_type, bytes, sha256, object_key,
        analysis_id, created_by, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
     returning revision_id, state, filename, media_type, bytes, sha256, object_key, analysis_id, created_at,
               expires_at, stored_at"
);

/// Records a pending revision; stands behind [`super::manuscripts::require`] and before [`reserve`].
pub fn insert(new: NewRevision) -> Call<Revision> {
    Call::new(
        &INSERT,
        parameters![
            new.project_id.as_uuid(),
            new.manuscript_id.as_uuid(),
            new.revision_id.as_uuid(),
            new.filename,
            new.media_type,
            new.bytes,
            new.sha256.to_vec(),
            new.object_key,
            new.analysis_id.as_uuid(),
            new.created_by.as_uuid(),
            new.expires_at,
        ],
        one,
    )
}

static RESERVE: Query = query!("revisions.reserve", [UUID, INT8], "select app.reserve_bytes($1, $2)");

/// Reserves bytes of the plan, or raises. Stands last: every upload of the workspace updates the same row.
pub fn reserve(bytes: i64) -> Call<()> {
    Call::new(&RESERVE, parameters![bytes], nothing)
}

static STORE: Query =
    query!("revisions.store", [UUID, UUID, UUID, UUID], "select app.store_revision($1, $2, $3, $4)");

/// Turns a pending revision into a stored one, or raises where it is not pending; [`count_stored`] ends the transaction.
pub fn store(project: ProjectId, manuscript: ManuscriptId, revision: RevisionId) -> Call<()> {
    Call::new(&STORE, parameters![project.as_uuid(), manuscript.as_uuid(), revision.as_uuid()], nothing)
}

static COUNT_STORED: Query = query!(
    "revisions.count_stored",
    [UUID, INT8],
    "update app.tenant_usage
        set reserved_bytes = reserved_bytes - $2, stored_bytes = stored_bytes + $2
      where tenant_id = $1"
);

/// Counts reserved bytes as stored ones. Stands last: every upload of the workspace updates the same row.
pub fn count_stored(bytes: i64) -> Call<()> {
    Call::new(&COUNT_STORED, parameters![bytes], nothing)
}

static RELEASE: Query = query!(
    "revisions.release",
    [UUID, UUID, UUID, UUID, TEXT],
    "select app.release_revision($1, $2, $3, $4, $5)"
);

/// Ends a revision as expired or deleted and gives its bytes back, once.
pub fn release(
    project: ProjectId,
    manuscript: ManuscriptId,
    revision: RevisionId,
    outcome: RevisionState,
) -> Call<()> {
    Call::new(
        &RELEASE,
        parameters![project.as_uuid(), manuscript.as_uuid(), revision.as_uuid(), outcome.as_str()],
        nothing,
    )
}

static BY_ID: Query = query!(
    "revisions.by_id",
    [UUID, UUID, UUID, UUID],
    "select revision_id, state, filename, media_type, bytes, sha256, object_key, analysis_id, created_at,
            expires_at, stored_at
       from app.revisions
      where tenant_id = $1 and project_id = $2 and manuscript_id = $3 and revision_id = $4
        and state <> 'deleted'"
);

/// Reads one revision; stands behind [`super::manuscripts::by_id`], which tells whether its parents live.
pub fn by_id(project: ProjectId, manuscript: ManuscriptId, revision: RevisionId) -> Call<Option<Revision>> {
    Call::new(&BY_ID, parameters![project.as_uuid(), manuscript.as_uuid(), revision.as_uuid()], optional)
}

static LIST: Query = query!(
    "revisions.list",
    [UUID, UUID, UUID, TIMESTAMPTZ, UUID, INT8],
    "select revision_id, state, filename, media_type, bytes, sha256, object_key, analysis_id, created_at,
            expires_at, stored_at
       from app.revisions
      where tenant_id = $1 and project_id = $2 and manuscript_id = $3 and state <> 'deleted'
        and ($4::timestamptz is null or (created_at, revision_id) < ($4, $5))
      order by created_at desc, revision_id desc
      limit $6"
);

/// Lists the revisions of a manuscript.
pub fn list(project: ProjectId, manuscript: ManuscriptId, page: Page) -> Call<Vec<Revision>> {
    let [created_at, id, limit] = page.parameters();
    Call::new(
        &LIST,
        vec![Box::new(project.as_uuid()), Box::new(manuscript.as_uuid()), created_at, id, limit],
        all,
    )
}

static REQUIRE_STORED: Query = query!(
    "revisions.require_stored",
    [UUID, UUID, UUID, UUID],
    "select app.require_stored_revision($1, $2, $3, $4)"
);

/// Raises unless the revision is stored and its parents live.
pub fn require_stored(project: ProjectId, manuscript: ManuscriptId, revision: RevisionId) -> Call<()> {
    Call::new(
        &REQUIRE_STORED,
        parameters![project.as_uuid(), manuscript.as_uuid(), revision.as_uuid()],
        nothing,
    )
}

static RELEASE_UNDER: Query =
    query!("revisions.release_under", [UUID, UUID, UUID], "select app.release_under($1, $2, $3)");

/// Marks the revisions of a project, or of one manuscript, deleted and gives their bytes back, once.
pub fn release_under(project: ProjectId, manuscript: Option<ManuscriptId>) -> Call<()> {
    Call::new(&RELEASE_UNDER, parameters![project.as_uuid(), manuscript.map(ManuscriptId::as_uuid)], nothing)
}
