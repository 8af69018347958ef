//! Looks for what a crash between two nodes' commits has left: rows of a tenant without those of the coordinator that
//! were written with them.
//!
//! What is looked for is old enough that no transaction of it can still be under way, and comes in pages.

use std::time::Duration;

use jiff::Timestamp;
use novelfoundry_core::{AnalysisId, ManuscriptId, ProjectId, RevisionId, UserId};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    Call, ControlDb, DbError, Position,
    query::{FromRow, Parameter, Query, all, get, nothing, parameters, query},
};

/// How many items a page has at most.
pub const PAGE: usize = 200;

fn after(position: Option<Position>) -> Vec<Parameter> {
    // Before every time and id there is.
    let start = Position { created_at: Timestamp::UNIX_EPOCH, id: Uuid::nil() };
    let Position { created_at, id } = position.unwrap_or(start);
    parameters![created_at, id, i64::try_from(PAGE).unwrap_or(i64::MAX)]
}

/// An analysis that ought to have a job.
#[derive(Clone, Debug)]
pub struct Unfinished {
    /// Its place among the others.
    pub position: Position,
    /// Its project.
    pub project_id: ProjectId,
    /// Its id.
    pub analysis_id: AnalysisId,
    /// Its manuscript.
    pub manuscript_id: ManuscriptId,
    /// The revision that it is of.
    pub revision_id: RevisionId,
}

impl FromRow for Unfinished {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        let id = get(row, "analysis_id")?;
        Ok(Self {
            position: Position { created_at: get(row, "created_at")?, id },
            project_id: ProjectId::from_uuid(get(row, "project_id")?),
            analysis_id: AnalysisId::from_uuid(id),
            manuscript_id: ManuscriptId::from_uuid(get(row, "manuscript_id")?),
            revision_id: RevisionId::from_uuid(get(row, "revision_id")?),
        })
    }
}

static UNFINISHED: Query = query!(
    "reconcile.unfinished",
    [UUID, TIMESTAMPTZ, UUID, INT8],
    "select created_at, project_id, analysis_id, manuscript_id, revision_id
       from app.analyses
      where tenant_id = $1 and state in ('queued', 'running') and created_at < now() - interval '10 minutes'
        and (created_at, analysis_id) > ($2, $3)
      order by created_at, analysis_id
      limit $4"
);

/// Lists analyses that have waited for a while, the oldest first.
pub fn unfinished(position: Option<Position>) -> Call<Vec<Unfinished>> {
    Call::new(&UNFINISHED, after(position), all)
}

/// A pending revision whose ticket has ended: it ought to have a job that settles it.
#[derive(Clone, Debug)]
pub struct Unsettled {
    /// Its place among the others.
    pub position: Position,
    /// Its project.
    pub project_id: ProjectId,
    /// Its manuscript.
    pub manuscript_id: ManuscriptId,
    /// Its id.
    pub revision_id: RevisionId,
}

impl FromRow for Unsettled {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        let id = get(row, "revision_id")?;
        Ok(Self {
            position: Position { created_at: get(row, "expires_at")?, id },
            project_id: ProjectId::from_uuid(get(row, "project_id")?),
            manuscript_id: ManuscriptId::from_uuid(get(row, "manuscript_id")?),
            revision_id: RevisionId::from_uuid(id),
        })
    }
}

static UNSETTLED: Query = query!(
    "reconcile.unsettled",
    [UUID, TIMESTAMPTZ, UUID, INT8],
    "select expires_at, project_id, manuscript_id, revision_id
       from app.revisions
      where tenant_id = $1 and state = 'pending' and expires_at < now() - interval '10 minutes'
        and (expires_at, revision_id) > ($2, $3)
      order by expires_at, revision_id
      limit $4"
);

/// Lists pending revisions whose ticket has ended, the first to end first.
pub fn unsettled(position: Option<Position>) -> Call<Vec<Unsettled>> {
    Call::new(&UNSETTLED, after(position), all)
}

/// A deleted project, or a deleted manuscript of a project that lives: it ought to have a job that purges it.
#[derive(Clone, Debug)]
pub struct Unpurged {
    /// Its place among the others: when it was deleted.
    pub position: Position,
    /// The project.
    pub project_id: ProjectId,
    /// The manuscript, where not the whole project was deleted.
    pub manuscript_id: Option<ManuscriptId>,
}

impl FromRow for Unpurged {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            position: Position { created_at: get(row, "deleted_at")?, id: get(row, "id")? },
            project_id: ProjectId::from_uuid(get(row, "project_id")?),
            manuscript_id: get::<Option<Uuid>>(row, "manuscript_id")?.map(ManuscriptId::from_uuid),
        })
    }
}

static DELETED_PROJECTS: Query = query!(
    "reconcile.deleted_projects",
    [UUID, TIMESTAMPTZ, UUID, INT8],
    "select deleted_at, project_id as id, project_id, null::uuid as manuscript_id
       from app.projects
      where tenant_id = $1 and deleted_at is not null and deleted_at < now() - interval '10 minutes'
        and (deleted_at, project_id) > ($2, $3)
      order by deleted_at, project_id
      limit $4"
);

/// Lists deleted projects of which something is left, the first deleted first.
pub fn deleted_projects(position: Option<Position>) -> Call<Vec<Unpurged>> {
    Call::new(&DELETED_PROJECTS, after(position), all)
}

static DELETED_MANUSCRIPTS: Query = query!(
    "reconcile.deleted_manuscripts",
    [UUID, TIMESTAMPTZ, UUID, INT8],
    "select m.deleted_at, m.manuscript_id as id, m.project_id, m.manuscript_id
       from app.manuscripts m
       join app.projects p
         on p.tenant_id = m.tenant_id and p.project_id = m.project_id and p.deleted_at is null
      where m.tenant_id = $1 and m.deleted_at is not null and m.deleted_at < now() - interval '10 minutes'
        and (m.deleted_at, m.manuscript_id) > ($2, $3)
      order by m.deleted_at, m.manuscript_id
      limit $4"
);

/// Lists deleted manuscripts of living projects, the first deleted first.
pub fn deleted_manuscripts(position: Option<Position>) -> Call<Vec<Unpurged>> {
    Call::new(&DELETED_MANUSCRIPTS, after(position), all)
}

struct Person(UserId);

impl FromRow for Person {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        get(row, "user_id").map(UserId::from_uuid).map(Self)
    }
}

fn people(rows: &[Row]) -> Result<Vec<UserId>, DbError> {
    Ok(all::<Person>(rows)?.into_iter().map(|person| person.0).collect())
}

static MEMBERS: Query = query!(
    "reconcile.members",
    [UUID],
    "select user_id
       from app.memberships
      where tenant_id = $1"
);

/// Lists the members of the workspace: those of one are read together.
pub fn members() -> Call<Vec<UserId>> {
    Call::new(&MEMBERS, Vec::new(), people)
}

static LISTED: Query = query!(
    "reconcile.listed",
    [UUID],
    "select user_id
       from app.user_tenants
      where tenant_id = $1"
);

/// Lists whom the index of memberships has in the workspace.
pub fn listed() -> Call<Vec<UserId>> {
    Call::new(&LISTED, Vec::new(), people)
}

static LIST_MEMBER: Query = query!("reconcile.list_member", [UUID, UUID], "select app.list_member($1, $2)");

/// Puts a member back into the index where it lacks them; does nothing for whoever is no member, or where the workspace
/// is deleted.
pub fn list_member(user: UserId) -> Call<()> {
    Call::new(&LIST_MEMBER, parameters![user.as_uuid()], nothing)
}

static UNLIST_STRANGER: Query =
    query!("reconcile.unlist_stranger", [UUID, UUID], "select app.unlist_stranger($1, $2)");

/// Takes whoever is no member out of the index.
pub fn unlist_stranger(user: UserId) -> Call<()> {
    Call::new(&UNLIST_STRANGER, parameters![user.as_uuid()], nothing)
}

/// Spread over a minute, so that jobs of writers need not wait for all of them.
static REPEAT: Query = query!(
    "reconcile.repeat",
    [INT8, FLOAT8],
    "with due as (
       select j.tenant_id, j.job_id
         from app.jobs j
        where j.kind = 'reconcile_workspace' and j.finished_at < now() - $2 * interval '1 second'
          and exists (select from app.user_tenants u where u.tenant_id = j.tenant_id)
        order by j.finished_at
        limit $1
          for update skip locked
     )
     update app.jobs j
        set state = 'queued', attempts = 0, run_at = now() + random() * interval '1 minute', last_error = null,
            finished_at = null
       from due
      where j.tenant_id = due.tenant_id and j.job_id = due.job_id
     returning j.job_id"
);

/// Enqueues again the jobs of listed workspaces that ended `period` ago, `limit` at most; returns how many.
pub async fn repeat(db: &ControlDb, limit: usize, period: Duration) -> Result<usize, DbError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    Ok(db.query(&REPEAT, parameters![limit, period.as_secs_f64()]).await?.len())
}

static BEGIN: Query = query!(
    "reconcile.begin",
    [INT8],
    "insert into app.jobs (tenant_id, job_id, kind, payload, run_at)
     select fresh.tenant_id, fresh.tenant_id, 'reconcile_workspace', '{}', now() + random() * interval '1 minute'
       from (select distinct u.tenant_id
               from app.user_tenants u
              where u.created_at < now() - interval '1 hour'
                and not exists (select from app.jobs j
                                 where j.tenant_id = u.tenant_id and j.job_id = u.tenant_id
                                   and j.kind = 'reconcile_workspace')
              order by u.tenant_id
              limit $1) as fresh
         on conflict (tenant_id, job_id) do nothing
     returning job_id"
);

/// Enqueues the job of listed workspaces that have none, `limit` at most; returns how many. It reads the whole index of
/// memberships where none lacks it.
pub async fn begin(db: &ControlDb, limit: usize) -> Result<usize, DbError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    Ok(db.query(&BEGIN, parameters![limit]).await?.len())
}
