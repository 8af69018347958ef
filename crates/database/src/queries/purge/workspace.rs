//! Purging a deleted workspace, table by table of the catalogue, and telling beforehand what would go.

use std::time::Duration;

use jiff::Timestamp;
use novelfoundry_core::{ManuscriptId, ProjectId, RevisionId, Role};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    Authority, Call, DbError, Purge, TABLES, Table, TenantDb,
    query::{FromRow, Query, all, get, nothing, one, parameters, query},
};

/// Deletes at most `limit` rows of the workspace from a table and returns how many.
pub fn delete_rows(table: &Table, limit: i64) -> Call<usize> {
    Call::new(table.delete, parameters![limit], |rows| Ok(rows.len()))
}

/// A revision whose object is to be deleted, in whatever state.
#[derive(Clone, Debug)]
pub struct Doomed {
    project_id: ProjectId,
    manuscript_id: ManuscriptId,
    revision_id: RevisionId,
    /// Where its object lies.
    pub object_key: String,
    /// Until when its ticket can put the object back.
    pub expires_at: Timestamp,
}

impl FromRow for Doomed {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            project_id: ProjectId::from_uuid(get(row, "project_id")?),
            manuscript_id: ManuscriptId::from_uuid(get(row, "manuscript_id")?),
            revision_id: RevisionId::from_uuid(get(row, "revision_id")?),
            object_key: get(row, "object_key")?,
            expires_at: get(row, "expires_at")?,
        })
    }
}

static DOOMED: Query = query!(
    "purge.workspace_doomed",
    [UUID, UUID, UUID, UUID, INT8],
    "select project_id, manuscript_id, revision_id, object_key, expires_at
       from app.revisions
      where tenant_id = $1
        and ($2::uuid is null or (project_id, manuscript_id, revision_id) > ($2, $3, $4))
      order by project_id, manuscript_id, revision_id
      limit $5"
);

/// Lists revisions of the workspace from behind another on.
pub fn doomed(after: Option<&Doomed>, limit: i64) -> Call<Vec<Doomed>> {
    let values = parameters![
        after.map(|last| last.project_id.as_uuid()),
        after.map(|last| last.manuscript_id.as_uuid()),
        after.map(|last| last.revision_id.as_uuid()),
        limit,
    ];
    Call::new(&DOOMED, values, all)
}

static BURY: Query = query!(
    "purge.workspace_bury",
    [UUID, TEXT_ARRAY, TIMESTAMPTZ_ARRAY, FLOAT8],
    "insert into app.object_tombstones (tenant_id, object_key, due_at, keep_until)
     select $1, d.object_key, d.due_at, greatest(d.due_at, now() + $4 * interval '1 second')
       from unnest($2::text[], $3::timestamptz[]) as d (object_key, due_at)
         on conflict (tenant_id, object_key) do nothing"
);

static DELETE_REVISIONS: Query = query!(
    "purge.workspace_delete_revisions",
    [UUID, UUID, UUID, UUID, UUID, UUID, UUID, UUID_ARRAY],
    "delete from app.revisions
      where tenant_id = $1
        and (project_id, manuscript_id, revision_id) >= ($2, $3, $4)
        and (project_id, manuscript_id, revision_id) <= ($5, $6, $7)
        and revision_id = any ($8)"
);

/// Records that the objects stay deleted, each with the time from which no ticket can put it back; stands in a transaction
/// before that of [`delete_revisions`].
pub fn bury(doomed: &[Doomed], due_at: impl Fn(Timestamp) -> Timestamp, retention: Duration) -> Call<()> {
    let (keys, due): (Vec<_>, Vec<_>) =
        doomed.iter().map(|doomed| (doomed.object_key.clone(), due_at(doomed.expires_at))).unzip();
    Call::new(&BURY, parameters![keys, due, retention.as_secs_f64()], nothing)
}

/// Deletes the rows of revisions, which must be as [`doomed`] listed them.
pub fn delete_revisions(doomed: &[Doomed]) -> Call<()> {
    let key = |at: Option<&Doomed>| {
        at.map_or([Uuid::nil(); 3], |doomed| {
            [doomed.project_id.as_uuid(), doomed.manuscript_id.as_uuid(), doomed.revision_id.as_uuid()]
        })
    };
    let ([first_project, first_manuscript, first], [last_project, last_manuscript, last]) =
        (key(doomed.first()), key(doomed.last()));
    let ids: Vec<_> = doomed.iter().map(|doomed| doomed.revision_id.as_uuid()).collect();
    Call::new(
        &DELETE_REVISIONS,
        parameters![first_project, first_manuscript, first, last_project, last_manuscript, last, ids],
        nothing,
    )
}

static LEAVE_MARKER: Query = query!(
    "purge.workspace_leave_marker",
    [UUID],
    "update app.tenants
        set name = '-', updated_at = now(), version = version + 1
      where tenant_id = $1 and deleted_at is not null"
);

/// Takes the last of what anybody wrote out of the workspace's own row, which stays.
pub fn leave_marker() -> Call<()> {
    Call::new(&LEAVE_MARKER, parameters![], nothing)
}

/// What a workspace holds.
#[derive(Clone, Debug)]
pub struct Holdings {
    /// Its name.
    pub name: String,
    /// How many objects are, or may be, in the store.
    pub objects: i64,
    /// Their size in bytes, as it was declared.
    pub bytes: i64,
    /// Its rows, table by table.
    pub rows: Vec<(&'static Table, i64)>,
}

struct Objects {
    name: String,
    objects: i64,
    bytes: i64,
}

impl FromRow for Objects {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self { name: get(row, "name")?, objects: get(row, "objects")?, bytes: get(row, "bytes")? })
    }
}

static OBJECTS: Query = query!(
    "purge.workspace_objects",
    [UUID],
    "select t.name, count(r.revision_id) as objects, coalesce(sum(r.bytes), 0)::bigint as bytes
       from app.tenants t
       left join app.revisions r on r.tenant_id = t.tenant_id and r.state <> 'expired'
      where t.tenant_id = $1
      group by t.name"
);

struct Count(i64);

impl FromRow for Count {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        get(row, "rows").map(Self)
    }
}

/// The tables that the tenant login can count a workspace's rows of.
fn countable() -> impl Iterator<Item = &'static Table> {
    // Which workspace a session is in is the control login's to know.
    TABLES.iter().filter(|table| table.purge != Purge::None && table.name != "session_tenants")
}

/// Counts all that a workspace holds.
pub async fn holdings(db: &TenantDb, authority: &Authority) -> Result<Holdings, DbError> {
    let counts: Vec<_> =
        countable().map(|table| Call::new(table.count, parameters![], one::<Count>)).collect();
    let calls = (Call::new(&OBJECTS, parameters![], one::<Objects>), counts);
    let (Objects { name, objects, bytes }, counts) =
        db.read(authority, Role::Owner, "purge.count", calls).await?;
    let rows = countable().zip(counts.into_iter().map(|count| count.0)).collect();
    Ok(Holdings { name, objects, bytes, rows })
}
