//! `novelfoundry deletions`: takes away again what a restored backup has brought back. The backup cannot know what was
//! deleted, withdrawn and revoked after it; the installation that it replaces does, as long as its database can be read.

mod action;
mod plan;

use std::{
    collections::HashSet,
    io::{BufRead as _, IsTerminal as _},
    path::PathBuf,
};

use jiff::Timestamp;
use novelfoundry_core::{Clock as _, SystemClock};
use novelfoundry_database::restored::{self, Shut};
use serde::Serialize;

use super::{Context, failures, installation::Installation};
use crate::output::{Exit, Failure};
use action::{Action, Desk, Done};

/// Manages what a restored backup has brought back
#[derive(clap::Subcommand)]
pub(crate) enum DeletionsCommand {
    Apply(Apply),
}

/// Takes away again, in a restored installation, what the one that it replaces has no more; may be repeated
///
/// Deleted workspaces, projects, manuscripts and analyses; people who were erased, shut out or taken out of a workspace;
/// roles, passwords and invitations of before; sessions and links that have ended. Nothing is given back. Both run, each
/// by its own `up`; run it before anybody works in the restored one.
#[derive(clap::Args)]
pub(crate) struct Apply {
    /// The data directory of the installation that is replaced
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// Leaves alone what was made later, where somebody has worked in the restored one: a time between the dump's end and
    /// that, such as 2026-03-01T04:00:00Z
    #[arg(long, value_name = "TIME")]
    made_before: Option<Timestamp>,
    /// Only says what would go, one line each
    #[arg(long)]
    dry_run: bool,
    /// Does not ask
    #[arg(long)]
    yes: bool,
}

#[derive(Serialize)]
struct Report {
    installation: String,
    from: String,
    dry_run: bool,
    actions: Vec<Told>,
    sessions: i64,
    links: i64,
    left: usize,
}

/// One action and what became of it.
#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<String>,
}

impl DeletionsCommand {
    /// Runs the command.
    pub(crate) async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let Self::Apply(apply) = self;
        Box::pin(apply.run(context)).await
    }
}

impl Apply {
    async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let restored = Box::pin(Installation::meant(context)).await?;
        let replaced = Box::pin(Installation::at(context, &self.from)).await?;
        if restored.place == replaced.place {
            return Err(Failure::new(
                format!("{} cannot replace itself", restored.place),
                "Name the restored one by --data-dir and the one that it replaces by --from.",
            )
            .exit(Exit::Refused));
        }
        let mut progress = context.output.progress();
        progress.step(&format!("comparing {} with {}", restored.place, replaced.place));
        let actions = Box::pin(plan::plan(&restored, &replaced, self.made_before)).await?;
        let open = restored::entrances(&replaced.accounts).await.map_err(|error| unread(&error))?;
        let now = SystemClock.now();
        let shut = async |done| {
            restored::close(&restored.accounts, open.clone(), self.made_before, now, done)
                .await
                .map_err(|error| failures::database("Sessions and links were not ended", &error))
        };
        let counted = shut(false).await?;
        progress.finish();
        if self.dry_run || (actions.is_empty() && counted == (Shut { sessions: 0, links: 0 })) {
            let told = actions.into_iter().map(|action| Told { action, left: None }).collect();
            return self.tell(context, &restored, &replaced, told, counted);
        }
        if !self.yes {
            ask(context, &restored, &actions, counted)?;
        }
        // The ways in first: nobody comes in by one meanwhile.
        shut(true).await?;
        let told = act(context, &restored, actions).await?;
        self.tell(context, &restored, &replaced, told, counted)
    }

    fn tell(
        &self,
        context: &Context,
        restored: &Installation,
        replaced: &Installation,
        actions: Vec<Told>,
        Shut { sessions, links }: Shut,
    ) -> Result<Exit, Failure> {
        let output = context.output;
        let left = actions.iter().filter(|told| told.left.is_some()).count();
        let (place, count) = (&restored.place, actions.len());
        if output.json {
            output.data_json(&Report {
                installation: place.clone(),
                from: replaced.place.clone(),
                dry_run: self.dry_run,
                actions,
                sessions,
                links,
                left,
            })?;
        } else {
            let line = |told: &Told| match &told.left {
                Some(why) => format!("{}: left, {why}", told.action),
                None => told.action.to_string(),
            };
            let lines: Vec<_> = actions.iter().map(line).collect();
            if !lines.is_empty() {
                output.data(&lines.join("\n"))?;
            }
            let would = if self.dry_run { "would be " } else { "" };
            output.say(&format!(
                "In {place}: {count} things, {sessions} sessions and {links} links {would}taken away again; {left} left."
            ));
            if left > 0 {
                output.say(
                    "Have owners join by `novelfoundry user invite EMAIL --tenant ID --role owner`, then run it again.",
                );
            }
        }
        Ok(if left == 0 { Exit::Done } else { Exit::Findings })
    }
}

/// Does one after the other. Who cannot leave a workspace is not erased, since it might go with them: they are shut out.
async fn act(context: &Context, restored: &Installation, actions: Vec<Action>) -> Result<Vec<Told>, Failure> {
    let desk = Desk::open(context, restored).await?;
    let (mut told, mut stuck) = (Vec::new(), HashSet::new());
    for action in actions {
        let done = if action.erases().is_some_and(|user| stuck.contains(&user)) {
            desk.shut_out(&action).await?
        } else {
            desk.perform(&action).await?
        };
        let left = match done {
            Done::Done => None,
            Done::Left(why) => {
                stuck.extend(action.takes_out());
                Some(why.to_owned())
            }
        };
        told.push(Told { action, left });
    }
    tracing::info!(actions = told.len(), "what a backup had brought back was taken away again");
    Ok(told)
}

/// Has somebody at a terminal agree; without one there is nobody to ask.
fn ask(context: &Context, restored: &Installation, actions: &[Action], shut: Shut) -> Result<(), Failure> {
    let refused = |what: &str, next: &str| Err(Failure::new(what, next).exit(Exit::Refused));
    if !std::io::stdin().is_terminal() || context.output.json {
        return refused(
            "Nobody can be asked whether to take things away",
            "Look at them by --dry-run, then give --yes.",
        );
    }
    for action in actions {
        context.output.say(&action.to_string());
    }
    context.output.say(&format!(
        "These {} things, {} sessions and {} links are taken away in {}, for good. Type yes to go on:",
        actions.len(),
        shut.sessions,
        shut.links,
        restored.place
    ));
    let mut line = String::new();
    if std::io::stdin().lock().read_line(&mut line).is_ok() && line.trim() == "yes" {
        return Ok(());
    }
    refused("Nothing was taken away", "Start again where you are sure.")
}

fn unread(error: &novelfoundry_database::DbError) -> Failure {
    failures::database("The two installations cannot be compared", error)
}
