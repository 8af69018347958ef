//! Proposes statements that end a finding, and tries them: each proposal is made in a transaction, the attempt is
//! repeated behind it, and what was seen before must not be seen again.

mod condition;
mod functions;
mod keys;
mod policies;
mod privileges;
mod relations;
mod roles;
mod trial;

use super::{Hunt, reproduce};
use crate::{
    finding::{TenantContext, Verb},
    rules::{self, Rule},
    session::{SessionError, identifier},
};

/// How a finding was shown, to be repeated.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) rule: &'static Rule,
    pub(super) object: String,
    pub(super) verb: Verb,
    pub(super) context: TenantContext,
    pub(super) statements: Vec<String>,
    pub(super) relation: Option<u32>,
    /// It is one of several that may be at fault: only where its repair ends the leak, it is.
    pub(super) suspected: bool,
    /// Other attempts that showed the same, which a repair has to end too.
    pub(super) others: Vec<(TenantContext, Vec<String>)>,
}

/// Other attempts that are kept.
const OTHERS: usize = 8;

impl Shown {
    /// Keeps another attempt that showed the same.
    pub(super) fn also(&mut self, context: TenantContext, statements: &[String]) {
        if self.others.len() < OTHERS {
            self.others.push((context, statements.to_vec()));
        }
    }

    /// Tells whether the same statement was asked in a world with and one without the other tenants.
    pub(super) fn asks_two_worlds(&self) -> bool {
        self.rule.id == rules::INTERFERES.id
            || self.rule.id == rules::EXISTENCE.id
                && self.verb == Verb::Existence
                && self.statements.len() == 1
    }
}

impl Hunt {
    /// Returns what takes the attacker's own rows out of the way of a condition that fails at the first row.
    pub(super) fn out_of_the_way(&self, shown: &Shown) -> Vec<String> {
        if shown.rule.id != rules::LEAKY_VIEW.id {
            return Vec::new();
        }
        let read = self.stage.catalog.relations.iter().find(|relation| {
            shown
                .statements
                .last()
                .is_some_and(|last| last.contains(&format!(" from {} ", relation.quoted())))
        });
        read.and_then(|relation| self.base_of(relation))
            .map(|base| self.stage.without_own(&base))
            .unwrap_or_default()
    }
}

/// One way to end a finding.
#[derive(Clone, Debug, Default)]
struct Candidate {
    /// What is said before it.
    remark: Option<String>,
    /// What repairs.
    statements: Vec<String>,
    /// It takes the way from the attacker and from everybody else.
    closes: bool,
    /// It shows only to who logs in anew.
    untried: bool,
}

impl Candidate {
    fn of(statements: Vec<String>) -> Self {
        Self { statements, ..Self::default() }
    }

    fn one(statement: String) -> Self {
        Self::of(vec![statement])
    }

    fn closing(statements: Vec<String>) -> Self {
        Self { statements, closes: true, ..Self::default() }
    }

    fn remark(mut self, remark: &str) -> Self {
        self.remark = Some(remark.to_owned());
        self
    }

    fn written(&self) -> String {
        let remark = self.remark.iter().map(|remark| format!("-- {remark}"));
        let statements = self.statements.iter().map(|statement| format!("{statement};"));
        remark.chain(statements).collect::<Vec<_>>().join("\n")
    }
}

/// Writes the repair of every finding; a comment where it needs a decision.
pub(super) async fn propose(hunt: &mut Hunt) -> Result<(), SessionError> {
    let mut order: Vec<String> = hunt.shown.keys().cloned().collect();
    order.sort_by_cached_key(|key| hunt.findings.get(key).map(super::precedence));
    let mut before: Vec<String> = Vec::new();
    for key in order {
        let Some(shown) = hunt.shown.get(&key).cloned() else { continue };
        let mut candidates = candidates(hunt, &shown);
        candidates.retain(|candidate| !candidate.statements.is_empty());
        let before_it = trial::shows(hunt, &[], &shown, true).await?;
        let chosen = trial::choose(hunt, &shown, candidates, &before_it).await?;
        if shown.suspected && chosen.is_none() {
            hunt.findings.remove(&key);
            continue;
        }
        let script = reproduce::script(hunt, &shown, &before_it.changed);
        let fix = match chosen {
            None => remark(hunt, &shown),
            Some(chosen) => {
                // In the file of all repairs it stands behind the others.
                let new: Vec<String> =
                    chosen.statements.iter().filter(|one| !before.contains(one)).cloned().collect();
                if trial::runs(hunt, &before, &new).await? {
                    before.extend(new);
                    chosen.written()
                } else {
                    let written = chosen.written().replace('\n', "\n-- ");
                    format!("-- Instead of a repair of another finding that stands in its way:\n-- {written}")
                }
            }
        };
        if let Some(finding) = hunt.findings.get_mut(&key) {
            finding.fix = fix;
            finding.reproduce = script;
        }
    }
    Ok(())
}

/// Returns what could end a finding, the smallest first.
fn candidates(hunt: &Hunt, shown: &Shown) -> Vec<Candidate> {
    if let Some(role) = shown.object.strip_prefix("role:") {
        return roles::candidates(hunt, shown, role);
    }
    let catalog = &hunt.stage.catalog;
    if shown.rule.id == rules::CHAIN.id {
        return privileges::of_step(hunt, shown);
    }
    if let Some(relation) = catalog.relations.iter().find(|relation| relation.object() == shown.object) {
        return relations::candidates(hunt, shown, relation);
    }
    let functions: Vec<_> =
        catalog.functions.iter().filter(|function| function.object() == shown.object).collect();
    if !functions.is_empty() {
        return functions
            .into_iter()
            .flat_map(|function| functions::candidates(hunt, shown, function))
            .collect();
    }
    if let Some(sequence) = catalog.sequences.iter().find(|sequence| sequence.object() == shown.object) {
        let on = format!("sequence {}", sequence.quoted());
        return [&["UPDATE"] as &[&str], &["SELECT", "UPDATE", "USAGE"]]
            .into_iter()
            .map(|which| Candidate::closing(privileges::revoke(hunt, which, &on, &sequence.grants)))
            .collect();
    }
    if shown.rule.id == rules::STATISTICS.id || shown.object.starts_with("pg_catalog.") {
        return privileges::of_system(hunt, &shown.object);
    }
    Vec::new()
}

/// Says what there is to decide.
fn remark(hunt: &Hunt, shown: &Shown) -> String {
    let app = identifier(&hunt.stage.subject.app_role);
    let object = &shown.object;
    match shown.rule.id {
        id if id == rules::HEARS.id => {
            let triggers: Vec<String> = hunt
                .stage
                .catalog
                .triggers
                .iter()
                .filter_map(|trigger| {
                    let table = hunt.stage.catalog.relation(trigger.table)?;
                    let function = hunt.stage.catalog.function(trigger.function)?;
                    (table.object() == *object || function.object() == *object).then(|| {
                        format!("\n-- drop trigger {} on {};", identifier(&trigger.name), table.quoted())
                    })
                })
                .collect();
            format!(
                "-- Channels have no access rights. Notify with nothing but a number that means nothing to others, or not at all:{}",
                triggers.concat()
            )
        }
        id if id == rules::LARGE_OBJECT.id && !object.starts_with("role:") => format!(
            "-- Large objects know no tenants: keep the contents of {object} in a column of type bytea, under its policies."
        ),
        id => format!("-- What {object} does for {app} is no matter of one statement: see `explain {id}`."),
    }
}
