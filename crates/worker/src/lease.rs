//! Keeps a claimed job's lease while its work goes on, and tells when it is lost: then someone else may have the job.

use std::time::Duration;

use novelfoundry_database::{ControlDb, jobs, jobs::ClaimedJob};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

/// Pause between heartbeats that the database did not answer, as a part of the lease.
const RETRY_PART: u32 = 10;

/// Extends the lease three times in its length. Returns once it is lost: the database says so, or could not be asked
/// until the lease, counted from `claimed_at`, had run out.
pub(crate) async fn hold(control: &ControlDb, job: &ClaimedJob, lease: Duration, claimed_at: Instant) {
    let mut expires = claimed_at + lease;
    let mut next = claimed_at + lease / 3;
    loop {
        sleep_until(next).await;
        let asked = Instant::now();
        match timeout_at(expires, jobs::heartbeat(control, job, lease)).await {
            Ok(Ok(true)) => {
                // The server's clock started later than this one: ours runs out first.
                expires = asked + lease;
                next = asked + lease / 3;
            }
            Ok(Ok(false)) | Err(_) => return,
            Ok(Err(error)) => {
                tracing::debug!(%error, "a heartbeat was not answered");
                if Instant::now() >= expires {
                    return;
                }
                sleep(lease / RETRY_PART).await;
                next = Instant::now();
            }
        }
    }
}
