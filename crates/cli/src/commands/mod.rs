//! The commands. Each is one file that reads its flags, does its work by the other crates and says how it ended.

mod backup;
mod deletions;
mod doctor;
mod durable;
mod failures;
mod installation;
mod interrupt;
mod isolation;
mod listeners;
mod mail;
mod migrate;
mod planes;
mod port_holder;
mod run;
mod secrets;
mod state;
mod status;
mod summary;
mod telemetry;
mod tenant;
mod tombstones;
mod up;
mod user;

use std::time::Duration;

use crate::{
    config::{Config, ConfigCommand, GlobalArgs, Loaded, process_environment},
    output::{Exit, Failure, Output},
};

/// How long tasks that nobody waits for may take to end.
const LAST: Duration = Duration::from_millis(500);

/// What the program can be asked to do.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Runs everything on this machine: PostgreSQL, object store, issuer, API and worker
    Up(up::Up),
    Status(status::Status),
    Env(status::Env),
    Migrate(migrate::Migrate),
    Serve(run::Serve),
    Worker(run::Work),
    Doctor(doctor::Doctor),
    /// Manages the people who sign in with the embedded issuer
    #[command(subcommand)]
    User(user::UserCommand),
    /// The earlier name of `user`
    #[command(subcommand, hide = true)]
    Account(user::AccountCommand),
    /// Manages workspaces
    #[command(subcommand)]
    Tenant(tenant::TenantCommand),
    /// Manages what a restored backup has brought back
    #[command(subcommand)]
    Deletions(deletions::DeletionsCommand),
    /// Manages what is known of deleted files
    #[command(subcommand)]
    Tombstones(tombstones::TombstonesCommand),
    /// Shows the settings or describes them
    #[command(subcommand)]
    Config(ConfigCommand),
    #[command(flatten)]
    Isolation(novelfoundry_isolation::cli::Command),
}

/// What every command is given.
pub(crate) struct Context {
    pub(crate) output: Output,
    pub(crate) loaded: Loaded,
}

impl Command {
    /// Runs the command and tells how it ended.
    pub(crate) fn run(&self, global: &GlobalArgs, output: Output) -> Result<Exit, Failure> {
        let load = || {
            let directory = std::env::current_dir().map_err(|error| {
                Failure::new("The current directory is gone", "Change to one that exists.").because(error)
            })?;
            Config::load(global, process_environment, &directory)
        };
        if let Self::Config(command) = self {
            return command.run(output, load).map(|()| Exit::Done);
        }
        if let Self::Isolation(command) = self {
            return isolation::run(command);
        }
        let context = Context { output, loaded: load()? };
        if let Self::Env(env) = self {
            return env.run(&context);
        }
        telemetry::log(&context.loaded.config.log);
        let runtime = runtime()?;
        let end = runtime.block_on(async {
            match self {
                Self::Up(up) => up.run(context).await,
                Self::Status(status) => status.run(context).await,
                Self::Migrate(migrate) => migrate.run(context).await,
                Self::Serve(serve) => serve.run(context).await,
                Self::Worker(worker) => Box::pin(worker.run(context)).await,
                Self::Doctor(doctor) => Box::pin(doctor.run(context)).await,
                Self::User(user) => Box::pin(user.run(&context)).await,
                Self::Account(account) => Box::pin(account.run(&context)).await,
                Self::Tenant(tenant) => Box::pin(tenant.run(&context)).await,
                Self::Deletions(deletions) => Box::pin(deletions.run(&context)).await,
                Self::Tombstones(tombstones) => Box::pin(tombstones.run(context)).await,
                Self::Env(_) | Self::Config(_) | Self::Isolation(_) => Ok(Exit::Done),
            }
        });
        runtime.shutdown_timeout(LAST);
        end
    }
}

/// As many threads as the machine has processors, within reason.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 32);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .max_blocking_threads(32)
        .thread_keep_alive(Duration::from_secs(2))
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::new("No threads can be started", "Look at the limits of this user: `ulimit -a`.")
                .because(error)
        })
}
