//! Makes a workspace the active one of the session.

use axum::{
    Json,
    extract::{Path, State as AxumState},
};
use novelfoundry_core::{ProblemCode, TenantId};
use novelfoundry_database::directory;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{State, auth::Caller, problem::Problem, routes::id};

/// The workspace that the session's next token will name.
#[derive(Serialize, ToSchema)]
pub(crate) struct Activated {
    /// The workspace.
    #[schema(value_type = uuid::Uuid)]
    tenant_id: TenantId,
    /// Its name.
    name: String,
}

/// Makes a workspace the active one of this session, others staying where they are. The present token stays as it is:
/// refresh the session to get one that names the workspace.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/activate", tag = "workspaces", security(("bearer" = [])),
    params(("tenant_id" = uuid::Uuid, Path)),
    responses(
        (status = 200, body = Activated),
        (status = 401, description = "`unauthenticated`, `invalid-token`"),
        (status = 404, description = "`tenant-not-found`"),
    ))]
pub(crate) async fn activate(
    AxumState(state): AxumState<State>,
    Caller(claims): Caller,
    Path(tenant): Path<String>,
) -> Result<Json<Activated>, Problem> {
    let tenant: TenantId = id(&tenant, ProblemCode::TenantNotFound)?;
    let membership = directory::confirm(&state.control, &claims, tenant)
        .await?
        .ok_or_else(|| Problem::new(ProblemCode::TenantNotFound))?;
    directory::activate(&state.control, &claims, &membership).await?;
    Ok(Json(Activated { tenant_id: membership.tenant_id(), name: membership.name().to_owned() }))
}
