//! Deletes once more what a late upload may have put back, when the last ticket that could has ended; and forgets jobs
//! that ended long ago.

use std::{convert::Infallible, time::Duration};

use futures_util::{StreamExt, TryStreamExt, stream};
use novelfoundry_database::{ControlDb, DbError, jobs, purge, purge::Tombstone};
use novelfoundry_objects::{ObjectKey, Store, StoreError};
use tokio::time::sleep;

use crate::{backoff::around, report};

const PERIOD: Duration = Duration::from_mins(1);
const BATCH: i64 = 100;
/// Deletions under way at once.
const AT_ONCE: usize = 8;

#[derive(Debug, thiserror::Error)]
enum SweepError {
    #[error("tombstones cannot be read or removed")]
    Database(#[from] DbError),
    #[error("a buried object cannot be deleted")]
    Store(#[from] StoreError),
}

/// Sweeps at once and then every minute or so. An outage is logged when it begins and when it ends.
pub(crate) async fn sweep_for_ever(control: ControlDb, store: Store) -> Infallible {
    let mut failing = false;
    loop {
        let swept = sweep(&control, &store).await;
        match &swept {
            Ok(()) if failing => tracing::info!("tombstones are applied again"),
            Err(error) if !failing => tracing::warn!(error = report(error), "tombstones wait"),
            _ => {}
        }
        failing = swept.is_err();
        sleep(around(PERIOD)).await;
    }
}

async fn sweep(control: &ControlDb, store: &Store) -> Result<(), SweepError> {
    // What ended long ago is of no use to anybody; a thousand a minute keep up with any queue.
    jobs::forget(control, 1000).await?;
    loop {
        let due = purge::due_tombstones(control, BATCH).await?;
        let last = due.len() < usize::try_from(BATCH).unwrap_or(usize::MAX);
        stream::iter(due)
            .map(|tombstone| lay_to_rest(control, store, tombstone))
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        if last {
            return Ok(());
        }
    }
}

async fn lay_to_rest(control: &ControlDb, store: &Store, tombstone: Tombstone) -> Result<(), SweepError> {
    match tombstone.object_key.parse::<ObjectKey>() {
        Ok(key) => store.delete(&key).await?,
        // Nothing can have been uploaded under what is no key, and keeping it would stop the ones behind it.
        Err(error) => tracing::error!(%error, "a tombstone names no object"),
    }
    Ok(purge::remove_tombstone(control, &tombstone).await?)
}
