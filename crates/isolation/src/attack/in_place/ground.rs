//! The transactions in which a database is attacked where it is: short, impatient, and always rolled back. Each plants the
//! canaries that its attempts aim at; an attempt is a savepoint that is taken back too.

use std::{
    collections::{BTreeSet, HashSet},
    time::{Duration, Instant},
};

use super::{harmless::Harmless, login::Login};
use crate::{
    attack::{
        Hunt,
        links::owned_by,
        seed::{Row, insert},
        stage::{Actor, Outcome, Tenant},
        writes::by_key,
    },
    catalog::Relation,
    session::{Answer, Refusal, Session, SessionError, identifier},
};

/// How long one transaction goes on taking attempts: so long may a writer wait for a key that a canary has.
const PATIENCE: Duration = Duration::from_millis(300);

/// Attempts with writes in one transaction; beyond 64 every snapshot of the server would have to look them up on disk.
const WRITES: usize = 32;

/// What every transaction begins with.
pub(super) const LIMITS: [&str; 5] = [
    "set local lock_timeout = '50ms'",
    "set local statement_timeout = '2s'",
    "set local idle_in_transaction_session_timeout = '5s'",
    "set local max_parallel_workers_per_gather = 0",
    "set local jit = off",
];

/// The cursor that stands on a canary.
pub(super) const CURSOR: &str = "nf_canary";

/// What stands between the parts of an attempt.
const MARK: &str = "nf_mark";

/// The database, who attacks it, and what is planted for each attempt.
pub(super) struct Ground {
    /// The findings and whom they are about.
    pub(super) hunt: Hunt,
    /// Who is logged in.
    pub(super) login: Login,
    /// What may be touched.
    pub(super) harmless: Harmless,
    /// The tables in the order in which they are planted.
    pub(super) order: Vec<Relation>,
    /// Whose canary can be planted in which table.
    pub(super) canaries: HashSet<(u32, String)>,
    open: Option<Open>,
}

/// A transaction that is under way.
struct Open {
    fresh: bool,
    victims: bool,
    planted: HashSet<(u32, String)>,
    since: Instant,
    writes: usize,
}

/// What is tried.
pub(super) struct Attempt<'a> {
    /// What it is about, for what could not be tried.
    pub(super) object: &'a str,
    /// Who acts.
    pub(super) actor: Actor,
    /// The tables whose canaries are to be there.
    pub(super) needs: &'a BTreeSet<u32>,
    /// Whether the victim has any.
    pub(super) victims: bool,
    /// The condition of the canary that a cursor is put on, and its table.
    pub(super) cursor: Option<(&'a Relation, &'a str)>,
    /// The statements.
    pub(super) statements: &'a [String],
    /// Rows that are the victim's if the attempt succeeds; none where nothing is written.
    pub(super) watch: Option<&'a [(u32, Row)]>,
}

impl<'a> Attempt<'a> {
    /// Returns an attempt that only reads.
    pub(super) fn reading(
        object: &'a str,
        actor: Actor,
        needs: &'a BTreeSet<u32>,
        statements: &'a [String],
    ) -> Self {
        Self { object, actor, needs, victims: true, cursor: None, statements, watch: None }
    }
}

/// Sends a query in a transaction of its own that only reads, after other statements, and tells what the server says.
pub(in crate::attack) async fn guarded(
    session: &mut Session,
    opening: &[String],
    query: &str,
) -> Result<Result<Answer, Refusal>, SessionError> {
    let mut script = vec!["begin isolation level read committed, read only".to_owned()];
    script.extend(LIMITS.iter().map(ToString::to_string));
    script.extend(opening.iter().cloned());
    script.push(query.to_owned());
    let result = session.try_run_script(&script).await?;
    session.run("rollback").await?;
    Ok(result.map(|mut answers| answers.pop().unwrap_or_default()))
}

impl Ground {
    /// Stands on a database.
    pub(super) fn new(hunt: Hunt, login: Login, harmless: Harmless, order: Vec<Relation>) -> Self {
        Self { hunt, login, harmless, order, canaries: HashSet::new(), open: None }
    }

    /// Returns the tables whose canaries an attempt on some relations needs: what they read, refer to and ask.
    pub(super) fn needs(&self, first: &[u32]) -> BTreeSet<u32> {
        let catalog = &self.hunt.stage.catalog;
        let mut all = BTreeSet::new();
        let mut open = first.to_vec();
        while let Some(oid) = open.pop() {
            let Some(relation) = catalog.relation(oid).filter(|_| all.insert(oid)) else { continue };
            open.extend(relation.reads.iter().chain(&relation.parents));
            open.extend(catalog.foreign_keys(oid).map(|key| key.references));
            for policy in catalog.policies.iter().filter(|policy| policy.table == oid) {
                open.extend(&policy.relations);
                for function in catalog.functions_behind(&policy.functions) {
                    let named = catalog.relations.iter().filter(|relation| {
                        relation.is_table() && crate::catalog::mentions(&function.source, &relation.name)
                    });
                    open.extend(named.map(|relation| relation.oid));
                }
            }
        }
        all.retain(|oid| self.canaries.iter().any(|(table, _)| table == oid));
        all
    }

    /// Tells whether a tenant has a canary in a table.
    pub(super) fn has_canary(&self, table: u32, tenant: &Tenant) -> bool {
        self.canaries.contains(&(table, tenant.id.clone()))
    }

    /// Tries something; none where a canary that it needs could not be planted.
    pub(super) async fn attempt(&mut self, attempt: Attempt<'_>) -> Result<Option<Outcome>, SessionError> {
        let fresh = attempt.actor == Actor::Unset;
        let goes_on = self.open.as_ref().is_some_and(|open| {
            open.fresh == fresh
                && open.victims == attempt.victims
                && open.writes < WRITES
                && open.since.elapsed() < PATIENCE
        });
        if !goes_on {
            self.close().await?;
            self.begin(fresh, attempt.victims).await?;
        }
        if !self.plant(attempt.needs, attempt.object).await? {
            return Ok(None);
        }
        self.hunt.stage.attempts += 1;
        let look = attempt.watch.map(|rows| self.look(rows));
        let script = self.script(&attempt, look.as_deref());
        let session = self.session(fresh);
        session.heard();
        let result = session.try_run_script(&script).await?;
        let heard = session.heard();
        let back = ["rollback to savepoint attempt".to_owned(), "release savepoint attempt".to_owned()];
        if session.try_run_script(&back).await?.is_err() {
            self.close().await?;
        }
        if let Some(open) = &mut self.open {
            open.writes += usize::from(look.is_some());
        }
        let mut outcome = Outcome { heard, ..Outcome::default() };
        match result {
            Err(refusal) => outcome.refusal = Some(refusal),
            Ok(answers) => {
                let parts: Vec<&[Answer]> =
                    answers.split(|answer| answer.columns.first().is_some_and(|name| name == MARK)).collect();
                if let [_, before, _, tried, _, after] = parts.as_slice() {
                    outcome.answers = tried.to_vec();
                    let known: Vec<_> = before.iter().flat_map(|answer| &answer.rows).collect();
                    let differs =
                        after.iter().flat_map(|answer| &answer.rows).filter(|row| !known.contains(row));
                    outcome.changed = differs.filter_map(|row| row.first()?.as_ref()?.parse().ok()).collect();
                }
            }
        }
        if let Some(refusal) = outcome.refusal.as_ref().filter(|refusal| is_passing(refusal)) {
            let reason = format!("an attempt gave way: {}", refusal.message);
            self.hunt.not_attacked(attempt.object, reason);
        }
        Ok(Some(outcome))
    }

    /// Writes an attempt as one message: outside a transaction its first statement is refused, and nothing else runs.
    fn script(&self, attempt: &Attempt<'_>, look: Option<&str>) -> Vec<String> {
        let stage = &self.hunt.stage;
        let mark = format!("select 1 as {MARK}");
        let mut script = vec!["savepoint attempt".to_owned()];
        let looker = if look.is_some() { self.login.looker(stage) } else { Vec::new() };
        script.extend(looker.iter().cloned());
        script.push(mark.clone());
        script.extend(look.map(ToOwned::to_owned));
        script.push(mark.clone());
        if let Some((table, condition)) = attempt.cursor {
            script.push(format!(
                "declare {CURSOR} cursor for select 1 from {} where {condition}",
                table.quoted()
            ));
            script.push(format!("fetch {CURSOR}"));
        }
        script.extend(self.login.act(stage, attempt.actor));
        // Whatever a context's statements bring back, what is tried is found by its place between marks.
        script.push(mark.clone());
        script.extend(attempt.statements.iter().cloned());
        script.push(mark.clone());
        script.extend(looker);
        script.push(mark);
        script.extend(look.map(ToOwned::to_owned));
        script
    }

    /// Takes the transaction back that is under way, if one is.
    pub(super) async fn close(&mut self) -> Result<(), SessionError> {
        if let Some(open) = self.open.take() {
            self.session(open.fresh).run("rollback").await?;
        }
        Ok(())
    }

    fn session(&mut self, fresh: bool) -> &mut Session {
        if fresh { &mut self.hunt.stage.fresh } else { &mut self.hunt.stage.used }
    }

    async fn begin(&mut self, fresh: bool, victims: bool) -> Result<(), SessionError> {
        let mut script = vec!["begin isolation level read committed, read write".to_owned()];
        script.extend(LIMITS.iter().map(ToString::to_string));
        // What is checked at the end would not be checked at all, and a key that is not ours must be refused at once.
        script.push("set constraints all immediate".to_owned());
        let result = self.session(fresh).try_run_script(&script).await?;
        self.open = Some(Open { fresh, victims, planted: HashSet::new(), since: Instant::now(), writes: 0 });
        result.map(drop).map_err(|refusal| crate::session::refused(&script.join("; "), &refusal))
    }

    /// Plants what is not there yet; tells whether everything is.
    async fn plant(&mut self, needs: &BTreeSet<u32>, object: &str) -> Result<bool, SessionError> {
        let mut whole = true;
        for table in self.order.clone().iter().filter(|table| needs.contains(&table.oid)) {
            let tenants = [self.hunt.stage.attacker.clone(), self.hunt.stage.victim.clone()];
            for (index, tenant) in tenants.iter().enumerate() {
                let key = (table.oid, tenant.id.clone());
                let Some(open) = &self.open else { return Ok(false) };
                let wanted = index == 0 || open.victims;
                if !wanted || open.planted.contains(&key) || !self.canaries.contains(&key) {
                    continue;
                }
                let fresh = open.fresh;
                // On a connection that never had a context, none is opened to plant.
                if fresh && !self.login.plants_itself() {
                    return Ok(false);
                }
                let Some(row) = self.hunt.seeds.row(table.oid, tenant) else { continue };
                let mut script = vec!["savepoint planted".to_owned()];
                script.extend(self.login.planter(&self.hunt.stage, tenant));
                script.push(insert(table, row));
                script.extend(self.login.itself());
                script.push("release savepoint planted".to_owned());
                let session = self.session(fresh);
                let Err(refusal) = session.try_run_script(&script).await? else {
                    if let Some(open) = &mut self.open {
                        open.planted.insert(key);
                    }
                    continue;
                };
                session.run("rollback to savepoint planted; release savepoint planted").await?;
                whole &= table.object() != object || index == 0;
                if is_passing(&refusal) {
                    let reason = format!("a canary gave way: {}", refusal.message);
                    self.hunt.not_attacked(table.object(), reason);
                } else {
                    self.canaries.remove(&key);
                    let reason = format!("{} ({})", refusal.message, refusal.code);
                    self.hunt.seeds.failed.entry(table.oid).or_insert(reason);
                }
            }
        }
        Ok(whole)
    }

    /// Writes the statement that digests the victim's canaries, and rows that are its own if an attempt succeeds.
    fn look(&self, rows: &[(u32, Row)]) -> String {
        let stage = &self.hunt.stage;
        let victim = &stage.victim;
        let persons: Vec<&str> = victim.principal.iter().map(String::as_str).collect();
        let planted = self.open.iter().flat_map(|open| &open.planted);
        let mut tables: BTreeSet<u32> =
            planted.filter(|(_, id)| *id == victim.id).map(|(table, _)| *table).collect();
        tables.extend(rows.iter().map(|(table, _)| *table));
        let mut parts = Vec::new();
        for table in tables.iter().filter_map(|oid| stage.catalog.relation(*oid)) {
            let columns: Vec<String> = table
                .columns
                .iter()
                .filter(|column| self.login.plants_itself() || stage.may_column(table, column, "SELECT"))
                .map(|column| format!("t.{}::text", identifier(&column.name)))
                .collect();
            let mut conditions: Vec<String> = self
                .hunt
                .seeds
                .row(table.oid, victim)
                .and_then(|row| by_key(&self.hunt, table, row))
                .into_iter()
                .collect();
            let owned = owned_by(&stage.catalog, &stage.links, table.oid, "t", &[&victim.id], &persons);
            for (_, row) in rows.iter().filter(|(oid, _)| *oid == table.oid) {
                if let (Some(key), Some(owned)) = (by_key(&self.hunt, table, row), &owned) {
                    conditions.push(format!("{key} and {owned}"));
                }
            }
            if columns.is_empty() || conditions.is_empty() {
                continue;
            }
            parts.push(format!(
                "select {}, md5(coalesce(string_agg(concat_ws('|', {columns}), ',' order by concat_ws('|', {columns})), '')) \
                 from {} t where ({})",
                table.oid,
                table.quoted(),
                conditions.join(") or ("),
                columns = columns.join(", "),
            ));
        }
        if parts.is_empty() { "select 0, ''".to_owned() } else { parts.join(" union all ") }
    }
}

/// Tells whether it was others' doing: a lock that somebody had, or time that was not there.
fn is_passing(refusal: &Refusal) -> bool {
    matches!(refusal.code.as_str(), "55P03" | "57014" | "40P01" | "40001")
}
