//! Finishes what people began who deleted themselves, where that was cut short and nobody has repeated it: else they would
//! be in some workspaces and not in others, or have an account that leads nowhere.

use novelfoundry_core::{Clock as _, IdSource, SystemClock, report};
use novelfoundry_database::{
    DbError,
    departure::{self, DepartureError, Leaver},
    issuer,
    workspaces::Deletion,
};

use crate::WorkerOptions;

/// Departures that are finished in one sweep.
const TOGETHER: i64 = 100;

pub(crate) async fn finish(options: &WorkerOptions) -> Result<(), DbError> {
    for leaver in departure::unfinished(&options.control, TOGETHER).await? {
        let user_id = leaver.user_id();
        match depart(options, &leaver).await {
            Ok(()) => tracing::info!(%user_id, "a departure that was cut short is settled"),
            Err(DepartureError::LastOwner { .. }) => {
                tracing::info!(%user_id, "a departure that was cut short is taken back: others would have no owner");
            }
            Err(
                DepartureError::Database(error @ (DbError::Unavailable(_) | DbError::CommitUnknown(_)))
                | DepartureError::Unfinished(error @ (DbError::Unavailable(_) | DbError::CommitUnknown(_))),
            ) => return Err(error),
            // The others are not to wait for it.
            Err(error) => {
                tracing::error!(%user_id, error = report(&error), "a departure cannot be finished");
            }
        }
    }
    Ok(())
}

async fn depart(options: &WorkerOptions, leaver: &Leaver) -> Result<(), DepartureError> {
    let ids = IdSource::default();
    let deletion = || Deletion::plan(&ids, SystemClock.now(), options.purge_after);
    let erase = async {
        match &options.accounts {
            Some(accounts) => issuer::erase_account(accounts, leaver.user_id()).await,
            None => Ok(()),
        }
    };
    Box::pin(departure::depart(&options.control, &options.tenant, leaver, deletion, erase)).await
}
