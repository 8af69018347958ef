//! Analyses of revisions.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;

use jiff::Timestamp;
use novelfoundry_core::{
    AnalysisId, AnalyzeManuscript, JobId, ManuscriptId, ProblemCode, ProjectId, RevisionId,
};
use novelfoundry_database::{analyses, jobs};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::id;
use crate::{State, auth::Member, problem::Problem};

/// An analysis.
#[derive(Serialize, ToSchema)]
pub(crate) struct Analysis {
    /// Its id.
    #[schema(value_type = uuid::Uuid)]
    analysis_id: AnalysisId,
    /// The manuscript.
    #[schema(value_type = uuid::Uuid)]
    manuscript_id: ManuscriptId,
    /// The revision that is analysed.
    #[schema(value_type = uuid::Uuid)]
    revision_id: RevisionId,
    /// `queued`, `running`, `succeeded`, `failed` or `cancelled`.
    state: &'static str,
    /// Percent done.
    progress: i32,
    /// What was found, once succeeded; left out of lists.
    #[schema(value_type = Option<Findings>)]
    result: Option<Value>,
    /// Why it failed.
    #[schema(value_type = Option<Failure>)]
    problem: Option<Value>,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it last moved.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
}

/// What an analysis found.
#[derive(Serialize, ToSchema)]
pub(crate) struct Findings {
    /// Words: runs of letters and digits, joined by apostrophes and hyphens, split by dashes.
    words: u64,
    /// Sentences.
    sentences: u64,
    /// Paragraphs, headings not counted.
    paragraphs: u64,
    /// Chapters, in order; none where the text marks none.
    chapters: Vec<Chapter>,
    /// Reading time in seconds.
    reading_time_seconds: u64,
}

/// A chapter.
#[derive(Serialize, ToSchema)]
pub(crate) struct Chapter {
    /// Its heading as it stands in the text.
    title: String,
    /// Its words, the heading's among them.
    words: u64,
}

/// Why an analysis failed.
#[derive(Serialize, ToSchema)]
pub(crate) struct Failure {
    /// A stable code.
    code: String,
    /// A sentence for the writer.
    detail: String,
}

impl From<analyses::Analysis> for Analysis {
    fn from(row: analyses::Analysis) -> Self {
        Self {
            analysis_id: row.analysis_id,
            manuscript_id: row.manuscript_id,
            revision_id: row.revision_id,
            state: row.state.as_str(),
            progress: row.progress,
            result: row.result,
            problem: row.problem,
            created_at: row.created_at,
            updated_at: row.updated_at,
            finished_at: row.finished_at,
        }
    }
}

/// Reads a project's and an analysis's id from the path.
pub(crate) fn ids((project, analysis): &(String, String)) -> Result<(ProjectId, AnalysisId), Problem> {
    Ok((id(project, ProblemCode::AnalysisNotFound)?, id(analysis, ProblemCode::AnalysisNotFound)?))
}

/// Sees to it that an analysis that has not ended has its job: on a cluster a crash may have lost that.
pub(super) async fn resume(
    state: &State,
    member: &Member,
    project_id: ProjectId,
    analysis: &analyses::Analysis,
) -> Result<(), Problem> {
    if !analysis.is_unfinished() {
        return Ok(());
    }
    let &analyses::Analysis { analysis_id, manuscript_id, revision_id, created_at, .. } = analysis;
    let payload = AnalyzeManuscript { project_id, manuscript_id, revision_id };
    let call = jobs::put_back([(JobId::from(analysis_id), payload, created_at)]);
    if member.write(state, "analyses.resume", call).await? > 0 {
        tracing::warn!(%analysis_id, "the job of an analysis was missing");
        state.wake_workers();
    }
    Ok(())
}
