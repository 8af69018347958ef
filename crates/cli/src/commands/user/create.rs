//! `novelfoundry user create`: an account of the operator's making, where nobody may sign up by themselves.

use std::io::Read as _;

use novelfoundry_core::{Secret, random_token};
use serde::Serialize;
use serde_json::Map;

use super::{Installation, refused};
use crate::{
    commands::Context,
    output::{Exit, Failure},
};

/// The longest password has 1024 bytes; this leaves room to say that a longer one is too long.
const MAX_INPUT_BYTES: u64 = 4096;
const GENERATED_BYTES: usize = 12;

/// Makes an account with its workspace, while `up` runs; prints its new password, once
#[derive(clap::Args)]
pub(crate) struct Create {
    /// The e-mail address to sign in with
    email: String,
    /// Takes the password from standard input instead of making one
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Serialize)]
struct Created<'a> {
    installation: &'a str,
    email: &'a str,
    user_id: String,
    tenant_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
}

impl Create {
    /// Runs the command.
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let (password, made) = if self.password_stdin {
            (read_password()?, false)
        } else {
            (random_token(GENERATED_BYTES), true)
        };
        let installation = Box::pin(Installation::meant(context)).await?;
        let issuer = Box::pin(installation.issuer()).await?;
        let created =
            issuer.create_account(&self.email, password.expose(), Map::new()).await.map_err(|error| {
                refused(&format!("The account {} was not made", self.email.escape_debug()), error)
            })?;
        let output = context.output;
        if output.json {
            output.data_json(&Created {
                installation: &installation.place,
                email: &self.email,
                user_id: created.user_id.to_string(),
                tenant_id: created.tenant_id.to_string(),
                password: made.then_some(password.expose()),
            })?;
            return Ok(Exit::Done);
        }
        output.say(&format!(
            "The account {} in {} has a workspace of its own{} and can sign in.",
            self.email,
            installation.place,
            if created.is_provisioned { "" } else { ", from its first sign-in on," }
        ));
        if made {
            output.say("Its password, which is shown this once:");
            output.data(password.expose())?;
        }
        Ok(Exit::Done)
    }
}

/// Reads one line, or what there is without a line end.
fn read_password() -> Result<Secret, Failure> {
    let mut text = String::new();
    std::io::stdin().lock().take(MAX_INPUT_BYTES).read_to_string(&mut text).map_err(|error| {
        Failure::new("The password cannot be read from standard input", "Give it as one line of UTF-8.")
            .because(error)
    })?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Secret::new(line.strip_suffix('\r').unwrap_or(line)))
}
