//! Prepares one database, runs a command with it in the environment, and ends with the command's exit code.
//!
//! With `--citus` the database is a cluster of a coordinator and two workers; where the machine's PostgreSQL does not
//! have Citus, one line says so and nothing is run.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails by panicking")]

use std::process::{Command, ExitCode};

use novelfoundry_testkit::{ENVIRONMENT, Testbed, citus_bin_dir};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).peekable();
    let citus = arguments.next_if(|argument| argument == "--citus").is_some();
    if citus && citus_bin_dir().is_none() {
        println!("skipped: Citus is not installed in this PostgreSQL, so nothing was run on a cluster");
        return ExitCode::SUCCESS;
    }
    let Some(program) = arguments.next() else {
        eprintln!("usage: testbed [--citus] COMMAND [ARGUMENT ...]");
        return ExitCode::from(2);
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let testbed = runtime.block_on(Testbed::start(citus));
    let status =
        Command::new(&program).args(arguments).env(ENVIRONMENT, testbed.database.to_environment()).status();
    runtime.block_on(testbed.stop());
    match status {
        Ok(status) => ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)),
        Err(error) => {
            eprintln!("{}: {error}", program.display());
            ExitCode::from(2)
        }
    }
}
