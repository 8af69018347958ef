//! Documents in columns: what the schema reads out of them, and rows whose documents say it.

use regex_lite::Regex;
use serde_json::{Map, Value};

use super::{Hunt, seed::Row, stage::Tenant, values::checks_of};
use crate::catalog::{Catalog, Column, Relation};

/// Places in a document that are filled in all ways.
const PLACES: usize = 3;

/// A way into a document.
type Place = Vec<String>;

/// Tells whether a column holds documents.
pub(super) fn is_document(catalog: &Catalog, column: &Column) -> bool {
    catalog.base_type(column.type_oid).is_some_and(|info| matches!(info.name.as_str(), "json" | "jsonb"))
}

/// Returns the places of a document that say whose its row is: those that policies and generated columns read.
fn tied(catalog: &Catalog, table: &Relation, column: &Column) -> Vec<Place> {
    let policies = catalog
        .policies
        .iter()
        .filter(|policy| policy.table == table.oid)
        .flat_map(|policy| [policy.using.as_deref(), policy.check.as_deref()]);
    let generated =
        table.columns.iter().filter(|column| column.generated).map(|column| column.default.as_deref());
    places(column, policies.chain(generated).flatten())
}

/// Returns the places of a document that a table's checks ask for.
fn checked(catalog: &Catalog, table: &Relation, column: &Column) -> Vec<Place> {
    let checks = checks_of(catalog, table, column);
    let mut found = places(column, checks.iter().map(String::as_str));
    let keys = Regex::new(r"\?\s*'([^']{1,40})'");
    for check in &checks {
        let keys = keys.iter().flat_map(|pattern| pattern.captures_iter(check));
        found.extend(keys.map(|key| vec![key[1].to_owned()]));
    }
    found
}

fn places<'a>(column: &Column, texts: impl Iterator<Item = &'a str>) -> Vec<Place> {
    let name = regex_lite::escape(&column.name);
    let (Ok(steps), Ok(path), Ok(step)) = (
        Regex::new(&format!(r#"(?:^|[^\w]){name}"?((?:\s*->>?\s*'[^']{{1,40}}')+)"#)),
        Regex::new(&format!(r#"(?:^|[^\w]){name}"?\s*#>>?\s*'\{{([^'}}]{{1,80}})\}}'"#)),
        Regex::new(r"'([^']+)'"),
    ) else {
        return Vec::new();
    };
    let mut found: Vec<Place> = Vec::new();
    for text in texts {
        let plain = text.replace(['(', ')'], " ").replace("::text[]", "").replace("::text", "");
        for captures in steps.captures_iter(&plain) {
            found.push(step.captures_iter(&captures[1]).map(|one| one[1].to_owned()).collect());
        }
        for captures in path.captures_iter(&plain) {
            found.push(captures[1].split(',').map(|one| one.trim().trim_matches('"').to_owned()).collect());
        }
    }
    let mut seen = Vec::new();
    found.retain(|place| {
        let new = !seen.contains(place);
        seen.push(place.clone());
        new
    });
    found
}

fn put(document: &mut Value, place: &[String], value: Value) {
    let Some((last, before)) = place.split_last() else { return };
    let mut at = document;
    for key in before {
        if !at.get(key).is_some_and(Value::is_object) {
            let Some(fields) = at.as_object_mut() else { return };
            fields.insert(key.clone(), Value::Object(Map::new()));
        }
        let Some(inner) = at.get_mut(key) else { return };
        at = inner;
    }
    if let Some(fields) = at.as_object_mut() {
        // A number stays one.
        let number =
            fields.get(last).filter(|old| old.is_number()).and_then(|_| value.as_str()?.parse().ok());
        fields.insert(last.clone(), number.map_or(value, Value::Number));
    }
}

/// Returns documents for a tenant's row: its own id where that is looked for, and a word at each place that is asked for.
pub(super) fn of_tenant(
    catalog: &Catalog,
    table: &Relation,
    column: &Column,
    tenant: &Tenant,
    word: &str,
) -> Vec<String> {
    let (tied, checked) = (tied(catalog, table, column), checked(catalog, table, column));
    if tied.is_empty() && checked.is_empty() {
        return Vec::new();
    }
    let mut documents = Vec::new();
    let person = tenant.principal.as_ref().filter(|person| **person != tenant.id);
    for whose in std::iter::once(&tenant.id).chain(person) {
        let mut document = Value::Object(Map::new());
        put(&mut document, &["note".to_owned()], Value::String(word.to_owned()));
        for place in &checked {
            put(&mut document, place, Value::String(format!("{word}{}", place.concat())));
        }
        for place in &tied {
            put(&mut document, place, Value::String(whose.clone()));
        }
        documents.push(document.to_string());
    }
    documents
}

/// Returns a tenant's document in which somebody else is spoken of, at a place that nothing asks for.
pub(super) fn speaking_of(document: &str, other: &Tenant) -> Option<String> {
    let mut document: Value = serde_json::from_str(document).ok()?;
    let mention = Map::from_iter([("about".to_owned(), Value::String(other.id.clone()))]);
    document.as_object_mut()?.insert("nf_mentions".to_owned(), Value::Object(mention));
    Some(document.to_string())
}

/// Returns a row with its documents saying at each place that it is the victim's or the attacker's, in all ways.
pub(super) fn mixed(hunt: &Hunt, relation: &Relation, table: &Relation, row: &Row) -> Vec<Row> {
    let catalog = &hunt.stage.catalog;
    let mut rows = Vec::new();
    for column in table.columns.iter().filter(|column| is_document(catalog, column) && !column.generated) {
        let tied = tied(catalog, table, column);
        let may = relation
            .column_named(&column.name)
            .is_some_and(|column| hunt.stage.may_column(relation, column, "INSERT"));
        if !may || tied.is_empty() || tied.len() > PLACES {
            continue;
        }
        let known = row.get(&column.name).cloned().flatten();
        let base = known.and_then(|text| serde_json::from_str(&text).ok()).filter(Value::is_object);
        for ways in 0..1_u32 << tied.len() {
            let mut document = base.clone().unwrap_or_else(|| Value::Object(Map::new()));
            for (at, place) in tied.iter().enumerate() {
                let whose = if ways >> at & 1 == 0 { &hunt.stage.attacker } else { &hunt.stage.victim };
                put(&mut document, place, Value::String(whose.id.clone()));
            }
            let mut row = row.clone();
            row.insert(column.name.clone(), Some(document.to_string()));
            rows.push(row);
        }
    }
    rows
}
