//! Tenants whose names resemble the attacker's: a comparison that drops something takes one for the other.

use std::collections::HashSet;

use super::{
    links::Link,
    seed::{Row, Seeder, Seeds},
    stage::{Actor, Stage, Tenant},
    values::Maker,
};
use crate::{
    catalog::Relation,
    session::{SessionError, identifier, literal},
};

/// Neighbours that are planted whatever the policies say, since views and functions compare too.
const ALWAYS: usize = 2;
/// Neighbours that a policy takes for the attacker.
const TAKEN: usize = 3;

/// Finds neighbours and plants their rows.
pub(super) async fn plant(
    stage: &mut Stage,
    seeds: Seeds,
    order: &[Relation],
    seed: u64,
) -> Result<Seeds, SessionError> {
    let Some(kind) = kind(stage) else { return Ok(seeds) };
    // Where a tenant is a role, nobody else's rows bear a name that is none.
    if stage.subject.context.iter().any(|statement| crate::infer::is_role_change(statement)) {
        return Ok(seeds);
    }
    let resembling = resembling(&stage.attacker.id, &kind);
    let mut many = resembling.clone();
    many.extend(scattered(&stage.attacker.id, &kind, seed));
    let mut chosen = taken(stage, &seeds, &many).await?;
    chosen.truncate(TAKEN);
    for id in resembling.into_iter().take(ALWAYS) {
        if !chosen.contains(&id) {
            chosen.push(id);
        }
    }
    let there = existing(stage).await?;
    chosen.retain(|id| *id != stage.victim.id && *id != stage.attacker.id && !there.contains(id));
    chosen = distinct(stage, chosen).await?;
    let mut seeder = Seeder::resume(stage, seeds);
    seeder.ways = 2;
    let mut planted = Vec::new();
    for (index, id) in chosen.into_iter().enumerate() {
        let block = u32::try_from(index).unwrap_or_default() + 11;
        let mark = seeder.stage.attacker.marker.get(3..).unwrap_or_default().to_owned();
        let letter = char::from(b'n' + u8::try_from(index).unwrap_or_default().min(9));
        let principal = seeder.stage.victim.principal.as_ref().map(|_| principal_like(seeder.stage, block));
        let tenant = Tenant { id, principal, marker: format!("zq{letter}{mark}"), block };
        let failed = std::mem::take(&mut seeder.seeds.failed);
        seeder.plant(&tenant, order).await?;
        // A neighbour that cannot exist is no gap in what was attacked.
        seeder.seeds.failed = failed;
        let exists = seeder.seeds.rows.keys().any(|(_, id)| *id == tenant.id);
        if exists {
            planted.push(tenant);
        }
    }
    let seeds = seeder.seeds;
    stage.neighbours = planted;
    Ok(seeds)
}

/// Returns tenants that were there before: what they are to the attacker, a branch or a parent, is theirs to say.
async fn existing(stage: &mut Stage) -> Result<HashSet<String>, SessionError> {
    let mut there = HashSet::new();
    for (table, link) in stage.links.clone() {
        let (Link::Tenant(column), Some(relation)) = (link, stage.catalog.relation(table).cloned()) else {
            continue;
        };
        let column = identifier(&column);
        let query = format!("select distinct {column}::text from {} limit 2000", relation.quoted());
        let answer = stage.used.run(&query).await?;
        there.extend(answer.rows.into_iter().filter_map(|row| row.into_iter().next()?));
    }
    Ok(there)
}

/// Leaves out ids that the type itself takes for the attacker's or the victim's.
async fn distinct(stage: &mut Stage, ids: Vec<String>) -> Result<Vec<String>, SessionError> {
    let name = stage.subject.tenant_column.clone().unwrap_or_default();
    let written = stage
        .catalog
        .relations
        .iter()
        .find_map(|relation| Some(relation.column_named(&name)?.type_name.clone()));
    let Some(written) = written else { return Ok(ids) };
    let mut left: Vec<String> = Vec::new();
    for id in ids {
        let mut others = vec![stage.attacker.id.clone(), stage.victim.id.clone()];
        others.extend(left.iter().cloned());
        let same: Vec<String> = others
            .iter()
            .map(|other| format!("{}::{written} = {}::{written}", literal(&id), literal(other)))
            .collect();
        let answer = stage.used.try_run(&format!("select {}", same.join(" or "))).await?;
        if answer.is_ok_and(|answer| answer.value() == Some("f")) {
            left.push(id);
        }
    }
    Ok(left)
}

fn principal_like(stage: &Stage, block: u32) -> String {
    let known = stage.victim.principal.as_deref().unwrap_or_default();
    if known.len() == 36 && known.matches('-').count() == 4 {
        Maker::new("neighbour".into(), block).uuid(block)
    } else if known.parse::<i64>().is_ok() {
        format!("{}", 7_500 + block)
    } else {
        format!("nfneighbour{block}")
    }
}

/// Returns the type of the tenant column.
fn kind(stage: &Stage) -> Option<String> {
    let name = stage.subject.tenant_column.as_deref()?;
    let (table, _) =
        stage.links.iter().find(|(_, link)| matches!(link, Link::Tenant(column) if column == name))?;
    let column = stage.catalog.relation(*table)?.column_named(name)?;
    let info = stage.catalog.base_type(column.type_oid)?;
    Some(if info.category == "S" { "text".to_owned() } else { info.name.clone() })
}

/// Returns ids that differ from one in what careless comparisons drop.
fn resembling(id: &str, kind: &str) -> Vec<String> {
    match kind {
        "int2" | "int4" | "int8" | "numeric" => numbers(id, kind),
        "uuid" => uuids(id),
        "text" => texts(id),
        _ => Vec::new(),
    }
}

/// Distances at which careless arithmetic takes one number for another.
const STEPS: [i128; 27] = [
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    12,
    16,
    20,
    32,
    50,
    64,
    97,
    100,
    101,
    128,
    256,
    500,
    512,
    1000,
    1024,
    10_000,
    65_536,
    1 << 32,
];

fn numbers(id: &str, kind: &str) -> Vec<String> {
    let Ok(number) = id.parse::<i128>() else { return Vec::new() };
    let limit: i128 = match kind {
        "int2" => i128::from(i16::MAX),
        "int4" => i128::from(i32::MAX),
        _ => i128::from(i64::MAX),
    };
    let mut ids =
        vec![number + 1, number * 10 + 1, number - 1, number * 10, number * 100 + 7, number / 10, -number];
    for step in STEPS {
        ids.extend([number + step, number - step]);
    }
    ids.into_iter()
        .filter(|other| *other > 0 && *other <= limit && *other != number)
        .map(|other| other.to_string())
        .collect()
}

fn uuids(id: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let bytes: Vec<char> = id.chars().collect();
    for at in [35, 34, 30, 24, 22, 14, 12, 9, 7, 3, 0] {
        let mut other = bytes.clone();
        if let Some(place) = other.get_mut(at) {
            *place = if *place == '1' { '2' } else { '1' };
        }
        ids.push(other.into_iter().collect());
    }
    ids
}

fn texts(id: &str) -> Vec<String> {
    let flipped: String = id
        .chars()
        .map(|c| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
        .collect();
    let shorter: String = id.chars().take(id.chars().count().saturating_sub(1)).collect();
    let count = id.chars().count();
    let tail = |keep: usize| format!("{}zz", id.chars().take(keep).collect::<String>());
    let head = |keep: usize| format!("zz{}", id.chars().skip(count.saturating_sub(keep)).collect::<String>());
    let last: String = format!("{shorter}{}", if id.ends_with('1') { '2' } else { '1' });
    let mut ids = vec![
        flipped,
        format!("{id}2"),
        last,
        format!("{id} "),
        format!("{id}-eu"),
        format!("{id}_x"),
        format!("{id}/x"),
        format!("{id}.x"),
        shorter,
    ];
    ids.extend([
        format!(" {id}"),
        format!("x{id}"),
        id.replace('_', "x"),
        id.replace('-', "_"),
        id.replace(['-', '_', ' ', '.'], ""),
        id.to_uppercase(),
    ]);
    for keep in [12, 10, 8, 6, 5, 4, 3, 2, 1] {
        if keep < count {
            ids.extend([tail(keep), head(keep)]);
        }
    }
    if let Some(first) =
        id.split(['-', '_', '.', '/', ':', '@']).next().filter(|first| first.len() < id.len())
    {
        ids.extend([
            format!("{first}-other"),
            format!("{first}_other"),
            format!("{first}.other"),
            format!("{first}/other"),
            first.to_owned(),
        ]);
    }
    ids.push(id.replace('a', "á").replace('e', "é").replace('o', "ö"));
    ids.retain(|other| other != id && !other.is_empty());
    ids
}

/// Returns ids that have nothing in common with one but, perhaps, a hash.
fn scattered(id: &str, kind: &str, seed: u64) -> Vec<String> {
    let maker = Maker::new(format!("scattered{seed}"), 1);
    (1..400)
        .map(|number| match kind {
            "uuid" => maker.uuid(number),
            "text" => {
                let uuid = maker.uuid(number);
                if id.len() == 36 { uuid } else { format!("{}{}", &uuid[..8], number) }
            }
            _ => format!("{}", 1 + number * 7 + (number * number) % 1013),
        })
        .collect()
}

/// Returns those ids that some policy takes for the attacker's.
async fn taken(stage: &mut Stage, seeds: &Seeds, ids: &[String]) -> Result<Vec<String>, SessionError> {
    let mut taken: Vec<String> = Vec::new();
    let policies = stage.catalog.policies.clone();
    for policy in policies {
        let (Some(Link::Tenant(column)), Some(table)) =
            (stage.links.get(&policy.table).cloned(), stage.catalog.relation(policy.table).cloned())
        else {
            continue;
        };
        let row = seeds.row(table.oid, &stage.attacker).cloned().unwrap_or_default();
        for expression in [&policy.using, &policy.check].into_iter().flatten() {
            let query = evaluate(stage, &table, &column, &row, ids, expression);
            let outcome = stage.attempt(Actor::Attacker, &[query], None).await?;
            if let Some(answer) = outcome.last() {
                let found = answer.rows.iter().filter_map(|row| row.first()?.clone());
                taken.extend(found.filter(|id| *id != stage.attacker.id && *id != stage.victim.id));
            }
        }
    }
    let mut seen = HashSet::new();
    taken.retain(|id| seen.insert(id.clone()));
    // A policy that lets most through is too wide; neighbours add nothing to that.
    Ok(if taken.len() > ids.len() / 2 { Vec::new() } else { taken })
}

fn evaluate(
    stage: &Stage,
    table: &Relation,
    column: &str,
    row: &Row,
    ids: &[String],
    expression: &str,
) -> String {
    let kind = |name: &str| {
        let oid = table.column_named(name).map_or(0, |column| column.type_oid);
        stage.catalog.base_type(oid).map_or_else(
            || "text".to_owned(),
            |info| format!("{}.{}", identifier(&info.schema), identifier(&info.name)),
        )
    };
    let mut columns = vec![format!(
        "(unnest(array[{}]::text[]))::{} as {}",
        ids.iter().map(|id| literal(id)).collect::<Vec<_>>().join(", "),
        kind(column),
        identifier(column)
    )];
    for other in table.columns.iter().filter(|other| other.name != column) {
        let value = row
            .get(&other.name)
            .cloned()
            .flatten()
            .map_or_else(|| "null".to_owned(), |value| literal(&value));
        columns.push(format!("({value})::{} as {}", kind(&other.name), identifier(&other.name)));
    }
    format!(
        "select {c}::text from (select {}) as {} where ({expression}) limit 40",
        columns.join(", "),
        identifier(&table.name),
        c = identifier(column)
    )
}
