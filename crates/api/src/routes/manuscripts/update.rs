//! Changes a manuscript.

use axum::{
    Json,
    extract::{Path, State as AxumState},
};
use http::HeaderMap;
use novelfoundry_core::ProblemCode;
use novelfoundry_database::{manuscripts, projects};

use super::{Manuscript, ids};
use crate::{
    State,
    auth::Member,
    etag::{IfMatch, unchanged},
    json::{Body, title},
    problem::Problem,
    routes::projects::{Titled, version},
};

/// Changes a manuscript's title.
#[utoipa::path(patch, path = "/v1/projects/{project_id}/manuscripts/{manuscript_id}", tag = "manuscripts",
    security(("bearer" = [])),
    params(
        ("project_id" = uuid::Uuid, Path),
        ("manuscript_id" = uuid::Uuid, Path),
        ("if-match" = Option<String>, Header, description = "The `etag` that was read"),
    ),
    request_body = Titled,
    responses(
        (status = 200, body = Manuscript, headers(("etag" = String))),
        (status = 401, description = "`unauthenticated`, `invalid-token`"),
        (status = 403, description = "`no-workspace`, `not-a-member`, `role-too-low`"),
        (status = 404, description = "`manuscript-not-found`"),
        (status = 412, description = "`precondition-failed`"),
        (status = 422, description = "`invalid-field`"),
    ))]
pub(crate) async fn update(
    AxumState(state): AxumState<State>,
    member: Member,
    Path(path): Path<(String, String)>,
    IfMatch(expected): IfMatch,
    Body { value, .. }: Body<Titled>,
) -> Result<(HeaderMap, Json<Manuscript>), Problem> {
    let (project, manuscript) = ids(&path)?;
    let title = title(value.title)?;
    let calls = (
        projects::require(project),
        manuscripts::update_title(project, manuscript, title, expected),
        manuscripts::by_id(project, manuscript),
    );
    let outcome = member.write(&state, "manuscripts.update", calls).await;
    let ((), changed, present) = outcome.map_err(super::missing_parent)?;
    let changed = changed.ok_or_else(|| unchanged(present.is_some(), ProblemCode::ManuscriptNotFound))?;
    Ok((version(changed.version), Json(changed.into())))
}
