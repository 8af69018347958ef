//! `novelfoundry user list`: who has an account.

use novelfoundry_database::issuer::Account;
use serde::Serialize;

use super::{Installation, refused};
use crate::{
    commands::Context,
    output::{Exit, Failure},
};

const PAGE: u16 = 500;

/// Lists the people who have an account, the oldest first, while `up` runs
#[derive(clap::Args)]
pub(crate) struct List;

#[derive(Serialize)]
struct Row {
    email: String,
    user_id: String,
    disabled: bool,
    created_at: String,
    last_sign_in_at: Option<String>,
}

impl Row {
    fn of(account: &Account) -> Self {
        // Fractions of seconds are of no use here.
        let moment = |at: jiff::Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        Self {
            email: account.email().to_owned(),
            user_id: account.user_id().to_string(),
            disabled: account.is_disabled(),
            created_at: moment(account.created_at()),
            last_sign_in_at: account.last_sign_in_at().map(moment),
        }
    }
}

impl List {
    /// Runs the command.
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let issuer = Box::pin(Box::pin(Installation::meant(context)).await?.issuer()).await?;
        let mut rows = Vec::new();
        let mut after = None;
        loop {
            let page = issuer.accounts(after, PAGE).await;
            let page = page.map_err(|error| refused("The accounts cannot be read", error))?;
            rows.extend(page.iter().map(Row::of));
            match page.last() {
                Some(last) if page.len() == usize::from(PAGE) => after = Some(last.user_id()),
                _ => break,
            }
        }
        let output = context.output;
        if output.json {
            output.data_json(&rows)?;
        } else if rows.is_empty() {
            output.say("Nobody has an account yet; `novelfoundry user create` makes one.");
        } else {
            output.data(&table(&rows))?;
        }
        Ok(Exit::Done)
    }
}

/// Writes the rows aligned, below a head.
fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.email.len()).max().unwrap_or(0).max("e-mail".len());
    let line = |email: &str, created: &str, last: &str, state: &str, id: &str| {
        format!("{email:<width$}  {created:<20}  {last:<20}  {state:<8}  {id}\n")
    };
    let mut text = line("e-mail", "created", "last sign-in", "state", "user id");
    for row in rows {
        let last = row.last_sign_in_at.as_deref().unwrap_or("-");
        let state = if row.disabled { "disabled" } else { "enabled" };
        text.push_str(&line(&row.email, &row.created_at, last, state, &row.user_id));
    }
    text
}
