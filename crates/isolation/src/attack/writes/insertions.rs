//! Rows that are inserted: planted with the victim, tied to what is the victim's, or in place of what is there.

use super::{Try, tenant_column, tries::constants, writable};
use crate::{
    attack::{
        Hunt, papers,
        seed::{Row, Seeder, insert},
    },
    catalog::{Column, Relation, RelationKind},
    finding::Verb,
    session::{SessionError, identifier, literal},
};

pub(super) async fn insertions(hunt: &mut Hunt, relation: &Relation) -> Result<Vec<Try>, SessionError> {
    let mut tries = Vec::new();
    let victim = hunt.stage.victim.clone();
    let allowed: Vec<String> = relation
        .columns
        .iter()
        .filter(|column| hunt.stage.may_column(relation, column, "INSERT"))
        .map(|column| column.name.clone())
        .collect();
    let base = hunt.base_of(relation);
    let mut fresh = victim.clone();
    // A row that the victim could have made but has not.
    fresh.marker = format!("zqp{}", victim.marker.get(3..).unwrap_or_default());
    fresh.block = 7;
    let seeds = std::mem::take(&mut hunt.seeds);
    let mut seeder = Seeder::resume(&mut hunt.stage, seeds);
    let table = base.clone().unwrap_or_else(|| relation.clone());
    let mut row = seeder.craft(&table, &fresh, &Row::new()).await?;
    // Who plants may have to name oneself.
    let mut oneself = fresh.clone();
    oneself.principal.clone_from(&seeder.stage.attacker.principal);
    let mut signed = seeder.craft(&table, &oneself, &Row::new()).await?;
    hunt.seeds = seeder.seeds;
    signed.retain(|name, _| allowed.contains(name) && relation.column_named(name).is_some());
    row.retain(|name, _| allowed.contains(name) && relation.column_named(name).is_some());
    let plain = insert(relation, &row);
    tries.push(Try::new(Verb::Insert, "plant", plain.clone()));
    if signed.iter().any(|(name, value)| {
        row.get(name) != Some(value) && hunt.stage.people.iter().any(|(_, person)| person == name)
    }) {
        tries.push(Try::new(Verb::Insert, "plant signed", insert(relation, &signed)));
    }
    for mixed in papers::mixed(hunt, relation, &table, &row) {
        tries.push(Try::new(Verb::Insert, "plant document", insert(relation, &mixed)));
    }
    for column in beside(hunt, relation) {
        let mut named = row.clone();
        named.insert(column, Some(hunt.stage.attacker.id.clone()));
        named.retain(|name, _| allowed.contains(name));
        tries.push(Try::new(Verb::Insert, "plant beside", insert(relation, &named)));
    }
    tries.push(Try::new(Verb::Insert, "plant returning", format!("{plain} returning *")));
    if let Some(name) = tenant_column(hunt, relation) {
        let nullable = relation.column_named(&name).is_some_and(|column| !column.not_null);
        if nullable {
            let mut ownerless = row.clone();
            ownerless.insert(name.clone(), None);
            tries.push(Try::new(Verb::Insert, "share", insert(relation, &ownerless)));
        }
        let mut left_out = row.clone();
        left_out.remove(&name);
        tries.push(Try::new(Verb::Insert, "left out", insert(relation, &left_out)));
        // Own by its column, but tied to the victim's things by its references.
        let mut tied = row.clone();
        tied.insert(name.clone(), Some(hunt.stage.attacker.id.clone()));
        tries.push(Try::new(Verb::Insert, "tie", insert(relation, &tied)));
        let mut own = signed.clone();
        own.insert(name.clone(), Some(hunt.stage.attacker.id.clone()));
        tries.push(Try::new(
            Verb::Insert,
            "own returning",
            format!("{} returning *", insert(relation, &own)),
        ));
        for (column, value) in aims(hunt, relation, &name) {
            let mut aimed = signed.clone();
            aimed.insert(name.clone(), Some(hunt.stage.attacker.id.clone()));
            aimed.insert(column, Some(value));
            tries.push(Try::new(Verb::Insert, "aim", insert(relation, &aimed)));
        }
    }
    tries.extend(conflicts(hunt, relation, &table, &allowed));
    Ok(tries)
}

/// Returns columns beside the tenant's in which policies look for a tenant too: a guest, a reader, a partner.
fn beside(hunt: &Hunt, relation: &Relation) -> Vec<String> {
    let Some(tenant) = tenant_column(hunt, relation) else { return Vec::new() };
    let catalog = &hunt.stage.catalog;
    let kind = |column: &Column| catalog.base_type(column.type_oid).map(|info| info.category.clone());
    let own = relation.column_named(&tenant).and_then(kind);
    relation
        .columns
        .iter()
        .filter(|column| column.name != tenant && !column.generated && kind(column) == own)
        .filter(|column| {
            catalog
                .policies
                .iter()
                .any(|policy| policy.table == relation.oid && policy.columns.contains(&column.number))
        })
        .map(|column| column.name.clone())
        .collect()
}

/// Inserts what is there already, and changes it where it conflicts.
fn conflicts(hunt: &Hunt, relation: &Relation, table: &Relation, allowed: &[String]) -> Vec<Try> {
    let mut tries = Vec::new();
    let victim = hunt.stage.victim.clone();
    let Some(existing) = hunt.row_behind(relation, &victim) else { return tries };
    let mut same: Row = existing.clone();
    same.retain(|name, _| {
        allowed.contains(name) && relation.column_named(name).is_some_and(|column| !column.generated)
    });
    let key: Vec<String> = hunt
        .stage
        .catalog
        .key(table.oid)
        .iter()
        .filter_map(|number| Some(identifier(&table.column(*number)?.name)))
        .collect();
    if !key.is_empty() && relation.kind != RelationKind::Foreign {
        let mut own = same.clone();
        if let Some(name) = tenant_column(hunt, relation) {
            own.insert(name, Some(hunt.stage.attacker.id.clone()));
        }
        for values in [&same, &own] {
            let conflict = insert(relation, values);
            for column in writable(hunt, relation, "UPDATE")
                .iter()
                .filter(|column| !key.contains(&identifier(&column.name)))
                .take(3)
            {
                for value in
                    constants(hunt, relation, column).into_iter().filter(|value| value != "default").take(1)
                {
                    tries.push(Try {
                        verb: Verb::Update,
                        oracle: "upsert",
                        statements: vec![format!(
                            "{conflict} on conflict ({}) do update set {} = {value}",
                            key.join(", "),
                            identifier(&column.name)
                        )],
                    });
                }
            }
        }
        tries.extend(merges(hunt, relation, &same, &key));
    }
    tries
}

/// Returns values of the victim's for columns of a relation behind which something else acts: a trigger, a rule.
pub(in crate::attack) fn aims(hunt: &Hunt, relation: &Relation, tenant: &str) -> Vec<(String, String)> {
    let catalog = &hunt.stage.catalog;
    let acts = catalog.triggers.iter().any(|trigger| trigger.table == relation.oid)
        || catalog.rules.iter().any(|rule| rule.table == relation.oid);
    if !acts {
        return Vec::new();
    }
    let mut aims = Vec::new();
    for column in relation.columns.iter().filter(|column| column.name != tenant && !column.generated) {
        for table in catalog.relations.iter().filter(|table| table.is_table() && table.oid != relation.oid) {
            let keys: Vec<i16> = catalog
                .constraints_of(table.oid)
                .filter(|constraint| matches!(constraint.kind.as_str(), "p" | "u"))
                .flat_map(|constraint| constraint.columns.clone())
                .collect();
            for key in keys.iter().filter_map(|number| table.column(*number)) {
                if key.type_oid != column.type_oid {
                    continue;
                }
                for row in hunt.seeds.rows_of(table.oid, &hunt.stage.victim).iter().take(2) {
                    if let Some(Some(value)) = row.get(&key.name) {
                        let aim = (column.name.clone(), value.clone());
                        if !aims.contains(&aim) && *value != hunt.stage.victim.id {
                            aims.push(aim);
                        }
                    }
                }
            }
        }
    }
    aims.truncate(24);
    aims
}

/// MERGE reaches rows by ways of its own.
fn merges(hunt: &Hunt, relation: &Relation, row: &Row, key: &[String]) -> Vec<Try> {
    let mut tries = Vec::new();
    if !relation.is_table() && relation.kind != RelationKind::View {
        return tries;
    }
    let table = relation.quoted();
    let on: Vec<String> = key
        .iter()
        .filter_map(|name| {
            let plain = name.trim_matches('"').replace("\"\"", "\"");
            let value = row.get(&plain)?.as_ref()?;
            Some(format!("t.{name} = {}", literal(value)))
        })
        .collect();
    if on.len() != key.len() {
        return tries;
    }
    let head = format!("merge into {table} t using (select 1) s on {}", on.join(" and "));
    if hunt.stage.may(relation, "DELETE") {
        tries.push(Try::new(Verb::Delete, "merge", format!("{head} when matched then delete")));
    }
    if hunt.stage.may(relation, "UPDATE") {
        for column in writable(hunt, relation, "UPDATE")
            .iter()
            .filter(|column| !key.contains(&identifier(&column.name)))
            .take(2)
        {
            for value in constants(hunt, relation, column).into_iter().take(1) {
                tries.push(Try::new(
                    Verb::Update,
                    "merge",
                    format!("{head} when matched then update set {} = {value}", identifier(&column.name)),
                ));
            }
        }
    }
    tries
}
