//! Projects of a workspace.

use jiff::Timestamp;
use novelfoundry_core::{JobId, JobKind, ProjectId, PurgeObjects, UserId};
use tokio_postgres::Row;

use crate::{
    Call, DbError, Page, TenantTx,
    queries::{analyses, jobs, revisions},
    query::{FromRow, Query, all, get, nothing, one, optional, parameters, query},
};

/// A project.
#[derive(Clone, Debug)]
pub struct Project {
    /// Its id.
    pub project_id: ProjectId,
    /// Its title.
    pub title: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Rises with every change.
    pub version: i32,
}

impl FromRow for Project {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            project_id: ProjectId::from_uuid(get(row, "project_id")?),
            title: get(row, "title")?,
            created_at: get(row, "created_at")?,
            updated_at: get(row, "updated_at")?,
            version: get(row, "version")?,
        })
    }
}

static REQUIRE: Query = query!("projects.require", [UUID, UUID], "select app.require_project($1, $2)");

/// Raises unless the project lives.
pub fn require(project: ProjectId) -> Call<()> {
    Call::new(&REQUIRE, parameters![project.as_uuid()], nothing)
}

static INSERT: Query = query!(
    "projects.insert",
    [UUID, UUID, TEXT, UUID],
    "insert into app.projects (tenant_id, project_id, title, created_by)
     values ($1, $2, $3, $4)
     returning project_id, title, created_at, updated_at, version"
);

/// Creates a project.
pub fn insert(project: ProjectId, title: String, author: UserId) -> Call<Project> {
    Call::new(&INSERT, parameters![project.as_uuid(), title, author.as_uuid()], one)
}

static BY_ID: Query = query!(
    "projects.by_id",
    [UUID, UUID],
    "select project_id, title, created_at, updated_at, version
       from app.projects
      where tenant_id = $1 and project_id = $2 and deleted_at is null"
);

/// Reads one project.
pub fn by_id(project: ProjectId) -> Call<Option<Project>> {
    Call::new(&BY_ID, parameters![project.as_uuid()], optional)
}

static LIST: Query = query!(
    "projects.list",
    [UUID, TIMESTAMPTZ, UUID, INT8],
    "select project_id, title, created_at, updated_at, version
       from app.projects
      where tenant_id = $1 and deleted_at is null
        and ($2::timestamptz is null or (created_at, project_id) < ($2, $3))
      order by created_at desc, project_id desc
      limit $4"
);

/// Lists projects, one more than the page holds where there are more.
pub fn list(page: Page) -> Call<Vec<Project>> {
    Call::new(&LIST, page.parameters().into(), all)
}

static UPDATE_TITLE: Query = query!(
    "projects.update_title",
    [UUID, UUID, TEXT, INT4],
    "update app.projects
        set title = $3, updated_at = now(), version = version + 1
      where tenant_id = $1 and project_id = $2 and deleted_at is null and ($4::int is null or version = $4)
     returning project_id, title, created_at, updated_at, version"
);

/// Changes the title; only of this version where one is given.
pub fn update_title(project: ProjectId, title: String, version: Option<i32>) -> Call<Option<Project>> {
    Call::new(&UPDATE_TITLE, parameters![project.as_uuid(), title, version], optional)
}

static MARK_DELETED: Query = query!(
    "projects.mark_deleted",
    [UUID, UUID, INT4],
    "update app.projects
        set deleted_at = now(), version = version + 1
      where tenant_id = $1 and project_id = $2 and deleted_at is null and ($3::int is null or version = $3)
     returning project_id, title, created_at, updated_at, version"
);

/// Marks a project deleted; only of this version where one is given.
pub fn mark_deleted(project: ProjectId, version: Option<i32>) -> Call<Option<Project>> {
    Call::new(&MARK_DELETED, parameters![project.as_uuid(), version], optional)
}

/// Deletes a project with all it holds, its files from `purge_at` on; only of this version where one is given. Returns
/// `None` where it is done, else whether there is such a project.
pub async fn delete_in(
    tx: &mut TenantTx,
    project: ProjectId,
    version: Option<i32>,
    purge_at: Timestamp,
) -> Result<Option<bool>, DbError> {
    let (deleted, present) = tx.send(&(mark_deleted(project, version), by_id(project))).await?;
    if deleted.is_none() {
        return Ok(Some(present.is_some()));
    }
    // Fixed, so that the job can be put back where it was lost, and not twice.
    let purge = JobId::from_uuid(project.as_uuid());
    let consequences = (
        // Jobs first, as the worker locks them.
        jobs::cancel_under(JobKind::AnalyzeManuscript, project, None),
        analyses::cancel_under(project, None),
        jobs::insert(purge, &PurgeObjects { project_id: project, manuscript_id: None }, Some(purge_at)),
        revisions::release_under(project, None),
    );
    tx.send(&consequences).await?;
    Ok(None)
}
