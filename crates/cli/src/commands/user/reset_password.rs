//! `novelfoundry user reset-password`: a way back in for whoever no mail reaches.

use serde::Serialize;

use super::{Installation, refused};
use crate::{
    commands::Context,
    output::{Exit, Failure},
};

/// Prints a link by which its bearer sets a new password, once and within an hour, while `up` runs; no mail is sent
#[derive(clap::Args)]
pub(crate) struct ResetPassword {
    /// The e-mail address of the account
    email: String,
}

#[derive(Serialize)]
struct Link<'a> {
    installation: &'a str,
    email: &'a str,
    link: &'a str,
}

impl ResetPassword {
    /// Runs the command.
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let installation = Box::pin(Installation::meant(context)).await?;
        let issuer = Box::pin(installation.issuer()).await?;
        let what = || format!("There is no link for {}", self.email.escape_debug());
        let link = issuer.recovery_link(&self.email).await.map_err(|error| refused(&what(), error))?;
        let output = context.output;
        if output.json {
            output.data_json(&Link {
                installation: &installation.place,
                email: &self.email,
                link: link.expose(),
            })?;
        } else {
            let place = &installation.place;
            output.say(&format!(
                "Whoever opens this link within an hour sets a new password in {place}, once:"
            ));
            output.data(link.expose())?;
        }
        Ok(Exit::Done)
    }
}
