//! A row of one's own first that says what another tenant's says, then a call or a look: what joins by a number or a name
//! alone takes the one for the other.

use std::collections::BTreeSet;

use super::{
    looks::{Before, Shows},
    transitions,
};
use crate::{
    attack::{
        Hunt, functions,
        links::{Link, pairs},
        seed::{Row, Seeder, insert},
        stage::{Actor, Tenant},
        writes,
    },
    catalog::{Function, Relation, RelationKind, mentions},
    finding::{TenantContext, Verb},
    rules,
    session::{SessionError, identifier, literal},
};

/// Rows written into one table.
const ROWS: usize = 6;

/// Functions called behind one, and calls of each.
const FUNCTIONS: usize = 8;
const CALLS: usize = 3;

/// Writes into every table, and calls and looks behind it.
pub(super) async fn run(hunt: &mut Hunt) -> Result<(), SessionError> {
    let before = Before::take(hunt).await?;
    let callable: Vec<(Function, String)> = functions::callable(&hunt.stage)
        .into_iter()
        .filter(|function| !functions::opens(&hunt.stage, function))
        .map(|function| {
            let behind = hunt.stage.catalog.functions_behind(&[function.oid]);
            let mut said = functions::said(hunt, &function);
            said.extend(behind.into_iter().map(|function| format!("\n{}", function.source)));
            (function, said)
        })
        .collect();
    for table in hunt.stage.targets() {
        if !table.is_table() && !transitions::acts(hunt, &table) {
            continue;
        }
        let speaking: Vec<(Function, String)> = callable
            .iter()
            .filter(|(_, said)| mentions(said, &table.name))
            .take(FUNCTIONS)
            .cloned()
            .collect();
        let mut scripts = rows(hunt, &table, &speaking).await?;
        scripts.extend(transitions::of(hunt, &table).await?);
        for (verb, write) in scripts {
            if hunt.spent() {
                return Ok(());
            }
            if hunt.has_verb(&table.object(), verb) || !alone(hunt, &table, verb, &write).await? {
                continue;
            }
            for (function, _) in &speaking {
                then_call(hunt, function, &write).await?;
            }
            then_look(hunt, &before, &table, verb, &write).await?;
        }
    }
    Ok(())
}

/// Writes, and tells whether that is let through without doing anything to others by itself.
async fn alone(
    hunt: &mut Hunt,
    table: &Relation,
    verb: Verb,
    script: &[String],
) -> Result<bool, SessionError> {
    hunt.count(&table.object(), verb, TenantContext::Tenant, "own row");
    let baseline = hunt.baseline.clone();
    let outcome = hunt.stage.attempt(Actor::Attacker, script, Some(&baseline)).await?;
    if let Some(word) = hunt.told(&outcome, &script.join("; "))
        && !hunt.told_anyway(script, &word).await?
    {
        let evidence = format!("a row of one's own told {}", hunt.shown(&word));
        hunt.leak_by_write(&rules::ERROR_TEXT, table, verb, TenantContext::Tenant, script, &evidence, &[]);
        return Ok(false);
    }
    if !outcome.changed.is_empty() {
        let evidence = hunt.not_as_they_were(&outcome.changed);
        hunt.leak_by_write(
            &rules::WRITES,
            table,
            verb,
            TenantContext::Tenant,
            script,
            &evidence,
            &outcome.changed,
        );
        return Ok(false);
    }
    Ok(outcome.refusal.is_none())
}

async fn then_call(hunt: &mut Hunt, function: &Function, write: &[String]) -> Result<(), SessionError> {
    let object = function.object();
    let attacker = hunt.stage.attacker.clone();
    let own = functions::arguments_of(hunt, function, &attacker).into_iter().take(CALLS);
    let theirs = functions::arguments(hunt, function).into_iter().take(CALLS);
    let mut tried = BTreeSet::new();
    for (arguments, _) in own.chain(theirs) {
        if hunt.has(&object) || !tried.insert(arguments.clone()) {
            continue;
        }
        hunt.count(&object, Verb::Execute, TenantContext::Tenant, "own row first");
        let mut script = write.to_vec();
        script.push(functions::statement(function, &arguments));
        let baseline = hunt.baseline.clone();
        let outcome = hunt.stage.attempt(Actor::Attacker, &script, Some(&baseline)).await?;
        if let Some(word) = hunt.told(&outcome, &script.join("; "))
            && !hunt.told_anyway(&script, &word).await?
        {
            let evidence =
                format!("with a row of one's own that says the same it told {}", hunt.shown(&word));
            hunt.call_leak(&rules::REVEALS, function, TenantContext::Tenant, &script, &evidence);
        } else if !outcome.changed.is_empty() {
            let evidence = hunt.not_as_they_were(&outcome.changed);
            hunt.call_leak(&rules::ACTS, function, TenantContext::Tenant, &script, &evidence);
        }
    }
    Ok(())
}

async fn then_look(
    hunt: &mut Hunt,
    before: &Before,
    table: &Relation,
    verb: Verb,
    write: &[String],
) -> Result<(), SessionError> {
    let mut first = write.to_vec();
    // What is materialized is brought up to date at night.
    let stale = before.readable.iter().filter(|(view, _)| view.kind == RelationKind::MaterializedView);
    let refreshed: Vec<String> =
        stale.map(|(view, _)| format!("refresh materialized view {}", view.quoted())).collect();
    if !refreshed.is_empty() {
        first.push("reset session authorization".to_owned());
        first.extend(refreshed);
        first.extend(hunt.stage.enter(Actor::Attacker));
    }
    let seen = hunt.stage.looks(&first, &before.queries()).await?;
    let asked = write.join("; ");
    let Some(Shows { relation, query, own }) = before.shows(hunt, &seen.looks, &asked) else {
        return Ok(());
    };
    if own && before.shows_anyway(hunt, &first, &asked).await? {
        return Ok(());
    }
    let evidence = format!("after that, rows of {} are another tenant's", relation.object());
    let mut script = write.to_vec();
    script.push(query);
    if relation.kind == RelationKind::View || relation.kind == RelationKind::MaterializedView {
        let (object, verb, context) = (relation.object(), Verb::Select, TenantContext::Tenant);
        hunt.leak(&rules::READS, relation.oid, &object, verb, context, &script, &evidence);
    }
    for function in copying(hunt, before, table, write).await? {
        hunt.call_leak_as(&rules::REVEALS, verb, &function, TenantContext::Tenant, &script, &evidence);
    }
    hunt.add(&rules::CHAIN, &table.object(), verb, TenantContext::Tenant, &script, &evidence, None);
    Ok(())
}

/// Returns the trigger functions without which nothing is seen behind a write.
async fn copying(
    hunt: &mut Hunt,
    before: &Before,
    table: &Relation,
    write: &[String],
) -> Result<Vec<Function>, SessionError> {
    let catalog = &hunt.stage.catalog;
    let triggers: Vec<(String, Function)> = catalog
        .triggers
        .iter()
        .filter(|trigger| trigger.table == table.oid && trigger.enabled)
        .filter_map(|trigger| Some((trigger.name.clone(), catalog.function(trigger.function)?.clone())))
        .filter(|(_, function)| function.definer)
        .collect();
    let mut at_fault = Vec::new();
    for (name, function) in triggers {
        let mut first = vec![
            "reset session authorization".to_owned(),
            format!("alter table {} disable trigger {}", table.quoted(), identifier(&name)),
        ];
        first.extend(hunt.stage.enter(Actor::Attacker));
        first.extend(write.iter().cloned());
        let seen = hunt.stage.looks(&first, &before.queries()).await?;
        if seen.refusal.is_none() && before.shows(hunt, &seen.looks, &write.join("; ")).is_none() {
            at_fault.push(function);
        }
    }
    Ok(at_fault)
}

/// Writes rows of the attacker's own whose other columns say what the victim's rows say.
async fn rows(
    hunt: &mut Hunt,
    table: &Relation,
    speaking: &[(Function, String)],
) -> Result<Vec<(Verb, Vec<String>)>, SessionError> {
    let (inserts, updates) = (hunt.stage.may(table, "INSERT"), hunt.stage.may(table, "UPDATE"));
    if !table.is_table() || !inserts && !updates {
        return Ok(Vec::new());
    }
    let mut givens = vec![said(hunt, table, false), said(hunt, table, true), asked_for(hunt, table)];
    for (_, source) in speaking {
        givens.extend(like_others(hunt, table, source));
    }
    let mut tried = BTreeSet::new();
    givens.retain(|given| !given.is_empty() && tried.insert(given.clone()));
    let mut written = Vec::new();
    for given in givens.into_iter().take(ROWS) {
        let first = parents(hunt, table, &given).await?;
        let behind = |statement: String| first.iter().cloned().chain([statement]).collect::<Vec<_>>();
        if inserts {
            let row = crafted(hunt, table, &given).await?;
            written.push((Verb::Insert, behind(insert(table, &row))));
        }
        if updates && let Some(own) = hunt.seeds.row(table.oid, &hunt.stage.attacker).cloned() {
            let sets = sets(&allowed(hunt, table, given, "UPDATE"));
            if let Some(condition) = writes::by_key(hunt, table, &own)
                && !sets.is_empty()
            {
                let update = format!("update {} set {sets} where {condition}", table.quoted());
                written.push((Verb::Update, behind(update)));
            }
        }
    }
    Ok(written)
}

/// Writes what a row's columns are set to.
pub(super) fn sets(row: &Row) -> String {
    let sets: Vec<String> = row
        .iter()
        .filter_map(|(name, value)| Some(format!("{} = {}", identifier(name), literal(value.as_ref()?))))
        .collect();
    sets.join(", ")
}

/// Makes a row of the attacker's own with some columns given.
pub(super) async fn crafted(hunt: &mut Hunt, table: &Relation, given: &Row) -> Result<Row, SessionError> {
    let oneself = Tenant {
        marker: format!("zqo{}", hunt.stage.attacker.marker.get(3..).unwrap_or_default()),
        block: 7,
        ..hunt.stage.attacker.clone()
    };
    let seeds = std::mem::take(&mut hunt.seeds);
    let mut seeder = Seeder::resume(&mut hunt.stage, seeds);
    let row = seeder.craft(table, &oneself, given).await;
    hunt.seeds = seeder.seeds;
    Ok(allowed(hunt, table, row?, "INSERT"))
}

/// Writes the attacker's own rows that a row has to refer to which says what the victim's says.
async fn parents(hunt: &mut Hunt, table: &Relation, given: &Row) -> Result<Vec<String>, SessionError> {
    let keys: Vec<_> = hunt.stage.catalog.foreign_keys(table.oid).cloned().collect();
    let mut written = Vec::new();
    for key in keys {
        let Some(parent) = hunt.stage.catalog.relation(key.references).cloned() else { continue };
        let Some(columns) = pairs(&hunt.stage.catalog, &key) else { continue };
        let tied = columns.iter().any(|(own, _)| is_tied(hunt, table, own));
        let said: Row = columns
            .iter()
            .filter_map(|(own, theirs)| Some((theirs.clone(), given.get(own)?.clone())))
            .collect();
        if tied && !said.is_empty() && parent.oid != table.oid && hunt.stage.may(&parent, "INSERT") {
            let row = crafted(hunt, &parent, &said).await?;
            written.push(format!("{} on conflict do nothing", insert(&parent, &row)));
        }
    }
    Ok(written)
}

/// Returns what the victim's row says in those columns that triggers look at.
pub(super) fn asked_for(hunt: &Hunt, table: &Relation) -> Row {
    let catalog = &hunt.stage.catalog;
    let sources: Vec<&str> = catalog
        .triggers
        .iter()
        .filter(|trigger| trigger.table == table.oid && trigger.enabled)
        .filter_map(|trigger| catalog.function(trigger.function))
        .map(|function| function.source.as_str())
        .collect();
    let text = sources.join("\n").to_ascii_lowercase().replace('"', "");
    let mut row = said(hunt, table, true);
    row.retain(|name, _| mentions(&text, &format!("new.{}", name.to_ascii_lowercase())));
    row
}

pub(super) fn allowed(hunt: &Hunt, table: &Relation, mut row: Row, privilege: &str) -> Row {
    row.retain(|name, _| {
        table.column_named(name).is_some_and(|column| hunt.stage.may_column(table, column, privilege))
    });
    row
}

/// Tells whether a column says whose a row is.
fn is_tied(hunt: &Hunt, table: &Relation, column: &str) -> bool {
    let linked = match hunt.stage.links.get(&table.oid) {
        Some(Link::Tenant(name) | Link::Person(name)) => name == column,
        Some(Link::Parent { columns, .. }) => columns.iter().any(|(own, _)| own == column),
        _ => false,
    };
    linked || hunt.stage.people.iter().any(|(oid, name)| *oid == table.oid && name == column)
}

/// Returns what the victim's row says but whose it is, with what it refers to or without.
pub(super) fn said(hunt: &Hunt, table: &Relation, references: bool) -> Row {
    let catalog = &hunt.stage.catalog;
    let Some(row) = hunt.seeds.row(table.oid, &hunt.stage.victim) else { return Row::new() };
    let mut row = row.clone();
    row.retain(|name, value| {
        table.column_named(name).is_some_and(|column| {
            let refers = catalog.foreign_keys(table.oid).any(|key| key.columns.contains(&column.number));
            // What is one's alone in the whole table cannot be said twice.
            let alone = catalog.constraints_of(table.oid).any(|constraint| {
                let tied = |number: &i16| {
                    table.column(*number).is_some_and(|column| is_tied(hunt, table, &column.name))
                };
                matches!(constraint.kind.as_str(), "p" | "u")
                    && constraint.columns.contains(&column.number)
                    && !constraint.columns.iter().any(tied)
            });
            value.is_some()
                && !alone
                && !column.generated
                && column.identity != "a"
                && !is_tied(hunt, table, name)
                && (references || !refers)
        })
    });
    row
}

/// Returns what the victim's rows of other tables say in columns that are named alike.
fn like_others(hunt: &Hunt, table: &Relation, source: &str) -> Vec<Row> {
    let catalog = &hunt.stage.catalog;
    let mut found = Vec::new();
    for other in catalog.relations.iter().filter(|other| other.is_table() && other.oid != table.oid) {
        if !mentions(source, &other.name) {
            continue;
        }
        let Some(theirs) = hunt.seeds.row(other.oid, &hunt.stage.victim) else { continue };
        let mut row = Row::new();
        for column in table.columns.iter().filter(|column| !column.generated && column.identity != "a") {
            if is_tied(hunt, table, &column.name) {
                continue;
            }
            let alike = other.columns.iter().find(|field| {
                let same = catalog.base_type(field.type_oid).map(|info| &info.category)
                    == catalog.base_type(column.type_oid).map(|info| &info.category);
                same && !is_tied(hunt, other, &field.name)
                    && (field.name == column.name
                        || column.name.ends_with(&format!("_{}", field.name))
                        || field.name.ends_with(&format!("_{}", column.name)))
            });
            if let Some(value) = alike.and_then(|field| theirs.get(&field.name)?.clone()) {
                row.insert(column.name.clone(), Some(value));
            }
        }
        found.push(row);
    }
    found
}
