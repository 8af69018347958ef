//! Ends an upload that was never completed, when its ticket has run out: the reserved bytes are given back and a file
//! that arrived is deleted.

use novelfoundry_core::SettleUpload;
use novelfoundry_database::{
    jobs::{self, End},
    revisions,
    revisions::RevisionState,
};
use novelfoundry_objects::ObjectKey;

use super::{Ended, JobError, Task};

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
        Some(task.bury(&revision.object_key, revision.expires_at))
    };
    task.end("revisions.settled", || (bury(), jobs::end(task.job, End::Succeeded))).await?;
    Ok(Ended::Succeeded)
}
