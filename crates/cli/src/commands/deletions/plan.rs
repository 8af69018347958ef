//! Compares two installations: what the restored one has and the one that it replaces has no more.

use std::collections::HashMap;

use jiff::Timestamp;
use novelfoundry_core::{TenantId, UserId};
use novelfoundry_database::{
    Authority, DbError, Refusal,
    issuer::{self, Account},
    restored::{self, Contents, Known, TakenAway},
};

use super::{Action, Installation, unread};
use crate::output::{Exit, Failure};

const PAGE: u16 = 500;

/// Lists what is to be done, in the order in which it can be: owners rise before others go, workspaces are deleted before
/// people are, and those leave one after the other before they are erased.
pub(super) async fn plan(
    restored: &Installation,
    replaced: &Installation,
    until: Option<Timestamp>,
) -> Result<Vec<Action>, Failure> {
    let here = restored::workspaces(&restored.operator, &restored.owner).await.map_err(|e| unread(&e))?;
    let there = restored::workspaces(&replaced.operator, &replaced.owner).await.map_err(|e| unread(&e))?;
    let there: HashMap<TenantId, Known> = there.into_iter().map(|known| (known.tenant_id, known)).collect();
    let in_time = |made: Timestamp| until.is_none_or(|until| made <= until);
    let (mut workspaces, mut inside) = (Vec::new(), Vec::new());
    for known in here.into_iter().filter(|known| in_time(known.created_at)) {
        let tenant = known.tenant_id;
        // A row of a workspace stays for good: without it, this is not what came of the backup.
        let now = there.get(&tenant).ok_or_else(|| unrelated(tenant, &replaced.place))?;
        if !known.lives {
            continue;
        }
        let Some(had) = contents(restored, tenant, until).await? else { continue };
        match if now.lives { contents(replaced, tenant, None).await? } else { None } {
            Some(has) => inside.push((tenant, TakenAway::between(&had, &has))),
            None => workspaces.push(Action::DeleteWorkspace { tenant }),
        }
    }
    let mut actions = Vec::new();
    for (tenant, taken) in &inside {
        actions.extend(taken.roles.iter().map(|&(user, role)| Action::SetRole {
            tenant: *tenant,
            user,
            role,
        }));
    }
    actions.extend(workspaces);
    for (tenant, taken) in inside {
        let TakenAway { members, invitations, projects, manuscripts, analyses, .. } = taken;
        let invitations = invitations.into_iter();
        actions.extend(invitations.map(|invitation| Action::WithdrawInvitation { tenant, invitation }));
        actions.extend(projects.into_iter().map(|project| Action::DeleteProject { tenant, project }));
        let manuscripts = manuscripts.into_iter();
        actions.extend(manuscripts.map(|(project, manuscript)| Action::DeleteManuscript {
            tenant,
            project,
            manuscript,
        }));
        let analyses = analyses.into_iter();
        actions.extend(analyses.map(|(project, analysis)| Action::DeleteAnalysis {
            tenant,
            project,
            analysis,
        }));
        actions.extend(members.into_iter().map(|user| Action::TakeOut { tenant, user }));
    }
    actions.extend(people(restored, replaced, until).await?);
    Ok(actions)
}

/// Reads what is in a workspace; `None` where it was deleted meanwhile.
async fn contents(
    installation: &Installation,
    tenant: TenantId,
    until: Option<Timestamp>,
) -> Result<Option<Contents>, Failure> {
    let authority = Authority::from_operator(&installation.operator, tenant);
    match restored::contents(&installation.tenant, &authority, until).await {
        Ok(contents) => Ok(Some(contents)),
        Err(DbError::Refused(Refusal::WorkspaceNotFound)) => Ok(None),
        Err(error) => Err(unread(&error)),
    }
}

async fn people(
    restored: &Installation,
    replaced: &Installation,
    until: Option<Timestamp>,
) -> Result<Vec<Action>, Failure> {
    let now: HashMap<UserId, Account> =
        accounts(replaced).await?.into_iter().map(|account| (account.user_id(), account)).collect();
    let mut actions = Vec::new();
    for account in accounts(restored).await? {
        let (user, email) = (account.user_id(), account.email().to_owned());
        let in_time = until.is_none_or(|until| account.created_at() <= until);
        match now.get(&user) {
            None if in_time => actions.push(Action::Erase { user, email }),
            None => {}
            Some(now) => {
                // A shut account takes no password.
                let differs = now.password_hash().expose() != account.password_hash().expose();
                if differs && !account.is_disabled() {
                    let hash = now.password_hash().clone();
                    actions.push(Action::SetPassword { user, email: email.clone(), hash });
                }
                if now.is_disabled() && !account.is_disabled() {
                    actions.push(Action::Disable { user, email });
                }
            }
        }
    }
    Ok(actions)
}

async fn accounts(installation: &Installation) -> Result<Vec<Account>, Failure> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = issuer::accounts(&installation.accounts, after, PAGE).await.map_err(|e| unread(&e))?;
        let is_last = page.len() < usize::from(PAGE);
        after = page.last().map(Account::user_id);
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}

fn unrelated(tenant: TenantId, place: &str) -> Failure {
    Failure::new(
        format!("{place} never had the workspace {tenant}: the backup is not of it, or somebody works already"),
        "Name by --from the installation that the backup was made of; where somebody has made workspaces since it was \
         restored, give --made-before a time before that.",
    )
    .exit(Exit::Refused)
}
