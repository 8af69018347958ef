//! The condition that a row is the own tenant's, as the schema's other policies say it, else as its context says it.

use std::collections::BTreeMap;

use regex_lite::Regex;

use crate::{
    attack::{Hunt, links::Link, stage},
    catalog::{Column, Relation, mentions},
    check,
    session::{identifier, literal},
};

/// Most conditions that are worth a trial.
const MOST: usize = 4;

/// Returns conditions under which a row of a table is the asker's own, the likeliest first; none where nothing says so.
pub(super) fn own_rows(hunt: &Hunt, table: &Relation) -> Vec<String> {
    let links = &hunt.stage.links;
    let mut found = match links.get(&table.oid) {
        Some(Link::Tenant(name)) => plain(hunt, table, name, "{tenant}"),
        Some(Link::Person(name)) => plain(hunt, table, name, "{principal}"),
        Some(Link::Parent { table: parent, columns } | Link::Child { table: parent, columns }) => {
            through(hunt, table, *parent, columns)
        }
        None => Vec::new(),
    };
    let mut seen = Vec::new();
    found.retain(|one| {
        let new = !seen.contains(one);
        seen.push(one.clone());
        new
    });
    found.truncate(MOST);
    found
}

/// Compares a column of the table itself.
fn plain(hunt: &Hunt, table: &Relation, name: &str, whose: &str) -> Vec<String> {
    let Some(column) = table.column_named(name) else { return Vec::new() };
    let left = identifier(name);
    values(hunt, table, column, whose).into_iter().map(|value| format!("{left} = {value}")).collect()
}

/// Asks the row that decides, whose own policies bind the asker.
fn through(hunt: &Hunt, table: &Relation, parent: u32, columns: &[(String, String)]) -> Vec<String> {
    let Some(parent) = hunt.stage.catalog.relation(parent) else { return Vec::new() };
    let on: Vec<String> = columns
        .iter()
        .map(|(own, theirs)| {
            format!("owner.{} = {}.{}", identifier(theirs), identifier(&table.name), identifier(own))
        })
        .collect();
    let bound = format!("exists (select from {} owner where {})", parent.quoted(), on.join(" and "));
    if parent.rls {
        return vec![bound];
    }
    let Some(Link::Tenant(name)) = hunt.stage.links.get(&parent.oid) else { return vec![bound] };
    let Some(column) = parent.column_named(name) else { return vec![bound] };
    let within = values(hunt, parent, column, "{tenant}").into_iter().map(|value| {
        format!(
            "exists (select from {} owner where {} and owner.{} = {value})",
            parent.quoted(),
            on.join(" and "),
            identifier(name)
        )
    });
    within.collect()
}

/// Returns what the tenant of the context is, in the column's type.
fn values(hunt: &Hunt, table: &Relation, column: &Column, whose: &str) -> Vec<String> {
    let columns: BTreeMap<u32, String> = hunt
        .stage
        .links
        .iter()
        .filter_map(|(oid, link)| match (link, whose) {
            (Link::Tenant(name), "{tenant}") | (Link::Person(name), "{principal}") => {
                Some((*oid, name.clone()))
            }
            _ => None,
        })
        .collect();
    let compared = check::compared(&hunt.stage.catalog, &columns);
    let mut votes: BTreeMap<(bool, &str), (usize, bool)> = BTreeMap::new();
    for one in compared.iter().filter(|one| one.kind == column.type_name) {
        let vote = votes.entry((one.asks, one.text.as_str())).or_default();
        vote.0 += 1;
        vote.1 |= one.table == table.oid;
    }
    let mut ranked: Vec<_> = votes.into_iter().collect();
    ranked.sort_by_key(|((asks, text), (number, here))| (*asks, std::cmp::Reverse((*here, *number)), *text));
    let mut found: Vec<String> = ranked.into_iter().map(|((_, text), _)| text.to_owned()).collect();
    let by_context = from_context(hunt, whose).map(|text| {
        if matches!(column.type_name.as_str(), "text" | "name") {
            text
        } else {
            format!("{text}::{}", column.type_name)
        }
    });
    found.truncate(MOST - 1);
    found.extend(by_context);
    found
}

/// Writes how the context's statements can be asked whose it is, as text.
fn from_context(hunt: &Hunt, whose: &str) -> Option<String> {
    for statement in hunt.stage.subject.context.iter().filter(|statement| statement.contains(whose)) {
        if crate::infer::is_role_change(statement) {
            return Some("current_user::text".to_owned());
        }
        let quoted = Regex::new(r"'((?:[^']|'')*)'").ok()?;
        let given = quoted
            .captures_iter(statement)
            .map(|found| found[1].replace("''", "'"))
            .find(|text| text.contains(whose))?;
        let name = stage::setting_of(statement).or_else(|| set_by_function(hunt, statement))?;
        let setting = format!("nullif(current_setting({}, true), '')", literal(&name.replace('"', "")));
        if given == whose {
            return Some(setting);
        }
        if let Some(path) =
            serde_json::from_str::<serde_json::Value>(&given).ok().and_then(|json| path_to(&json, whose))
        {
            return Some(format!("({setting}::jsonb #>> {})", literal(&format!("{{{}}}", path.join(",")))));
        }
    }
    None
}

/// Returns the setting that a function which opens a context sets.
fn set_by_function(hunt: &Hunt, statement: &str) -> Option<String> {
    let set = Regex::new(r"set_config\(\s*'([^']+)'").ok()?;
    let opener = hunt.stage.catalog.functions.iter().find(|function| mentions(statement, &function.name))?;
    set.captures(&opener.source).map(|found| found[1].to_owned())
}

fn path_to(json: &serde_json::Value, whose: &str) -> Option<Vec<String>> {
    match json {
        serde_json::Value::String(text) => (text == whose).then(Vec::new),
        serde_json::Value::Object(members) => members.iter().find_map(|(name, value)| {
            let mut path = path_to(value, whose)?;
            path.insert(0, name.clone());
            Some(path)
        }),
        _ => None,
    }
}
