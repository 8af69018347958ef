//! Ends an upload that was never completed, when its ticket has run out: the reserved bytes are given back and a file
//! that arrived is deleted.

use std::time::Duration;

use novelfoundry_core::SettleUpload;
use novelfoundry_database::{
    jobs::{self, End},
    purge, revisions,
    revisions::RevisionState,
};
use novelfoundry_objects::ObjectKey;

use super::{Ended, JobError, Task};

/// How long after its ticket's end a slow upload may still be under way.
pub(super) const LATE_UPLOAD: Duration = Duration::from_hours(1);

pub(super) async fn run(task: &Task<'_>, payload: SettleUpload) -> Result<Ended, JobError> {
    let SettleUpload { project_id, manuscript_id, revision_id } = payload;
    let settle = (
        revisions::release(project_id, manuscript_id, revision_id, RevisionState::Expired),
        revisions::by_id(project_id, manuscript_id, revision_id),
    );
    let ((), found) = task.write("revisions.settle", settle).await?;
    let expired = found.filter(|revision| revision.state == RevisionState::Expired);
    if let Some(revision) = &expired {
        task.store.delete(&revision.object_key.parse::<ObjectKey>()?).await?;
    }
    let bury = || {
        let revision = expired.as_ref()?;
        Some(purge::bury(revision.object_key.clone(), keep_until(revision.expires_at)))
    };
    task.end("revisions.settled", || (bury(), jobs::end(task.job, End::Succeeded))).await?;
    Ok(Ended::Succeeded)
}

/// Returns until when a tombstone stays, for a ticket's end.
pub(super) fn keep_until(expires_at: jiff::Timestamp) -> jiff::Timestamp {
    expires_at.saturating_add(LATE_UPLOAD).unwrap_or(expires_at)
}
