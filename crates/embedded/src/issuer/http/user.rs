//! `GET /user`: who the bearer of a token is, while the session lives.

use axum::extract::State;
use novelfoundry_database::issuer as queries;
use serde_json::Value;

use super::{
    super::{
        AuthError, Issuer,
        answer::{SESSION_GONE, USER_BANNED},
        session,
    },
    extract::{Authenticated, Client},
};

pub(super) async fn handler(
    State(issuer): State<Issuer>,
    _: Client,
    Authenticated(bearer): Authenticated,
) -> Result<axum::Json<Value>, AuthError> {
    let who =
        queries::session_by_id(&issuer.0.db, bearer.session_id, bearer.user_id).await?.ok_or(SESSION_GONE)?;
    if who.account.is_disabled() {
        return Err(USER_BANNED);
    }
    Ok(axum::Json(session::user(&who.account)))
}
