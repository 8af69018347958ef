//! What was tried of what could be: each object of the schema with each verb that applies to it, for each role in play.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use super::{Hunt, functions};
use crate::{
    catalog::{Catalog, Function, Relation, RelationKind, Sequence},
    finding::{Finding, Kind, TenantContext, Verb},
    report::{Cell, Inferred, Report},
};

/// A group of attacks that runs to its end or is cut off by the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    Roles,
    Reads,
    Writes,
    Existence,
    Functions,
    Copies,
    Interference,
    Chain,
    Hijack,
    Stale,
    Elsewhere,
}

impl Family {
    /// All of them, in the order in which they run.
    pub(super) const ALL: [Self; 11] = [
        Self::Roles,
        Self::Reads,
        Self::Writes,
        Self::Existence,
        Self::Functions,
        Self::Copies,
        Self::Interference,
        Self::Chain,
        Self::Hijack,
        Self::Stale,
        Self::Elsewhere,
    ];

    /// Returns what a report calls it.
    fn word(self) -> &'static str {
        match self {
            Self::Roles => "roles",
            Self::Reads => "reads",
            Self::Writes => "writes",
            Self::Existence => "existence",
            Self::Functions => "functions",
            Self::Copies => "copy",
            Self::Interference => "two-worlds",
            Self::Chain => "two-steps",
            Self::Hijack => "names",
            Self::Stale => "pooled-connections",
            Self::Elsewhere => "sequences-statistics-large-objects",
        }
    }

    /// Returns the family that is the first to try a verb.
    fn of(verb: Verb) -> Self {
        match verb {
            Verb::Select => Self::Reads,
            Verb::Insert | Verb::Update | Verb::Delete | Verb::Truncate => Self::Writes,
            Verb::Existence => Self::Existence,
            Verb::Execute => Self::Functions,
            Verb::Listen => Self::Elsewhere,
        }
    }
}

/// An object with a verb, and who has the privilege.
struct Way {
    object: String,
    verb: Verb,
    allowed: BTreeSet<u32>,
    family: Family,
    /// Why it is never tried.
    never: Option<&'static str>,
}

impl Hunt {
    /// Notes that a family of attacks is through, unless the time ran out meanwhile.
    pub(super) fn done(&mut self, family: Family) {
        if !self.spent() {
            self.done.insert(family);
        }
    }

    /// Tells whether a leak of an object with a verb was shown.
    pub(super) fn leaks(&self, object: &str, verb: Verb) -> bool {
        self.leaked.contains(&(object.to_owned(), verb))
            || self.findings.values().any(|finding| {
                finding.kind == Kind::Leak && finding.object == object && finding.verb == Some(verb)
            })
    }

    /// Ends the hunt: everything that it has found, tried and left out.
    pub(super) fn report(mut self, started: Instant, inferred: BTreeMap<String, Inferred>) -> Report {
        for (table, reason) in std::mem::take(&mut self.seeds.failed) {
            if let Some(relation) = self.stage.catalog.relation(table) {
                let object = relation.object();
                self.not_attacked(object, format!("no row could be planted: {reason}"));
            }
        }
        let matrix = self.matrix();
        for family in Family::ALL.into_iter().filter(|family| !self.done.contains(family)) {
            self.not_attacked.insert(crate::report::NotAttacked {
                object: format!("attack:{}", family.word()),
                reason: "the budget was spent before it was through".to_owned(),
            });
        }
        let attacks = self.counted.len();
        let mut findings: Vec<Finding> = self.findings.into_values().collect();
        findings.sort_by_cached_key(super::precedence);
        let mut report = Report {
            objects: 0,
            attacks,
            findings,
            not_attacked: self.not_attacked.into_iter().collect(),
            seconds: 0.0,
            inferred,
            matrix,
        };
        report.count_objects();
        report.seconds = started.elapsed().as_secs_f64();
        report
    }

    /// Returns what was tried on each object, and notes what was not.
    fn matrix(&mut self) -> Vec<Cell> {
        let ways = self.ways();
        let roles: BTreeMap<u32, String> = self
            .stage
            .roles_in_play()
            .into_iter()
            .filter_map(|oid| Some((oid, self.stage.catalog.role_by_oid(oid)?.name.clone())))
            .collect();
        let empty: BTreeSet<String> = self.not_attacked.iter().map(|missed| missed.object.clone()).collect();
        let mut cells = Vec::new();
        let mut missed: BTreeMap<(String, &'static str), Vec<&'static str>> = BTreeMap::new();
        let mut listed: BTreeSet<(String, Verb)> = BTreeSet::new();
        for way in &ways {
            listed.insert((way.object.clone(), way.verb));
            let outcome = self.outcome(way, &empty);
            for (oid, role) in &roles {
                let told = match (outcome, way.allowed.contains(oid)) {
                    (Ok(word), true) => word,
                    (Ok("leaks"), false) if way.allowed.is_empty() => "leaks",
                    (_, false) => "denied",
                    (Err(_), true) => "not attacked",
                };
                cells.push(cell(role, &way.object, way.verb, told));
            }
            if let (Err(reason), false) = (outcome, way.allowed.is_empty())
                && !empty.contains(&way.object)
            {
                missed.entry((way.object.clone(), reason)).or_default().push(way.verb.word());
            }
        }
        for ((object, reason), verbs) in missed {
            self.not_attacked(object, format!("{}: {reason}", verbs.join(", ")));
        }
        cells.extend(self.beside(&listed));
        cells.sort();
        cells.dedup();
        cells
    }

    /// Returns cells of what is no object of the schema: roles, the system's own views, settings.
    fn beside(&self, listed: &BTreeSet<(String, Verb)>) -> Vec<Cell> {
        let app = &self.stage.subject.app_role;
        let extensions = self.stage.catalog.relations.iter().filter(|relation| relation.extension);
        let extensions: BTreeSet<String> = extensions.map(Relation::object).collect();
        let mut tried: BTreeSet<(String, Verb)> =
            self.counted.iter().map(|(object, verb, ..)| (object.clone(), *verb)).collect();
        tried.extend(self.leaked.iter().cloned());
        tried.extend(
            self.findings
                .values()
                .filter(|finding| finding.kind == Kind::Leak)
                .filter_map(|finding| Some((finding.object.clone(), finding.verb?))),
        );
        tried
            .into_iter()
            .filter(|one| !listed.contains(one))
            .filter(|(object, verb)| !extensions.contains(object) || self.leaks(object, *verb))
            .map(|(object, verb)| {
                let outcome = if self.leaks(&object, verb) { "leaks" } else { "holds" };
                cell(app, &object, verb, outcome)
            })
            .collect()
    }

    /// Tells how it went, or why it was not tried.
    fn outcome(&self, way: &Way, empty: &BTreeSet<String>) -> Result<&'static str, &'static str> {
        if self.leaks(&way.object, way.verb) {
            return Ok("leaks");
        }
        if let Some(reason) = way.never.filter(|_| self.stage.wants(&way.object)) {
            return Err(reason);
        }
        if !self.stage.wants(&way.object) {
            return Err("it was not asked for");
        }
        let mut counted = self
            .counted
            .iter()
            .filter(|(object, verb, ..)| *object == way.object && *verb == way.verb)
            .map(|(_, _, context, _)| *context)
            .peekable();
        let tried = counted.peek().is_some();
        // The emptied context comes last.
        let whole = self.done.contains(&way.family) || counted.any(|context| context == TenantContext::Empty);
        if !whole {
            Err("the budget was spent before")
        } else if !tried {
            Err("there is nothing to try it with")
        } else if empty.contains(&way.object) {
            Err("there is no row that it could reach")
        } else {
            Ok("holds")
        }
    }

    /// Lists each object of the schema with each verb that applies to it.
    fn ways(&self) -> Vec<Way> {
        let mut ways = Vec::new();
        let catalog = &self.stage.catalog;
        for relation in catalog.relations.iter().filter(|relation| !relation.extension) {
            self.of_relation(relation, &mut ways);
        }
        let callable: BTreeSet<u32> =
            functions::callable(&self.stage).iter().map(|function| function.oid).collect();
        for function in catalog.functions.iter().filter(|function| !function.extension) {
            self.of_function(function, &callable, &mut ways);
        }
        for sequence in catalog.sequences.iter().filter(|sequence| !sequence.extension) {
            self.of_sequence(sequence, &mut ways);
        }
        ways
    }

    fn allowed(&self, may: impl Fn(&Catalog, u32) -> bool) -> BTreeSet<u32> {
        self.stage.roles_in_play().into_iter().filter(|role| may(&self.stage.catalog, *role)).collect()
    }

    fn tried(&self, object: &str, verb: Verb) -> bool {
        self.counted.iter().any(|(other, by, ..)| other == object && *by == verb)
    }

    fn of_relation(&self, relation: &Relation, ways: &mut Vec<Way>) {
        let object = relation.object();
        let mut verbs = vec![
            (Verb::Select, "SELECT"),
            (Verb::Insert, "INSERT"),
            (Verb::Update, "UPDATE"),
            (Verb::Delete, "DELETE"),
        ];
        if relation.is_table() || relation.kind == RelationKind::Foreign {
            verbs.push((Verb::Truncate, "TRUNCATE"));
        }
        if relation.kind == RelationKind::MaterializedView {
            verbs.truncate(1);
        }
        for (verb, privilege) in verbs {
            let never = (verb == Verb::Truncate && relation.kind == RelationKind::Foreign)
                .then_some("a foreign table is not emptied");
            ways.push(Way {
                object: object.clone(),
                verb,
                allowed: self.allowed(|catalog, role| catalog.may(role, relation, privilege)),
                family: Family::of(verb),
                never,
            });
        }
        let writers = self.allowed(|catalog, role| {
            catalog.may(role, relation, "INSERT") || catalog.may(role, relation, "UPDATE")
        });
        // Where no key is to be guessed there is no such question.
        let asked = self.tried(&object, Verb::Existence);
        if asked || !self.done.contains(&Family::Existence) && !writers.is_empty() {
            let (verb, family) = (Verb::Existence, Family::Existence);
            ways.push(Way { object, verb, allowed: writers, family, never: None });
        }
    }

    fn of_function(&self, function: &Function, callable: &BTreeSet<u32>, ways: &mut Vec<Way>) {
        let catalog = &self.stage.catalog;
        let fires = catalog
            .types
            .get(&function.returns)
            .is_some_and(|info| matches!(info.name.as_str(), "trigger" | "event_trigger"));
        if fires {
            return;
        }
        let allowed = self.allowed(|catalog, role| {
            catalog.has(role, &function.grants, "EXECUTE") && catalog.uses_schema(role, &function.schema)
        });
        let lower = function.source.to_ascii_lowercase();
        let ends = |word: &str| crate::catalog::mentions(&lower, word);
        let context = self.stage.subject.context.join("\n");
        let never = if !matches!(function.kind.as_str(), "f" | "p") {
            Some("an aggregate calls nothing but its parts")
        } else if function.kind == "p" && (ends("commit") || ends("rollback")) {
            Some("it ends transactions by itself")
        } else if context.contains('(') && crate::catalog::mentions(&context, &function.name) {
            Some("it opens the context")
        } else if !callable.contains(&function.oid) {
            Some("it cannot be called by itself")
        } else {
            None
        };
        let object = function.object();
        ways.push(Way { object, verb: Verb::Execute, allowed, family: Family::Functions, never });
    }

    fn of_sequence(&self, sequence: &Sequence, ways: &mut Vec<Way>) {
        let object = sequence.object();
        for (verb, privilege) in [(Verb::Select, "SELECT"), (Verb::Update, "UPDATE")] {
            // Numbers that all draw from are nobody's; those of one tenant are read.
            if verb == Verb::Select && !self.tried(&object, verb) {
                continue;
            }
            let allowed = self.allowed(|catalog, role| {
                catalog.has(role, &sequence.grants, privilege) && catalog.uses_schema(role, &sequence.schema)
            });
            ways.push(Way { object: object.clone(), verb, allowed, family: Family::Elsewhere, never: None });
        }
    }
}

fn cell(role: &str, object: &str, verb: Verb, outcome: &str) -> Cell {
    Cell {
        role: role.to_owned(),
        object: object.to_owned(),
        verb: verb.word().to_owned(),
        outcome: outcome.to_owned(),
    }
}
