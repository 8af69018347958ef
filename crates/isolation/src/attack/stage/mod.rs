//! Where attacks are played: a scratch copy, two sessions of its superuser who acts as the app's role, and the two
//! tenants. Each attempt is rolled back.

use std::collections::HashMap;

mod context;
mod play;
mod worlds;

pub(super) use context::{role_of, setting_of};

use super::links::{Links, owned_by};
use crate::{
    catalog::{Catalog, Relation},
    finding::TenantContext,
    infer::Subject,
    session::{Answer, Heard, Refusal, Session, SessionError, literal},
};

/// One of the tenants, or a neighbour of the attacker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tenant {
    /// The tenant, as text.
    pub(super) id: String,
    /// Who acts for it.
    pub(super) principal: Option<String>,
    /// With what every text made for it begins.
    pub(super) marker: String,
    /// Tells its numbers from others'.
    pub(super) block: u32,
}

/// The copy and everybody in it.
pub(super) struct Stage {
    /// Where the copy is, for its superuser.
    pub(super) url: novelfoundry_connection::DatabaseUrl,
    /// A session that has opened contexts before.
    pub(super) used: Session,
    /// A session that never has.
    pub(super) fresh: Session,
    /// What the copy consists of.
    pub(super) catalog: Catalog,
    /// Whom attacks act as, and how.
    pub(super) subject: Subject,
    /// The app role's oid.
    pub(super) app: u32,
    /// Whose each table's rows are.
    pub(super) links: Links,
    /// The attacker.
    pub(super) attacker: Tenant,
    /// The victim.
    pub(super) victim: Tenant,
    /// Others whose names resemble the attacker's.
    pub(super) neighbours: Vec<Tenant>,
    /// Columns that hold a person who acts for a tenant.
    pub(super) people: Vec<(u32, String)>,
    /// The rows of the victim in tables that nothing ties to a tenant, as text.
    pub(super) provenance: HashMap<u32, Vec<String>>,
    /// Values that rows held before anything was planted, and what was made after them.
    pub(super) rows_say: std::collections::HashSet<String>,
    /// The statement that takes the victim's fingerprint; made once.
    pub(super) fingerprint: String,
    /// How many attempts there were.
    pub(super) attempts: usize,
    /// The objects that are attacked; none is all.
    pub(super) only: Option<std::collections::BTreeSet<String>>,
}

/// Who acts in an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Actor {
    /// The app's role in the attacker's context.
    Attacker,
    /// The app's role in the victim's context.
    Victim,
    /// The app's role on a fresh connection.
    Unset,
    /// The app's role on a connection that served somebody before.
    Empty,
}

impl Actor {
    /// Returns the actor of a context of attack.
    pub(super) fn of(context: TenantContext) -> Self {
        match context {
            TenantContext::Tenant => Self::Attacker,
            TenantContext::Unset => Self::Unset,
            TenantContext::Empty => Self::Empty,
        }
    }
}

/// How an attempt went.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    /// What each statement brought; those behind a refusal are missing.
    pub(super) answers: Vec<Answer>,
    /// The refusal that ended it.
    pub(super) refusal: Option<Refusal>,
    /// What was heard meanwhile.
    pub(super) heard: Vec<Heard>,
    /// The tables whose rows of the victim are not what they were; asked for only where nothing was refused.
    pub(super) changed: Vec<u32>,
}

impl Outcome {
    /// Returns the last statement's answer, where nothing was refused.
    pub(super) fn last(&self) -> Option<&Answer> {
        self.refusal.is_none().then(|| self.answers.last())?
    }

    /// Returns the outcome's class: what somebody learns who sees only whether and how it failed.
    pub(super) fn class(&self) -> String {
        match &self.refusal {
            None => format!("ok {}", self.answers.last().map_or(0, |answer| answer.count)),
            Some(refusal) => {
                format!("{} {}", refusal.code, refusal.constraint.as_deref().unwrap_or_default())
            }
        }
    }
}

impl Stage {
    /// Takes the victim's fingerprint, to compare attempts with.
    pub(super) async fn baseline(&mut self) -> Result<String, SessionError> {
        let statement = self.fingerprint.clone();
        let answer = self.used.run(&statement).await?;
        Ok(render(&answer))
    }

    /// Writes the statement that digests the rows of the victim and the neighbours, table by table, and what tenants
    /// share as the victim sees it.
    pub(super) fn write_fingerprint(&mut self) {
        let mut parts = Vec::new();
        for relation in self.catalog.relations.iter().filter(|relation| !relation.partition) {
            if let Some(rows) = self.watched(relation) {
                parts.push(format!(
                    "select {} as oid, md5(coalesce(string_agg(t::text, chr(10) order by t::text), '')) as digest from {rows}",
                    relation.oid
                ));
            }
        }
        if parts.is_empty() {
            parts.push("select 0 as oid, '' as digest".to_owned());
        }
        self.fingerprint = parts.join(" union all ");
    }

    /// Writes from where the rows of a table come that are the victim's or the neighbours', as `t`.
    pub(super) fn watched(&self, relation: &Relation) -> Option<String> {
        if !relation.is_table() || relation.extension {
            return None;
        }
        let (tenants, persons) = (self.foreign_ids(), self.foreign_persons());
        let only = if relation.kind == crate::catalog::RelationKind::Table { "only " } else { "" };
        let condition = owned_by(&self.catalog, &self.links, relation.oid, "t", &tenants, &persons);
        let condition = match (condition, self.provenance.get(&relation.oid)) {
            (Some(condition), _) => condition,
            (None, Some(rows)) if !rows.is_empty() => {
                let rows: Vec<String> = rows.iter().map(|row| literal(row)).collect();
                format!("t::text in ({})", rows.join(", "))
            }
            _ => return None,
        };
        Some(format!("{only}{} t where {condition}", relation.quoted()))
    }

    /// Returns the victim and the neighbours.
    pub(super) fn foreign(&self) -> impl Iterator<Item = &Tenant> {
        std::iter::once(&self.victim).chain(&self.neighbours)
    }

    /// Returns the tenants whose rows the attacker has no business with.
    pub(super) fn foreign_ids(&self) -> Vec<&str> {
        std::iter::once(&self.victim).chain(&self.neighbours).map(|tenant| tenant.id.as_str()).collect()
    }

    /// Returns the persons of those tenants.
    pub(super) fn foreign_persons(&self) -> Vec<&str> {
        std::iter::once(&self.victim)
            .chain(&self.neighbours)
            .filter_map(|tenant| tenant.principal.as_deref())
            .collect()
    }

    /// Returns the columns that hold persons.
    pub(super) fn people(&self) -> Vec<(u32, String)> {
        self.people.clone()
    }

    /// Returns the relations that are attacked.
    pub(super) fn targets(&self) -> Vec<Relation> {
        let wanted = |relation: &&Relation| !relation.extension && self.wants(&relation.object());
        self.catalog.relations.iter().filter(wanted).cloned().collect()
    }

    /// Tells whether an object is to be attacked.
    pub(super) fn wants(&self, object: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(object))
    }

    /// Tells whether the app's role has a privilege on a relation.
    pub(super) fn may(&self, relation: &Relation, privilege: &str) -> bool {
        self.roles_in_play().iter().any(|role| self.catalog.may(*role, relation, privilege))
    }

    /// Tells whether the app's role has a privilege on a column.
    pub(super) fn may_column(
        &self,
        relation: &Relation,
        column: &crate::catalog::Column,
        privilege: &str,
    ) -> bool {
        self.roles_in_play().iter().any(|role| self.catalog.may_column(*role, relation, column, privilege))
    }

    /// Returns the app's role, and the attacker's own where contexts are opened by becoming one.
    pub(super) fn roles_in_play(&self) -> Vec<u32> {
        let mut roles = vec![self.app];
        for statement in self.context_of(&self.attacker) {
            if let Some(role) = role_of(&statement).and_then(|name| self.catalog.role(&name)) {
                roles.push(role.oid);
            }
        }
        roles
    }
}

fn render(answer: &Answer) -> String {
    let lines = answer
        .rows
        .iter()
        .map(|row| row.iter().map(|cell| cell.as_deref().unwrap_or("")).collect::<Vec<_>>().join(" "));
    lines.collect::<Vec<_>>().join("\n")
}

pub(super) fn changed(baseline: &str, answer: &Answer) -> Vec<u32> {
    let before: Vec<&str> = baseline.lines().collect();
    render(answer)
        .lines()
        .filter(|line| !before.contains(line))
        .filter_map(|line| line.split(' ').next()?.parse().ok())
        .collect()
}
