//! `novelfoundry account`: what the operator does about accounts of the embedded issuer, above all where nobody may sign
//! up by themselves.

use std::{io::Read as _, sync::Arc};

use novelfoundry_core::{IdSource, Secret, SystemClock, random_token};
use novelfoundry_database::{ControlDb, IssuerDb, LoginError, PoolOptions, TenantDb};
use novelfoundry_embedded::issuer::{AccountError, Issuer, IssuerOptions};
use serde::Serialize;
use serde_json::Map;

use super::{Context, failures, planes, status, summary};
use crate::output::{Exit, Failure};

/// The longest password has 1024 bytes; this leaves room to say that a longer one is too long.
const MAX_INPUT_BYTES: u64 = 4096;
const GENERATED_BYTES: usize = 12;

/// Manages the accounts of the embedded issuer
#[derive(clap::Subcommand)]
pub(crate) enum AccountCommand {
    Create(Create),
}

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
    email: &'a str,
    user_id: String,
    tenant_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
}

impl AccountCommand {
    /// Runs the command.
    pub(crate) async fn run(&self, context: Context) -> Result<Exit, Failure> {
        let Self::Create(create) = self;
        Box::pin(create.run(context)).await
    }
}

impl Create {
    async fn run(&self, context: Context) -> Result<Exit, Failure> {
        let (password, made) = if self.password_stdin {
            (read_password()?, false)
        } else {
            (random_token(GENERATED_BYTES), true)
        };
        let issuer = Box::pin(issuer(&context)).await?;
        let created = issuer
            .create_account(&self.email, password.expose(), Map::new())
            .await
            .map_err(|error| refused(&self.email, error))?;
        let output = context.output;
        if output.json {
            output.data_json(&Created {
                email: &self.email,
                user_id: created.user_id.to_string(),
                tenant_id: created.tenant_id.to_string(),
                password: made.then_some(password.expose()),
            })?;
            return Ok(Exit::Done);
        }
        output.say(&format!("The account {} has a workspace of its own and can sign in.", self.email));
        if made {
            output.say("Its password, which is shown this once:");
            output.data(password.expose())?;
        }
        Ok(Exit::Done)
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
    let name = "novelfoundry/account";
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

fn refused(email: &str, error: AccountError) -> Failure {
    let what = format!("The account {} was not made", email.escape_debug());
    let next = match &error {
        AccountError::Database(error) => return failures::database(&what, error),
        AccountError::Email => "Give an address such as anna@example.com.",
        AccountError::Exists => "Let its owner sign in, or give another address.",
        AccountError::Password => "Give another password, or leave out --password-stdin and have one made.",
        AccountError::Metadata | AccountError::Busy | AccountError::Hashing => "Try again.",
    };
    Failure::new(what, next).because(error)
}
