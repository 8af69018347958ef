//! `check`, `attack`, `init isolation` and `explain`: what the lean binary does, with the product's way of failing. They
//! read `isolation.toml` and no setting of the product's, for the schema may be another team's.

use novelfoundry_core::{Clock as _, SystemClock};
use novelfoundry_isolation::{cli::Command, commands};

use crate::{
    config::process_environment,
    output::{Exit, Failure},
};

/// Runs the command and tells how it ended.
pub(super) fn run(command: &Command) -> Result<Exit, Failure> {
    let today = SystemClock.now().to_zoned(jiff::tz::TimeZone::system()).date();
    let end = super::runtime()?.block_on(commands::run(command, "novelfoundry", today, &process_environment));
    match end {
        Ok(0) => Ok(Exit::Done),
        Ok(1) => Ok(Exit::Findings),
        Ok(commands::INTERRUPTED) => Ok(Exit::Interrupted),
        Ok(_) => Ok(Exit::CouldNotRun),
        Err(error) => Err(Failure::new("Nothing was judged", error.next()).because(error)),
    }
}
