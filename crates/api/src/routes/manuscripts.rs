//! Manuscripts of a project.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod update;

use jiff::Timestamp;
use novelfoundry_core::{ManuscriptId, ProblemCode, ProjectId};
use novelfoundry_database::{DbError, Refusal, manuscripts};
use serde::Serialize;
use utoipa::ToSchema;

use super::id;
use crate::problem::Problem;

/// A manuscript.
#[derive(Serialize, ToSchema)]
pub(crate) struct Manuscript {
    /// The project it belongs to.
    #[schema(value_type = uuid::Uuid)]
    project_id: ProjectId,
    /// Its id.
    #[schema(value_type = uuid::Uuid)]
    manuscript_id: ManuscriptId,
    /// Its title.
    title: String,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<manuscripts::Manuscript> for Manuscript {
    fn from(row: manuscripts::Manuscript) -> Self {
        Self {
            project_id: row.project_id,
            manuscript_id: row.manuscript_id,
            title: row.title,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Reads a project's and a manuscript's id from the path.
pub(crate) fn ids((project, manuscript): &(String, String)) -> Result<(ProjectId, ManuscriptId), Problem> {
    Ok((id(project, ProblemCode::ManuscriptNotFound)?, id(manuscript, ProblemCode::ManuscriptNotFound)?))
}

/// A manuscript of a missing project is a missing manuscript.
pub(crate) fn missing_parent(error: DbError) -> DbError {
    match error {
        DbError::Refused(Refusal::ProjectNotFound) => DbError::Refused(Refusal::ManuscriptNotFound),
        other => other,
    }
}
