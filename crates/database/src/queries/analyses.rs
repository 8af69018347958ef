//! Analyses of revisions. The job with the same id does the work; results commit with the job's end.

use jiff::Timestamp;
use novelfoundry_core::{AnalysisId, JobId, ManuscriptId, ProjectId, RevisionId};
use serde_json::Value;
use tokio_postgres::Row;

use crate::{
    Call, DbError, Page, TenantTx,
    queries::jobs,
    query::{FromRow, Query, all, get, nothing, optional, parameters, parse, query},
};

/// Where an analysis stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnalysisState {
    /// Waits for a worker.
    Queued,
    /// A worker has it.
    Running,
    /// Its result is there.
    Succeeded,
    /// It ended with a problem.
    Failed,
    /// It was deleted before it ended.
    Cancelled,
}

impl AnalysisState {
    /// Returns the name that is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl std::str::FromStr for AnalysisState {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Queued, Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or(())
    }
}

/// An analysis.
#[derive(Clone, Debug)]
pub struct Analysis {
    /// Its id.
    pub analysis_id: AnalysisId,
    /// The manuscript.
    pub manuscript_id: ManuscriptId,
    /// The revision that is analysed.
    pub revision_id: RevisionId,
    /// Where it stands.
    pub state: AnalysisState,
    /// Percent done.
    pub progress: i32,
    /// What was found.
    pub result: Option<Value>,
    /// Why nothing was found: `{code, detail}`.
    pub problem: Option<Value>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last moved.
    pub updated_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Rises with every change.
    pub version: i32,
}

impl Analysis {
    /// Tells whether a worker has still to end it.
    pub const fn is_unfinished(&self) -> bool {
        matches!(self.state, AnalysisState::Queued | AnalysisState::Running)
    }
}

impl FromRow for Analysis {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            analysis_id: AnalysisId::from_uuid(get(row, "analysis_id")?),
            manuscript_id: ManuscriptId::from_uuid(get(row, "manuscript_id")?),
            revision_id: RevisionId::from_uuid(get(row, "revision_id")?),
            state: parse(row, "state")?,
            progress: get(row, "progress")?,
            result: get(row, "result")?,
            problem: get(row, "problem")?,
            created_at: get(row, "created_at")?,
            updated_at: get(row, "updated_at")?,
            finished_at: get(row, "finished_at")?,
            version: get(row, "version")?,
        })
    }
}

static INSERT: Query = query!(
    "analyses.insert",
    [UUID, UUID, UUID, UUID, UUID],
    "insert into app.analyses (tenant_id, project_id, analysis_id, manuscript_id, revision_id)
     values ($1, $2, $3, $4, $5)"
);

/// Records a queued analysis of a revision.
pub fn insert(
    project: ProjectId,
    analysis: AnalysisId,
    manuscript: ManuscriptId,
    revision: RevisionId,
) -> Call<()> {
    Call::new(
        &INSERT,
        parameters![project.as_uuid(), analysis.as_uuid(), manuscript.as_uuid(), revision.as_uuid()],
        nothing,
    )
}

/// The columns of an analysis whose manuscript and project live.
static BY_ID: Query = query!(
    "analyses.by_id",
    [UUID, UUID, UUID],
    "select a.analysis_id, a.manuscript_id, a.revision_id, a.state, a.progress, a.result, a.problem, a.created_at,
            a.updated_at, a.finished_at, a.version
       from app.analyses a
       join app.projects p
         on p.tenant_id = a.tenant_id and p.project_id = a.project_id and p.deleted_at is null
       join app.manuscripts m
         on m.tenant_id = a.tenant_id and m.project_id = a.project_id and m.manuscript_id = a.manuscript_id
        and m.deleted_at is null
      where a.tenant_id = $1 and a.project_id = $2 and a.analysis_id = $3 and a.deleted_at is null"
);

/// Reads one analysis.
pub fn by_id(project: ProjectId, analysis: AnalysisId) -> Call<Option<Analysis>> {
    Call::new(&BY_ID, parameters![project.as_uuid(), analysis.as_uuid()], optional)
}

static LIST: Query = query!(
    "analyses.list",
    [UUID, UUID, TIMESTAMPTZ, UUID, INT8],
    "select a.analysis_id, a.manuscript_id, a.revision_id, a.state, a.progress, null::jsonb as result, a.problem,
            a.created_at, a.updated_at, a.finished_at, a.version
       from app.analyses a
       join app.manuscripts m
         on m.tenant_id = a.tenant_id and m.project_id = a.project_id and m.manuscript_id = a.manuscript_id
        and m.deleted_at is null
      where a.tenant_id = $1 and a.project_id = $2 and a.deleted_at is null
        and ($3::timestamptz is null or (a.created_at, a.analysis_id) < ($3, $4))
      order by a.created_at desc, a.analysis_id desc
      limit $5"
);

/// Lists the analyses of a project without their results; stands behind [`super::projects::by_id`].
pub fn list(project: ProjectId, page: Page) -> Call<Vec<Analysis>> {
    let [created_at, id, limit] = page.parameters();
    Call::new(&LIST, vec![Box::new(project.as_uuid()), created_at, id, limit], all)
}

static DELETE: Query = query!(
    "analyses.delete",
    [UUID, UUID, UUID],
    "delete from app.analyses
      where tenant_id = $1 and project_id = $2 and analysis_id = $3"
);

/// Deletes an analysis at once: nothing refers to it, and the worker's writes find it no more.
pub fn delete(project: ProjectId, analysis: AnalysisId) -> Call<()> {
    Call::new(&DELETE, parameters![project.as_uuid(), analysis.as_uuid()], nothing)
}

/// Deletes an analysis with its job; only of this version where one is given. Returns `None` where it is done, else
/// whether there is such an analysis: one under a deleted project or manuscript is missing too.
pub async fn delete_in(
    tx: &mut TenantTx,
    project: ProjectId,
    analysis: AnalysisId,
    version: Option<i32>,
) -> Result<Option<bool>, DbError> {
    // The job first, as its worker locks it.
    let job = JobId::from(analysis);
    let ((), before) = tx.send(&(jobs::lock(job), by_id(project, analysis))).await?;
    let Some(before) = before else { return Ok(Some(false)) };
    if version.is_some_and(|version| version != before.version) {
        return Ok(Some(true));
    }
    tx.send(&(delete(project, analysis), jobs::cancel(job))).await?;
    Ok(None)
}

static CANCEL_UNDER: Query = query!(
    "analyses.cancel_under",
    [UUID, UUID, UUID],
    "update app.analyses
        set state = 'cancelled', updated_at = now(), finished_at = now(), version = version + 1
      where tenant_id = $1 and project_id = $2 and ($3::uuid is null or manuscript_id = $3)
        and state in ('queued', 'running')"
);

/// Cancels the unfinished analyses of a project, or of one of its manuscripts.
pub fn cancel_under(project: ProjectId, manuscript: Option<ManuscriptId>) -> Call<()> {
    Call::new(&CANCEL_UNDER, parameters![project.as_uuid(), manuscript.map(ManuscriptId::as_uuid)], nothing)
}

static MOVE: Query = query!(
    "analyses.move",
    [UUID, UUID, UUID, TEXT, INT4],
    "update app.analyses
        set state = $4, progress = $5, updated_at = now(), version = version + 1
      where tenant_id = $1 and project_id = $2 and analysis_id = $3 and state in ('queued', 'running')"
);

/// Shows how far an unfinished analysis is.
pub fn show_progress(
    project: ProjectId,
    analysis: AnalysisId,
    state: AnalysisState,
    percent: i32,
) -> Call<()> {
    Call::new(&MOVE, parameters![project.as_uuid(), analysis.as_uuid(), state.as_str(), percent], nothing)
}

static FINISH: Query = query!(
    "analyses.finish",
    [UUID, UUID, UUID, TEXT, JSONB, JSONB],
    "update app.analyses
        set state = $4, progress = 100, result = $5, problem = $6, updated_at = now(), finished_at = now(),
            version = version + 1
      where tenant_id = $1 and project_id = $2 and analysis_id = $3 and state in ('queued', 'running')"
);

/// Ends an unfinished analysis with its result, or with a problem.
pub fn finish(project: ProjectId, analysis: AnalysisId, outcome: Result<Value, Value>) -> Call<()> {
    let state = if outcome.is_ok() { AnalysisState::Succeeded } else { AnalysisState::Failed };
    let (result, problem) = match outcome {
        Ok(result) => (Some(result), None),
        Err(problem) => (None, Some(problem)),
    };
    Call::new(
        &FINISH,
        parameters![project.as_uuid(), analysis.as_uuid(), state.as_str(), result, problem],
        nothing,
    )
}
