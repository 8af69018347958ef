//! Creates a project.

use axum::{Json, extract::State as AxumState};
use http::{HeaderMap, StatusCode};
use novelfoundry_core::{ProblemCode, ProjectId};
use novelfoundry_database::projects;

use super::{Project, Titled, location};
use crate::{
    State,
    auth::Member,
    idempotency::{Key, Made, replayed},
    json::{Body, title},
    problem::Problem,
};

/// Creates a project.
#[utoipa::path(post, path = "/v1/projects", tag = "projects", security(("bearer" = [])), request_body = Titled,
    params(("idempotency-key" = Option<String>, Header, description = "Makes repetition safe for 24 hours")),
    responses(
        (status = 201, body = Project, headers(("location" = String), ("etag" = String))),
        (status = 401, description = "`unauthenticated`, `invalid-token`"),
        (status = 403, description = "`no-workspace`, `not-a-member`, `role-too-low`"),
        (status = 404, description = "`project-not-found`: the one that the key made is gone"),
        (status = 409, description = "`idempotency-key-in-flight`"),
        (status = 422, description = "`invalid-field`, `idempotency-key-reused`"),
    ))]
pub(crate) async fn create(
    AxumState(state): AxumState<State>,
    member: Member,
    key: Key,
    Body { value, hash }: Body<Titled>,
) -> Result<(StatusCode, HeaderMap, Json<Project>), Problem> {
    let title = title(value.title)?;
    let id = ProjectId::from_uuid(state.ids.next());
    let calls = (key.claim(member.user_id, hash, id.as_uuid()), projects::insert(id, title, member.user_id));
    let outcome = member.write(&state, "projects.create", calls).await;
    let project = match key.settle(&state, &member, outcome).await? {
        Made::Now(((), project)) => project,
        Made::Before(id) => {
            let read = projects::by_id(ProjectId::from_uuid(id));
            let found = member.read(&state, "projects.replay", read).await.map_err(replayed)?;
            found.ok_or_else(|| Problem::new(ProblemCode::ProjectNotFound))?
        }
    };
    let headers = location(&state, &format!("/v1/projects/{}", project.project_id), Some(project.version));
    Ok((StatusCode::CREATED, headers, Json(project.into())))
}
