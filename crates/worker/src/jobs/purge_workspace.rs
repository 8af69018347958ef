//! Clears away a deleted workspace: table by table as the catalogue lists them, children before parents, objects before
//! their rows, in batches. It may stop at any point and begin again.

use novelfoundry_core::JobKind;
use novelfoundry_database::{
    Purge, TABLES, events,
    jobs::{self, End},
    purge::workspace::{self, Doomed},
    workspaces,
};

use super::{Ended, JobError, Task, late_upload, purge_objects::delete_objects};

/// Rows that go in one transaction.
const ROWS: i64 = 1000;
/// Revisions whose objects and rows go together.
const REVISIONS: i64 = 100;

pub(super) async fn run(task: &Task<'_>) -> Result<Ended, JobError> {
    if task.write("purge.look", workspaces::deleted_at()).await?.is_none() {
        tracing::warn!("the workspace is not marked deleted; nothing of it is purged");
        return task.cancel().await;
    }
    // A request that had begun before the deletion may have enqueued more.
    task.write("purge.begin", jobs::cancel_all_but(JobKind::PurgeWorkspace)).await?;
    for table in TABLES.iter().rev() {
        match table.purge {
            Purge::Rows => while task.write("purge.rows", workspace::delete_rows(table, ROWS)).await? > 0 {},
            Purge::Objects => delete_revisions(task).await?,
            Purge::Marker | Purge::Kept | Purge::Ages | Purge::None => {}
        }
    }
    let id = task.job.job_id().as_uuid();
    task.end("purge.end", || {
        (
            workspace::leave_marker(),
            events::record_audit(id, None, "workspace.purged", None),
            jobs::end(task.job, End::Succeeded),
        )
    })
    .await?;
    Ok(Ended::Succeeded)
}

/// Whatever state a revision is in, its object may be there: a settling may have been cancelled half-way.
async fn delete_revisions(task: &Task<'_>) -> Result<(), JobError> {
    let mut last: Option<Doomed> = None;
    loop {
        let doomed = task.write("purge.list", workspace::doomed(last.as_ref(), REVISIONS)).await?;
        let Some(end) = doomed.last().cloned() else { return Ok(()) };
        last = Some(end);
        // In a transaction of their own: on a cluster rows may go and what commits with them be lost.
        task.write("purge.bury", workspace::bury(&doomed, late_upload, task.backup_retention)).await?;
        delete_objects(task, doomed.iter().map(|revision| revision.object_key.as_str())).await?;
        task.write("purge.delete", workspace::delete_revisions(&doomed)).await?;
    }
}
