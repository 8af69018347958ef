//! `novelfoundry status` and `env`: what `up` told, told again, also of an installation that is stopped.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use novelfoundry_embedded::postgres::DataDirLock;
use serde::Serialize;

use super::{
    Context,
    listeners::reachable,
    secrets::Secrets,
    state::{self, State},
    summary::Summary,
};
use crate::output::{Exit, Failure};

/// How long an API may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(3);

/// Tells whether an installation runs, and its addresses; exits with 0 when it runs and 1 when not
#[derive(clap::Args)]
pub(crate) struct Status;

/// Prints the addresses and logins of an installation for a shell: eval "$(novelfoundry env)"
#[derive(clap::Args)]
pub(crate) struct Env;

#[derive(Serialize)]
struct Report<'a> {
    running: bool,
    state: &'static str,
    pid: Option<u32>,
    #[serde(flatten)]
    summary: &'a Summary,
}

impl Status {
    /// Runs the command.
    pub(crate) async fn run(&self, context: Context) -> Result<Exit, Failure> {
        let (data_dir, state, secrets) = open(&context)?;
        let lives = state.process_lives();
        let answers = lives && answers(&state).await;
        // A process that comes or goes holds the directory: nothing else can be started there.
        let holder = DataDirLock::holder(&data_dir).filter(|pid| !lives && state::lives(*pid));
        let word = match (lives, answers) {
            (true, true) => "running",
            (true, false) => "not answering",
            (false, _) if holder.is_some() => "starting or stopping",
            (false, _) => "stopped",
        };
        let summary = Summary::new(&data_dir, &state, &secrets)?;
        let pid = state.pid.filter(|_| lives).or(holder);
        if context.output.json {
            let report = Report { running: answers, state: word, pid, summary: &summary };
            context.output.data(&json(&report)?)?;
        } else {
            let process = pid.map_or_else(String::new, |pid| format!(" (process {pid})"));
            let version = &state.version;
            context
                .output
                .data(&format!("NovelFoundry {version}: {word}{process}\n\n{}", summary.addresses()))?;
        }
        Ok(if answers { Exit::Done } else { Exit::Findings })
    }
}

impl Env {
    /// Runs the command.
    #[expect(clippy::unused_self, reason = "every command is run alike")]
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let (data_dir, state, secrets) = open(context)?;
        let summary = Summary::new(&data_dir, &state, &secrets)?;
        if context.output.json {
            context.output.data(&json(&summary)?)?;
        } else {
            context.output.data(&summary.shell(&secrets))?;
        }
        Ok(Exit::Done)
    }
}

/// Reads what the last run left.
pub(crate) fn open(context: &Context) -> Result<(PathBuf, State, Secrets), Failure> {
    open_at(&context.loaded.config.embedded.data_dir)
}

/// Reads what the last run on a directory left.
pub(crate) fn open_at(data_dir: &Path) -> Result<(PathBuf, State, Secrets), Failure> {
    let absolute = data_dir.canonicalize().unwrap_or_else(|_| data_dir.to_owned());
    match State::read(&absolute)? {
        Some(state) => Ok((absolute.clone(), state, Secrets::open(&absolute)?)),
        None => Err(nothing(&absolute)),
    }
}

fn nothing(data_dir: &Path) -> Failure {
    Failure::new(
        format!("{} holds no installation that was ever ready", data_dir.display()),
        "Run `novelfoundry up`, or name the directory with --data-dir.",
    )
}

async fn answers(state: &State) -> bool {
    let address = reachable(state.listen);
    let Ok(client) = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build() else { return false };
    let answer = client.get(format!("http://{address}/healthz")).send().await;
    answer.is_ok_and(|answer| answer.status().is_success())
}

/// One line: programs read lines.
fn json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| {
        Failure::new("The addresses cannot be written", "Report this as a defect.").because(error)
    })
}
