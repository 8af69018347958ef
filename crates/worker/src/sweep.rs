//! What has to be done now and then for all tenants, whatever jobs there are: tombstones are applied, workspaces are
//! reconciled, departures that were cut short are finished, and what is of no use any more is forgotten.

use std::{convert::Infallible, sync::Arc, time::Duration};

use novelfoundry_database::{ControlDb, DbError, directory, jobs, reconcile};
use tokio::time::{Instant, sleep};

use crate::{
    WorkerOptions,
    backoff::around,
    departures, report,
    tombstones::{TombstoneError, apply_due},
};

const PERIOD: Duration = Duration::from_mins(1);
/// A thousand a minute keep up with any queue.
const FORGOTTEN: i64 = 1000;
/// Workspaces whose reconciliation is enqueued together: one worker gets through 144,000 a day, and what lay still for a
/// while does not come in one wave.
const RECONCILED: usize = 100;
/// How long after its last reconciliation a workspace is reconciled again.
const RECONCILE_PERIOD: Duration = Duration::from_hours(24);
/// How often workspaces are looked for that were never reconciled: that reads the whole index of memberships.
const LOOK_PERIOD: Duration = Duration::from_hours(1);

/// Sweeps at once and then every minute or so. An outage is logged when it begins and when it ends.
pub(crate) async fn sweep_for_ever(options: Arc<WorkerOptions>) -> Infallible {
    let (mut failing, mut look_at) = (false, Instant::now());
    loop {
        let swept = sweep(&options, &mut look_at).await;
        match &swept {
            Ok(()) if failing => tracing::info!("the sweep goes on"),
            Err(error) if !failing => tracing::warn!(error = report(error), "the sweep waits"),
            _ => {}
        }
        failing = swept.is_err();
        sleep(around(PERIOD)).await;
    }
}

async fn sweep(options: &WorkerOptions, look_at: &mut Instant) -> Result<(), TombstoneError> {
    let (control, retention) = (&options.control, options.backup_retention);
    enqueue_reconciliations(control, look_at).await?;
    departures::finish(options).await?;
    jobs::forget(control, FORGOTTEN).await?;
    directory::forget_sessions(control, FORGOTTEN).await?;
    directory::forget_departed(control, FORGOTTEN, retention).await?;
    apply_due(control, &options.store, retention).await
}

/// Keeps one job a workspace going, whichever worker comes first.
async fn enqueue_reconciliations(control: &ControlDb, look_at: &mut Instant) -> Result<(), DbError> {
    reconcile::repeat(control, RECONCILED, RECONCILE_PERIOD).await?;
    if Instant::now() >= *look_at && reconcile::begin(control, RECONCILED).await? < RECONCILED {
        *look_at = Instant::now() + LOOK_PERIOD;
    }
    Ok(())
}
