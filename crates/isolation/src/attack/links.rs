//! Whose a row is: by its tenant column, by what it refers to, or by who refers to it.

use std::collections::BTreeMap;

use crate::{
    catalog::{Catalog, Constraint, Relation},
    session::{identifier, literal},
};

/// How a table's rows are tied to a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// A column holds the tenant.
    Tenant(String),
    /// A column holds a person who acts for the tenant.
    Person(String),
    /// Columns refer to a row of another table, whose owner counts: `(own, theirs)`.
    Parent {
        /// The other table.
        table: u32,
        /// The pairs of columns.
        columns: Vec<(String, String)>,
    },
    /// Rows of another table refer to it, and their owners count: `(own, theirs)`.
    Child {
        /// The other table.
        table: u32,
        /// The pairs of columns.
        columns: Vec<(String, String)>,
    },
}

/// The links of all tables; one without is shared by all tenants, or told by who made its rows.
pub(super) type Links = BTreeMap<u32, Link>;

/// Columns that hold what only a person's own record does.
const PERSONAL: &[&str] =
    &["email", "mail", "phone", "password", "address", "birth", "ssn", "iban", "salary"];

/// Works out the links of every table; `people` are columns known to hold a person.
pub(super) fn links(catalog: &Catalog, tenant_column: Option<&str>, people: &[(u32, String)]) -> Links {
    let mut links = Links::new();
    let tables: Vec<&Relation> =
        catalog.relations.iter().filter(|relation| relation.is_table() && !relation.extension).collect();
    if let Some(name) = tenant_column {
        for table in &tables {
            if table.column_named(name).is_some() {
                links.insert(table.oid, Link::Tenant(name.to_owned()));
            }
        }
        for (table, column) in roots(catalog, name) {
            links.insert(table, Link::Tenant(column));
        }
    }
    for (table, column) in people {
        links.entry(*table).or_insert_with(|| Link::Person(column.clone()));
    }
    loop {
        let mut found: Vec<(u32, Link)> = Vec::new();
        for table in tables.iter().filter(|table| !links.contains_key(&table.oid)) {
            let mut keys: Vec<&Constraint> = catalog
                .foreign_keys(table.oid)
                .filter(|key| key.references != table.oid && links.contains_key(&key.references))
                .collect();
            let nullable = |key: &Constraint| {
                key.columns
                    .iter()
                    .filter(|number| table.column(**number).is_some_and(|column| !column.not_null))
                    .count()
            };
            keys.sort_by_key(|key| nullable(key));
            if let Some(key) = keys.first()
                && let Some(columns) = pairs(catalog, key)
            {
                found.push((table.oid, Link::Parent { table: key.references, columns }));
            }
        }
        if found.is_empty() {
            break;
        }
        links.extend(found);
    }
    for table in tables
        .iter()
        .filter(|table| !links.contains_key(&table.oid))
        .map(|table| table.oid)
        .collect::<Vec<_>>()
    {
        let Some(relation) = catalog.relation(table) else { continue };
        let personal = relation.columns.iter().any(|column| {
            let name = column.name.to_ascii_lowercase();
            PERSONAL.iter().any(|word| name.contains(word))
        });
        let key = catalog.constraints.iter().find(|key| {
            key.kind == "f"
                && key.references == table
                && links.get(&key.table).is_some_and(|link| !matches!(link, Link::Child { .. }))
        });
        if personal
            && let Some(key) = key
            && let Some(columns) = pairs(catalog, key)
        {
            let columns = columns.into_iter().map(|(theirs, own)| (own, theirs)).collect();
            links.insert(table, Link::Child { table: key.table, columns });
        }
    }
    links
}

/// Finds the tables that list the tenants themselves, with the column that names one.
pub(super) fn roots(catalog: &Catalog, tenant_column: &str) -> Vec<(u32, String)> {
    let mut roots: Vec<(u32, String)> = Vec::new();
    for key in catalog.constraints.iter().filter(|key| key.kind == "f" && key.columns.len() == 1) {
        let Some(table) = catalog.relation(key.table) else { continue };
        if table.column(key.columns[0]).is_none_or(|column| column.name != tenant_column) {
            continue;
        }
        if let Some(root) = catalog.relation(key.references)
            && root.column_named(tenant_column).is_none()
            && let Some(column) = root.column(key.referenced[0])
            && !roots.iter().any(|(known, _)| *known == root.oid)
        {
            roots.push((root.oid, column.name.clone()));
        }
    }
    if roots.is_empty() {
        let stem = tenant_column.strip_suffix("_id").unwrap_or(tenant_column).to_ascii_lowercase();
        let names = [
            stem.clone(),
            format!("{stem}s"),
            format!("{stem}es"),
            format!("{}ies", stem.trim_end_matches('y')),
        ];
        let listing = catalog.relations.iter().find(|relation| {
            relation.is_table()
                && relation.column_named(tenant_column).is_none()
                && names.contains(&relation.name.to_ascii_lowercase())
        });
        if let Some(root) = listing
            && let [number] = catalog.key(root.oid).as_slice()
            && let Some(column) = root.column(*number)
        {
            roots.push((root.oid, column.name.clone()));
        }
    }
    roots
}

/// Returns the names of a foreign key's columns, own and theirs.
pub(super) fn pairs(catalog: &Catalog, key: &Constraint) -> Option<Vec<(String, String)>> {
    let (own, theirs) = (catalog.relation(key.table)?, catalog.relation(key.references)?);
    key.columns
        .iter()
        .zip(&key.referenced)
        .map(|(one, other)| Some((own.column(*one)?.name.clone(), theirs.column(*other)?.name.clone())))
        .collect()
}

/// Writes the condition under which a row called `alias` belongs to one of the tenants or persons.
pub(super) fn owned_by(
    catalog: &Catalog,
    links: &Links,
    table: u32,
    alias: &str,
    tenants: &[&str],
    persons: &[&str],
) -> Option<String> {
    owned_at(catalog, links, table, alias, tenants, persons, 0)
}

fn owned_at(
    catalog: &Catalog,
    links: &Links,
    table: u32,
    alias: &str,
    tenants: &[&str],
    persons: &[&str],
    depth: usize,
) -> Option<String> {
    let among = |column: &str, values: &[&str]| {
        let values: Vec<String> = values.iter().map(|value| literal(value)).collect();
        (!values.is_empty())
            .then(|| format!("{alias}.{}::text collate \"C\" in ({})", identifier(column), values.join(", ")))
    };
    let joined = |other: u32, columns: &[(String, String)]| {
        let inner = format!("o{depth}");
        let relation = catalog.relation(other)?;
        let condition = owned_at(catalog, links, other, &inner, tenants, persons, depth + 1)?;
        let on: Vec<String> = columns
            .iter()
            .map(|(own, theirs)| format!("{inner}.{} = {alias}.{}", identifier(theirs), identifier(own)))
            .collect();
        Some(format!(
            "exists (select from {} {inner} where {} and {condition})",
            relation.quoted(),
            on.join(" and ")
        ))
    };
    if depth > 8 {
        return None;
    }
    match links.get(&table)? {
        Link::Tenant(column) => among(column, tenants),
        Link::Person(column) => among(column, persons),
        Link::Parent { table, columns } | Link::Child { table, columns } => joined(*table, columns),
    }
}
