//! Projects of a workspace.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod update;

use http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;
use novelfoundry_core::ProjectId;
use novelfoundry_database::projects;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{State, etag::etag};

/// A project.
#[derive(Serialize, ToSchema)]
pub(crate) struct Project {
    /// Its id.
    #[schema(value_type = uuid::Uuid)]
    project_id: ProjectId,
    /// Its title.
    title: String,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<projects::Project> for Project {
    fn from(row: projects::Project) -> Self {
        Self {
            project_id: row.project_id,
            title: row.title,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A title, for a project or a manuscript.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Titled {
    /// 1 to 200 characters.
    pub(crate) title: String,
}

/// The header with a resource's version.
pub(crate) fn version(version: i32) -> HeaderMap {
    HeaderMap::from_iter([(header::ETAG, etag(version))])
}

/// The headers of a creation: where clients find the resource, and its version where it has one.
pub(crate) fn location(state: &State, path: &str, version: Option<i32>) -> HeaderMap {
    let mut headers: HeaderMap = version.map(self::version).unwrap_or_default();
    if let Ok(value) = HeaderValue::from_str(&format!("{}{path}", state.base_path())) {
        headers.insert(header::LOCATION, value);
    }
    headers
}
