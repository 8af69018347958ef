//! Creates a workspace.

use axum::{Json, extract::State as AxumState};
use http::{HeaderMap, StatusCode};
use novelfoundry_core::{ProblemCode, TenantId};
use novelfoundry_database::{DbError, NewWorkspace, Refusal, directory, workspaces};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    State,
    auth::Caller,
    idempotency::{Key, replayed},
    json::{Body, text_field},
    problem::Problem,
    routes::projects::location,
};

/// What a workspace is created from.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTenant {
    /// Its name, 1 to 200 characters.
    name: String,
}

/// A workspace.
#[derive(Serialize, ToSchema)]
pub(crate) struct Tenant {
    /// Its id.
    #[schema(value_type = uuid::Uuid)]
    tenant_id: TenantId,
    /// Its name.
    name: String,
    /// Its plan.
    plan: String,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: jiff::Timestamp,
}

/// Creates a workspace that the caller owns. Activate it and refresh the session to work in it.
#[utoipa::path(post, path = "/v1/tenants", tag = "workspaces", security(("bearer" = [])), request_body = NewTenant,
    params(("idempotency-key" = Option<String>, Header, description = "Makes repetition safe for 24 hours")),
    responses(
        (status = 201, body = Tenant),
        (status = 401, description = "`unauthenticated`, `invalid-token`"),
        (status = 404, description = "`tenant-not-found`: the one that the key made is gone"),
        (status = 409, description = "`idempotency-key-in-flight`, `too-many-workspaces`"),
        (status = 422, description = "`invalid-field`, `idempotency-key-reused`"),
        (status = 429, description = "`rate-limited`: a hundred a day"),
    ))]
pub(crate) async fn create(
    AxumState(state): AxumState<State>,
    Caller(claims): Caller,
    key: Key,
    Body { value, hash }: Body<NewTenant>,
) -> Result<(StatusCode, HeaderMap, Json<Tenant>), Problem> {
    let name = text_field("name", value.name, 200)?;
    let workspace = match &key.0 {
        Some(key) => NewWorkspace::for_key(&claims, key),
        None => NewWorkspace::for_claims(&claims, &state.ids),
    };
    directory::remember(&state.control, &claims).await?;
    let claim = key.0.map(|key| (key, hash));
    let made = match workspaces::create(&state.tenant, &workspace, &name, claim.clone()).await {
        // A day's allowance is counted before the key is looked at; repeats cost nothing of it.
        Err(DbError::Refused(Refusal::DailyLimit)) if claim.is_some() => {
            let (key, hash) = claim.ok_or_else(|| Problem::new(ProblemCode::Internal))?;
            match workspaces::made_before(&state.tenant, &workspace, &key, hash).await {
                Ok(Some(made)) => made,
                Err(error @ (DbError::Unavailable(_) | DbError::CommitUnknown(_))) => {
                    return Err(replayed(error));
                }
                _ => return Err(DbError::Refused(Refusal::DailyLimit).into()),
            }
        }
        Err(DbError::Refused(Refusal::WorkspaceExists)) => {
            let (key, hash) = claim.ok_or_else(|| Problem::new(ProblemCode::Internal))?;
            match workspaces::made_before(&state.tenant, &workspace, &key, hash).await {
                Err(DbError::Refused(Refusal::NotAMember)) | Ok(None) => {
                    return Err(Problem::new(ProblemCode::TenantNotFound));
                }
                Ok(Some(made)) => made,
                Err(error) => return Err(replayed(error)),
            }
        }
        other => other?,
    };
    let headers = location(&state, &format!("/v1/tenants/{}", made.tenant_id), None);
    let tenant = Tenant {
        tenant_id: made.tenant_id,
        name: made.name,
        plan: made.plan_id,
        created_at: made.created_at,
    };
    Ok((StatusCode::CREATED, headers, Json(tenant)))
}
