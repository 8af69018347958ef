//! `POST /logout`: ends sessions. Access tokens already given stay good until they run out, as with Supabase Auth.

use axum::extract::{Query, State, rejection::QueryRejection};
use http::StatusCode;
use novelfoundry_database::issuer::{self as queries, Scope};
use serde::Deserialize;

use super::{
    super::{
        AuthError, Issuer,
        answer::{INVALID_SCOPE, SESSION_GONE},
    },
    extract::{Authenticated, Client},
};

#[derive(Deserialize)]
pub(super) struct Parameters {
    scope: Option<String>,
}

pub(super) async fn handler(
    State(issuer): State<Issuer>,
    _: Client,
    Authenticated(bearer): Authenticated,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Result<StatusCode, AuthError> {
    let Query(Parameters { scope }) = parameters.map_err(|_| INVALID_SCOPE)?;
    let scope = scope.as_deref().filter(|scope| !scope.is_empty()).unwrap_or("global");
    let scope: Scope = scope.parse().map_err(|()| INVALID_SCOPE)?;
    let now = issuer.0.options.clock.now();
    if !queries::sign_out(&issuer.0.db, bearer.session_id, bearer.user_id, scope, now).await? {
        return Err(SESSION_GONE);
    }
    tracing::info!(user_id = %bearer.user_id, session_id = %bearer.session_id, scope = scope.as_str(), "signed out");
    Ok(StatusCode::NO_CONTENT)
}
