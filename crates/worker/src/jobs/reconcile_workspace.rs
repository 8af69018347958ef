//! Puts back what a coordinator's crash has lost: on a cluster a tenant's rows commit on their node before the jobs and
//! index rows that were written with them do on the coordinator. Elsewhere it looks, and finds nothing.
//!
//! Every job has the id of its subject, so that putting one back twice, or beside the transaction that makes it, makes
//! one. In a deleted workspace there is only its purge to put back, and its members to take out of the index.

use std::collections::BTreeSet;

use jiff::Timestamp;
use novelfoundry_core::{
    AnalyzeManuscript, JobId, PurgeObjects, PurgeWorkspace, ReconcileWorkspace, SettleUpload, UserId,
};
use novelfoundry_database::{
    Call, Position,
    jobs::{self, End},
    reconcile::{self, PAGE, Unfinished, Unpurged, Unsettled},
    workspaces,
};

use super::{Ended, JobError, Task};

/// Changes of the index of memberships in one transaction.
const TOGETHER: usize = 20;

pub(super) async fn run(task: &Task<'_>, _: ReconcileWorkspace) -> Result<Ended, JobError> {
    // A healthy workspace costs this one look.
    let look = (
        workspaces::present(),
        reconcile::unfinished(None),
        reconcile::unsettled(None),
        reconcile::deleted_projects(None),
        reconcile::deleted_manuscripts(None),
        reconcile::members(),
        reconcile::listed(),
    );
    let (present, analyses, uploads, projects, manuscripts, members, listed) =
        task.write("reconcile.look", look).await?;
    if present.is_some() {
        let mut found = 0;
        found += each(task, analyses, reconcile::unfinished, |item| item.position, analyze).await?;
        found += each(task, uploads, reconcile::unsettled, |item| item.position, settle).await?;
        let purge = |page: &[Unpurged]| purge(task, page);
        found += each(task, projects, reconcile::deleted_projects, |item| item.position, purge).await?;
        found += each(task, manuscripts, reconcile::deleted_manuscripts, |item| item.position, purge).await?;
        let strays = index(task, members, listed).await?;
        if found > 0 || strays > 0 {
            tracing::warn!(jobs = found, index_rows = strays, "what a crash had lost was put back");
        }
    } else if let Some(deleted_at) = task.write("reconcile.deleted", workspaces::deleted_at()).await? {
        let purge_at = deleted_at.saturating_add(task.purge_after).unwrap_or(Timestamp::MAX);
        let purge = (workspaces::purge_job(task.job.tenant_id()), PurgeWorkspace {}, purge_at);
        let found = task.write("reconcile.put_back", jobs::put_back([purge])).await?;
        let strays = index(task, members, listed).await?;
        if found > 0 || strays > 0 {
            tracing::warn!(index_rows = strays, "a deletion that a crash had cut short was completed");
        }
    }
    task.end("reconcile.end", || jobs::end(task.job, End::Succeeded)).await?;
    Ok(Ended::Succeeded)
}

/// Puts back the missing jobs of every page, of which the first is there; returns how many were missing.
async fn each<T>(
    task: &Task<'_>,
    first: Vec<T>,
    next: impl Fn(Option<Position>) -> Call<Vec<T>>,
    position: impl Fn(&T) -> Position,
    put_back: impl Fn(&[T]) -> Call<usize>,
) -> Result<usize, JobError> {
    let (mut page, mut found) = (first, 0);
    while let Some(last) = page.last().map(&position) {
        found += task.write("reconcile.put_back", put_back(&page)).await?;
        if page.len() < PAGE {
            break;
        }
        page = task.write("reconcile.next", next(Some(last))).await?;
    }
    Ok(found)
}

/// Due at once, and before what was asked for meanwhile.
fn analyze(page: &[Unfinished]) -> Call<usize> {
    jobs::put_back(page.iter().map(|analysis| {
        let &Unfinished { position, project_id, manuscript_id, revision_id, analysis_id } = analysis;
        let payload = AnalyzeManuscript { project_id, manuscript_id, revision_id };
        (JobId::from(analysis_id), payload, position.created_at)
    }))
}

fn settle(page: &[Unsettled]) -> Call<usize> {
    jobs::put_back(page.iter().map(|upload| {
        let &Unsettled { position, project_id, manuscript_id, revision_id } = upload;
        let payload = SettleUpload { project_id, manuscript_id, revision_id };
        (JobId::from_uuid(revision_id.as_uuid()), payload, position.created_at)
    }))
}

/// The files are kept for as long as those of any deletion.
fn purge(task: &Task<'_>, page: &[Unpurged]) -> Call<usize> {
    jobs::put_back(page.iter().map(|deleted| {
        let &Unpurged { position, project_id, manuscript_id } = deleted;
        let run_at = position.created_at.saturating_add(task.purge_after).unwrap_or(Timestamp::MAX);
        (JobId::from_uuid(position.id), PurgeObjects { project_id, manuscript_id }, run_at)
    }))
}

/// Makes the index of memberships agree with the memberships; returns how many rows did not.
async fn index(task: &Task<'_>, members: Vec<UserId>, listed: Vec<UserId>) -> Result<usize, JobError> {
    let (members, listed): (BTreeSet<_>, BTreeSet<_>) =
        (members.into_iter().collect(), listed.into_iter().collect());
    let missing = members.difference(&listed).map(|member| reconcile::list_member(*member));
    let strange = listed.difference(&members).map(|stranger| reconcile::unlist_stranger(*stranger));
    let mut calls: Vec<_> = missing.chain(strange).collect();
    let found = calls.len();
    while !calls.is_empty() {
        let rest = calls.split_off(calls.len().min(TOGETHER));
        task.write("reconcile.index", calls).await?;
        calls = rest;
    }
    Ok(found)
}
