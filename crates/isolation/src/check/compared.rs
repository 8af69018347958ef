//! What the policies of a schema compare a column with: the manner in which a new policy of it is written.

use std::collections::BTreeMap;

use super::{
    expr::{Expr, any_word, calls, has_select, split},
    fixes::compared_with,
};
use crate::catalog::Catalog;

/// What one policy compares its table's column with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Compared {
    /// The policy's table.
    pub(crate) table: u32,
    /// The column's type, as written.
    pub(crate) kind: String,
    /// The other side.
    pub(crate) text: String,
    /// It asks a table.
    pub(crate) asks: bool,
}

/// Returns what the policies compare the given column of each table with.
pub(crate) fn compared(catalog: &Catalog, columns: &BTreeMap<u32, String>) -> Vec<Compared> {
    let mut found = Vec::new();
    for policy in &catalog.policies {
        let Some(name) = columns.get(&policy.table) else { continue };
        let Some(column) = catalog.relation(policy.table).and_then(|table| table.column_named(name)) else {
            continue;
        };
        for text in [&policy.using, &policy.check].into_iter().flatten() {
            let expression = Expr::parse(text);
            for part in expression.disjuncts().into_iter().flat_map(|part| split(part, "and")) {
                let Some(with) = compared_with(part, name) else { continue };
                let by_context = !calls(with).is_empty()
                    || any_word(with, &mut |word| word == "current_user" || word == "session_user");
                if by_context {
                    found.push(Compared {
                        table: policy.table,
                        kind: column.type_name.clone(),
                        text: in_one_line(expression.text_of(with)),
                        asks: has_select(with),
                    });
                }
            }
        }
    }
    found
}

/// Writes an expression in one line; the catalogue breaks it where a sub-select begins a clause.
pub(crate) fn in_one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}
