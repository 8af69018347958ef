//! `novelfoundry user`: what the operator does about the people who sign in with the embedded issuer. Each command
//! works on the database of an installation that runs, and leaves one line in the log with the person's id.

mod create;
mod erase;
mod invite;
mod list;
mod reset_password;
mod shut;

use novelfoundry_embedded::issuer::AccountError;

use super::{Context, failures, installation::Installation};
pub(super) use erase::erase;

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
    Erase(erase::Erase),
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
            Self::Erase(erase) => Box::pin(erase.run(context)).await,
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
