//! Runs one claimed job to its end: beside it the lease is kept, around it failures become retries or dead letters.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use novelfoundry_core::JobKind;
use novelfoundry_database::jobs::{self, ClaimedJob, End};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    WorkerOptions, backoff,
    jobs::{Ended, JobError, Task},
    lease, report,
};

/// The longest that handing a job back may take.
const HAND_BACK_LIMIT: Duration = Duration::from_secs(5);

/// What came of a job, as metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Succeeded,
    Cancelled,
    Retried,
    Failed,
    Lost,
    HandedBack,
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Cancelled => "cancelled",
            Self::Retried => "retried",
            Self::Failed => "failed",
            Self::Lost => "lost",
            Self::HandedBack => "handed_back",
        }
    }
}

/// Runs the job until it has ended, its lease is lost, or `stop` says to hand it back.
pub(crate) async fn run(
    options: Arc<WorkerOptions>,
    job: ClaimedJob,
    claimed_at: Instant,
    stop: CancellationToken,
) {
    // A kind from the table is a label only where this program knows it.
    let kind = job.kind().parse().map_or("unknown", JobKind::as_str);
    let span = tracing::info_span!(
        "job",
        job_id = %job.job_id(),
        kind,
        tenant_id = %job.tenant_id(),
        attempt = job.attempts()
    );
    let outcome = async {
        tokio::select! {
            biased;
            () = stop.cancelled() => hand_back(&options, &job).await,
            () = lease::hold(&options.control, &job, options.lease, claimed_at) => lost(),
            outcome = Box::pin(work(&options, &job)) => outcome,
        }
    }
    .instrument(span)
    .await;
    metrics::counter!("novelfoundry_jobs_total", "kind" => kind, "outcome" => outcome.as_str()).increment(1);
    metrics::histogram!("novelfoundry_job_seconds", "kind" => kind)
        .record(claimed_at.elapsed().as_secs_f64());
    metrics::histogram!("novelfoundry_job_attempts", "kind" => kind).record(f64::from(job.attempts()));
}

async fn work(options: &WorkerOptions, job: &ClaimedJob) -> Outcome {
    let task = Task::new(options, job);
    let done = AssertUnwindSafe(task.run()).catch_unwind().await.unwrap_or(Err(JobError::Panicked));
    let error = match done {
        Ok(Ended::Succeeded) => return Outcome::Succeeded,
        Ok(Ended::Cancelled) => return Outcome::Cancelled,
        Err(error) if error.is_lease_lost() => return lost(),
        Err(error) => error,
    };
    let cause = report(&error);
    let (end, outcome) = if error.is_retryable() && !job.is_last_attempt() {
        (End::RetryIn(backoff::job_retry(job.attempts()), cause.clone()), Outcome::Retried)
    } else {
        (End::Failed(cause.clone()), Outcome::Failed)
    };
    match task.give_up(&error, end).await {
        Err(error) if error.is_lease_lost() => return lost(),
        Err(error) => {
            tracing::error!(error = cause, ending = report(&error), "the job failed and could not be ended");
            return Outcome::Lost;
        }
        Ok(()) => {}
    }
    if outcome == Outcome::Retried {
        tracing::warn!(error = cause, "the job will be tried again");
    } else {
        tracing::error!(error = cause, "the job failed");
    }
    outcome
}

/// Nothing is written from here on: the job is another worker's, or was cancelled.
fn lost() -> Outcome {
    tracing::info!("the job was cancelled or its lease was lost");
    Outcome::Lost
}

async fn hand_back(options: &WorkerOptions, job: &ClaimedJob) -> Outcome {
    let given = async {
        jobs::hand_back(&options.control, job).await?;
        jobs::wake(&options.control).await
    };
    match timeout(HAND_BACK_LIMIT, given).await {
        Ok(Ok(())) => tracing::info!("the job was handed back"),
        Ok(Err(error)) => {
            tracing::warn!(error = report(&error), "the job was not handed back; its lease will lapse");
        }
        Err(_) => tracing::warn!("the job was not handed back in time; its lease will lapse"),
    }
    Outcome::HandedBack
}
