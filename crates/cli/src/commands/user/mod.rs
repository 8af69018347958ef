//! `novelfoundry user`: what the operator does about the people who sign in with the embedded issuer. Each command
//! works on the database of an installation that runs, and leaves one line in the log with the person's id.

mod create;
mod invite;
mod list;
mod reset_password;
mod shut;

use std::sync::Arc;

use novelfoundry_core::{IdSource, SystemClock};
use novelfoundry_database::{ControlDb, IssuerDb, LoginError, PoolOptions, TenantDb};
use novelfoundry_embedded::issuer::{AccountError, Issuer, IssuerOptions};

use super::{Context, failures, planes, status, summary};
use crate::output::{Exit, Failure};

/// Manages the people who sign in with the embedded issuer
#[derive(clap::Subcommand)]
pub(crate) enum UserCommand {
    List(list::List),
    Create(create::Create),
    Invite(invite::Invite),
    ResetPassword(reset_password::ResetPassword),
    Disable(shut::Disable),
    Enable(shut::Enable),
}

/// Makes accounts, by the command's earlier name
#[derive(clap::Subcommand)]
pub(crate) enum AccountCommand {
    Create(create::Create),
}

impl UserCommand {
    /// Runs the command.
    pub(crate) async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::List(list) => Box::pin(list.run(context)).await,
            Self::Create(create) => Box::pin(create.run(context)).await,
            Self::Invite(invite) => Box::pin(invite.run(context)).await,
            Self::ResetPassword(reset) => Box::pin(reset.run(context)).await,
            Self::Disable(disable) => Box::pin(disable.run(context)).await,
            Self::Enable(enable) => Box::pin(enable.run(context)).await,
        }
    }
}

impl AccountCommand {
    /// Runs the command.
    pub(crate) async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let Self::Create(create) = self;
        Box::pin(create.run(context)).await
    }
}

/// Opens the issuer of the installation that runs on the data directory.
async fn issuer(context: &Context) -> Result<Issuer, Failure> {
    let config = &context.loaded.config;
    let (data_dir, state, secrets) = status::open(context)?;
    if !state.process_lives() {
        return Err(Failure::new(
            format!("Nothing runs on {}, and its database is needed", data_dir.display()),
            format!("Start it by `novelfoundry up --data-dir {}`, then try again.", data_dir.display()),
        )
        .exit(Exit::Unavailable));
    }
    let logins = summary::Logins::of(&data_dir, &state, &secrets)?;
    let options = PoolOptions { size: 2, ..planes::pool_options(config) };
    let name = "novelfoundry/user";
    let failed = |login: &'static str| move |error: LoginError| failures::login(login, error);
    let tenant = TenantDb::connect(&logins.tenant, name, options).await.map_err(failed("tenant"))?;
    let control = ControlDb::connect(&logins.control, name, options).await.map_err(failed("control"))?;
    let issuer = IssuerDb::connect(&logins.issuer, name, options).await.map_err(failed("issuer"))?;
    let mut options = IssuerOptions::new(format!("{}/auth/v1", state.public_url), secrets.issuer_keys());
    options.audience = state.audience;
    options.ids = IdSource::new(Arc::new(SystemClock));
    Issuer::open(options, issuer, control, tenant).await.map_err(|error| {
        Failure::new("The issuer cannot be opened", "Look at the cause, then try again.").because(error)
    })
}

/// Describes why nothing was done about an account.
fn refused(what: &str, error: AccountError) -> Failure {
    let next = match &error {
        AccountError::Database(error) => return failures::database(what, error),
        AccountError::Email => "Give an address such as anna@example.com.",
        AccountError::Exists => "Let its owner sign in, or give another address.",
        AccountError::Unknown => "`novelfoundry user list` shows the addresses there are.",
        AccountError::Disabled => "Open it first by `novelfoundry user enable`.",
        AccountError::Password => "Give another password, or leave out --password-stdin and have one made.",
        AccountError::Metadata | AccountError::Busy | AccountError::Hashing => "Try again.",
    };
    Failure::new(what, next).because(error)
}
