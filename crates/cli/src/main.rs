//! The binary `novelfoundry`: configuration, wiring and output. What is wired lives in the other crates.

mod commands;
mod config;
mod output;

use std::process::ExitCode;

use clap::Parser;

use commands::Command;
use config::{GlobalArgs, process_environment};
use output::Output;

/// The system's allocator takes a tenth more of the processor for a request, and keeps what hashing a password took.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The back end of a service for novelists
#[derive(Parser)]
#[command(name = "novelfoundry", version)]
struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(cli.global.json, process_environment);
    match cli.command.run(&cli.global, output) {
        Ok(exit) => exit.into(),
        Err(failure) => output.failure(&failure),
    }
}
