//! Creates a manuscript.

use axum::{
    Json,
    extract::{Path, State as AxumState},
};
use http::{HeaderMap, StatusCode};
use novelfoundry_core::{ManuscriptId, ProblemCode};
use novelfoundry_database::{manuscripts, projects};

use super::Manuscript;
use crate::{
    State,
    auth::Member,
    idempotency::{Key, Made, replayed},
    json::{Body, title},
    problem::Problem,
    routes::{
        id,
        projects::{Titled, location},
    },
};

/// Creates a manuscript in a project.
#[utoipa::path(post, path = "/v1/projects/{project_id}/manuscripts", tag = "manuscripts", security(("bearer" = [])),
    params(
        ("project_id" = uuid::Uuid, Path),
        ("idempotency-key" = Option<String>, Header, description = "Makes repetition safe for 24 hours"),
    ),
    request_body = Titled,
    responses(
        (status = 201, body = Manuscript, headers(("location" = String), ("etag" = String))),
        (status = 401, description = "`unauthenticated`, `invalid-token`"),
        (status = 403, description = "`no-workspace`, `not-a-member`, `role-too-low`"),
        (status = 404, description = "`project-not-found`; `manuscript-not-found`: the one that the key made is gone"),
        (status = 409, description = "`idempotency-key-in-flight`"),
        (status = 422, description = "`invalid-field`, `idempotency-key-reused`"),
    ))]
pub(crate) async fn create(
    AxumState(state): AxumState<State>,
    member: Member,
    Path(project): Path<String>,
    key: Key,
    Body { value, hash }: Body<Titled>,
) -> Result<(StatusCode, HeaderMap, Json<Manuscript>), Problem> {
    let project = id(&project, ProblemCode::ProjectNotFound)?;
    let title = title(value.title)?;
    let manuscript = ManuscriptId::from_uuid(state.ids.next());
    let calls = (
        key.claim(member.user_id, hash, manuscript.as_uuid()),
        projects::require(project),
        manuscripts::insert(project, manuscript, title, member.user_id),
    );
    let outcome = member.write(&state, "manuscripts.create", calls).await;
    let made = match key.settle(&state, &member, outcome).await? {
        Made::Now(((), (), made)) => made,
        Made::Before(id) => {
            let read = manuscripts::by_id(project, ManuscriptId::from_uuid(id));
            let found = member.read(&state, "manuscripts.replay", read).await.map_err(replayed)?;
            found.ok_or_else(|| Problem::new(ProblemCode::ManuscriptNotFound))?
        }
    };
    let path = format!("/v1/projects/{project}/manuscripts/{}", made.manuscript_id);
    Ok((StatusCode::CREATED, location(&state, &path, Some(made.version)), Json(made.into())))
}
