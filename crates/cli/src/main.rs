//! The binary `novelfoundry`: configuration, wiring and output. What is wired lives in the other crates.

mod commands;
mod config;
mod output;

use std::process::ExitCode;

use clap::Parser;

use commands::Command;
use config::{GlobalArgs, process_environment};
use output::Output;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

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

/// How many files and sockets the process may have open, where the system lets it: all connections of both servers,
/// the database's, and the files being written. Many systems begin with 1,024.
const DESCRIPTORS: u64 = 16_384;

fn main() -> ExitCode {
    raise_descriptors();
    let cli = Cli::parse();
    let output = Output::new(cli.global.json.0, process_environment);
    match cli.command.run(&cli.global, output) {
        Ok(exit) => exit.into(),
        Err(failure) => output.failure(&failure),
    }
}

fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(DESCRIPTORS, |maximum| maximum.min(DESCRIPTORS));
    if limit.current.is_some_and(|current| current < wanted) {
        // With fewer, the servers close idle connections sooner.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit });
    }
}
