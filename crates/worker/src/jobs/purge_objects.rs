//! Clears away what was marked deleted: objects first, then rows, children before parents, in batches. It may stop at
//! any point and begin again.

use futures_util::{StreamExt, TryStreamExt, stream};
use novelfoundry_core::PurgeObjects;
use novelfoundry_database::{
    Call,
    jobs::{self, End},
    purge,
};
use novelfoundry_objects::ObjectKey;

use super::{Ended, JobError, Task};

/// Revisions that are listed at once.
const BATCH: i64 = 100;
/// Revisions whose rows go in one transaction: two statements each, thirty to a pipeline.
const TOGETHER: usize = 10;

pub(super) async fn run(task: &Task<'_>, payload: PurgeObjects) -> Result<Ended, JobError> {
    let PurgeObjects { project_id, manuscript_id } = payload;
    loop {
        let doomed = task.write("purge.list", purge::doomed(project_id, manuscript_id, BATCH)).await?;
        if doomed.is_empty() {
            break;
        }
        for some in doomed.chunks(TOGETHER) {
            // In a transaction of their own: on a cluster rows may go and what commits with them be lost.
            let bury: Vec<Call<()>> =
                some.iter().map(|revision| task.bury(&revision.object_key, revision.expires_at)).collect();
            task.write("purge.bury", bury).await?;
            delete_objects(task, some.iter().map(|revision| revision.object_key.as_str())).await?;
            let calls: Vec<Call<()>> = some
                .iter()
                .flat_map(|revision| <[_; 2]>::from(purge::delete_revision(project_id, revision)))
                .collect();
            task.write("purge.delete", calls).await?;
        }
    }
    let rest = || (purge::delete_parents(project_id, manuscript_id), jobs::end(task.job, End::Succeeded));
    task.end("purge.end", rest).await?;
    Ok(Ended::Succeeded)
}

/// Deletes the objects while no transaction is open: a row without its object is found again, not so the reverse.
pub(super) async fn delete_objects<'a>(
    task: &Task<'_>,
    keys: impl Iterator<Item = &'a str>,
) -> Result<(), JobError> {
    let keys = keys.map(str::parse).collect::<Result<Vec<ObjectKey>, _>>()?;
    let deleted = stream::iter(keys)
        .map(async |key| task.store.delete(&key).await)
        .buffer_unordered(TOGETHER)
        .try_collect::<()>();
    Ok(deleted.await?)
}
