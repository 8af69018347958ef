//! The lean binary: what a team with a schema of its own needs, without server, store or web.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use novelfoundry_isolation::{
    cli::{AttackArgs, CheckArgs, ExplainArgs, InitArgs},
    commands::{self, CommandError},
};

/// Proves the tenant isolation of a PostgreSQL schema
#[derive(Parser)]
#[command(name = "novelfoundry-isolation", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(Box<CheckArgs>),
    Attack(Box<AttackArgs>),
    Init(InitArgs),
    Explain(ExplainArgs),
}

/// Exit code of a run that proved nothing.
const PROVED_NOTHING: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let env = |name: &str| std::env::var(name).ok();
    let today = jiff::Zoned::now().date();
    let program = "novelfoundry-isolation";
    let result: Result<u8, CommandError> = match &cli.command {
        Command::Check(args) => commands::check(args, program, today, &env).await,
        Command::Attack(args) => Box::pin(commands::attack(args, program, today, &env)).await,
        Command::Init(args) => commands::init(args, &env).await.map(|()| 0),
        Command::Explain(args) => commands::explain(args).map(|()| 0),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {}", novelfoundry_core::report(&error));
            ExitCode::from(PROVED_NOTHING)
        }
    }
}
