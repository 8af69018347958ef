//! Purging what was marked deleted: children first, in bounded batches, never by ON DELETE CASCADE. Below: of a project or
//! manuscript; [`workspace`]: of a whole workspace.

pub mod workspace;

use std::time::Duration;

use jiff::Timestamp;
use novelfoundry_core::{ManuscriptId, ProjectId, RevisionId};
use tokio_postgres::Row;

use crate::{
    Call, DbError,
    query::{FromRow, Query, all, get, nothing, parameters, query},
};

/// A revision whose object is to be deleted.
#[derive(Clone, Debug)]
pub struct Doomed {
    /// Its manuscript.
    pub manuscript_id: ManuscriptId,
    /// Its id.
    pub revision_id: RevisionId,
    /// Where its object lies.
    pub object_key: String,
    /// Until when its ticket can put the object back.
    pub expires_at: Timestamp,
}

impl FromRow for Doomed {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            manuscript_id: ManuscriptId::from_uuid(get(row, "manuscript_id")?),
            revision_id: RevisionId::from_uuid(get(row, "revision_id")?),
            object_key: get(row, "object_key")?,
            expires_at: get(row, "expires_at")?,
        })
    }
}

static DOOMED: Query = query!(
    "purge.doomed",
    [UUID, UUID, UUID, INT8],
    "select manuscript_id, revision_id, object_key, expires_at
       from app.revisions
      where tenant_id = $1 and project_id = $2 and ($3::uuid is null or manuscript_id = $3)
        and state in ('deleted', 'expired')
      order by manuscript_id, revision_id
      limit $4"
);

/// Lists the ended revisions of a deleted project, or of one manuscript. One that has expired may have its object still: a
/// settling that was cut short will not find its row again.
pub fn doomed(project: ProjectId, manuscript: Option<ManuscriptId>, limit: i64) -> Call<Vec<Doomed>> {
    Call::new(&DOOMED, parameters![project.as_uuid(), manuscript.map(ManuscriptId::as_uuid), limit], all)
}

static BURY: Query = query!(
    "purge.bury",
    [UUID, TEXT, TIMESTAMPTZ, FLOAT8],
    "insert into app.object_tombstones (tenant_id, object_key, due_at, keep_until)
     values ($1, $2, $3, greatest($3, now() + $4 * interval '1 second'))
         on conflict (tenant_id, object_key) do nothing"
);

/// Records that an object stays deleted, for as long as backups are kept; stands before the deletion of the revision's
/// row. From `due_at` on no ticket can put the object back: then it is deleted once more.
pub fn bury(object_key: String, due_at: Timestamp, retention: Duration) -> Call<()> {
    Call::new(&BURY, parameters![object_key, due_at, retention.as_secs_f64()], nothing)
}

static DELETE_ANALYSES: Query = query!(
    "purge.delete_analyses",
    [UUID, UUID, UUID, UUID],
    "delete from app.analyses
      where tenant_id = $1 and project_id = $2 and manuscript_id = $3 and revision_id = $4"
);

static DELETE_REVISION: Query = query!(
    "purge.delete_revision",
    [UUID, UUID, UUID, UUID],
    "delete from app.revisions
      where tenant_id = $1 and project_id = $2 and manuscript_id = $3 and revision_id = $4
        and state in ('deleted', 'expired')"
);

/// Deletes an ended revision's rows: its analyses, then itself.
pub fn delete_revision(project: ProjectId, doomed: &Doomed) -> (Call<()>, Call<()>) {
    let values =
        || parameters![project.as_uuid(), doomed.manuscript_id.as_uuid(), doomed.revision_id.as_uuid()];
    (Call::new(&DELETE_ANALYSES, values(), nothing), Call::new(&DELETE_REVISION, values(), nothing))
}

static DELETE_MANUSCRIPTS: Query = query!(
    "purge.delete_manuscripts",
    [UUID, UUID, UUID],
    "delete from app.manuscripts
      where tenant_id = $1 and project_id = $2 and ($3::uuid is null or manuscript_id = $3)
        and (deleted_at is not null
             or exists (select from app.projects p
                         where p.tenant_id = $1 and p.project_id = $2 and p.deleted_at is not null))"
);

static DELETE_PROJECT: Query = query!(
    "purge.delete_project",
    [UUID, UUID, UUID],
    "delete from app.projects
      where tenant_id = $1 and project_id = $2 and deleted_at is not null and $3::uuid is null"
);

/// Deletes what is left once no revision is: the manuscripts, and the project where it is that.
pub fn delete_parents(project: ProjectId, manuscript: Option<ManuscriptId>) -> (Call<()>, Call<()>) {
    let values = || parameters![project.as_uuid(), manuscript.map(ManuscriptId::as_uuid)];
    (Call::new(&DELETE_MANUSCRIPTS, values(), nothing), Call::new(&DELETE_PROJECT, values(), nothing))
}
