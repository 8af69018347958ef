//! Revisions: one uploaded file of a manuscript each. The file itself goes to the object store by signed URL.

pub(crate) mod complete;
pub(crate) mod create;
pub(crate) mod download;
pub(crate) mod get;
pub(crate) mod list;

use jiff::Timestamp;
use novelfoundry_core::{AnalysisId, ManuscriptId, ProblemCode, ProjectId, RevisionId};
use novelfoundry_database::{manuscripts, revisions};
use serde::Serialize;
use utoipa::ToSchema;

use super::id;
use crate::{State, auth::Member, problem::Problem};

/// A revision.
#[derive(Serialize, ToSchema)]
pub(crate) struct Revision {
    /// Its id.
    #[schema(value_type = uuid::Uuid)]
    revision_id: RevisionId,
    /// `pending` until completed, then `stored`; `expired` where it was not completed in time.
    state: &'static str,
    /// The name the file was given.
    filename: String,
    /// The media type it is stored under.
    media_type: String,
    /// Its size in bytes.
    bytes: i64,
    /// Its SHA-256 in hexadecimal.
    sha256: String,
    /// The analysis that completing it starts; null before.
    #[schema(value_type = Option<uuid::Uuid>)]
    analysis_id: Option<AnalysisId>,
    /// When its ticket was given.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was completed.
    #[schema(value_type = Option<String>, format = DateTime)]
    stored_at: Option<Timestamp>,
}

impl From<revisions::Revision> for Revision {
    fn from(row: revisions::Revision) -> Self {
        Self {
            revision_id: row.revision_id,
            state: row.state.as_str(),
            filename: row.filename,
            media_type: row.media_type,
            bytes: row.bytes,
            sha256: hex::encode(row.sha256),
            analysis_id: row.stored_at.map(|_| row.analysis_id),
            created_at: row.created_at,
            stored_at: row.stored_at,
        }
    }
}

/// The ids in a revision's path.
#[derive(Clone, Copy)]
pub(crate) struct Ids {
    pub(crate) project: ProjectId,
    pub(crate) manuscript: ManuscriptId,
    pub(crate) revision: RevisionId,
}

/// Reads the ids of a revision from the path.
pub(crate) fn ids((project, manuscript, revision): &(String, String, String)) -> Result<Ids, Problem> {
    let missing = ProblemCode::RevisionNotFound;
    Ok(Ids {
        project: id(project, missing)?,
        manuscript: id(manuscript, missing)?,
        revision: id(revision, missing)?,
    })
}

/// Reads a revision of a living manuscript.
pub(crate) async fn read(
    state: &State,
    member: &Member,
    name: &'static str,
    ids: Ids,
) -> Result<revisions::Revision, Problem> {
    let calls = (
        manuscripts::by_id(ids.project, ids.manuscript),
        revisions::by_id(ids.project, ids.manuscript, ids.revision),
    );
    match member.read(state, name, calls).await? {
        (Some(_), Some(revision)) => Ok(revision),
        _ => Err(Problem::new(ProblemCode::RevisionNotFound)),
    }
}
