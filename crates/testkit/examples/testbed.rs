//! Prepares one database, runs a command with it in the environment, and ends with the command's exit code.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails by panicking")]

use std::process::{Command, ExitCode};

use novelfoundry_testkit::{ENVIRONMENT, Testbed};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        eprintln!("usage: testbed COMMAND [ARGUMENT ...]");
        return ExitCode::from(2);
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let testbed = runtime.block_on(Testbed::start());
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
