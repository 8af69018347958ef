//! One file a job. A job ends itself in the transaction of its last effect; here is what all of them share.

mod analyze_manuscript;
mod purge_objects;
mod purge_workspace;
mod reconcile_workspace;
mod settle_upload;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use novelfoundry_core::{JobKind, Role, UnknownJobKind};
use novelfoundry_database::{
    Authority, Call, DbError, Pipeline, Refusal, TenantDb,
    jobs::{self, ClaimedJob, End},
    purge,
};
use novelfoundry_objects::{KeyError, Store, StoreError};
use serde::de::DeserializeOwned;

use crate::{WorkerOptions, backoff::Backoff, blocking::BlockingError};

/// How long after its ticket's end an upload is seldom still under way.
const LATE_UPLOAD: Duration = Duration::from_hours(1);

/// How long a burial lasts at least, however short backups are kept: a ticket may be good for a day, and then a store
/// that bears with 1 KiB a second takes more than another for a plan's largest file.
const SLOWEST_UPLOAD: Duration = Duration::from_hours(3 * 24);

/// A claimed job with what it works on.
pub(crate) struct Task<'a> {
    pub(crate) job: &'a ClaimedJob,
    authority: Authority,
    tenant: &'a TenantDb,
    store: &'a Store,
    backup_retention: Duration,
    purge_after: SignedDuration,
    show_every: Duration,
}

/// How a job that did not fail has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Its work is done.
    Succeeded,
    /// What it worked for is gone.
    Cancelled,
}

/// Why a job did not end itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobError {
    #[error("the database failed")]
    Database(#[from] DbError),
    #[error("the object store failed")]
    Store(#[from] StoreError),
    #[error("the object did not arrive within its time")]
    SlowObject,
    #[error("the text could not be worked on")]
    Text(#[from] BlockingError),
    #[error("the result cannot be written as JSON")]
    Result(#[source] serde_json::Error),
    #[error("the payload is not this kind of job's")]
    Payload(#[source] serde_json::Error),
    #[error("a revision's object key is not valid")]
    Key(#[from] KeyError),
    #[error("this version of the worker does not know the kind of job")]
    Kind(#[from] UnknownJobKind),
    #[error("every attempt ended with the worker gone or its lease lost")]
    Exhausted,
    #[error("the job panicked")]
    Panicked,
}

impl JobError {
    /// Tells whether another attempt may fare better. A newer worker may know a kind that this one does not.
    pub(crate) const fn is_retryable(&self) -> bool {
        matches!(self, Self::Database(_) | Self::Store(_) | Self::SlowObject | Self::Kind(_))
    }

    /// Tells whether the job is another's now, or was cancelled.
    pub(crate) const fn is_lease_lost(&self) -> bool {
        matches!(self, Self::Database(DbError::Refused(Refusal::LeaseLost)))
    }
}

impl<'a> Task<'a> {
    pub(crate) fn new(options: &'a WorkerOptions, job: &'a ClaimedJob) -> Self {
        let &WorkerOptions { ref tenant, ref store, backup_retention, purge_after, show_every, .. } = options;
        let purge_after = SignedDuration::try_from(purge_after).unwrap_or(SignedDuration::MAX);
        let backup_retention = backup_retention.max(SLOWEST_UPLOAD);
        let authority = Authority::from_job(job);
        Self { job, authority, tenant, store, backup_retention, purge_after, show_every }
    }

    /// Does the job, its end included.
    pub(crate) async fn run(&self) -> Result<Ended, JobError> {
        if self.job.is_exhausted() {
            return Err(JobError::Exhausted);
        }
        match self.job.kind().parse()? {
            JobKind::AnalyzeManuscript => Box::pin(analyze_manuscript::run(self, self.payload()?)).await,
            JobKind::SettleUpload => settle_upload::run(self, self.payload()?).await,
            JobKind::PurgeObjects => purge_objects::run(self, self.payload()?).await,
            JobKind::PurgeWorkspace => purge_workspace::run(self).await,
            JobKind::ReconcileWorkspace => reconcile_workspace::run(self, self.payload()?).await,
        }
    }

    /// Ends the job for now or for good, with what its kind shows of that.
    pub(crate) async fn give_up(&self, error: &JobError, end: End) -> Result<(), JobError> {
        let analysis = self.job.kind() == JobKind::AnalyzeManuscript.as_str();
        let shown = || {
            let payload = self.payload().ok().filter(|_| analysis)?;
            Some(analyze_manuscript::given_up(self, payload, error, &end))
        };
        self.end("jobs.give_up", || (shown(), jobs::end(self.job, end.clone()))).await
    }

    /// Writes in one transaction that the job's lease guards.
    async fn write<P: Pipeline>(&self, name: &'static str, calls: P) -> Result<P::Output, DbError> {
        // What a job may do is settled by its lease, not by a role.
        self.tenant.write(&self.authority, Role::Editor, name, calls).await
    }

    /// Writes the transaction that ends the job, again and again while the database is out of reach: the work is done,
    /// and the lease bounds the time.
    async fn end<P: Pipeline>(&self, name: &'static str, calls: impl Fn() -> P) -> Result<(), JobError> {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
        let mut unknown = false;
        loop {
            match self.write(name, calls()).await {
                Ok(_) => return Ok(()),
                // The end whose COMMIT was not answered has taken effect, or nobody's help is wanted any more.
                Err(DbError::Refused(Refusal::LeaseLost)) if unknown => return Ok(()),
                Err(error @ DbError::Unavailable(_)) => tracing::debug!(%error, "the job's end must wait"),
                Err(error @ DbError::CommitUnknown(_)) => {
                    unknown = true;
                    tracing::debug!(%error, "the job's end is written again");
                }
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(backoff.next()).await;
        }
    }

    /// Ends a job whose subject is gone.
    async fn cancel(&self) -> Result<Ended, JobError> {
        self.end("jobs.cancel", || jobs::cancel(self.job.job_id())).await?;
        Ok(Ended::Cancelled)
    }

    /// Records that an object stays deleted: nothing can be uploaded in its place a while after its ticket has ended.
    fn bury(&self, object_key: &str, ticket_ends: Timestamp) -> Call<()> {
        purge::bury(object_key.to_owned(), late_upload(ticket_ends), self.backup_retention)
    }

    fn payload<T: DeserializeOwned>(&self) -> Result<T, JobError> {
        T::deserialize(self.job.payload()).map_err(JobError::Payload)
    }
}

/// Returns when to delete once more an object whose ticket ends then.
fn late_upload(ticket_ends: Timestamp) -> Timestamp {
    ticket_ends.saturating_add(LATE_UPLOAD).unwrap_or(ticket_ends)
}
