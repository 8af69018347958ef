//! Reads the signed-in person and their workspaces.

use axum::{Json, extract::State as AxumState};
use novelfoundry_core::{Role, TenantId, UserId};
use novelfoundry_database::{Authority, DbError, Refusal, directory, memberships, workspaces};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{State, auth::Caller, problem::Problem};

/// The signed-in person.
#[derive(Serialize, ToSchema)]
pub(crate) struct Me {
    /// The person's id: the `sub` of the token.
    #[schema(value_type = uuid::Uuid)]
    user_id: UserId,
    /// The address they signed in with.
    email: Option<String>,
    /// The workspace that the token names; null where it names none or the person is no longer a member.
    workspace: Option<ActiveWorkspace>,
    /// Their workspaces, oldest first, a hundred at most.
    workspaces: Vec<ListedWorkspace>,
}

/// The workspace that a token names.
#[derive(Serialize, ToSchema)]
struct ActiveWorkspace {
    /// The workspace.
    #[schema(value_type = uuid::Uuid)]
    tenant_id: TenantId,
    /// Its name.
    name: String,
    /// Its plan.
    plan: String,
    /// What the person may do there: `viewer`, `editor` or `owner`.
    #[schema(value_type = String)]
    role: Role,
}

/// One of the person's workspaces.
#[derive(Serialize, ToSchema)]
struct ListedWorkspace {
    /// The workspace.
    #[schema(value_type = uuid::Uuid)]
    tenant_id: TenantId,
    /// Its name.
    name: String,
}

/// Reads the signed-in person and their workspaces.
#[utoipa::path(get, path = "/v1/me", tag = "people", security(("bearer" = [])), responses(
    (status = 200, body = Me),
    (status = 401, description = "`unauthenticated`, `invalid-token`"),
))]
pub(crate) async fn get(
    AxumState(state): AxumState<State>,
    Caller(claims): Caller,
) -> Result<Json<Me>, Problem> {
    let workspace = match Authority::from_claims(&claims) {
        Some(authority) => active(&state, &authority, claims.user_id()).await?,
        None => None,
    };
    let listed = directory::workspaces(&state.control, &claims).await?;
    Ok(Json(Me {
        user_id: claims.user_id(),
        email: claims.email().map(str::to_owned),
        workspace,
        workspaces: listed
            .into_iter()
            .map(|listed| ListedWorkspace { tenant_id: listed.tenant_id, name: listed.name })
            .collect(),
    }))
}

async fn active(
    state: &State,
    authority: &Authority,
    user: UserId,
) -> Result<Option<ActiveWorkspace>, Problem> {
    let calls = (workspaces::present(), memberships::role_of(user));
    match state.tenant.read(authority, Role::Viewer, "me.get", calls).await {
        Ok((Some(workspace), Some(role))) => Ok(Some(ActiveWorkspace {
            tenant_id: workspace.tenant_id,
            name: workspace.name,
            plan: workspace.plan_id,
            role,
        })),
        Ok(_) | Err(DbError::Refused(Refusal::NotAMember)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
