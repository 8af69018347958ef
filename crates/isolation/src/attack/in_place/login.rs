//! Who logs in, and how that login acts as the app's role and puts canaries down within one transaction.

use super::InPlaceError;
use crate::{
    attack::stage::{Actor, Stage, Tenant},
    catalog::Catalog,
    infer::is_role_change,
    session::{Session, identifier},
};

/// How a login acts as the app's role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is a superuser: it authorizes itself as the app, and plants without triggers and references.
    Superuser,
    /// Policies do not bind it: it sets the app's role, and plants itself.
    Unbound,
    /// Policies bind it, and it may set the app's role.
    Member,
    /// It is the app's role.
    App,
}

/// A login.
#[derive(Clone, Debug)]
pub(super) struct Login {
    /// Its name.
    pub(super) name: String,
    /// What it can do.
    pub(super) kind: Kind,
}

impl Login {
    /// Asks who is there, and refuses where nothing may be tried.
    pub(super) async fn ask(
        session: &mut Session,
        catalog: &Catalog,
        app: &str,
    ) -> Result<Self, InPlaceError> {
        let answer = session.run("select session_user, pg_is_in_recovery()").await?;
        let cell = |at: usize| answer.rows.first().and_then(|row| row.get(at)?.clone()).unwrap_or_default();
        if cell(1) == "t" {
            return Err(InPlaceError::Replica);
        }
        if catalog.citus {
            return Err(InPlaceError::Citus);
        }
        let name = cell(0);
        let missing = || InPlaceError::CannotAct { login: name.clone(), app: app.to_owned() };
        let role = catalog.role(&name).ok_or_else(missing)?;
        let kind = if name == app {
            Kind::App
        } else if role.superuser {
            Kind::Superuser
        } else if catalog.role(app).is_some_and(|app| catalog.may_become(role.oid).contains(&app.oid)) {
            if role.bypassrls { Kind::Unbound } else { Kind::Member }
        } else {
            return Err(missing());
        };
        Ok(Self { name, kind })
    }

    /// Tells whether it plants without a tenant's context.
    pub(super) fn plants_itself(&self) -> bool {
        matches!(self.kind, Kind::Superuser | Kind::Unbound)
    }

    /// Says who plants, for the report.
    pub(super) fn because(&self) -> String {
        match self.kind {
            Kind::Superuser => format!("{} plants the canaries, without triggers and references", self.name),
            Kind::Unbound => format!("{} plants the canaries, past the policies", self.name),
            Kind::Member | Kind::App => "the app plants each tenant's canaries in its context".to_owned(),
        }
    }

    /// Returns what makes the session the login's own again; a context stays open.
    pub(super) fn itself(&self) -> Vec<String> {
        match self.kind {
            Kind::Superuser => vec![
                "reset session authorization".to_owned(),
                "set local session_replication_role = origin".to_owned(),
            ],
            Kind::Unbound | Kind::Member | Kind::App => vec!["set local role none".to_owned()],
        }
    }

    /// Returns what makes the session the app's role, without a context.
    fn app(&self, stage: &Stage) -> Vec<String> {
        let mut statements = self.itself();
        let app = identifier(&stage.subject.app_role);
        match self.kind {
            Kind::Superuser => {
                statements.extend(stage.role_settings().into_iter().filter(|text| !is_ours(text)));
                statements.push(format!("set local session authorization {app}"));
            }
            Kind::Unbound | Kind::Member => statements.push(format!("set local role {app}")),
            Kind::App => {}
        }
        statements
    }

    /// Returns what makes the session act as somebody.
    pub(super) fn act(&self, stage: &Stage, actor: Actor) -> Vec<String> {
        let mut statements = self.app(stage);
        match actor {
            Actor::Attacker => statements.extend(stage.context_of(&stage.attacker)),
            Actor::Victim => statements.extend(stage.context_of(&stage.victim)),
            Actor::Unset => {}
            Actor::Empty => statements.extend(stage.emptied()),
        }
        statements
    }

    /// Returns what makes the session one that may plant for a tenant.
    pub(super) fn planter(&self, stage: &Stage, tenant: &Tenant) -> Vec<String> {
        match self.kind {
            Kind::Superuser => vec![
                "reset session authorization".to_owned(),
                "set local session_replication_role = replica".to_owned(),
            ],
            Kind::Unbound => self.itself(),
            Kind::Member | Kind::App => {
                let mut statements = self.app(stage);
                statements.extend(stage.context_of(tenant));
                statements
            }
        }
    }

    /// Returns what makes the session one that sees whether a tenant's canaries are as they were.
    pub(super) fn looker(&self, stage: &Stage) -> Vec<String> {
        if self.plants_itself() { self.itself() } else { self.act(stage, Actor::Victim) }
    }
}

/// Tells whether a role's setting would lift a limit of the transaction's.
fn is_ours(statement: &str) -> bool {
    ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "session_replication_role"]
        .iter()
        .any(|name| statement.contains(name))
        || is_role_change(statement)
}
