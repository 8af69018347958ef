//! `novelfoundry doctor`: looks at each part on its own and says what to do about what is wrong, since a part that fails
//! inside a running service shows only its symptoms.

mod advice;
mod database;
mod issuer;
mod mail;
mod storage;

use std::{fmt::Write as _, path::Path};

use novelfoundry_core::{Clock as _, SystemClock};
use serde::Serialize;

use super::{
    Context,
    backup::{self, Verified},
    installation,
    listeners::reachable,
    state::State,
    summary::Logins,
};
use crate::{
    config::{Config, Value},
    output::{Exit, Failure},
};
pub(crate) use advice::advice;

/// Says of each part what can be reached and what is wrong
#[derive(clap::Args)]
pub(crate) struct Doctor {
    /// Writes, reads and deletes a small object too, as a browser and as a worker would
    #[arg(long)]
    storage: bool,
    /// Remembers that a backup was restored and looked at today
    #[arg(long)]
    backup_verified: bool,
}

/// How a part fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// As it should be.
    Ok,
    /// Works, and should not stay so.
    Warn,
    /// Does not work.
    Fail,
}

/// What was found of a part.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    part: String,
    verdict: Verdict,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl Finding {
    fn ok(part: &str, detail: impl Into<String>) -> Self {
        Self { part: part.to_owned(), verdict: Verdict::Ok, detail: detail.into(), next: None }
    }

    fn warn(part: &str, detail: impl Into<String>, next: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warn, next: Some(next.into()), ..Self::ok(part, detail) }
    }

    fn fail(part: &str, detail: impl Into<String>, next: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, next: Some(next.into()), ..Self::ok(part, detail) }
    }

    fn failure(part: &str, failure: &Failure) -> Self {
        let (what, next) = failure.in_words();
        Self::fail(part, what, next)
    }
}

impl Doctor {
    /// Runs the command; it ends well where nothing fails, whatever it warns of.
    pub(crate) async fn run(&self, context: Context) -> Result<Exit, Failure> {
        let (config, embedded) = subject(&context, Vantage::Clients)?;
        let (data_dir, now) = (&config.embedded.data_dir, SystemClock.now());
        if self.backup_verified {
            backup::remember(data_dir, now)?;
        }
        let mut progress = context.output.progress();
        let mut findings = vec![match &embedded {
            Some(data_dir) => Finding::ok("configuration", format!("the installation in {data_dir}")),
            None => Finding::ok("configuration", plane(&config)),
        }];
        progress.step("asking the database");
        findings.extend(database::look(&config).await);
        progress.step("asking the issuer");
        findings.extend(issuer::look(&config).await);
        progress.step("asking the mail server");
        findings.push(mail::look(&config).await);
        progress.step("asking the object store");
        findings.extend(storage::look(&config, self.storage).await);
        // The directory where an installation is by default says nothing of another data plane's backups.
        let remembers = embedded.is_some() || context.loaded.is_given("embedded.data_dir");
        let verified = if remembers { backup::read(data_dir, now) } else { Ok(Verified::Never) };
        findings.push(backups(data_dir, verified));
        progress.finish();
        if context.output.json {
            context.output.data_json(&findings)?;
        } else {
            context.output.data(&lines(&findings))?;
        }
        let fails = findings.iter().any(|finding| finding.verdict == Verdict::Fail);
        Ok(if fails { Exit::Findings } else { Exit::Done })
    }
}

/// From where the object store of an installation is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vantage {
    /// As its clients see it, by its public address.
    Clients,
    /// By its listener on this machine, which needs no name and no proxy.
    Here,
}

/// Returns the configuration to work on, with the directory of the installation that it is of: the data directory that is
/// given, else what is configured, else the data directory where one is by default. A directory and a `DATABASE_URL` that
/// name different databases are refused: one of them was not meant.
pub(crate) fn subject(context: &Context, from: Vantage) -> Result<(Config, Option<String>), Failure> {
    let mut config = context.loaded.config.clone();
    let given = context.loaded.is_given("embedded.data_dir");
    if (config.database.url.get().is_some() && !given) || State::read(&config.embedded.data_dir)?.is_none() {
        return Ok((config, None));
    }
    let (data_dir, state, secrets) = super::status::open(context)?;
    let logins = Logins::of(&data_dir, &state, &secrets)?;
    installation::agree(context, &data_dir, &logins)?;
    let api = &state.public_url;
    config.database.url.set(logins.tenant);
    config.database.control_url.set(logins.control);
    config.database.issuer_url.set(logins.issuer);
    config.database.role_prefix = parse(&state.role_prefix)?;
    config.s3.region = parse(&state.region)?;
    config.s3.bucket = parse(&state.bucket)?;
    config.auth.audience = parse(&state.audience)?;
    config.s3.endpoint.set(parse(&match from {
        Vantage::Clients => state.s3_public_url.clone(),
        Vantage::Here => format!("http://{}", reachable(state.s3_listen)),
    })?);
    config.s3.public_url.set(parse(&state.s3_public_url)?);
    config.s3.access_key_id.set(parse(&secrets.s3.access_key_id)?);
    config.s3.secret_access_key.set(secrets.s3.secret_access_key.clone());
    config.auth.issuer.set(parse(&format!("{api}/auth/v1"))?);
    config.auth.jwks_url.set(parse(&format!("{api}/auth/v1/.well-known/jwks.json"))?);
    if !context.loaded.is_given("allowed_origins") {
        config.server.allowed_origins.set(parse(api)?);
    }
    Ok((config, Some(data_dir.display().to_string())))
}

fn backups(data_dir: &Path, verified: Result<Verified, Failure>) -> Finding {
    const PART: &str = "backup";
    let what = match verified {
        Err(failure) => return Finding::failure(PART, &failure),
        Ok(Verified::DaysAgo(days)) if days <= backup::GOOD_FOR_DAYS => {
            return Finding::ok(PART, format!("one was restored and looked at {days} days ago"));
        }
        Ok(Verified::DaysAgo(days)) => {
            format!("the last one that was restored and looked at was so {days} days ago")
        }
        Ok(Verified::Never) => {
            "no backup of this installation was ever verified by being restored".to_owned()
        }
    };
    let next = format!(
        "Restore one somewhere else as docs/OPERATING.md says, then run `novelfoundry doctor --backup-verified \
         --data-dir {}`.",
        data_dir.display()
    );
    Finding::warn(PART, what, next)
}

fn plane(config: &Config) -> String {
    let from = config.supabase.url.get().map_or_else(String::new, |url| format!(" of {}", url.as_str()));
    format!("read, for the data plane{from}; `novelfoundry config show` tells each value's source")
}

fn parse<T: Value>(text: &str) -> Result<T, Failure> {
    T::parse(text).map_err(|problem| {
        Failure::new(
            format!("state.json in the data directory is damaged: {text} {problem}"),
            "Remove it and run `novelfoundry up`, which writes it anew.",
        )
    })
}

fn lines(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.part.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Finding { part, verdict, detail, next } in findings {
        let verdict = match verdict {
            Verdict::Ok => "ok  ",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
        };
        let _ = writeln!(text, "{verdict}  {part:width$}  {detail}");
        if let Some(next) = next {
            let _ = writeln!(text, "{:6}{:width$}  -> {next}", "", "");
        }
    }
    text
}
