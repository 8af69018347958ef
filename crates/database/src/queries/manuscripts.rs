//! Manuscripts of a project.

use jiff::Timestamp;
use novelfoundry_core::{JobId, JobKind, ManuscriptId, ProjectId, PurgeObjects, UserId};
use tokio_postgres::Row;

use crate::{
    Call, DbError, Page, TenantTx,
    queries::{analyses, jobs, projects, revisions},
    query::{FromRow, Query, all, get, nothing, one, optional, parameters, query},
};

/// A manuscript.
#[derive(Clone, Debug)]
pub struct Manuscript {
    /// The project it belongs to.
    pub project_id: ProjectId,
    /// Its id.
    pub manuscript_id: ManuscriptId,
    /// Its title.
    pub title: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Rises with every change.
    pub version: i32,
}

impl FromRow for Manuscript {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            project_id: ProjectId::from_uuid(get(row, "project_id")?),
            manuscript_id: ManuscriptId::from_uuid(get(row, "manuscript_id")?),
            title: get(row, "title")?,
            created_at: get(row, "created_at")?,
            updated_at: get(row, "updated_at")?,
            version: get(row, "version")?,
        })
    }
}

static REQUIRE: Query =
    query!("manuscripts.require", [UUID, UUID, UUID], "select app.require_manuscript($1, $2, $3)");

/// Raises unless the manuscript and its project live.
pub fn require(project: ProjectId, manuscript: ManuscriptId) -> Call<()> {
    Call::new(&REQUIRE, parameters![project.as_uuid(), manuscript.as_uuid()], nothing)
}

static INSERT: Query = query!(
    "manuscripts.insert",
    [UUID, UUID, UUID, TEXT, UUID],
    "insert into app.manuscripts (tenant_id, project_id, manuscript_id, title, created_by)
     values ($1, $2, $3, $4, $5)
     returning project_id, manuscript_id, title, created_at, updated_at, version"
);

/// Creates a manuscript; stands behind [`super::projects::require`].
pub fn insert(
    project: ProjectId,
    manuscript: ManuscriptId,
    title: String,
    author: UserId,
) -> Call<Manuscript> {
    Call::new(&INSERT, parameters![project.as_uuid(), manuscript.as_uuid(), title, author.as_uuid()], one)
}

static BY_ID: Query = query!(
    "manuscripts.by_id",
    [UUID, UUID, UUID],
    "select m.project_id, m.manuscript_id, m.title, m.created_at, m.updated_at, m.version
       from app.manuscripts m
       join app.projects p
         on p.tenant_id = m.tenant_id and p.project_id = m.project_id and p.deleted_at is null
      where m.tenant_id = $1 and m.project_id = $2 and m.manuscript_id = $3 and m.deleted_at is null"
);

/// Reads one manuscript of a living project.
pub fn by_id(project: ProjectId, manuscript: ManuscriptId) -> Call<Option<Manuscript>> {
    Call::new(&BY_ID, parameters![project.as_uuid(), manuscript.as_uuid()], optional)
}

static LIST: Query = query!(
    "manuscripts.list",
    [UUID, UUID, TIMESTAMPTZ, UUID, INT8],
    "select project_id, manuscript_id, title, created_at, updated_at, version
       from app.manuscripts
      where tenant_id = $1 and project_id = $2 and deleted_at is null
        and ($3::timestamptz is null or (created_at, manuscript_id) < ($3, $4))
      order by created_at desc, manuscript_id desc
      limit $5"
);

/// Lists the manuscripts of a project; stands behind [`super::projects::by_id`].
pub fn list(project: ProjectId, page: Page) -> Call<Vec<Manuscript>> {
    let [created_at, id, limit] = page.parameters();
    Call::new(&LIST, vec![Box::new(project.as_uuid()), created_at, id, limit], all)
}

static UPDATE_TITLE: Query = query!(
    "manuscripts.update_title",
    [UUID, UUID, UUID, TEXT, INT4],
    "update app.manuscripts
        set title = $4, updated_at = now(), version = version + 1
      where tenant_id = $1 and project_id = $2 and manuscript_id = $3 and deleted_at is null
        and ($5::int is null or version = $5)
     returning project_id, manuscript_id, title, created_at, updated_at, version"
);

/// Changes the title; only of this version where one is given.
pub fn update_title(
    project: ProjectId,
    manuscript: ManuscriptId,
    title: String,
    version: Option<i32>,
) -> Call<Option<Manuscript>> {
    Call::new(&UPDATE_TITLE, parameters![project.as_uuid(), manuscript.as_uuid(), title, version], optional)
}

static MARK_DELETED: Query = query!(
    "manuscripts.mark_deleted",
    [UUID, UUID, UUID, INT4],
    "update app.manuscripts
        set deleted_at = now(), version = version + 1
      where tenant_id = $1 and project_id = $2 and manuscript_id = $3 and deleted_at is null
        and ($4::int is null or version = $4)
     returning project_id, manuscript_id, title, created_at, updated_at, version"
);

/// Marks a manuscript deleted; only of this version where one is given.
pub fn mark_deleted(
    project: ProjectId,
    manuscript: ManuscriptId,
    version: Option<i32>,
) -> Call<Option<Manuscript>> {
    Call::new(&MARK_DELETED, parameters![project.as_uuid(), manuscript.as_uuid(), version], optional)
}

/// Deletes a manuscript with its revisions and analyses, its files from `purge_at` on; only of this version where one is
/// given. Returns `None` where it is done, else whether there is such a manuscript; raises where its project is gone.
pub async fn delete_in(
    tx: &mut TenantTx,
    project: ProjectId,
    manuscript: ManuscriptId,
    version: Option<i32>,
    purge_at: Timestamp,
) -> Result<Option<bool>, DbError> {
    let deletion =
        (projects::require(project), mark_deleted(project, manuscript, version), by_id(project, manuscript));
    let ((), deleted, present) = tx.send(&deletion).await?;
    if deleted.is_none() {
        return Ok(Some(present.is_some()));
    }
    // Fixed, so that the job can be put back where it was lost, and not twice.
    let purge = JobId::from_uuid(manuscript.as_uuid());
    let payload = PurgeObjects { project_id: project, manuscript_id: Some(manuscript) };
    let consequences = (
        // Jobs first, as the worker locks them.
        jobs::cancel_under(JobKind::AnalyzeManuscript, project, Some(manuscript)),
        analyses::cancel_under(project, Some(manuscript)),
        jobs::insert(purge, &payload, Some(purge_at)),
        revisions::release_under(project, Some(manuscript)),
    );
    tx.send(&consequences).await?;
    Ok(None)
}
