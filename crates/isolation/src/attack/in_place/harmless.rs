//! What may be read, called and written where real tenants live: what provably does nothing but answer. A sequence that is
//! drawn from stays drawn, a foreign server hears what is not taken back, so whatever is not proved is left alone.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use crate::{
    catalog::{Catalog, Column, Function, Relation, RelationKind, mentions},
    session::{Session, SessionError},
};

/// What the catalogue says beside what is read of it for every attack.
#[derive(Debug, Default, Deserialize)]
struct Hazards {
    /// Functions of the system that do more than answer.
    volatile: HashSet<String>,
    /// Operators that call a volatile function.
    operators: HashSet<String>,
    /// Tables with triggers that fire in a replica too.
    always: HashSet<u32>,
    /// Domains with a default of their own.
    domains: HashSet<u32>,
}

const HAZARDS: &str = "select json_build_object(\
     'volatile', (select coalesce(json_agg(distinct p.proname), '[]') from pg_proc p \
        where p.pronamespace in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) and p.provolatile = 'v'), \
     'operators', (select coalesce(json_agg(distinct o.oprname), '[]') from pg_operator o join pg_proc p on p.oid = o.oprcode \
        where p.provolatile = 'v'), \
     'always', (select coalesce(json_agg(distinct t.tgrelid::int8), '[]') from pg_trigger t \
        where not t.tgisinternal and t.tgenabled in ('A', 'R')), \
     'domains', (select coalesce(json_agg(t.oid::int8), '[]') from pg_type t where t.typtype = 'd' and t.typdefault is not null))";

/// Functions of the system that are called volatile and do nothing but answer.
const ANSWERING: &[&str] = &["pg_is_in_recovery", "pg_current_wal_lsn"];

/// Words of a body that run what is only written while it runs, or that speak to somebody.
const ACTING: &[&str] = &["execute", "notify", "copy", "call", "listen"];

/// What is proved of a catalogue's objects.
#[derive(Debug)]
pub(super) struct Harmless {
    hazards: Hazards,
    functions: HashMap<String, Vec<u32>>,
    relations: HashMap<String, Vec<u32>>,
}

/// What has been looked at on the way.
type Seen = HashSet<(char, u32)>;

impl Harmless {
    /// Reads what it takes to prove.
    pub(super) async fn load(session: &mut Session, catalog: &Catalog) -> Result<Self, SessionError> {
        let hazards = serde_json::from_value(session.json(HAZARDS).await?)
            .map_err(|error| SessionError::unexpected(&error))?;
        Ok(Self::of(hazards, catalog))
    }

    fn of(hazards: Hazards, catalog: &Catalog) -> Self {
        let mut functions: HashMap<String, Vec<u32>> = HashMap::new();
        for function in &catalog.functions {
            functions.entry(function.name.to_lowercase()).or_default().push(function.oid);
        }
        let mut relations: HashMap<String, Vec<u32>> = HashMap::new();
        for relation in &catalog.relations {
            relations.entry(relation.name.to_lowercase()).or_default().push(relation.oid);
        }
        Self { hazards, functions, relations }
    }

    /// Tells why a relation must not be read.
    pub(super) fn reading(&self, catalog: &Catalog, relation: &Relation) -> Result<(), String> {
        self.read(catalog, relation.oid, &mut Seen::new())
    }

    /// Tells why a function must not be called.
    pub(super) fn calling(&self, catalog: &Catalog, function: &Function) -> Result<(), String> {
        if function.kind != "f" {
            return Err("it is no plain function".to_owned());
        }
        if !matches!(function.language.as_str(), "sql" | "plpgsql") {
            return Err(format!("it is written in {}", function.language));
        }
        self.function(catalog, function, &mut Seen::new())
    }

    /// Tells why a statement that opens a context must not be sent; to set a setting is what it is for.
    pub(super) fn opening(&self, catalog: &Catalog, statement: &str) -> Result<(), String> {
        for name in calls(statement) {
            for function in self.named(catalog, &name) {
                if !matches!(function.language.as_str(), "sql" | "plpgsql") {
                    return Err(format!("{} is written in {}", function.object(), function.language));
                }
                let body = function.source.replace("set_config", "");
                self.body(catalog, &body, &mut Seen::from([('f', function.oid)]))?;
                if let Some(word) = ["insert", "update", "delete", "merge", "create"]
                    .into_iter()
                    .find(|word| mentions(&body.to_lowercase(), word))
                {
                    return Err(format!("{} says {word}", function.object()));
                }
            }
            if self.hazards.volatile.contains(&name) && name != "set_config" {
                return Err(format!("{name} is volatile"));
            }
        }
        Ok(())
    }

    /// Tells why rows must not be put into a table, or aimed at in it, by the app.
    pub(super) fn writing(&self, catalog: &Catalog, table: &Relation) -> Result<(), String> {
        self.planting(catalog, table)?;
        for part in family(catalog, table.oid) {
            for trigger in catalog.triggers.iter().filter(|one| one.table == part && one.enabled) {
                match catalog.function(trigger.function) {
                    Some(function) => self.function(catalog, function, &mut Seen::new())?,
                    None => {
                        return Err(format!("its trigger {} calls a function of the system", trigger.name));
                    }
                }
            }
        }
        Ok(())
    }

    /// Tells why rows of a table must not be removed or given another key.
    pub(super) fn removing(&self, catalog: &Catalog, table: &Relation) -> Result<(), String> {
        self.writing(catalog, table)?;
        let mut open = vec![table.oid];
        let mut seen = HashSet::from([table.oid]);
        while let Some(oid) = open.pop() {
            for key in catalog.constraints.iter().filter(|key| key.kind == "f" && key.references == oid) {
                let acts = |action: &str| matches!(action, "c" | "n" | "d");
                if !(acts(&key.on_delete) || acts(&key.on_update)) || !seen.insert(key.table) {
                    continue;
                }
                let Some(child) = catalog.relation(key.table) else { continue };
                if key.on_delete == "d" || key.on_update == "d" {
                    return Err(format!("{} falls back to defaults", child.object()));
                }
                self.writing(catalog, child)
                    .map_err(|why| format!("what refers to it is changed too: {}: {why}", child.object()))?;
                open.push(child.oid);
            }
        }
        Ok(())
    }

    /// Tells why rows must not be put into a table, not even without its triggers.
    pub(super) fn planting(&self, catalog: &Catalog, table: &Relation) -> Result<(), String> {
        if !table.is_table() {
            return Err("it is no table".to_owned());
        }
        self.reading(catalog, table)?;
        for part in family(catalog, table.oid) {
            let Some(relation) = catalog.relation(part) else { continue };
            if part != table.oid && !relation.partition {
                return Err(format!("{} inherits from it", relation.object()));
            }
            if self.hazards.always.contains(&part) {
                return Err("a trigger of it fires always".to_owned());
            }
            if catalog.rules.iter().any(|rule| rule.table == part) {
                return Err("a rewrite rule stands on it".to_owned());
            }
            let mut seen = Seen::new();
            for constraint in
                catalog.constraints_of(part).filter(|one| matches!(one.kind.as_str(), "c" | "x"))
            {
                self.text(catalog, &constraint.definition, &mut seen)?;
            }
            for index in catalog.indexes.iter().filter(|index| index.table == part) {
                self.text(catalog, after_using(&index.definition), &mut seen)?;
            }
            for column in &relation.columns {
                if let (true, Some(expression)) = (column.generated, &column.default) {
                    self.text(catalog, expression, &mut seen)?;
                }
                for check in super::super::values::domain_checks(catalog, column) {
                    self.text(catalog, &check, &mut seen)?;
                }
            }
        }
        Ok(())
    }

    /// Tells whether a column has to be given a value, lest its default be evaluated.
    pub(super) fn has_to_be_given(&self, catalog: &Catalog, column: &Column) -> bool {
        if column.generated {
            return false;
        }
        !column.identity.is_empty()
            || self.hazards.domains.contains(&column.type_oid)
            || column
                .default
                .as_deref()
                .is_some_and(|text| self.text(catalog, text, &mut Seen::new()).is_err())
    }

    fn read(&self, catalog: &Catalog, oid: u32, seen: &mut Seen) -> Result<(), String> {
        let Some(relation) = catalog.relation(oid).filter(|_| seen.insert(('r', oid))) else { return Ok(()) };
        match relation.kind {
            RelationKind::Foreign => {
                return Err(format!("{} is a foreign table, and what it reaches is real", relation.object()));
            }
            RelationKind::MaterializedView => return Ok(()),
            RelationKind::View => {
                self.text(catalog, relation.definition.as_deref().unwrap_or_default(), seen)?;
            }
            RelationKind::Table | RelationKind::Partitioned => {}
        }
        for other in &relation.reads {
            self.read(catalog, *other, seen)?;
        }
        for policy in catalog.policies.iter().filter(|policy| policy.table == oid) {
            for text in [&policy.using, &policy.check].into_iter().flatten() {
                self.text(catalog, text, seen)?;
            }
            for function in policy.functions.iter().filter_map(|oid| catalog.function(*oid)) {
                self.function(catalog, function, seen)?;
            }
            for other in &policy.relations {
                self.read(catalog, *other, seen)?;
            }
        }
        for part in catalog.relations.iter().filter(|part| part.parents.contains(&oid)) {
            self.read(catalog, part.oid, seen)?;
        }
        Ok(())
    }

    fn function(&self, catalog: &Catalog, function: &Function, seen: &mut Seen) -> Result<(), String> {
        if !seen.insert(('f', function.oid)) {
            return Ok(());
        }
        if function.volatility == "v" {
            return Err(format!("{} is volatile", function.object()));
        }
        match function.language.as_str() {
            "sql" | "plpgsql" => self.body(catalog, &function.source, seen),
            // What an extension brings in C is taken at its word, as the system's own functions are.
            "c" | "internal" if function.extension => Ok(()),
            language => Err(format!("{} is written in {language}", function.object())),
        }
    }

    fn body(&self, catalog: &Catalog, source: &str, seen: &mut Seen) -> Result<(), String> {
        for word in words(source) {
            if ACTING.contains(&word.as_str()) {
                return Err(format!("a function says {word}"));
            }
            for oid in self.relations.get(&word).into_iter().flatten() {
                self.read(catalog, *oid, seen)?;
            }
        }
        self.text(catalog, source, seen)
    }

    /// Looks through an expression or query for what it calls.
    fn text(&self, catalog: &Catalog, text: &str, seen: &mut Seen) -> Result<(), String> {
        for name in calls(text) {
            if self.hazards.volatile.contains(&name) && !ANSWERING.contains(&name.as_str()) {
                return Err(format!("{name} is called, which is volatile"));
            }
        }
        for word in words(text) {
            for function in self.named(catalog, &word) {
                self.function(catalog, function, seen)?;
            }
        }
        match self.hazards.operators.iter().find(|operator| text.contains(operator.as_str())) {
            Some(operator) => Err(format!("the operator {operator} calls a volatile function")),
            None => Ok(()),
        }
    }

    fn named<'a>(&'a self, catalog: &'a Catalog, name: &str) -> impl Iterator<Item = &'a Function> {
        self.functions.get(name).into_iter().flatten().filter_map(|oid| catalog.function(*oid))
    }
}

/// Returns a table and everything that holds rows of it.
fn family(catalog: &Catalog, table: u32) -> Vec<u32> {
    let mut all = vec![table];
    let mut next = 0;
    while next < all.len() {
        let parent = all[next];
        all.extend(
            catalog.relations.iter().filter(|part| part.parents.contains(&parent)).map(|part| part.oid),
        );
        next += 1;
    }
    all
}

/// Returns what an index is made of, without its name and its table's.
fn after_using(definition: &str) -> &str {
    definition.split_once(" USING ").map_or(definition, |(_, rest)| rest)
}

/// Returns the words of a text in lower case: names, quoted ones too, and keywords.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

/// Returns the names in a text that an opening parenthesis follows, in lower case.
fn calls(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in text.match_indices('(') {
        let before = text[..at].trim_end().trim_end_matches('"');
        let name: String =
            before.chars().rev().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '$').collect();
        if !name.is_empty() {
            names.push(name.chars().rev().collect::<String>().to_lowercase());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str, volatility: &str, source: &str) -> Function {
        let value = serde_json::json!({
            "oid": name.len(), "schema": "public", "name": name, "kind": "f", "owner": 10, "definer": false,
            "leakproof": false, "variadic": false, "outputs": true, "volatility": volatility, "language": "sql", "argument_types": [],
            "argument_names": [], "defaults": 0, "returns": 25, "returns_set": false, "source": source,
            "config": [], "grants": [], "signature": "", "extension": false
        });
        serde_json::from_value(value).unwrap()
    }

    fn judged(functions: Vec<Function>, text: &str) -> Result<(), String> {
        let catalog = Catalog { functions, ..Catalog::default() };
        let hazards = Hazards { volatile: HashSet::from(["nextval".to_owned()]), ..Hazards::default() };
        Harmless::of(hazards, &catalog).text(&catalog, text, &mut Seen::new())
    }

    #[test]
    fn what_is_called_is_followed_to_where_it_acts() {
        assert_eq!(judged(vec![], "now() + (nextval) + coalesce(a, 1)"), Ok(()));
        for text in ["nextval('s')", "NextVal ('s')", "pg_catalog.\"nextval\"('s')"] {
            assert!(judged(vec![], text).is_err(), "{text}");
        }
        let chain = |last: &str| vec![function("one", "s", "select three()"), function("three", "i", last)];
        assert_eq!(judged(chain("select 1"), "one()"), Ok(()));
        assert!(judged(chain("select nextval('s')"), "one()").is_err(), "two steps away");
        assert!(judged(chain("execute 'select ' || x"), "one()").is_err(), "built as it runs");
        assert!(judged(vec![function("one", "v", "select 1")], "a = one()").is_err(), "called volatile");
    }
}
