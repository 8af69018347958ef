//! Names as findings and statements write them.

use std::fmt::Write as _;

use crate::{
    catalog::{Column, Constraint, Function, Relation, RelationKind},
    session::identifier,
};

/// Returns the word and name by which a statement means a function.
pub(super) fn routine(function: &Function) -> String {
    let word = if function.kind == "p" { "PROCEDURE" } else { "FUNCTION" };
    format!("{word} {}({})", function.quoted(), function.signature)
}

pub(super) fn is_table(relation: &Relation) -> bool {
    matches!(relation.kind, RelationKind::Table | RelationKind::Partitioned)
}

pub(super) fn column_named<'a>(relation: &'a Relation, name: &str) -> Option<&'a Column> {
    relation.columns.iter().find(|column| column.name == name)
}

/// Returns the names of columns, quoted and separated by commas.
pub(super) fn columns(relation: &Relation, numbers: &[i16]) -> String {
    numbers
        .iter()
        .filter_map(|number| relation.columns.iter().find(|column| column.number == *number))
        .map(|column| identifier(&column.name))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Returns the same without quotes, to be read.
pub(super) fn column_list(relation: &Relation, numbers: &[i16]) -> String {
    numbers
        .iter()
        .filter_map(|number| relation.columns.iter().find(|column| column.number == *number))
        .map(|column| column.name.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

/// Tells whether an option such as `security_invoker` is on.
pub(super) fn option(relation: &Relation, name: &str) -> bool {
    relation.options.iter().any(|option| {
        option.split_once('=').is_some_and(|(key, value)| {
            key == name && matches!(value.to_ascii_lowercase().as_str(), "true" | "on" | "1" | "yes")
        })
    })
}

/// Returns what follows the columns of a foreign key: its actions and whether it may wait.
pub(super) fn actions(key: &Constraint, cleared: &str) -> String {
    let mut text = String::new();
    for (event, action) in [("DELETE", &key.on_delete), ("UPDATE", &key.on_update)] {
        let word = match action.as_str() {
            "r" => "RESTRICT".to_owned(),
            "c" => "CASCADE".to_owned(),
            "n" if event == "DELETE" => format!("SET NULL ({cleared})"),
            "d" if event == "DELETE" => format!("SET DEFAULT ({cleared})"),
            "n" => "SET NULL".to_owned(),
            "d" => "SET DEFAULT".to_owned(),
            _ => continue,
        };
        let _ = write!(text, " ON {event} {word}");
    }
    if key.definition.contains("DEFERRABLE") && !key.definition.contains("NOT DEFERRABLE") {
        text.push_str(" DEFERRABLE");
        if key.definition.contains("INITIALLY DEFERRED") {
            text.push_str(" INITIALLY DEFERRED");
        }
    }
    text
}
