//! Two steps: change what decides whom one belongs to, then look what can be seen.

mod calls;
mod looks;
mod own;
mod transitions;

use super::{
    Hunt,
    links::Link,
    reads,
    seed::{Row, Seeder, insert},
    stage::Actor,
};
use crate::{
    catalog::{Catalog, Column, Relation, mentions},
    finding::{TenantContext, Verb},
    infer::settings_read,
    rules,
    session::{SessionError, identifier, literal},
};

/// First steps tried in one table.
const STEPS: usize = 40;

/// Tries every first step, and looks everywhere after it.
pub(super) async fn run(hunt: &mut Hunt) -> Result<(), SessionError> {
    if hunt.unbound().is_some() {
        return Ok(());
    }
    let deciding: Vec<Relation> =
        hunt.stage.targets().into_iter().filter(|relation| decides(&hunt.stage.catalog, relation)).collect();
    for relation in deciding {
        for (verb, step) in steps(hunt, &relation).await? {
            if hunt.spent() {
                return Ok(());
            }
            hunt.count(&relation.object(), verb, TenantContext::Tenant, "then read");
            if let Some((seen, script)) = sweep(hunt, &[step], Some(relation.oid)).await? {
                let evidence = format!("after that, rows of {seen} are another tenant's");
                hunt.add(
                    &rules::CHAIN,
                    &relation.object(),
                    verb,
                    TenantContext::Tenant,
                    &script,
                    &evidence,
                    None,
                );
                break;
            }
        }
    }
    switches(hunt).await?;
    calls::run(hunt).await?;
    own::run(hunt).await
}

/// Tells whether a table is asked by what isolates: by a policy of another table, or a function or view.
fn decides(catalog: &Catalog, relation: &Relation) -> bool {
    relation.is_table()
        && (catalog.policies.iter().any(|policy| policy.relations.contains(&relation.oid))
            || catalog
                .functions
                .iter()
                .any(|function| !function.extension && mentions(&function.source, &relation.name))
            || catalog
                .relations
                .iter()
                .any(|view| view.reads.contains(&relation.oid) && view.definition.is_some()))
}

async fn steps(hunt: &mut Hunt, relation: &Relation) -> Result<Vec<(Verb, String)>, SessionError> {
    let mut steps = Vec::new();
    let table = relation.quoted();
    if hunt.stage.may(relation, "INSERT") {
        let mut oneself = hunt.stage.victim.clone();
        oneself.principal.clone_from(&hunt.stage.attacker.principal);
        oneself.marker = format!("zqj{}", oneself.marker.get(3..).unwrap_or_default());
        oneself.block = 5;
        let seeds = std::mem::take(&mut hunt.seeds);
        let mut seeder = Seeder::resume(&mut hunt.stage, seeds);
        let mut row: Row = seeder.craft(relation, &oneself, &Row::new()).await?;
        hunt.seeds = seeder.seeds;
        row.retain(|name, _| {
            relation
                .column_named(name)
                .is_some_and(|column| hunt.stage.may_column(relation, column, "INSERT"))
        });
        steps.push((Verb::Insert, insert(relation, &row)));
    }
    if hunt.stage.may(relation, "UPDATE") {
        for column in super::writes::writable(hunt, relation, "UPDATE") {
            for value in hostile(hunt, relation, &column) {
                steps.push((
                    Verb::Update,
                    format!("update {table} set {} = {value}", identifier(&column.name)),
                ));
            }
        }
    }
    steps.truncate(STEPS);
    Ok(steps)
}

/// Returns what somebody would write into an own row to be let in elsewhere.
fn hostile(hunt: &Hunt, relation: &Relation, column: &Column) -> Vec<String> {
    let catalog = &hunt.stage.catalog;
    let Some(info) = catalog.base_type(column.type_oid) else { return Vec::new() };
    let victim = hunt.stage.victim.id.clone();
    let mut values = Vec::new();
    let same_type = |oid: u32| {
        let kind = tenant_type(hunt);
        kind.as_deref() == catalog.base_type(oid).map(|info| info.name.as_str())
            || kind.as_deref().is_some_and(|kind| matches!(kind, "int4" | "int8" | "int2"))
                && catalog
                    .base_type(oid)
                    .is_some_and(|info| matches!(info.name.as_str(), "int2" | "int4" | "int8"))
            || catalog.base_type(oid).is_some_and(|info| info.category == "S")
    };
    match info.category.as_str() {
        "B" => values.extend(["true".to_owned(), "false".to_owned()]),
        "A" if same_type(info.base) => values.push(literal(&format!("{{{victim}}}"))),
        "U" if matches!(info.name.as_str(), "json" | "jsonb") => {
            let name = hunt.stage.subject.tenant_column.as_deref().unwrap_or("tenant_id");
            values.push(literal(&format!(
                "{{\"{name}\": \"{victim}\", \"role\": \"admin\", \"admin\": true}}"
            )));
            values.push(literal(&format!("[\"{victim}\"]")));
        }
        _ if same_type(column.type_oid) => values.push(literal(&victim)),
        _ => {}
    }
    if info.category == "S" || info.kind == "e" {
        values.extend(super::values::labels(catalog, relation, column).iter().map(|label| literal(label)));
        if info.category == "S" {
            let compared = literals(hunt);
            values.extend(compared.iter().take(8).map(|text| literal(text)));
        }
    }
    if let Some(person) = &hunt.stage.victim.principal
        && (info.category == "S"
            || info.category == "U" && info.name == "uuid"
            || info.category == "N" && person.parse::<i64>().is_ok())
    {
        values.push(literal(person));
    }
    if matches!(info.category.as_str(), "D") {
        values.push("'2099-01-01'".to_owned());
    }
    if info.category == "N" && info.kind == "b" {
        values.extend(["0".to_owned(), "99".to_owned()]);
    }
    values.dedup();
    values
}

fn tenant_type(hunt: &Hunt) -> Option<String> {
    let name = hunt.stage.subject.tenant_column.as_deref()?;
    let (table, _) =
        hunt.stage.links.iter().find(|(_, link)| matches!(link, Link::Tenant(column) if column == name))?;
    let column = hunt.stage.catalog.relation(*table)?.column_named(name)?;
    Some(hunt.stage.catalog.base_type(column.type_oid)?.name.clone())
}

/// Returns the texts that policies and the functions behind them compare with.
pub(super) fn literals(hunt: &Hunt) -> Vec<String> {
    let mut found = Vec::new();
    let Ok(pattern) = regex_lite::Regex::new(r"(?:=|IN \(|ANY \(ARRAY\[|in \()\s*'([^']{1,40})'") else {
        return found;
    };
    for policy in &hunt.stage.catalog.policies {
        let text = hunt.stage.catalog.policy_text(policy);
        found.extend(pattern.captures_iter(&text).map(|literal| literal[1].to_owned()));
    }
    found.sort();
    found.dedup();
    found
}

/// Reads everything after some first statements; returns what showed foreign rows, and the script.
pub(super) async fn sweep(
    hunt: &mut Hunt,
    first: &[String],
    planted: Option<u32>,
) -> Result<Option<(String, Vec<String>)>, SessionError> {
    let readable: Vec<Relation> = hunt
        .stage
        .targets()
        .into_iter()
        .filter(|relation| hunt.readable.contains(&relation.oid))
        .filter(|relation| !hunt.read_leaks.contains(&(relation.oid, TenantContext::Tenant)))
        .collect();
    let mut script = first.to_vec();
    script.extend(readable.iter().map(|relation| reads::select_all(&hunt.stage, relation)));
    let outcome = hunt.stage.attempt(Actor::Attacker, &script, None).await?;
    let asked = first.join("; ");
    for (relation, answer) in readable.iter().zip(outcome.answers.iter().skip(first.len())) {
        let seen = if planted == Some(relation.oid) {
            hunt.tokens.in_answer(answer, &asked).is_some()
        } else {
            !reads::foreign_rows(hunt, relation, answer, &asked).is_empty()
        };
        if seen {
            let mut script = first.to_vec();
            script.push(reads::select_all(&hunt.stage, relation));
            return Ok(Some((relation.object(), script)));
        }
    }
    Ok(None)
}

/// Settings that policies read and that are no part of a tenant's context are the attacker's to set.
async fn switches(hunt: &mut Hunt) -> Result<(), SessionError> {
    let own: Vec<String> = hunt
        .stage
        .subject
        .context
        .iter()
        .filter_map(|statement| super::stage::setting_of(statement))
        .collect();
    let catalog = &hunt.stage.catalog;
    let mut names: Vec<String> = Vec::new();
    for policy in &catalog.policies {
        names.extend(settings_read(&catalog.policy_text(policy)));
    }
    for view in &catalog.relations {
        names.extend(settings_read(view.definition.as_deref().unwrap_or_default()));
    }
    names.sort();
    names.dedup();
    // A context that is opened by a function sets what that function names.
    let context = hunt.stage.subject.context.join("\n");
    let opened: Vec<String> = catalog
        .functions
        .iter()
        .filter(|function| mentions(&context, &function.name))
        .map(|function| function.source.clone())
        .collect();
    names.retain(|name| {
        name.contains('.')
            && !own.contains(name)
            && !opened.iter().any(|source| source.contains(name.as_str()))
    });
    let mut values: Vec<String> =
        ["on", "true", "1", "yes", "admin", "all", "*", ""].map(ToOwned::to_owned).to_vec();
    values.extend(literals(hunt));
    for name in names {
        for value in &values {
            if hunt.spent() {
                return Ok(());
            }
            let step = format!("set local {name} = {}", literal(value));
            hunt.count(&format!("setting {name}"), Verb::Select, TenantContext::Tenant, "set");
            if let Some((_, script)) = sweep(hunt, std::slice::from_ref(&step), None).await? {
                let evidence = format!("whoever sets {name} sees another tenant's rows");
                // Each relation that reads the setting and opens by it is at fault.
                for relation in hunt.stage.targets() {
                    let reads_it =
                        hunt.stage.catalog.policies.iter().any(|policy| {
                            policy.table == relation.oid
                                && hunt.stage.catalog.policy_text(policy).contains(name.as_str())
                        }) || relation.definition.as_deref().is_some_and(|text| text.contains(name.as_str()));
                    if !reads_it || !hunt.readable.contains(&relation.oid) {
                        continue;
                    }
                    let script = vec![step.clone(), reads::select_all(&hunt.stage, &relation)];
                    let outcome = hunt.stage.attempt(Actor::Attacker, &script, None).await?;
                    let seen = outcome.last().is_some_and(|answer| {
                        !reads::foreign_rows(hunt, &relation, answer, &step).is_empty()
                    });
                    if seen {
                        hunt.add(
                            &rules::READS,
                            &relation.object(),
                            Verb::Select,
                            TenantContext::Tenant,
                            &script,
                            &evidence,
                            Some(relation.oid),
                        );
                    }
                }
                let _ = script;
                break;
            }
        }
    }
    Ok(())
}
