//! Deletes again what a late upload or a restored copy may have put back: each object when its tombstone is due, and all of
//! them where an operator asks for that.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use novelfoundry_database::{
    ControlDb, DbError, tombstones,
    tombstones::{Due, Tombstone},
};
use novelfoundry_objects::{KeyError, ObjectKey, Store, StoreError};
use tokio_util::sync::CancellationToken;

use crate::report;

/// Tombstones that are claimed, or listed, together.
const BATCH: usize = 100;
/// Deletions under way at once, beside jobs and requests.
const AT_ONCE: usize = 8;
/// Deletions under way at once where somebody waits for them.
const AT_ONCE_ASKED: usize = 32;

/// Why a tombstone could not be applied; it stays, and is tried again.
#[derive(Debug, thiserror::Error)]
pub enum TombstoneError {
    /// The tombstones cannot be read or moved on.
    #[error("the tombstones cannot be read or written")]
    Database(#[from] DbError),
    /// The object cannot be deleted.
    #[error("an object cannot be deleted")]
    Store(#[from] StoreError),
    /// The tombstone names no object.
    #[error("a tombstone's object key is not valid")]
    Key(#[from] KeyError),
}

/// Applies the tombstones that are due. One that fails is due again in an hour and holds up no other; a batch without any
/// success is an outage, and the rest waits for the next sweep.
pub(crate) async fn apply_due(
    control: &ControlDb,
    store: &Store,
    retention: Duration,
) -> Result<(), TombstoneError> {
    let mut failure = None;
    loop {
        let due = tombstones::claim(control, BATCH, retention).await?;
        let is_last = due.len() < BATCH;
        let tried: Vec<Result<Due, TombstoneError>> = stream::iter(due)
            .map(async |due| {
                store.delete(&due.tombstone.object_key.parse()?).await?;
                Ok(due)
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let mut applied = Vec::new();
        for outcome in tried {
            match outcome {
                Ok(due) => applied.push(due),
                Err(error) => failure = Some(error),
            }
        }
        let is_outage = applied.is_empty();
        tombstones::settle(control, applied, retention).await?;
        if is_last || is_outage {
            return failure.map_or(Ok(()), Err);
        }
    }
}

/// How far the application of every tombstone has come.
#[derive(Debug, Default)]
pub struct Applied {
    /// Tombstones whose object is certainly gone.
    pub applied: u64,
    /// How many of those objects had come back.
    pub found: u64,
    /// Tombstones that failed; the sweep goes on trying.
    pub failed: u64,
    /// Whether the end was reached.
    pub complete: bool,
    /// The last failure.
    pub failure: Option<TombstoneError>,
}

/// Applies every tombstone now, due or not, until all were or `stop` says to leave off: for after a restore. It may be
/// repeated, and run beside workers; when each tombstone is due stays as it was. It gives up where the database fails, or
/// a hundred in a row. `progress` is told after each batch.
pub async fn apply_tombstones(
    control: &ControlDb,
    store: &Store,
    stop: &CancellationToken,
    mut progress: impl FnMut(&Applied),
) -> Applied {
    let mut sum = Applied::default();
    let mut after = None;
    loop {
        let batch = match tombstones::list(control, after.as_ref(), BATCH).await {
            Ok(batch) => batch,
            Err(error) => return Applied { failure: Some(error.into()), ..sum },
        };
        let Some(last) = batch.last().cloned() else { return Applied { complete: true, ..sum } };
        after = Some(last);
        let (before, is_full) = (sum.applied, batch.len() == BATCH);
        let mut tried = stream::iter(batch)
            .map(async |tombstone| (bury(store, &tombstone).await, tombstone))
            .buffer_unordered(AT_ONCE_ASKED);
        loop {
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => return sum,
                next = tried.next() => next,
            };
            match next {
                None => break,
                Some((Ok(found), _)) => {
                    sum.applied += 1;
                    sum.found += u64::from(found);
                }
                Some((Err(error), Tombstone { object_key, .. })) => {
                    tracing::warn!(object_key, error = report(&error), "a tombstone was not applied");
                    sum.failed += 1;
                    sum.failure = Some(error);
                }
            }
        }
        progress(&sum);
        if is_full && sum.applied == before {
            return sum;
        }
    }
}

/// Deletes the object where it has come back, and tells whether it had.
async fn bury(store: &Store, tombstone: &Tombstone) -> Result<bool, TombstoneError> {
    let key: ObjectKey = tombstone.object_key.parse()?;
    let found = store.head(&key).await?.is_some();
    if found {
        store.delete(&key).await?;
    }
    Ok(found)
}
