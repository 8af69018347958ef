//! Puts the tenant into the keys and references that tell of, or reach into, another tenant's rows.

use super::{Candidate, Shown};
use crate::{
    attack::{Hunt, links::Link, links::pairs},
    catalog::{Constraint, Relation},
    finding::Verb,
    session::identifier,
};

/// Returns what could end a finding by keys of a table.
pub(super) fn candidates(hunt: &Hunt, shown: &Shown, table: &Relation) -> Vec<Candidate> {
    let mut found = Vec::new();
    let Some(Link::Tenant(tenant)) = hunt.stage.links.get(&table.oid) else { return found };
    let Some(number) = table.column_named(tenant).map(|column| column.number) else { return found };
    let catalog = &hunt.stage.catalog;
    let column = identifier(tenant);
    if shown.verb == Verb::Existence {
        for key in catalog.constraints_of(table.oid).filter(|key| !key.inherited) {
            let added = match key.kind.as_str() {
                "u" | "p" if !key.columns.contains(&number) => widened(&key.definition, &column),
                "x" if !key.columns.contains(&number) => {
                    widened(&key.definition, &format!("{column} WITH ="))
                }
                _ => None,
            };
            if let Some(added) = added {
                found.push(replaced(table, key, &added));
            }
        }
        for index in catalog.indexes.iter().filter(|index| index.table == table.oid && !index.primary) {
            let constrained = catalog.constraints_of(table.oid).any(|key| key.name == index.name);
            if constrained || index.columns.contains(&number) {
                continue;
            }
            if let Some(definition) = widened(&index.definition, &column) {
                let drop = format!("drop index {}.{}", identifier(&table.schema), identifier(&index.name));
                found.push(Candidate::of(vec![drop, definition]));
            }
        }
    }
    let mut keys: Vec<&Constraint> = catalog.foreign_keys(table.oid).filter(|key| !key.inherited).collect();
    // A key that acts is likelier to be at fault.
    keys.sort_by_key(|key| key.on_delete == "a" && key.on_update == "a");
    for key in keys {
        found.extend(reference(hunt, table, tenant, key));
    }
    found
}

/// Puts something first into the list of a key's definition.
fn widened(definition: &str, first: &str) -> Option<String> {
    let at = definition.find('(')? + 1;
    Some(format!("{}{first}, {}", &definition[..at], &definition[at..]))
}

fn replaced(table: &Relation, key: &Constraint, definition: &str) -> Candidate {
    let name = identifier(&key.name);
    let table = table.quoted();
    Candidate::of(vec![
        format!("alter table {table} drop constraint {name}"),
        format!("alter table {table} add constraint {name} {definition}"),
    ])
}

/// Makes a reference that names the tenant too, and whose actions leave the tenant alone.
fn reference(hunt: &Hunt, table: &Relation, tenant: &str, key: &Constraint) -> Vec<Candidate> {
    let catalog = &hunt.stage.catalog;
    let (Some(parent), Some(columns)) = (catalog.relation(key.references), pairs(catalog, key)) else {
        return Vec::new();
    };
    let Some(Link::Tenant(theirs)) = hunt.stage.links.get(&parent.oid) else { return Vec::new() };
    let with_tenant = columns.iter().any(|(own, other)| own == tenant && other == theirs);
    let mut both: Vec<(String, String)> = columns.iter().filter(|(own, _)| own != tenant).cloned().collect();
    both.retain(|(_, other)| other != theirs);
    if both.is_empty() {
        return Vec::new();
    }
    both.insert(0, (tenant.to_owned(), theirs.clone()));
    let list = |side: fn(&(String, String)) -> &String| {
        both.iter().map(|pair| identifier(side(pair))).collect::<Vec<_>>().join(", ")
    };
    let rest: Vec<String> = both.iter().skip(1).map(|(own, _)| identifier(own)).collect();
    let action = |code: &str| match code {
        "c" => " on delete cascade".to_owned(),
        "n" => format!(" on delete set null ({})", rest.join(", ")),
        "d" => format!(" on delete set default ({})", rest.join(", ")),
        "r" => " on delete restrict".to_owned(),
        _ => String::new(),
    };
    let target: Vec<i16> =
        both.iter().filter_map(|(_, name)| parent.column_named(name).map(|column| column.number)).collect();
    let mut wanted = target.clone();
    wanted.sort_unstable();
    let unique = catalog.constraints_of(parent.oid).any(|other| {
        let mut own = other.columns.clone();
        own.sort_unstable();
        matches!(other.kind.as_str(), "p" | "u") && own == wanted
    });
    let (name, quoted) = (identifier(&key.name), table.quoted());
    let mut made = Vec::new();
    if !unique {
        made.push(format!("alter table {} add unique ({})", parent.quoted(), list(|pair| &pair.1)));
    }
    made.push(format!("alter table {quoted} drop constraint {name}"));
    made.push(format!(
        "alter table {quoted} add constraint {name} foreign key ({}) references {} ({}){}",
        list(|pair| &pair.0),
        parent.quoted(),
        list(|pair| &pair.1),
        action(&key.on_delete)
    ));
    let mut found = Vec::new();
    if !with_tenant || key.on_delete == "n" || key.on_delete == "d" || key.on_update != "a" {
        found.push(Candidate::of(made));
    }
    let dropped = format!("alter table {quoted} drop constraint {name}");
    found.push(
        Candidate { closes: true, ..Candidate::one(dropped) }
            .remark("It refers to another tenant's rows on purpose: keep the number without the reference."),
    );
    found
}
