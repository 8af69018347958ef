//! Ways that lead neither through a table nor through a call: sequences, large objects, statistics, notifications,
//! programs of the server, triggers and references of the attacker's own, foreign tables.

mod committed;
mod fallbacks;
mod powers;
mod procedures;
mod rights;
mod shared;
mod triggers;

use super::Hunt;
use crate::session::SessionError;

/// Tries all of them; those that have to commit come last.
pub(super) async fn run(hunt: &mut Hunt) -> Result<(), SessionError> {
    shared::sequences(hunt).await?;
    shared::statistics(hunt).await?;
    powers::programs(hunt).await?;
    powers::replaced_helpers(hunt).await?;
    powers::dropped(hunt).await?;
    rights::own_triggers(hunt).await?;
    triggers::borrowed(hunt).await?;
    rights::own_references(hunt).await?;
    rights::leakproof(hunt).await?;
    fallbacks::fallbacks(hunt).await?;
    shared::large_objects(hunt).await?;
    committed::notifications(hunt).await?;
    committed::foreign_tables(hunt).await?;
    procedures::committing(hunt).await
}
