//! `novelfoundry user disable` and `enable`: keeps a person out, and lets them in again.

use serde::Serialize;

use super::{issuer, refused};
use crate::{
    commands::Context,
    output::{Exit, Failure},
};

/// Shuts an account and ends its sessions, while `up` runs; access tokens already given are good for up to an hour
#[derive(clap::Args)]
pub(crate) struct Disable {
    /// The e-mail address of the account
    email: String,
}

/// Opens an account again that was disabled, while `up` runs
#[derive(clap::Args)]
pub(crate) struct Enable {
    /// The e-mail address of the account
    email: String,
}

#[derive(Serialize)]
struct Changed<'a> {
    email: &'a str,
    user_id: String,
    disabled: bool,
}

impl Disable {
    /// Runs the command.
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let issuer = Box::pin(issuer(context)).await?;
        let what = || format!("The account {} was not disabled", self.email.escape_debug());
        let user = issuer.disable_account(&self.email).await.map_err(|error| refused(&what(), error))?;
        tell(context, &Changed { email: &self.email, user_id: user.to_string(), disabled: true })
    }
}

impl Enable {
    /// Runs the command.
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let issuer = Box::pin(issuer(context)).await?;
        let what = || format!("The account {} was not enabled", self.email.escape_debug());
        let user = issuer.enable_account(&self.email).await.map_err(|error| refused(&what(), error))?;
        tell(context, &Changed { email: &self.email, user_id: user.to_string(), disabled: false })
    }
}

fn tell(context: &Context, changed: &Changed<'_>) -> Result<Exit, Failure> {
    let output = context.output;
    if output.json {
        output.data_json(changed)?;
    } else if changed.disabled {
        output.say(&format!("The account {} is shut and signed out everywhere.", changed.email));
    } else {
        output.say(&format!("The account {} is open again.", changed.email));
    }
    Ok(Exit::Done)
}
