//! What is tried with a relation: every verb, with and without a look at what is there.

use super::{Try, by_key, insertions::insertions, tenant_column, victims, writable};
use crate::{
    attack::{Hunt, values::labels},
    catalog::{Column, Relation},
    finding::Verb,
    session::{SessionError, identifier, literal},
};

pub(super) async fn tries(hunt: &mut Hunt, relation: &Relation) -> Result<Vec<Try>, SessionError> {
    let table = relation.quoted();
    let mut tries = Vec::new();
    let victim = hunt.stage.victim.clone();
    let victim_row = hunt.row_behind(relation, &victim);
    let key = victim_row.as_ref().and_then(|row| by_key(hunt, relation, row));
    let theirs = victims(hunt, relation);
    let tenant_column = theirs.as_ref().and_then(|_| tenant_column(hunt, relation));
    if hunt.stage.may(relation, "DELETE") {
        tries.push(Try::new(Verb::Delete, "all", format!("delete from {table}")));
        for condition in [&theirs, &key].into_iter().flatten() {
            tries.push(Try::new(Verb::Delete, "named", format!("delete from {table} where {condition}")));
            tries.push(Try::new(
                Verb::Delete,
                "returning",
                format!("delete from {table} where {condition} returning *"),
            ));
        }
    }
    if hunt.stage.may(relation, "UPDATE") {
        for column in writable(hunt, relation, "UPDATE") {
            let name = identifier(&column.name);
            if Some(&column.name) == tenant_column.as_ref() {
                let own = literal(&hunt.stage.attacker.id);
                let other = literal(&hunt.stage.victim.id);
                tries.push(Try::new(Verb::Update, "take", format!("update {table} set {name} = {own}")));
                tries.push(Try::new(
                    Verb::Update,
                    "take named",
                    format!("update {table} set {name} = {own} where {name} = {other}"),
                ));
                tries.push(Try::new(
                    Verb::Update,
                    "move out",
                    format!("update {table} set {name} = {other}"),
                ));
                tries.push(Try::new(
                    Verb::Update,
                    "move out named",
                    format!("update {table} set {name} = {other} where {name} = {own}"),
                ));
                if !column.not_null {
                    tries.push(Try::new(Verb::Update, "share", format!("update {table} set {name} = null")));
                }
                continue;
            }
            for value in constants(hunt, relation, &column) {
                tries.push(Try::new(Verb::Update, "blind", format!("update {table} set {name} = {value}")));
                if let Some(condition) = theirs.as_ref().or(key.as_ref()) {
                    tries.push(Try::new(
                        Verb::Update,
                        "named",
                        format!("update {table} set {name} = {value} where {condition}"),
                    ));
                }
            }
            // A reference to what is the victim's ties the attacker's row to it.
            if let Some(row) = &victim_row
                && let Some(Some(value)) = row.get(&column.name)
                && hunt
                    .stage
                    .catalog
                    .foreign_keys(relation.oid)
                    .any(|key| key.columns.contains(&column.number))
            {
                tries.push(Try::new(
                    Verb::Update,
                    "attach",
                    format!("update {table} set {name} = {}", literal(value)),
                ));
            }
        }
        if let Some(column) = writable(hunt, relation, "UPDATE").first()
            && let Some(condition) = theirs.as_ref().or(key.as_ref())
        {
            let name = identifier(&column.name);
            tries.push(Try::new(
                Verb::Update,
                "returning",
                format!("update {table} set {name} = {name} where {condition} returning *"),
            ));
        }
    }
    if hunt.stage.may(relation, "INSERT") {
        tries.extend(insertions(hunt, relation).await?);
    }
    if hunt.stage.may(relation, "TRUNCATE") && relation.is_table() {
        tries.push(Try::new(Verb::Truncate, "empty", format!("truncate {table}")));
        tries.push(Try::new(Verb::Truncate, "empty", format!("truncate {table} cascade")));
    }
    Ok(tries)
}

/// Returns values that a column takes without looking at what it holds.
pub(super) fn constants(hunt: &Hunt, relation: &Relation, column: &Column) -> Vec<String> {
    let mut values = Vec::new();
    if column.default.is_some() {
        values.push("default".to_owned());
    } else if !column.not_null {
        values.push("null".to_owned());
    }
    let attacker = hunt.stage.attacker.clone();
    if let Some(row) = hunt.row_behind(relation, &attacker)
        && let Some(Some(value)) = row.get(&column.name)
    {
        values.push(literal(value));
    }
    for state in labels(&hunt.stage.catalog, relation, column).into_iter().take(2) {
        values.push(literal(&state));
    }
    if hunt.stage.catalog.base_type(column.type_oid).is_some_and(|info| info.category == "B") {
        values.extend(["true".to_owned(), "false".to_owned()]);
    }
    values
}
