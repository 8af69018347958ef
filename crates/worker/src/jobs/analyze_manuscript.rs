//! Reads a stored revision, checks that it is the file that was declared, and counts what it holds. No transaction is
//! open while the object streams in or its text is worked on.

mod object;
mod outcome;

use std::{ops::ControlFlow, time::Duration};

use novelfoundry_core::{AnalysisId, AnalyzeManuscript};
use novelfoundry_database::{
    Call, DbError, Refusal,
    analyses::{self, AnalysisState},
    events,
    jobs::{self, End},
    revisions,
    revisions::{Revision, RevisionState},
};
use novelfoundry_manuscript::{Analysis, ExtractError, Format, Limits, analyse_with, extract};
use tokio::{
    pin,
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use super::{Ended, JobError, Task};
use crate::blocking::{self, Handle};
use object::Fetched;
use outcome::Problem;

/// The longest that extraction and counting may take together.
const TEXT_LIMIT: Duration = Duration::from_secs(30);

/// Percent shown once the file has arrived, and once its text is extracted.
const ARRIVED: i32 = 20;
const EXTRACTED: i32 = 60;

/// The kind of the usage event that an analysis records, in words.
const USAGE: &str = "analysis.words";

pub(super) async fn run(task: &Task<'_>, payload: AnalyzeManuscript) -> Result<Ended, JobError> {
    let AnalyzeManuscript { project_id, manuscript_id, revision_id } = payload;
    let analysis_id = analysis_id(task);
    let begin = (
        analyses::by_id(project_id, analysis_id),
        revisions::by_id(project_id, manuscript_id, revision_id),
        analyses::show_progress(project_id, analysis_id, AnalysisState::Running, 0),
    );
    let (analysis, revision, ()) = task.write("analyses.begin", begin).await?;
    let (Some(analysis), Some(revision)) = (analysis, revision) else { return task.cancel().await };
    match analysis.state {
        AnalysisState::Queued | AnalysisState::Running => {}
        AnalysisState::Cancelled => return task.cancel().await,
        // Its end was written, this job's was not.
        AnalysisState::Succeeded | AnalysisState::Failed => {
            task.end("jobs.end", || jobs::end(task.job, End::Succeeded)).await?;
            return Ok(Ended::Succeeded);
        }
    }
    match examine(task, payload, revision).await? {
        Ok(analysis) => {
            let result = outcome::result(&analysis)?;
            let words = i64::try_from(analysis.words).unwrap_or(i64::MAX);
            let id = analysis_id.as_uuid();
            task.end("analyses.finish", || {
                (
                    analyses::finish(project_id, analysis_id, Ok(result.clone())),
                    // One analysis is one event: its id sees to that.
                    events::record_usage(id, USAGE, words, id),
                    jobs::end(task.job, End::Succeeded),
                )
            })
            .await?;
        }
        Err(problem) => {
            tracing::info!(code = problem.code(), "the manuscript cannot be analysed");
            let problem = problem.to_json();
            task.end("analyses.finish", || {
                (
                    analyses::finish(project_id, analysis_id, Err(problem.clone())),
                    jobs::end(task.job, End::Succeeded),
                )
            })
            .await?;
        }
    }
    Ok(Ended::Succeeded)
}

/// Shows on the analysis that its job waits for another attempt, or has failed for good.
pub(super) fn given_up(task: &Task<'_>, payload: AnalyzeManuscript, error: &JobError, end: &End) -> Call<()> {
    let (project_id, analysis_id) = (payload.project_id, analysis_id(task));
    match end {
        End::RetryIn(..) => analyses::show_progress(project_id, analysis_id, AnalysisState::Queued, 0),
        End::Failed(_) | End::Succeeded => {
            analyses::finish(project_id, analysis_id, Err(Problem::of(error).to_json()))
        }
    }
}

fn analysis_id(task: &Task<'_>) -> AnalysisId {
    AnalysisId::from_uuid(task.job.job_id().as_uuid())
}

/// Returns the numbers, or what is wrong with the file and stays so.
async fn examine(
    task: &Task<'_>,
    payload: AnalyzeManuscript,
    revision: Revision,
) -> Result<Result<Analysis, Problem>, JobError> {
    if revision.state != RevisionState::Stored {
        return Ok(Err(Problem::NotStored));
    }
    let bytes = match object::fetch(task.store, &revision).await? {
        Fetched::Bytes(bytes) => bytes,
        Fetched::Mismatch => return Ok(Err(Problem::Mismatch)),
    };
    let Revision { filename, media_type, .. } = revision;
    let (shown, ended) =
        blocking::run(TEXT_LIMIT, move |handle| read(&filename, &media_type, &bytes, handle));
    pin!(ended);
    let read = tokio::select! {
        read = &mut ended => read?,
        error = show(task, payload, shown) => return Err(error.into()),
    };
    Ok(read.map_err(Problem::Extract))
}

/// Takes the text from the file and counts it.
fn read(filename: &str, media_type: &str, bytes: &[u8], handle: &Handle) -> Result<Analysis, ExtractError> {
    handle.show(ARRIVED);
    let format = Format::detect(filename, media_type, bytes)?;
    let document = extract(format, bytes, &Limits::default())?;
    handle.show(EXTRACTED);
    let counted = analyse_with(&document, &mut |progress| {
        if handle.is_cancelled() {
            return ControlFlow::Break(());
        }
        let counted = progress.done * 100 / progress.total.max(1);
        handle.show(EXTRACTED + i32::try_from(counted).unwrap_or(0) * (100 - EXTRACTED) / 100);
        ControlFlow::Continue(())
    });
    match counted {
        ControlFlow::Continue(analysis) => Ok(analysis),
        // Nobody waits for this answer.
        ControlFlow::Break(()) => Err(ExtractError::NoText),
    }
}

/// Shows progress for as long as it is polled; returns only when the lease is lost.
async fn show(task: &Task<'_>, payload: AnalyzeManuscript, mut shown: watch::Receiver<i32>) -> DbError {
    let mut ticks = interval(task.show_every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        if shown.changed().await.is_err() {
            // The work is about to be heard of.
            std::future::pending::<()>().await;
        }
        let percent = (*shown.borrow_and_update()).min(99);
        let call =
            analyses::show_progress(payload.project_id, analysis_id(task), AnalysisState::Running, percent);
        match task.write("analyses.show_progress", call).await {
            Err(error @ DbError::Refused(Refusal::LeaseLost)) => return error,
            Err(error) => tracing::debug!(%error, "progress is not shown"),
            Ok(()) => {}
        }
    }
}
