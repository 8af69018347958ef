//! `novelfoundry user erase`: what the endpoint does for people themselves, by the operator's right.

use std::io::{BufRead as _, IsTerminal as _};

use novelfoundry_core::{Clock as _, IdSource, SystemClock, TenantId, UserId, report};
use novelfoundry_database::{
    departure::{self, DepartureError, Leaver},
    issuer::Account,
    workspaces::Deletion,
};
use novelfoundry_embedded::issuer::Issuer;
use serde::Serialize;

use super::{Installation, refused};
use crate::{
    commands::{Context, failures},
    output::{Exit, Failure},
};

const PAGE: u16 = 500;

/// Erases a person for good, while `up` runs: their account, and the workspaces that nobody else is in
///
/// They leave the workspaces of others, where what they wrote stays. The address is free for a new account. Who is the only
/// owner of others is refused.
#[derive(clap::Args)]
pub(crate) struct Erase {
    /// The e-mail address of the account, or the person's id: that alone finds whoever was erased half-way
    person: String,
    /// Does not ask
    #[arg(long)]
    yes: bool,
}

#[derive(Serialize)]
struct Erased<'a> {
    installation: &'a str,
    email: Option<&'a str>,
    user_id: String,
    erased: bool,
}

impl Erase {
    /// Runs the command.
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let installation = Box::pin(Installation::meant(context)).await?;
        let issuer = Box::pin(installation.issuer()).await?;
        let account = self.account(&issuer).await?;
        let email = account.as_ref().map(Account::email);
        let Installation { control, operator, place, .. } = &installation;
        let missing = || {
            let what = format!("There is no account {} in {place}", self.person.escape_debug());
            Failure::new(what, "`novelfoundry user list` shows those there are.")
        };
        let user = match &account {
            Some(account) => account.user_id(),
            None => self.person.parse::<UserId>().map_err(|_| missing())?,
        };
        let known = departure::is_known(control, &Leaver::from_operator(operator, user)).await;
        if account.is_none() && !known.map_err(|error| not_erased(&self.person, user, error.into()))? {
            return Err(missing());
        }
        if !self.yes {
            self.ask(context, place)?;
        }
        let purge_after = context.loaded.config.api.purge_after_seconds.seconds();
        erase(&installation, &issuer, user, purge_after)
            .await
            .map_err(|error| not_erased(&self.person, user, error))?;
        let output = context.output;
        if output.json {
            let user_id = user.to_string();
            output.data_json(&Erased { installation: place, email, user_id, erased: true })?;
        } else {
            let name = email.unwrap_or(&self.person);
            output.say(&format!("{name} is erased in {place}, with the workspaces that nobody else was in."));
        }
        Ok(Exit::Done)
    }

    async fn account(&self, issuer: &Issuer) -> Result<Option<Account>, Failure> {
        let named = |account: &Account| {
            account.email().eq_ignore_ascii_case(self.person.trim())
                || account.user_id().to_string() == self.person
        };
        let mut after = None;
        loop {
            let page = issuer.accounts(after, PAGE).await;
            let page = page.map_err(|error| refused("The accounts cannot be read", error))?;
            after = page.last().map(Account::user_id);
            let is_last = page.len() < usize::from(PAGE);
            let found = page.into_iter().find(named);
            if found.is_some() || is_last {
                return Ok(found);
            }
        }
    }

    /// Has somebody at a terminal repeat who it is; without one there is nobody to ask.
    fn ask(&self, context: &Context, place: &str) -> Result<(), Failure> {
        let refused = |what: &str, next: &str| Err(Failure::new(what, next).exit(Exit::Refused));
        if !std::io::stdin().is_terminal() || context.output.json {
            return refused(
                "Nobody can be asked whether to erase the person",
                "Give --yes where you are sure.",
            );
        }
        context.output.say(&format!(
            "This erases {} in {place} and the workspaces that nobody else is in, for good. Type the same again to go on:",
            self.person
        ));
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        if read.is_ok() && line.trim() == self.person {
            return Ok(());
        }
        refused("Nobody was erased: that was not the same", "Start again where you are sure.")
    }
}

/// Erases a person. May be repeated.
pub(in crate::commands) async fn erase(
    installation: &Installation,
    issuer: &Issuer,
    user: UserId,
    purge_after: std::time::Duration,
) -> Result<(), DepartureError> {
    let Installation { control, tenant, operator, .. } = installation;
    let (leaver, ids) = (Leaver::from_operator(operator, user), IdSource::default());
    let deletion = || Deletion::plan(&ids, SystemClock.now(), purge_after);
    Box::pin(departure::depart(control, tenant, &leaver, deletion, issuer.erase_account(user))).await?;
    tracing::info!(user_id = %user, "the operator erased a person");
    Ok(())
}

fn not_erased(person: &str, user: UserId, error: DepartureError) -> Failure {
    let person = person.escape_debug();
    let what = format!("{person} was not erased");
    match error {
        DepartureError::Database(error) => failures::database(&what, &error),
        // By the id: the address may be gone.
        DepartureError::Unfinished(error) => Failure::new(
            format!("{person} is erased in part"),
            format!(
                "`novelfoundry user erase {user}` goes on with it; where nobody does, `up` finishes it within minutes."
            ),
        )
        .because(report(&error))
        .exit(Exit::Unavailable),
        DepartureError::Endless => Failure::new(what, "Shut the account by `user disable`, then try again.")
            .because(error)
            .exit(Exit::Unavailable),
        DepartureError::LastOwner { workspaces, begun } => {
            let ids: Vec<_> = workspaces.iter().map(TenantId::to_string).collect();
            let left = if begun { "; they have left others already" } else { "" };
            Failure::new(
                what,
                "Have another owner join by `novelfoundry user invite EMAIL --tenant ID --role owner`, or delete the \
                 workspace by `novelfoundry tenant delete ID`; then try again.",
            )
            .because(format!("they are the only owner of others in: {}{left}", ids.join(", ")))
            .exit(Exit::Refused)
        }
    }
}
