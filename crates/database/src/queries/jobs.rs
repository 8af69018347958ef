//! Jobs: enqueued and ended inside a tenant, claimed and kept alive across tenants.

use std::time::Duration;

use jiff::Timestamp;
use novelfoundry_core::{JobId, JobKind, JobPayload, ManuscriptId, ProjectId, TenantId};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_postgres::Row;

use crate::{
    Call, ControlDb, DbError, Statements, connect,
    connect::Connection,
    query::{FromRow, Query, all, get, nothing, parameters, query},
};

static INSERT: Query = query!(
    "jobs.insert",
    [UUID, UUID, TEXT, JSONB, TIMESTAMPTZ],
    "insert into app.jobs (tenant_id, job_id, kind, payload, run_at)
     values ($1, $2, $3, $4, coalesce($5, now()))"
);

/// Enqueues a job, to be run not before `run_at`; in the transaction of what causes it.
pub fn insert<P: JobPayload>(job: JobId, payload: &P, run_at: Option<Timestamp>) -> Call<()> {
    // Structures of ids always serialise.
    let json = serde_json::to_value(payload).unwrap_or_default();
    Call::new(&INSERT, parameters![job.as_uuid(), P::KIND.as_str(), json, run_at], nothing)
}

static PUT_BACK: Query = query!(
    "jobs.put_back",
    [UUID, TEXT, UUID_ARRAY, JSONB_ARRAY, TIMESTAMPTZ_ARRAY],
    "insert into app.jobs (tenant_id, job_id, kind, payload, run_at)
     select $1, lost.job_id, $2, lost.payload, lost.run_at
       from unnest($3::uuid[], $4::jsonb[], $5::timestamptz[]) as lost (job_id, payload, run_at)
      order by lost.job_id
         on conflict (tenant_id, job_id) do nothing
     returning job_id"
);

/// Enqueues those of the jobs that are missing, and answers how many were: for what is told of by its subject alone,
/// because the job's row was lost. One that is there stays as it is, also one that has ended.
pub fn put_back<P: JobPayload>(jobs: impl IntoIterator<Item = (JobId, P, Timestamp)>) -> Call<usize> {
    let (mut ids, mut payloads, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for (job, payload, run_at) in jobs {
        ids.push(job.as_uuid());
        payloads.push(serde_json::to_value(payload).unwrap_or_default());
        times.push(run_at);
    }
    Call::new(&PUT_BACK, parameters![P::KIND.as_str(), ids, payloads, times], |rows| Ok(rows.len()))
}

/// How a job ends, or does not yet.
#[derive(Clone, Debug)]
pub enum End {
    /// Done.
    Succeeded,
    /// Will not be tried again; shown to the operator.
    Failed(String),
    /// To be tried again after this long.
    RetryIn(Duration, String),
}

static END: Query = query!(
    "jobs.end",
    [UUID, UUID, INT8, TEXT, FLOAT8, TEXT],
    "update app.jobs
        set state = $4,
            run_at = now() + coalesce($5, 0) * interval '1 second',
            last_error = $6,
            finished_at = case when $4 = 'queued' then null else now() end
      where tenant_id = $1 and job_id = $2 and fencing_token = $3 and state = 'running'"
);

/// Ends a claimed job; in the transaction of its effect, which the job's authority guards.
pub fn end(job: &ClaimedJob, end: End) -> Call<()> {
    let clip = |text: String| text.chars().take(500).collect::<String>();
    let (state, delay, error) = match end {
        End::Succeeded => ("succeeded", None, None),
        End::Failed(error) => ("failed", None, Some(clip(error))),
        End::RetryIn(delay, error) => ("queued", Some(delay.as_secs_f64()), Some(clip(error))),
    };
    Call::new(&END, parameters![job.job_id.as_uuid(), job.fencing_token, state, delay, error], nothing)
}

static CANCEL: Query = query!(
    "jobs.cancel",
    [UUID, UUID],
    "update app.jobs
        set state = 'cancelled', finished_at = now()
      where tenant_id = $1 and job_id = $2 and state in ('queued', 'running')"
);

/// Cancels a job that has not ended; a worker that holds it loses its lease.
pub fn cancel(job: JobId) -> Call<()> {
    Call::new(&CANCEL, parameters![job.as_uuid()], nothing)
}

static CANCEL_UNDER: Query = query!(
    "jobs.cancel_under",
    [UUID, TEXT, UUID, UUID],
    "update app.jobs
        set state = 'cancelled', finished_at = now()
      where tenant_id = $1 and kind = $2 and state in ('queued', 'running')
        and payload ->> 'project_id' = $3::text
        and ($4::uuid is null or payload ->> 'manuscript_id' = $4::text)"
);

/// Cancels the unfinished jobs of a kind that work for a project, or for one of its manuscripts.
pub fn cancel_under(kind: JobKind, project: ProjectId, manuscript: Option<ManuscriptId>) -> Call<()> {
    Call::new(
        &CANCEL_UNDER,
        parameters![kind.as_str(), project.as_uuid(), manuscript.map(ManuscriptId::as_uuid)],
        nothing,
    )
}

static CANCEL_ALL_BUT: Query = query!(
    "jobs.cancel_all_but",
    [UUID, TEXT],
    "update app.jobs
        set state = 'cancelled', finished_at = now()
      where tenant_id = $1 and kind <> $2 and state in ('queued', 'running')"
);

/// Cancels all unfinished jobs of the workspace but those of a kind.
pub fn cancel_all_but(kind: JobKind) -> Call<()> {
    Call::new(&CANCEL_ALL_BUT, parameters![kind.as_str()], nothing)
}

/// A job that this worker holds. Only claiming makes one.
#[derive(Clone, Debug)]
pub struct ClaimedJob {
    tenant_id: TenantId,
    job_id: JobId,
    kind: String,
    payload: Value,
    attempts: i32,
    max_attempts: i32,
    fencing_token: i64,
}

impl ClaimedJob {
    /// Returns the tenant it works for.
    pub fn tenant_id(&self) -> TenantId {
        self.tenant_id
    }

    /// Returns its id.
    pub fn job_id(&self) -> JobId {
        self.job_id
    }

    /// Returns its kind.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Returns what it is about.
    pub fn payload(&self) -> &Value {
        &self.payload
    }

    /// Returns how often it was claimed, this time included.
    pub fn attempts(&self) -> i32 {
        self.attempts
    }

    /// Tells whether this is its last attempt.
    pub fn is_last_attempt(&self) -> bool {
        self.attempts >= self.max_attempts
    }

    /// Tells whether every attempt was used up by workers that died or lost their lease: it must not run again.
    pub fn is_exhausted(&self) -> bool {
        self.attempts > self.max_attempts
    }

    /// Returns the token that its effects are guarded by.
    pub fn fencing_token(&self) -> i64 {
        self.fencing_token
    }
}

impl FromRow for ClaimedJob {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            tenant_id: TenantId::from_uuid(get(row, "tenant_id")?),
            job_id: JobId::from_uuid(get(row, "job_id")?),
            kind: get(row, "kind")?,
            payload: get(row, "payload")?,
            attempts: get(row, "attempts")?,
            max_attempts: get(row, "max_attempts")?,
            fencing_token: get(row, "fencing_token")?,
        })
    }
}

/// A lapsed lease counts as an attempt: a job that kills its worker ends up failed, not claimed for ever. Lapsed jobs
/// come first, or a queue that never empties would keep them waiting.
static CLAIM: Query = query!(
    "jobs.claim",
    [INT8, FLOAT8, TEXT],
    "with ready as (
       select tenant_id, job_id
         from app.jobs
        where state = 'queued' and run_at <= now()
        order by run_at, job_id
        limit $1
          for update skip locked
     ), lapsed as (
       select tenant_id, job_id
         from app.jobs
        where state = 'running' and lease_expires_at < now()
        order by lease_expires_at, job_id
        limit $1
          for update skip locked
     ), due as (
       select tenant_id, job_id from lapsed
       union all
       select tenant_id, job_id from ready
     )
     update app.jobs j
        set state = 'running',
            attempts = j.attempts + 1,
            fencing_token = j.fencing_token + 1,
            lease_expires_at = now() + $2 * interval '1 second',
            worker = $3
       from (select tenant_id, job_id from due limit $1) as chosen
      where j.tenant_id = chosen.tenant_id and j.job_id = chosen.job_id
     returning j.tenant_id, j.job_id, j.kind, j.payload, j.attempts, j.max_attempts, j.fencing_token"
);

/// Claims at most `limit` jobs for `lease`.
pub async fn claim(
    db: &ControlDb,
    limit: usize,
    lease: Duration,
    worker: &str,
) -> Result<Vec<ClaimedJob>, DbError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    all(&db.query(&CLAIM, parameters![limit, lease.as_secs_f64(), worker.to_owned()]).await?)
}

static HEARTBEAT: Query = query!(
    "jobs.heartbeat",
    [UUID, UUID, INT8, FLOAT8],
    "update app.jobs
        set lease_expires_at = now() + $4 * interval '1 second'
      where tenant_id = $1 and job_id = $2 and fencing_token = $3 and state = 'running'
     returning job_id"
);

/// Extends the lease; false where it was lost or the job was cancelled.
pub async fn heartbeat(db: &ControlDb, job: &ClaimedJob, lease: Duration) -> Result<bool, DbError> {
    let values =
        parameters![job.tenant_id.as_uuid(), job.job_id.as_uuid(), job.fencing_token, lease.as_secs_f64()];
    Ok(!db.query(&HEARTBEAT, values).await?.is_empty())
}

static HAND_BACK: Query = query!(
    "jobs.hand_back",
    [UUID, UUID, INT8],
    "update app.jobs
        set state = 'queued', run_at = now(), attempts = attempts - 1
      where tenant_id = $1 and job_id = $2 and fencing_token = $3 and state = 'running'"
);

/// Gives a job up unfinished, to be claimed anew at once; the attempt does not count. Does nothing where the lease was
/// lost or the job has ended.
pub async fn hand_back(db: &ControlDb, job: &ClaimedJob) -> Result<(), DbError> {
    let values = parameters![job.tenant_id.as_uuid(), job.job_id.as_uuid(), job.fencing_token];
    db.query(&HAND_BACK, values).await.map(drop)
}

static LOCK: Query = query!(
    "jobs.lock",
    [UUID, UUID],
    "select job_id
       from app.jobs
      where tenant_id = $1 and job_id = $2
        for update"
);

/// Locks a job until the transaction ends: before what it works on, as its worker does.
pub fn lock(job: JobId) -> Call<()> {
    Call::new(&LOCK, parameters![job.as_uuid()], nothing)
}

static FORGET: Query = query!(
    "jobs.forget",
    [INT8],
    "delete from app.jobs j
      using (select tenant_id, job_id
               from app.jobs
              where finished_at < now() - interval '7 days'
                and (state <> 'failed' or finished_at < now() - interval '90 days')
                and (kind <> 'reconcile_workspace'
                     or not exists (select from app.user_tenants u where u.tenant_id = jobs.tenant_id))
              order by finished_at
              limit $1) as old
      where j.tenant_id = old.tenant_id and j.job_id = old.job_id
     returning j.job_id"
);

/// Removes jobs that ended a week ago, failed ones after ninety days; returns how many, `limit` at most. The daily job of
/// a workspace goes with the workspace.
pub async fn forget(db: &ControlDb, limit: i64) -> Result<usize, DbError> {
    Ok(db.query(&FORGET, parameters![limit]).await?.len())
}

static WAKE: Query = query!("jobs.wake", [], "select pg_notify('novelfoundry_jobs', '')");

/// Wakes idle workers. To be sent after commit and coalesced: inside a transaction it would take a database-wide lock.
pub async fn wake(db: &ControlDb) -> Result<(), DbError> {
    db.query(&WAKE, Vec::new()).await.map(drop)
}

/// Hears of new jobs on a connection of its own.
pub struct Signals {
    _connection: Connection,
    receiver: mpsc::Receiver<()>,
}

impl Signals {
    /// Begins to listen. Through a transaction pooler nothing is heard: polling must remain.
    pub async fn listen(db: &ControlDb) -> Result<Self, DbError> {
        let (sender, receiver) = mpsc::channel(1);
        let connection =
            connect::connect(db.url(), "novelfoundry/listen", Statements::Typed, Some(sender)).await?;
        connection.client.batch_execute("listen novelfoundry_jobs").await.map_err(DbError::before_commit)?;
        Ok(Self { _connection: connection, receiver })
    }

    /// Waits for the next signal; `None` once the connection is lost.
    pub async fn next(&mut self) -> Option<()> {
        self.receiver.recv().await
    }
}

static PING: Query = query!("jobs.ping", [], "select 1 from app.jobs limit 0");

/// Asks whether the job table answers.
pub async fn ping(db: &ControlDb) -> Result<(), DbError> {
    db.read(&PING, Vec::new()).await.map(drop)
}

/// Counts of jobs by state, for the operator.
#[derive(Clone, Debug)]
pub struct Depth {
    /// The state.
    pub state: String,
    /// How many.
    pub jobs: i64,
    /// Seconds since the oldest of them was due.
    pub oldest_seconds: f64,
}

impl FromRow for Depth {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            state: get(row, "state")?,
            jobs: get(row, "jobs")?,
            oldest_seconds: get(row, "oldest_seconds")?,
        })
    }
}

static DEPTH: Query = query!(
    "jobs.depth",
    [],
    "select state, count(*) as jobs,
            greatest(0, extract(epoch from now() - min(run_at)))::float8 as oldest_seconds
       from app.jobs
      where state in ('queued', 'running')
      group by state"
);

/// Counts waiting and running jobs.
pub async fn depth(db: &ControlDb) -> Result<Vec<Depth>, DbError> {
    all(&db.read(&DEPTH, Vec::new()).await?)
}
