//! `novelfoundry tombstones`: what the operator does about deletions that a restored copy has undone.

use std::sync::Arc;

use novelfoundry_core::{SystemClock, report};
use novelfoundry_database::{ControlDb, PoolOptions};
use novelfoundry_worker::{Applied, TombstoneError, apply_tombstones};
use serde::Serialize;

use super::{Context, doctor, failures, interrupt, planes};
use crate::output::{Exit, Failure};

/// How many are applied before something is said of them.
const TELL_EVERY: u64 = 10_000;

/// Manages what is known of deleted files
#[derive(clap::Subcommand)]
pub(crate) enum TombstonesCommand {
    Apply(Apply),
}

/// Deletes again, now, every deleted file that a restored copy of the objects has brought back; may be repeated
#[derive(clap::Args)]
pub(crate) struct Apply;

#[derive(Serialize)]
struct Counts {
    installation: String,
    applied: u64,
    found: u64,
    failed: u64,
    complete: bool,
}

impl TombstonesCommand {
    /// Runs the command.
    pub(crate) async fn run(&self, context: Context) -> Result<Exit, Failure> {
        let Self::Apply(Apply) = self;
        Box::pin(apply(context)).await
    }
}

async fn apply(context: Context) -> Result<Exit, Failure> {
    let output = context.output;
    let interrupt = interrupt::token(output)?;
    let (config, embedded) = doctor::subject(&context, doctor::Vantage::Here)?;
    let store = planes::StoreAccess::from_config(&config)?.open(Arc::new(SystemClock))?;
    let options = PoolOptions { size: 2, ..planes::pool_options(&config) };
    let control = ControlDb::connect(config.database.control_url.need()?, "novelfoundry/tombstones", options)
        .await
        .map_err(|error| failures::login("control", error))?;
    let place = match embedded {
        Some(data_dir) => data_dir,
        None => config.database.control_url.need()?.redacted(),
    };
    // To a bucket that is not there every file would seem gone.
    store.check_bucket().await.map_err(|error| stopped(&Applied::default(), &error.into()))?;

    let mut progress = output.progress();
    progress.step("applying tombstones");
    let mut told = 0;
    let sum = apply_tombstones(&control, &store, &interrupt, |sum| {
        if sum.applied >= told + TELL_EVERY {
            told = sum.applied;
            progress.say(&format!("{} so far, {} had come back", sum.applied, sum.found));
        }
    })
    .await;
    let Applied { applied, found, failed, complete, ref failure } = sum;
    if let Some(error) = failure.as_ref().filter(|_| !complete || applied == 0) {
        return Err(stopped(&sum, error));
    }
    progress.finish();
    if output.json {
        output.data_json(&Counts { installation: place, applied, found, failed, complete })?;
    } else {
        let rest = if complete { "" } else { "; stopped before the end, run it again" };
        output.say(&format!("In {place}:"));
        output.data(&format!(
            "{applied} applied, {found} had come back and were deleted, {failed} failed{rest}"
        ))?;
    }
    if let Some(error) = failure {
        output.say(&format!("The last failure: {}. Workers go on trying.", report(error)));
    }
    Ok(if complete && failed == 0 { Exit::Done } else { Exit::Findings })
}

fn stopped(sum: &Applied, error: &TombstoneError) -> Failure {
    let what = format!("Not every tombstone was applied: {} were, {} failed", sum.applied, sum.failed);
    if let TombstoneError::Database(error) = error {
        return failures::database(&what, error);
    }
    Failure::new(
        what,
        "See to the cause by `novelfoundry doctor --storage`, then run it again: nothing is lost.",
    )
    .because(report(error))
    .exit(Exit::Unavailable)
}
