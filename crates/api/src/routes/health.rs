//! Whether the program runs, and whether it can do its work.

use axum::extract::State as AxumState;
use novelfoundry_database::jobs;

use crate::{State, problem::Problem};

/// Tells that the program runs.
#[utoipa::path(get, path = "/healthz", tag = "operation", responses((status = 200, description = "It runs")))]
pub(crate) async fn live() -> &'static str {
    "ok\n"
}

/// Tells that the database answers.
#[utoipa::path(get, path = "/readyz", tag = "operation", responses(
    (status = 200, description = "Requests can be served"),
    (status = 503, description = "`database-unavailable`"),
))]
pub(crate) async fn ready(AxumState(state): AxumState<State>) -> Result<&'static str, Problem> {
    jobs::ping(&state.control).await?;
    Ok("ok\n")
}
