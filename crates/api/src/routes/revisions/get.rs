//! Reads a revision.

use axum::{
    Json,
    extract::{Path, State as AxumState},
};

use super::{Revision, ids, read};
use crate::{State, auth::Member, problem::Problem};

/// Reads a revision.
#[utoipa::path(get, path = "/v1/projects/{project_id}/manuscripts/{manuscript_id}/revisions/{revision_id}",
    tag = "revisions", security(("bearer" = [])),
    params(("project_id" = uuid::Uuid, Path), ("manuscript_id" = uuid::Uuid, Path), ("revision_id" = uuid::Uuid, Path)),
    responses(
        (status = 200, body = Revision),
        (status = 401, description = "`unauthenticated`, `invalid-token`"),
        (status = 403, description = "`no-workspace`, `not-a-member`"),
        (status = 404, description = "`revision-not-found`"),
    ))]
pub(crate) async fn get(
    AxumState(state): AxumState<State>,
    member: Member,
    Path(path): Path<(String, String, String)>,
) -> Result<Json<Revision>, Problem> {
    let revision = read(&state, &member, "revisions.get", ids(&path)?).await?;
    Ok(Json(revision.into()))
}
