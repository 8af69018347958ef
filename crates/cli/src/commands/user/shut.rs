//! `novelfoundry user disable` and `enable`: keeps a person out, and lets them in again.

use serde::Serialize;

use super::{Installation, refused};
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
    installation: &'a str,
    email: &'a str,
    user_id: String,
    disabled: bool,
}

impl Disable {
    /// Runs the command.
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let installation = Box::pin(Installation::meant(context)).await?;
        let issuer = Box::pin(installation.issuer()).await?;
        let what = || format!("The account {} was not disabled", self.email.escape_debug());
        let user = issuer.disable_account(&self.email).await.map_err(|error| refused(&what(), error))?;
        let (email, user_id, installation) = (&*self.email, user.to_string(), &*installation.place);
        tell(context, &Changed { installation, email, user_id, disabled: true })
    }
}

impl Enable {
    /// Runs the command.
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let installation = Box::pin(Installation::meant(context)).await?;
        let issuer = Box::pin(installation.issuer()).await?;
        let what = || format!("The account {} was not enabled", self.email.escape_debug());
        let user = issuer.enable_account(&self.email).await.map_err(|error| refused(&what(), error))?;
        let (email, user_id, installation) = (&*self.email, user.to_string(), &*installation.place);
        tell(context, &Changed { installation, email, user_id, disabled: false })
    }
}

fn tell(context: &Context, changed: &Changed<'_>) -> Result<Exit, Failure> {
    let (output, Changed { installation, email, .. }) = (context.output, changed);
    if output.json {
        output.data_json(changed)?;
    } else if changed.disabled {
        output.say(&format!("The account {email} in {installation} is shut and signed out everywhere."));
    } else {
        output.say(&format!("The account {email} in {installation} is open again."));
    }
    Ok(Exit::Done)
}
