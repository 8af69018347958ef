//! `novelfoundry tenant delete`: what the endpoint does, by the operator's right.

use std::io::{BufRead as _, IsTerminal as _};

use novelfoundry_core::{Clock as _, IdSource, SystemClock, TenantId};
use novelfoundry_database::{
    Authority, DbError, Purge, Refusal,
    purge::workspace::{self, Holdings},
    workspaces::{self, Deletion},
};
use serde::Serialize;

use super::{desk, missing};
use crate::{
    commands::{Context, failures},
    output::{Exit, Failure},
};

/// Deletes a workspace for good, with all that anybody made in it
#[derive(clap::Args)]
pub(crate) struct Delete {
    /// The workspace's id, as `tenant list` shows it
    #[arg(value_name = "ID")]
    tenant: TenantId,
    /// Only says what would go, table by table
    #[arg(long)]
    dry_run: bool,
    /// Does not ask
    #[arg(long)]
    yes: bool,
}

#[derive(Serialize)]
struct Told<'a> {
    installation: &'a str,
    tenant_id: String,
    name: &'a str,
    deleted: bool,
    purge_at: Option<String>,
    objects: i64,
    bytes: i64,
    tables: Vec<TableRows>,
}

#[derive(Serialize)]
struct TableRows {
    table: &'static str,
    rows: i64,
    then: &'static str,
}

impl Delete {
    /// Runs the command.
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let desk = Box::pin(desk(context)).await?;
        let authority = Authority::from_operator(&desk.operator, self.tenant);
        let failed = |error: DbError| match error {
            DbError::Refused(Refusal::WorkspaceNotFound | Refusal::NotAMember) => missing(self.tenant),
            error => failures::database("The workspace was not deleted", &error),
        };
        let holdings = workspace::holdings(&desk.tenant, &authority).await.map_err(failed)?;
        if self.dry_run {
            return self.tell(context, &desk.place, &holdings, None);
        }
        if !self.yes {
            self.ask(context, &desk.place, &holdings)?;
        }
        let purge_after = desk.config.api.purge_after_seconds.seconds();
        let deletion = Deletion::plan(&IdSource::default(), SystemClock.now(), purge_after);
        if !workspaces::delete(&desk.tenant, &authority, deletion).await.map_err(failed)? {
            return Err(missing(self.tenant));
        }
        tracing::info!(tenant_id = %self.tenant, "the operator deleted a workspace");
        self.tell(context, &desk.place, &holdings, Some(deletion))
    }

    /// Has somebody at a terminal repeat the id; without one there is nobody to ask.
    fn ask(&self, context: &Context, place: &str, holdings: &Holdings) -> Result<(), Failure> {
        let refused = |what: &str, next: &str| Err(Failure::new(what, next).exit(Exit::Refused));
        if !std::io::stdin().is_terminal() || context.output.json {
            return refused(
                "Nobody can be asked whether to delete the workspace",
                "Look at it by --dry-run, then give --yes.",
            );
        }
        context.output.say(&format!(
            "This deletes {} with {} files of {} bytes in {place}, for good. Type the workspace's id to go on:",
            holdings.name, holdings.objects, holdings.bytes
        ));
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        if read.is_ok() && line.trim() == self.tenant.to_string() {
            return Ok(());
        }
        refused("The workspace was not deleted: that was not its id", "Start again where you are sure.")
    }

    fn tell(
        &self,
        context: &Context,
        place: &str,
        holdings: &Holdings,
        deletion: Option<Deletion>,
    ) -> Result<Exit, Failure> {
        let tables: Vec<_> = holdings
            .rows
            .iter()
            .map(|(table, rows)| TableRows { table: table.name, rows: *rows, then: then(table.purge) })
            .collect();
        let output = context.output;
        if output.json {
            output.data_json(&Told {
                installation: place,
                tenant_id: self.tenant.to_string(),
                name: &holdings.name,
                deleted: deletion.is_some(),
                purge_at: deletion.map(|deletion| deletion.purge_at().to_string()),
                objects: holdings.objects,
                bytes: holdings.bytes,
                tables,
            })?;
            return Ok(Exit::Done);
        }
        if let Some(deletion) = deletion {
            output.say(&format!(
                "{} in {place} is deleted; its rows and files are purged from {} on, by the workers.",
                holdings.name,
                deletion.purge_at()
            ));
            return Ok(Exit::Done);
        }
        let mut lines = vec![format!("{} ({}) in {place}", holdings.name, self.tenant)];
        lines.extend(
            tables.iter().map(|TableRows { table, rows, then }| format!("{table:<20} {rows:>10}  {then}")),
        );
        lines.push(format!("{:<20} {:>10}  deleted, {} bytes", "files", holdings.objects, holdings.bytes));
        output.data(&lines.join("\n"))?;
        Ok(Exit::Done)
    }
}

/// Says what becomes of rows.
const fn then(purge: Purge) -> &'static str {
    match purge {
        Purge::Rows => "deleted",
        Purge::Objects => "deleted, with their files",
        Purge::Marker => "stays, without its name",
        Purge::Kept => "kept",
        Purge::Ages => "forgotten by age",
        Purge::None => "",
    }
}
