//! What makes a function run: a call of its own, a call of another that calls it, a write that fires it, a reading whose
//! policies ask it.

use crate::attack::{
    Hunt, functions, reads,
    seed::{Row, Seeder, insert},
    stage::Tenant,
};
use crate::{
    catalog::{Function, Relation, mentions},
    session::{SessionError, identifier},
};

/// Occasions of one function.
const OCCASIONS: usize = 12;

/// Returns statements of the attacker's that make a function run.
pub(super) async fn occasions(hunt: &mut Hunt, function: &Function) -> Result<Vec<String>, SessionError> {
    let mut found = Vec::new();
    for other in functions::callable(&hunt.stage) {
        let catalog = &hunt.stage.catalog;
        let first = match &other.aggregate {
            Some(aggregate) => aggregate.functions.clone(),
            None => vec![other.oid],
        };
        let itself = other.oid == function.oid;
        if itself || catalog.functions_behind(&first).iter().any(|behind| behind.oid == function.oid) {
            let calls =
                functions::arguments(hunt, &other).into_iter().take(if itself { OCCASIONS } else { 3 });
            let calls: Vec<String> = calls.map(|(theirs, _)| functions::statement(&other, &theirs)).collect();
            if itself {
                found.splice(0..0, calls);
            } else {
                found.extend(calls);
            }
        }
    }
    let fired: Vec<Relation> = hunt
        .stage
        .catalog
        .triggers
        .iter()
        .filter(|trigger| trigger.enabled)
        .filter(|trigger| {
            let behind = hunt.stage.catalog.functions_behind(&[trigger.function]);
            behind.iter().any(|behind| behind.oid == function.oid)
        })
        .filter_map(|trigger| hunt.stage.catalog.relation(trigger.table))
        .cloned()
        .collect();
    for table in fired {
        found.extend(writes(hunt, &table).await?);
    }
    found.extend(readings(hunt, function));
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|statement| seen.insert(statement.clone()));
    found.truncate(OCCASIONS);
    Ok(found)
}

/// Writes of the attacker's own rows.
async fn writes(hunt: &mut Hunt, table: &Relation) -> Result<Vec<String>, SessionError> {
    let mut found = Vec::new();
    if table.is_table() && hunt.stage.may(table, "INSERT") {
        let oneself = Tenant {
            marker: format!("zqt{}", hunt.stage.attacker.marker.get(3..).unwrap_or_default()),
            block: 8,
            ..hunt.stage.attacker.clone()
        };
        let seeds = std::mem::take(&mut hunt.seeds);
        let mut seeder = Seeder::resume(&mut hunt.stage, seeds);
        let mut row: Row = seeder.craft(table, &oneself, &Row::new()).await?;
        hunt.seeds = seeder.seeds;
        row.retain(|name, _| {
            table.column_named(name).is_some_and(|column| hunt.stage.may_column(table, column, "INSERT"))
        });
        found.push(insert(table, &row));
    }
    if hunt.stage.may(table, "UPDATE")
        && let Some(column) = crate::attack::writes::writable(hunt, table, "UPDATE").first()
    {
        let name = identifier(&column.name);
        found.push(format!("update {} set {name} = {name}", table.quoted()));
    }
    if hunt.stage.may(table, "DELETE") {
        found.push(format!("delete from {}", table.quoted()));
    }
    Ok(found)
}

/// Readings whose policies or definitions ask the function.
fn readings(hunt: &Hunt, function: &Function) -> Vec<String> {
    let catalog = &hunt.stage.catalog;
    let asks = |functions: &[u32]| {
        catalog.functions_behind(functions).iter().any(|behind| behind.oid == function.oid)
    };
    let asked: Vec<&Relation> = catalog
        .relations
        .iter()
        .filter(|relation| hunt.readable.contains(&relation.oid))
        .filter(|relation| {
            catalog.policies.iter().any(|policy| policy.table == relation.oid && asks(&policy.functions))
                || relation.definition.as_deref().is_some_and(|text| mentions(text, &function.name))
        })
        .take(3)
        .collect();
    asked.into_iter().map(|relation| reads::select_all(&hunt.stage, relation)).collect()
}
