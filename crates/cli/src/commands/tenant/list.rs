//! `novelfoundry tenant list`: the workspaces there are, and those that wait for their purge.

use novelfoundry_database::workspaces::{self, Overview};
use serde::Serialize;

use super::desk;
use crate::{
    commands::{Context, failures},
    output::{Exit, Failure},
};

/// Workspaces that are read at once.
const PAGE: u16 = 500;

/// Lists workspaces with the number of their members; deleted ones until they are purged
#[derive(clap::Args)]
pub(crate) struct List;

#[derive(Serialize)]
struct Row {
    tenant_id: String,
    name: Option<String>,
    members: i64,
    purge_at: Option<String>,
}

impl From<Overview> for Row {
    fn from(overview: Overview) -> Self {
        Self {
            tenant_id: overview.tenant_id.to_string(),
            name: overview.name,
            members: overview.members,
            purge_at: overview.purge_at.map(|at| at.to_string()),
        }
    }
}

impl List {
    /// Runs the command.
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let desk = Box::pin(desk(context)).await?;
        let mut rows = Vec::new();
        let mut after = None;
        loop {
            let page = workspaces::overview(&desk.control, after, PAGE)
                .await
                .map_err(|error| failures::database("The workspaces cannot be listed", &error))?;
            let is_last = page.len() < usize::from(PAGE);
            after = page.last().map(|row| row.tenant_id);
            rows.extend(page.into_iter().map(Row::from));
            if is_last {
                break;
            }
        }
        if context.output.json {
            context.output.data_json(&rows)?;
            return Ok(Exit::Done);
        }
        let head = format!("{:<36}  members  name", "workspace");
        let lines = rows.iter().map(|row| {
            let name = match (&row.name, &row.purge_at) {
                (_, Some(at)) => format!("(deleted; its purge is due {at})"),
                (Some(name), None) => name.clone(),
                (None, None) => String::new(),
            };
            format!("{}  {:>7}  {name}", row.tenant_id, row.members)
        });
        context.output.data(&std::iter::once(head).chain(lines).collect::<Vec<_>>().join("\n"))?;
        Ok(Exit::Done)
    }
}
