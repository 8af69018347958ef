//! Documents with the keys that a function reads, filled with a tenant's values.

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde_json::{Map, Value};

use super::{Choice, Wanted, composed::tables, is_meant, is_secret, nobodys};
use crate::{
    attack::{Hunt, stage::Tenant},
    catalog::Catalog,
    session::literal,
};

/// Tables whose rows are tried.
const TABLES: usize = 3;

/// Returns documents: an object, a list of one, and a list of one's own and another's.
pub(super) fn documents(hunt: &Hunt, catalog: &Catalog, wanted: Wanted<'_>) -> Vec<Choice> {
    let keys = keys(catalog, wanted.source);
    if keys.is_empty() {
        return Vec::new();
    }
    let own = objects(hunt, catalog, &keys, wanted, &hunt.stage.attacker);
    let mut choices = Vec::new();
    for (at, (theirs, nobody)) in objects(hunt, catalog, &keys, wanted, wanted.whose).into_iter().enumerate()
    {
        let likely = 9 - u8::try_from(at).unwrap_or(9).min(4);
        let mut push = |likely: u8, theirs: Value, nobody: Value| {
            choices.push(Choice {
                theirs: literal(&theirs.to_string()),
                nobodys: literal(&nobody.to_string()),
                likely,
            });
        };
        let (list, object) = if is_list(wanted.source) { (likely, likely - 1) } else { (likely - 1, likely) };
        push(object, theirs.clone(), nobody.clone());
        // Whose the document is may be looked at, and the rest of it taken for anybody's.
        let ours = |document: &Value| with_tenant(document, &theirs, wanted.whose, &hunt.stage.attacker);
        if let (Some(theirs), Some(nobody)) = (ours(&theirs), ours(&nobody)) {
            push(object, theirs, nobody);
        }
        push(list, Value::Array(vec![theirs.clone()]), Value::Array(vec![nobody.clone()]));
        if let Some((one, _)) = own.get(at).or_else(|| own.first())
            && *one != theirs
        {
            let pair = |other: Value| Value::Array(vec![one.clone(), other]);
            push(list - 1, pair(theirs), pair(nobody));
        }
    }
    choices
}

/// Puts one tenant's id where a document says another's; none where it does not.
fn with_tenant(document: &Value, said: &Value, whose: &Tenant, other: &Tenant) -> Option<Value> {
    let is_theirs = |value: &Value| {
        value.as_str() == Some(whose.id.as_str())
            || value.as_number().is_some_and(|number| number.to_string() == whose.id)
    };
    let mut document = document.clone();
    let fields = document.as_object_mut()?;
    let tied: Vec<String> = said
        .as_object()?
        .iter()
        .filter(|(_, value)| is_theirs(value) && whose.id != other.id)
        .map(|(key, _)| key.clone())
        .collect();
    for key in &tied {
        let id = match said.get(key) {
            Some(Value::Number(_)) => other.id.parse().ok().map(Value::Number),
            _ => None,
        };
        fields.insert(key.clone(), id.unwrap_or_else(|| Value::String(other.id.clone())));
    }
    (!tied.is_empty()).then_some(document)
}

fn is_list(source: &str) -> bool {
    let lower = source.to_ascii_lowercase();
    ["array_elements", "to_recordset", "populate_recordset", "[*]", "-> 0", "->0", "array_length"]
        .iter()
        .any(|word| lower.contains(word))
}

/// Returns the keys that a source reads out of a document, each with the type that it makes of it where it says so.
fn keys(catalog: &Catalog, source: &str) -> BTreeMap<String, Option<String>> {
    let mut keys: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut found = |pattern: &str| {
        let Ok(pattern) = Regex::new(pattern) else { return };
        for captures in pattern.captures_iter(source) {
            let kind = captures.get(2).map(|kind| kind.as_str().to_ascii_lowercase());
            for key in captures[1].split([',', '.']).map(|key| key.trim().trim_matches(['"', '\''])) {
                if !key.is_empty() && key.parse::<u32>().is_err() {
                    let known = keys.entry(key.to_owned()).or_default();
                    *known = known.take().or_else(|| kind.clone());
                }
            }
        }
    };
    found(r"->>?\s*'([^']{1,40})'(?:::text)?\s*\)?\s*::\s*([A-Za-z_][A-Za-z0-9_.]*)");
    found(r"->>?\s*'([^']{1,40})'");
    found(r"#>>?\s*'\{([^']{1,80})\}'");
    found(r"(?:\?|has_key\()\s*'([^']{1,40})'");
    found(r"\w\['([^']{1,40})'\]");
    found(r"'(?:lax |strict )?\$(?:\[\*\])?\.([A-Za-z_][A-Za-z0-9_.]{0,60})");
    if let Ok(pattern) = Regex::new(r"(?i)jsonb?_extract_path(?:_text)?\([^,()]*,\s*([^()]*)\)") {
        for captures in pattern.captures_iter(source) {
            for key in captures[1].split(',').map(|key| key.trim().trim_matches('\'')) {
                keys.entry(key.to_owned()).or_default();
            }
        }
    }
    if let Ok(pattern) =
        Regex::new(r"(?is)to_record(?:set)?\([^)]*\)\s*(?:as\s+)?\w*\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\)")
    {
        for captures in pattern.captures_iter(source) {
            for field in captures[1].split(',') {
                let mut words = field.split_whitespace();
                if let Some(name) = words.next() {
                    keys.insert(name.trim_matches('"').to_owned(), words.next().map(ToOwned::to_owned));
                }
            }
        }
    }
    if let Ok(pattern) = Regex::new(r"(?i)populate_record(?:set)?\(\s*null::([A-Za-z0-9_.\x22]+)") {
        for captures in pattern.captures_iter(source) {
            let name = captures[1].rsplit('.').next().unwrap_or_default().trim_matches('"').to_owned();
            for kind in catalog.types.values().filter(|kind| kind.kind == "c" && kind.name == name) {
                for field in &kind.fields {
                    let of = catalog.base_type(field.type_oid).map(|info| info.name.clone());
                    keys.insert(field.name.clone(), of);
                }
            }
        }
    }
    keys
}

/// Makes objects of a tenant's rows; beside each what nobody has.
fn objects(
    hunt: &Hunt,
    catalog: &Catalog,
    keys: &BTreeMap<String, Option<String>>,
    wanted: Wanted<'_>,
    whose: &Tenant,
) -> Vec<(Value, Value)> {
    let column = hunt.stage.subject.tenant_column.as_deref().unwrap_or("tenant_id");
    let stem = column.trim_end_matches("_id").to_ascii_lowercase();
    let mut objects: Vec<(usize, Value, Value)> = Vec::new();
    for table in tables(catalog, wanted.source) {
        let Some(row) = hunt.seeds.row(table.oid, whose) else { continue };
        let (mut theirs, mut nobody) = (Map::new(), Map::new());
        let mut named = 0;
        for (key, kind) in keys {
            let lower = key.to_ascii_lowercase();
            let field = table
                .columns
                .iter()
                .filter(|field| !is_secret(&table.name, &field.name))
                .find(|field| field.name.eq_ignore_ascii_case(key))
                .or_else(|| {
                    table.columns.iter().find(|field| {
                        let plain = field.name.to_ascii_lowercase();
                        is_meant(&lower, &plain) || plain.ends_with(&lower)
                    })
                });
            let value = field.and_then(|field| row.get(&field.name)?.clone());
            if let (Some(field), Some(value)) = (field, &value) {
                named += 1;
                let info = catalog.base_type(field.type_oid);
                let (name, category) =
                    info.map_or(("text", "S"), |info| (info.name.as_str(), info.category.as_str()));
                theirs.insert(key.clone(), written(category, value));
                nobody.insert(key.clone(), written(category, &nobodys(name, category, value)));
                continue;
            }
            let value = if lower == column.to_ascii_lowercase() || lower == stem || lower == "tenant" {
                Value::String(whose.id.clone())
            } else {
                filler(kind.as_deref(), &format!("{}{key}", hunt.stage.attacker.marker))
            };
            theirs.insert(key.clone(), value.clone());
            nobody.insert(key.clone(), value);
        }
        objects.push((named, Value::Object(theirs), Value::Object(nobody)));
    }
    objects.sort_by_key(|(named, ..)| std::cmp::Reverse(*named));
    objects.into_iter().take(TABLES).map(|(_, theirs, nobody)| (theirs, nobody)).collect()
}

fn written(category: &str, value: &str) -> Value {
    match (category, value) {
        ("N", _) => value
            .parse::<serde_json::Number>()
            .map_or_else(|_| Value::String(value.to_owned()), Value::Number),
        ("B", _) => Value::Bool(value.starts_with('t')),
        _ => Value::String(value.to_owned()),
    }
}

/// What stands where no row says anything.
fn filler(kind: Option<&str>, text: &str) -> Value {
    match kind.unwrap_or_default().rsplit('.').next().unwrap_or_default() {
        "int" | "integer" | "bigint" | "smallint" | "int2" | "int4" | "int8" | "numeric" | "float8"
        | "decimal" | "real" | "double" | "money" => Value::from(1),
        "boolean" | "bool" => Value::Bool(true),
        "date" | "timestamp" | "timestamptz" => Value::String("2026-06-01".to_owned()),
        "uuid" => Value::String("0f0e0d0c-0b0a-4908-8706-050403020100".to_owned()),
        _ => Value::String(text.to_owned()),
    }
}
