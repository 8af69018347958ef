//! Brings a revision's file into memory, no more of it than was declared, and checks it on the way.

use std::time::Duration;

use futures_util::TryStreamExt;
use novelfoundry_database::revisions::Revision;
use novelfoundry_objects::{ObjectKey, Store};
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use crate::jobs::JobError;

/// The longest that a file may take to arrive.
const ARRIVAL_LIMIT: Duration = Duration::from_mins(5);

/// What came of fetching.
pub(super) enum Fetched {
    /// The file, as it was declared.
    Bytes(Vec<u8>),
    /// Another size or digest than the declared one.
    Mismatch,
}

/// Fetches the file and compares its size and SHA-256 with the revision's.
pub(super) async fn fetch(store: &Store, revision: &Revision) -> Result<Fetched, JobError> {
    let key: ObjectKey = revision.object_key.parse()?;
    timeout(ARRIVAL_LIMIT, arrive(store, &key, revision)).await.map_err(|_| JobError::SlowObject)?
}

async fn arrive(store: &Store, key: &ObjectKey, revision: &Revision) -> Result<Fetched, JobError> {
    let mut body = store.get(key).await?;
    let declared = usize::try_from(revision.bytes).unwrap_or(0);
    if usize::try_from(body.bytes()) != Ok(declared) {
        return Ok(Fetched::Mismatch);
    }
    let mut bytes = Vec::with_capacity(declared);
    let mut hasher = Sha256::new();
    while let Some(chunk) = body.try_next().await? {
        if bytes.len() + chunk.len() > declared {
            return Ok(Fetched::Mismatch);
        }
        hasher.update(&chunk);
        bytes.extend_from_slice(&chunk);
    }
    let same = bytes.len() == declared && hasher.finalize().as_slice() == revision.sha256.as_slice();
    Ok(if same { Fetched::Bytes(bytes) } else { Fetched::Mismatch })
}
