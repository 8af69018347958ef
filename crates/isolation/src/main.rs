//! The lean binary: what a team with a schema of its own needs, without server, store or web.

use std::process::ExitCode;

use clap::Parser;
use novelfoundry_isolation::{cli::Command, commands};

/// Proves the tenant isolation of a PostgreSQL schema
#[derive(Parser)]
#[command(name = "novelfoundry-isolation", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let env = |name: &str| std::env::var(name).ok();
    let today = jiff::Zoned::now().date();
    match commands::run(&cli.command, "novelfoundry-isolation", today, &env).await {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {}\n  next: {}", novelfoundry_core::report(&error), error.next());
            ExitCode::from(commands::PROVED_NOTHING)
        }
    }
}
