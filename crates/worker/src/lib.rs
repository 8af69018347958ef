//! Claims jobs, runs them and ends them, each once: a job is held by a lease, and what it writes is guarded by the
//! lease's fencing token inside the same transaction, so that a worker that died, stalled or was cut off does no harm.
//!
//! Nothing here holds a transaction over object storage or text work. Each kind of job is one file of `jobs`.

mod backoff;
mod blocking;
mod departures;
mod jobs;
mod lease;
mod run;
mod signals;
mod sweep;
mod tombstones;

use std::{sync::Arc, time::Duration};

use novelfoundry_core::report;
use novelfoundry_database::{ControlDb, DbError, IssuerDb, TenantDb, jobs::claim};
use novelfoundry_objects::Store;
use tokio::{
    sync::Notify,
    task::{JoinError, JoinSet},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use backoff::{Backoff, around};
pub use tombstones::{Applied, TombstoneError, apply_tombstones};

/// How often an idle worker usually looks for jobs that no signal told it of.
pub const POLL: Duration = Duration::from_secs(1);
/// How often a running analysis usually shows how far it is.
pub const SHOW_EVERY: Duration = Duration::from_secs(1);
/// The longest wait for the database's answer to a claim.
const CLAIM_LIMIT: Duration = Duration::from_secs(15);
/// The longest time that a stopping worker lets jobs go on; less where a lease is shorter.
const GRACE: Duration = Duration::from_secs(10);

/// What a worker is set up with.
pub struct WorkerOptions {
    /// The tenants, one at a time.
    pub tenant: TenantDb,
    /// The queue, across tenants.
    pub control: ControlDb,
    /// The accounts of people who leave, where this installation keeps them.
    pub accounts: Option<IssuerDb>,
    /// The objects.
    pub store: Store,
    /// How many jobs run at once.
    pub concurrency: usize,
    /// How long a job stays with a worker that gives no sign of life.
    pub lease: Duration,
    /// How often an idle worker looks for jobs that no signal told it of: [`POLL`], as a rule.
    pub poll: Duration,
    /// The shortest time between two updates of an analysis's progress: [`SHOW_EVERY`], as a rule.
    pub show_every: Duration,
    /// How long the oldest backup is kept: until then a deletion is made again and again, as a backup could undo it.
    pub backup_retention: Duration,
    /// How long after a deletion its files are kept.
    pub purge_after: Duration,
    /// What the worker is called in the job table.
    pub name: String,
}

/// A worker, not yet running.
pub struct Worker(WorkerOptions);

impl Worker {
    /// Sets up a worker.
    pub const fn new(options: WorkerOptions) -> Self {
        Self(options)
    }

    /// Works until `shutdown`, lets running jobs go on for up to ten seconds or a lease, hands back the rest for
    /// another worker to take over at once, and returns. Dropping the future instead leaves running jobs to be taken
    /// over when their leases lapse.
    pub async fn run(self, shutdown: CancellationToken) {
        let Self(options) = self;
        let options = Arc::new(options);
        let wake = Arc::new(Notify::new());
        let mut aside = JoinSet::new();
        aside.spawn(signals::listen(options.control.clone(), Arc::clone(&wake)));
        aside.spawn(sweep::sweep_for_ever(Arc::clone(&options)));
        tracing::info!(worker = options.name, concurrency = options.concurrency, "worker started");

        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        let mut outage = Outage::new();
        while !shutdown.is_cancelled() {
            while let Some(ended) = running.try_join_next() {
                check(ended);
            }
            let free = options.concurrency.saturating_sub(running.len());
            let mut pause = None;
            if free > 0 {
                let claimed_at = Instant::now();
                let claimed = outage.watch(claim_jobs(&options, free).await);
                match claimed {
                    Ok(jobs) if jobs.is_empty() => pause = Some(around(options.poll)),
                    Ok(jobs) => {
                        for job in jobs {
                            running.spawn(run::run(Arc::clone(&options), job, claimed_at, stop.clone()));
                        }
                        continue;
                    }
                    Err(wait) => pause = Some(wait),
                }
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = wake.notified(), if pause.is_some() => {}
                () = sleep(pause.unwrap_or(options.poll)), if pause.is_some() => {}
                Some(ended) = running.join_next() => check(ended),
            }
        }

        drop(aside);
        tracing::info!(worker = options.name, jobs = running.len(), "worker stops");
        let rest = async {
            while let Some(ended) = running.join_next().await {
                check(ended);
            }
        };
        if timeout(GRACE.min(options.lease), rest).await.is_err() {
            stop.cancel();
        }
        while let Some(ended) = running.join_next().await {
            check(ended);
        }
    }
}

async fn claim_jobs(
    options: &WorkerOptions,
    limit: usize,
) -> Result<Vec<novelfoundry_database::jobs::ClaimedJob>, ClaimError> {
    // A claim given up here may still have taken jobs: their leases lapse.
    timeout(CLAIM_LIMIT, claim(&options.control, limit, options.lease, &options.name))
        .await
        .map_err(|_| ClaimError::Unanswered)?
        .map_err(ClaimError::Database)
}

#[derive(Debug, thiserror::Error)]
enum ClaimError {
    #[error("jobs cannot be claimed")]
    Database(#[source] DbError),
    #[error("no answer to a claim of jobs came in time")]
    Unanswered,
}

/// Follows whether jobs can be claimed, and says so once when that changes.
struct Outage(Backoff);

impl Outage {
    const fn new() -> Self {
        Self(Backoff::new(Duration::from_millis(500), Duration::from_secs(15)))
    }

    /// Passes on what was claimed, or how long to wait.
    fn watch<T>(&mut self, claimed: Result<T, ClaimError>) -> Result<T, Duration> {
        match claimed {
            Ok(claimed) => {
                if self.0.reset() {
                    tracing::info!("jobs are claimed again");
                }
                Ok(claimed)
            }
            Err(error) => {
                if self.0.is_reset() {
                    tracing::error!(error = report(&error), "no jobs until the database is back");
                }
                Err(self.0.next())
            }
        }
    }
}

/// A job catches its own panics: this one is the worker's.
fn check(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a job's task ended early; its lease will lapse");
    }
}
