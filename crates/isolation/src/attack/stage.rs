//! Where attacks are played: a scratch copy, two sessions of its superuser who acts as the app's role, and the two
//! tenants. Each attempt is rolled back.

use std::collections::HashMap;

use super::links::{Links, owned_by};
use crate::{
    catalog::{Catalog, Relation},
    finding::TenantContext,
    infer::Subject,
    session::{Answer, Heard, Refusal, Session, SessionError, identifier, literal},
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
    /// Returns the statements that make the session act as somebody.
    pub(super) fn enter(&self, actor: Actor) -> Vec<String> {
        // What never ends, or waits for a lock, is refused like anything else.
        let mut statements = vec!["set local statement_timeout = '10s'".to_owned()];
        statements.extend(self.role_settings());
        statements.push(format!("set local session authorization {}", identifier(&self.subject.app_role)));
        match actor {
            Actor::Attacker => statements.extend(self.context_of(&self.attacker)),
            Actor::Victim => statements.extend(self.context_of(&self.victim)),
            Actor::Unset => {}
            Actor::Empty => statements.extend(self.emptied()),
        }
        statements
    }

    /// Returns what empties a context.
    pub(super) fn emptied(&self) -> Vec<String> {
        let settings = self.subject.context.iter().filter_map(|statement| setting_of(statement));
        settings.map(|name| format!("set local {name} = ''")).collect()
    }

    /// Returns what opens a tenant's context.
    pub(super) fn context_of(&self, tenant: &Tenant) -> Vec<String> {
        fill(&self.subject.context, tenant)
    }

    /// Settings that the app's role brings along when it logs in.
    pub(super) fn role_settings(&self) -> Vec<String> {
        self.catalog
            .settings
            .iter()
            .filter(|setting| setting.role == self.app)
            .filter_map(|setting| setting.setting.split_once('='))
            .map(|(name, value)| {
                let value = if name == "search_path" { value.to_owned() } else { literal(value) };
                format!("set local {name} = {value}")
            })
            .collect()
    }

    /// Plays statements as somebody and takes everything back; with `watch` it looks whether the victim's rows are as
    /// they were.
    pub(super) async fn attempt(
        &mut self,
        actor: Actor,
        statements: &[String],
        watch: Option<&str>,
    ) -> Result<Outcome, SessionError> {
        self.attempt_after(&[], actor, statements, watch).await
    }

    /// Plays statements as somebody after some of the superuser's, and takes everything back.
    pub(super) async fn attempt_after(
        &mut self,
        before: &[String],
        actor: Actor,
        statements: &[String],
        watch: Option<&str>,
    ) -> Result<Outcome, SessionError> {
        self.attempts += 1;
        let mut script = vec!["begin".to_owned(), "set constraints all immediate".to_owned()];
        script.extend(before.iter().cloned());
        script.extend(self.enter(actor));
        let first = script.len();
        script.extend(statements.iter().cloned());
        if watch.is_some() {
            script.push("reset session authorization".to_owned());
            script.push("set local statement_timeout = 0".to_owned());
            script.push(self.fingerprint.clone());
        }
        script.push("rollback".to_owned());
        let session = if actor == Actor::Unset { &mut self.fresh } else { &mut self.used };
        session.heard();
        let mut results = session.try_run_all(&script).await?;
        let heard = session.heard();
        results.truncate(results.len() - 1);
        let mut outcome = Outcome { heard, ..Outcome::default() };
        for (index, result) in results.into_iter().enumerate() {
            match result {
                Ok(answer) if index >= first && index < first + statements.len() => {
                    outcome.answers.push(answer);
                }
                Ok(answer) if index == first + statements.len() + 2 => {
                    outcome.changed = changed(watch.unwrap_or_default(), &answer);
                }
                Ok(_) => {}
                Err(refusal) => {
                    outcome.refusal.get_or_insert(refusal);
                    break;
                }
            }
        }
        Ok(outcome)
    }

    /// Plays statements as somebody in a world where the superuser has changed something before, and looks whether they
    /// change the victim's rows there.
    pub(super) async fn attempt_in(
        &mut self,
        before: &[String],
        actor: Actor,
        statements: &[String],
    ) -> Result<Outcome, SessionError> {
        let mut world = before.to_vec();
        world.push(self.fingerprint.clone());
        self.attempts += 1;
        let mut script = vec!["begin".to_owned()];
        script.extend(world);
        let at = script.len() - 1;
        script.push("set constraints all immediate".to_owned());
        script.extend(self.enter(actor));
        script.extend(statements.iter().cloned());
        script.extend(
            ["reset session authorization", "set local statement_timeout = 0"].map(ToOwned::to_owned),
        );
        script.push(self.fingerprint.clone());
        script.push("rollback".to_owned());
        let session = if actor == Actor::Unset { &mut self.fresh } else { &mut self.used };
        session.heard();
        let results = session.try_run_all(&script).await?;
        let mut outcome = Outcome { heard: session.heard(), ..Outcome::default() };
        outcome.refusal = results.iter().find_map(|result| result.as_ref().err().cloned());
        if let (None, Some(Ok(first)), Some(Ok(last))) =
            (&outcome.refusal, results.get(at), results.get(results.len() - 2))
        {
            outcome.changed = changed(&render(first), last);
        }
        Ok(outcome)
    }

    /// Returns statements that, by a superuser, leave one of the victim's rows in a table and none of the attacker's: what
    /// makes a statement fail on another row is out of the way.
    pub(super) fn alone(&self, table: &Relation, row: &super::seed::Row) -> Vec<String> {
        let tenants: Vec<&str> =
            self.foreign_ids().into_iter().chain(std::iter::once(self.attacker.id.as_str())).collect();
        let persons: Vec<&str> =
            self.foreign_persons().into_iter().chain(self.attacker.principal.as_deref()).collect();
        let Some(condition) = owned_by(&self.catalog, &self.links, table.oid, "t", &tenants, &persons) else {
            return Vec::new();
        };
        let key: Vec<String> = self
            .catalog
            .key(table.oid)
            .iter()
            .filter_map(|number| {
                let name = &table.column(*number)?.name;
                Some(format!("t.{} = {}", identifier(name), literal(row.get(name)?.as_ref()?)))
            })
            .collect();
        if key.is_empty() {
            return Vec::new();
        }
        vec![
            "set local session_replication_role = replica".to_owned(),
            format!("delete from {} t where {condition} and not ({})", table.quoted(), key.join(" and ")),
            "set local session_replication_role = origin".to_owned(),
        ]
    }

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

/// Fills a context's statements in for a tenant.
pub(super) fn fill(statements: &[String], tenant: &Tenant) -> Vec<String> {
    let escape = |text: &str| text.replace('\'', "''");
    statements
        .iter()
        .map(|statement| {
            let role = crate::infer::is_role_change(statement);
            let write = |text: &str| if role { identifier(text) } else { escape(text) };
            let person = tenant.principal.as_deref().unwrap_or(&tenant.id);
            let quoted = |text: &str, name: &str| {
                // A role may stand in quotes already.
                text.replace(&format!("\"{{{name}}}\""), &format!("{{{name}}}"))
            };
            let statement =
                if role { quoted(&quoted(statement, "tenant"), "principal") } else { statement.clone() };
            statement.replace("{tenant}", &write(&tenant.id)).replace("{principal}", &write(person))
        })
        .collect()
}

/// Returns the name of the setting that a statement sets, as it is written.
pub(super) fn setting_of(statement: &str) -> Option<String> {
    let words: Vec<&str> = statement.split_whitespace().collect();
    let lower: Vec<String> = words.iter().map(|word| word.to_ascii_lowercase()).collect();
    let at = match lower.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["set", "local" | "session", ..] => 2,
        ["set", ..] => 1,
        _ => {
            let call = statement.to_ascii_lowercase().find("set_config(")?;
            let rest = &statement[call..];
            let start = rest.find('\'')? + 1;
            let end = start + rest[start..].find('\'')?;
            return Some(rest[start..end].to_owned());
        }
    };
    let name = words.get(at)?.split('=').next()?.trim_end_matches(',');
    (!matches!(lower.get(at)?.as_str(), "role" | "session" | "authorization") && name.contains('.'))
        .then(|| name.to_owned())
}

/// Returns the role that a statement becomes.
pub(super) fn role_of(statement: &str) -> Option<String> {
    if !crate::infer::is_role_change(statement) {
        return None;
    }
    let name = statement.split_whitespace().last()?.trim_end_matches(';');
    Some(name.trim_matches(['"', '\'']).to_owned())
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

impl Stage {
    /// Returns the victim and the neighbours.
    pub(super) fn foreign(&self) -> impl Iterator<Item = &Tenant> {
        std::iter::once(&self.victim).chain(&self.neighbours)
    }
}

impl Stage {
    /// Returns statements that, by a superuser, take the victim's and the neighbours' rows out of the world.
    pub(super) fn without_victim(&self) -> Vec<String> {
        let (tenants, persons) = (self.foreign_ids(), self.foreign_persons());
        self.without(&tenants, &persons)
    }

    /// Returns statements that, by a superuser, take the attacker's own rows out of a table: they would fail first where
    /// every row makes a statement fail.
    pub(super) fn without_own(&self, table: &Relation) -> Vec<String> {
        let persons: Vec<&str> = self.attacker.principal.iter().map(String::as_str).collect();
        let Some(condition) =
            owned_by(&self.catalog, &self.links, table.oid, "t", &[&self.attacker.id], &persons)
        else {
            return Vec::new();
        };
        vec![
            "set local session_replication_role = replica".to_owned(),
            format!("delete from {} t where {condition}", table.quoted()),
            "set local session_replication_role = origin".to_owned(),
        ]
    }

    fn without(&self, tenants: &[&str], persons: &[&str]) -> Vec<String> {
        let mut statements = vec!["set local session_replication_role = replica".to_owned()];
        let tables: Vec<&Relation> = self
            .catalog
            .relations
            .iter()
            .filter(|relation| relation.is_table() && !relation.extension && !relation.partition)
            .collect();
        // What is told by others' rows goes first, those rows after it.
        let depth = |table: &&Relation| match self.links.get(&table.oid) {
            Some(super::links::Link::Parent { .. } | super::links::Link::Child { .. }) => 0,
            _ => 1,
        };
        let mut ordered = tables;
        ordered.sort_by_key(depth);
        for table in ordered {
            let condition =
                owned_by(&self.catalog, &self.links, table.oid, "t", tenants, persons).or_else(|| {
                    let rows: Vec<String> =
                        self.provenance.get(&table.oid)?.iter().map(|row| literal(row)).collect();
                    Some(format!("t::text in ({})", rows.join(", ")))
                });
            if let Some(condition) = condition {
                statements.push(format!("delete from {} t where {condition}", table.quoted()));
            }
        }
        statements.push("set local session_replication_role = origin".to_owned());
        for view in self
            .catalog
            .relations
            .iter()
            .filter(|view| view.kind == crate::catalog::RelationKind::MaterializedView)
        {
            statements.push(format!("refresh materialized view {}", view.quoted()));
        }
        statements
    }
}

impl Stage {
    /// Plays statements as the attacker in a world without the victim's and the neighbours' rows.
    pub(super) async fn without_victims(&mut self, statements: &[String]) -> Result<Outcome, SessionError> {
        self.attempts += 1;
        let mut script = vec!["begin".to_owned()];
        script.extend(self.without_victim());
        script.push("set constraints all immediate".to_owned());
        script.extend(self.enter(Actor::Attacker));
        let first = script.len();
        script.extend(statements.iter().cloned());
        script.push("rollback".to_owned());
        let results = self.used.try_run_all(&script).await?;
        let mut outcome = Outcome { heard: self.used.heard(), ..Outcome::default() };
        for (index, result) in results.into_iter().enumerate().take(first + statements.len()) {
            match result {
                Ok(answer) if index >= first => outcome.answers.push(answer),
                Ok(_) => {}
                Err(refusal) => {
                    outcome.refusal = Some(refusal);
                    break;
                }
            }
        }
        Ok(outcome)
    }
}
