//! Which columns hold a person who acts for a tenant, where contexts name one.

use crate::{
    catalog::{Catalog, mentions},
    infer::{is_role_change, settings_read},
};

use super::stage::setting_of;

/// Words that columns of persons have in their names.
const WORDS: &[&str] = &[
    "user",
    "owner",
    "author",
    "member",
    "person",
    "uid",
    "staff",
    "employee",
    "login",
    "username",
    "principal",
    "profile",
    "account",
];

/// Finds the columns of persons; none where no context names a person.
pub(super) fn people(
    catalog: &Catalog,
    context: &[String],
    tenant_column: Option<&str>,
) -> Vec<(u32, String)> {
    let naming: Vec<&String> = context.iter().filter(|statement| statement.contains("{principal}")).collect();
    if naming.is_empty() {
        return Vec::new();
    }
    let settings: Vec<String> = naming.iter().filter_map(|statement| setting_of(statement)).collect();
    let by_role = naming.iter().any(|statement| is_role_change(statement));
    let mut found: Vec<(u32, String)> = Vec::new();
    let mut add = |table: u32, column: &str| {
        if Some(column) != tenant_column
            && !found.iter().any(|(other, name)| *other == table && name == column)
        {
            found.push((table, column.to_owned()));
        }
    };
    for policy in &catalog.policies {
        let text = catalog.policy_text(policy);
        let read = settings_read(&text);
        let named = settings.iter().any(|setting| read.contains(setting))
            || by_role
                && (mentions(&text, "CURRENT_USER")
                    || mentions(&text, "current_user")
                    || mentions(&text, "SESSION_USER"))
            || mentions(&text, "auth.uid");
        if !named {
            continue;
        }
        if let Some(table) = catalog.relation(policy.table) {
            for column in policy.columns.iter().filter_map(|number| table.column(*number)) {
                let compared =
                    [" = ", "= (", "=("].iter().any(|sign| text.contains(&format!("{}{sign}", column.name)));
                if person_like(&column.name) && !is_flag(catalog, column)
                    || by_role && compared && !is_flag(catalog, column)
                {
                    add(table.oid, &column.name);
                }
            }
        }
        for other in policy.relations.iter().filter_map(|oid| catalog.relation(*oid)) {
            for column in other
                .columns
                .iter()
                .filter(|column| person_like(&column.name) && mentions(&text, &column.name))
            {
                if !is_flag(catalog, column) {
                    add(other.oid, &column.name);
                }
            }
        }
        for function in catalog.functions_behind(&policy.functions) {
            for other in catalog
                .relations
                .iter()
                .filter(|other| other.is_table() && mentions(&function.source, &other.name))
            {
                for column in other
                    .columns
                    .iter()
                    .filter(|column| person_like(&column.name) && mentions(&function.source, &column.name))
                {
                    if !is_flag(catalog, column) {
                        add(other.oid, &column.name);
                    }
                }
            }
        }
    }
    for (table, column) in in_functions(catalog, &settings, by_role) {
        add(table, &column);
    }
    follow(catalog, tenant_column, &mut found);
    found
}

/// Finds columns of persons in the tables of functions that ask who is there.
fn in_functions(catalog: &Catalog, settings: &[String], by_role: bool) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    for function in catalog.functions.iter().filter(|function| !function.extension) {
        let read = settings_read(&function.source);
        let named = settings.iter().any(|setting| read.contains(setting))
            || by_role && mentions(&function.source, "session_user")
            || mentions(&function.source, "auth.uid");
        if !named {
            continue;
        }
        for other in catalog
            .relations
            .iter()
            .filter(|other| other.is_table() && mentions(&function.source, &other.name))
        {
            for column in &other.columns {
                if person_like(&column.name)
                    && mentions(&function.source, &column.name)
                    && !is_flag(catalog, column)
                {
                    found.push((other.oid, column.name.clone()));
                }
            }
        }
    }
    found
}

/// Follows references: a list of persons is what such columns refer to, and what else refers to it holds persons too.
fn follow(catalog: &Catalog, tenant_column: Option<&str>, found: &mut Vec<(u32, String)>) {
    let mut next = 0;
    while next < found.len() {
        let (table, column) = found[next].clone();
        for key in catalog.constraints.iter().filter(|key| key.kind == "f") {
            let Some(pairs) = super::links::pairs(catalog, key) else { continue };
            for (own, theirs) in pairs {
                let new = if key.table == table && own == column {
                    (key.references, theirs)
                } else if key.references == table && theirs == column {
                    (key.table, own)
                } else {
                    continue;
                };
                if Some(new.1.as_str()) != tenant_column && !found.contains(&new) {
                    found.push(new);
                }
            }
        }
        next += 1;
    }
}

fn person_like(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.split('_').any(|word| WORDS.contains(&word.trim_end_matches('s')))
        && !lower.contains("email")
        && !["full_name", "first_name", "last_name", "display_name", "given_name", "family_name"]
            .iter()
            .any(|name| lower.ends_with(name))
}

fn is_flag(catalog: &Catalog, column: &crate::catalog::Column) -> bool {
    catalog.base_type(column.type_oid).is_none_or(|info| !matches!(info.category.as_str(), "S" | "N" | "U"))
}
