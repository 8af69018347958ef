//! Ends an upload that was never completed, when its ticket has run out: the reserved bytes are given back and a file
//! that arrived is deleted. Where the upload was completed and this job runs all the same, the crash that lost its
//! cancellation may have lost the analysis's job too.

use novelfoundry_core::{AnalyzeManuscript, JobId, SettleUpload};
use novelfoundry_database::{
    analyses::{self, Analysis},
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
    if let Some(revision) = found.as_ref().filter(|revision| revision.state == RevisionState::Stored) {
        let call = analyses::by_id(project_id, revision.analysis_id);
        let analysis = task.write("analyses.look_up", call).await?.filter(Analysis::is_unfinished);
        let put_back = || {
            let analysis = analysis.as_ref()?;
            let payload = AnalyzeManuscript { project_id, manuscript_id, revision_id };
            Some(jobs::put_back([(JobId::from(analysis.analysis_id), payload, analysis.created_at)]))
        };
        task.end("revisions.completed", || (put_back(), jobs::end(task.job, End::Succeeded))).await?;
        return Ok(Ended::Succeeded);
    }
    if let Some(revision) = found.filter(|revision| revision.state == RevisionState::Expired) {
        // First, so that the file goes even where no attempt of this job reaches the store.
        task.write("revisions.bury", task.bury(&revision.object_key, revision.expires_at)).await?;
        task.store.delete(&revision.object_key.parse::<ObjectKey>()?).await?;
    }
    task.end("revisions.settled", || jobs::end(task.job, End::Succeeded)).await?;
    Ok(Ended::Succeeded)
}
