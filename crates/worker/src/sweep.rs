//! What has to be done now and then for all tenants, whatever jobs there are: tombstones are applied, and what is of no
//! use any more is forgotten.

use std::{convert::Infallible, time::Duration};

use novelfoundry_database::{ControlDb, directory, jobs};
use novelfoundry_objects::Store;
use tokio::time::sleep;

use crate::{
    backoff::around,
    report,
    tombstones::{TombstoneError, apply_due},
};

const PERIOD: Duration = Duration::from_mins(1);
/// A thousand a minute keep up with any queue.
const FORGOTTEN: i64 = 1000;

/// Sweeps at once and then every minute or so. An outage is logged when it begins and when it ends.
pub(crate) async fn sweep_for_ever(control: ControlDb, store: Store, retention: Duration) -> Infallible {
    let mut failing = false;
    loop {
        let swept = sweep(&control, &store, retention).await;
        match &swept {
            Ok(()) if failing => tracing::info!("tombstones are applied again"),
            Err(error) if !failing => tracing::warn!(error = report(error), "tombstones wait"),
            _ => {}
        }
        failing = swept.is_err();
        sleep(around(PERIOD)).await;
    }
}

async fn sweep(control: &ControlDb, store: &Store, retention: Duration) -> Result<(), TombstoneError> {
    jobs::forget(control, FORGOTTEN).await?;
    directory::forget_sessions(control, FORGOTTEN).await?;
    apply_due(control, store, retention).await
}
