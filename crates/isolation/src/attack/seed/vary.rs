//! Which rows there have to be beside the plain one: one for each partition, and some that differ in a state or a time.

use super::{Row, Seeder};
use crate::{
    attack::{links::Link, papers, stage::Tenant, values::labels},
    catalog::{Column, Relation},
    session::SessionError,
};

impl Seeder<'_> {
    /// Returns what tells the rows of a table apart that have to be planted: one for each partition.
    pub(in crate::attack) fn places(&self, table: &Relation) -> Vec<Row> {
        let of_column = |column: &Column| {
            let values = crate::attack::values::partition_values(&self.stage.catalog, table, column);
            values
                .into_iter()
                .map(|value| Row::from([(column.name.clone(), Some(value))]))
                .collect::<Vec<_>>()
        };
        let tied = match self.stage.links.get(&table.oid) {
            Some(Link::Tenant(name)) => Some(name.clone()),
            _ => None,
        };
        let mut places: Vec<Row> = table
            .columns
            .iter()
            .filter(|column| Some(&column.name) != tied.as_ref())
            .flat_map(of_column)
            .take(12)
            .collect();
        if places.is_empty() {
            places.push(Row::new());
        }
        places
    }

    /// Adds rows of a tenant that differ from its first in one column each: flags, states, times.
    pub(in crate::attack) async fn vary(
        &mut self,
        tenant: &Tenant,
        table: &Relation,
    ) -> Result<(), SessionError> {
        // What the app has no right on is the schema's own book-keeping, which a wild row would upset.
        if !["SELECT", "INSERT", "UPDATE", "DELETE"].iter().any(|privilege| self.stage.may(table, privilege))
        {
            return Ok(());
        }
        let Some(first) = self.seeds.row(table.oid, tenant).cloned() else { return Ok(()) };
        let mut variants: Vec<(String, Option<String>)> = Vec::new();
        for column in table.columns.iter().filter(|column| !column.generated && column.identity.is_empty()) {
            if self.is_key(table, column) {
                continue;
            }
            let now = first.get(&column.name).cloned().flatten();
            let Some(info) = self.stage.catalog.base_type(column.type_oid) else { continue };
            match (info.category.as_str(), info.name.as_str()) {
                ("B", _) => {
                    let other = if now.as_deref() == Some("t") { "false" } else { "true" };
                    variants.push((column.name.clone(), Some(other.to_owned())));
                }
                ("N", "int4" | "int8" | "numeric" | "float8") if info.kind == "b" => {
                    for value in ["1", "99"] {
                        variants.push((column.name.clone(), Some(value.to_owned())));
                    }
                }
                ("D", "date" | "timestamp" | "timestamptz") => {
                    for value in ["2001-01-01", "2091-01-01"] {
                        variants.push((column.name.clone(), Some(value.to_owned())));
                    }
                }
                _ => {
                    let states = labels(&self.stage.catalog, table, column);
                    for state in states.into_iter().filter(|state| Some(state) != now.as_ref()).take(6) {
                        variants.push((column.name.clone(), Some(state)));
                    }
                }
            }
            if !column.not_null && now.is_some() {
                variants.push((column.name.clone(), None));
            }
        }
        variants.truncate(24);
        variants.extend(self.ownerless(table));
        variants.extend(self.mentioning(tenant, table, &first));
        for (column, value) in variants {
            let fixed = Row::from([(column, value)]);
            // A variant that the schema refuses cannot be exposed either.
            let _ = self.plant_row(table, tenant, &fixed).await?;
        }
        Ok(())
    }

    /// Returns documents of another tenant's that speak of the attacker, who is not to see them for that.
    fn mentioning(&self, tenant: &Tenant, table: &Relation, first: &Row) -> Option<(String, Option<String>)> {
        let catalog = &self.stage.catalog;
        let read = |column: &&Column| {
            catalog
                .policies
                .iter()
                .any(|policy| policy.table == table.oid && policy.columns.contains(&column.number))
        };
        let documents = table.columns.iter().filter(|column| papers::is_document(catalog, column));
        let column = documents.filter(|column| !column.generated).find(read)?;
        if tenant.id == self.stage.attacker.id {
            return None;
        }
        let document = papers::speaking_of(first.get(&column.name)?.as_deref()?, &self.stage.attacker)?;
        Some((column.name.clone(), Some(document)))
    }

    /// Returns the tenant column without a value, where what a row refers to tells whose it is: a row is then still its
    /// tenant's.
    fn ownerless(&self, table: &Relation) -> Option<(String, Option<String>)> {
        let Some(Link::Tenant(name)) = self.stage.links.get(&table.oid) else { return None };
        let column = table.column_named(name).filter(|column| !column.not_null)?;
        let catalog = &self.stage.catalog;
        let key = catalog.key(table.oid);
        let told = catalog.foreign_keys(table.oid).any(|reference| {
            !reference.columns.contains(&column.number)
                && reference.columns.iter().all(|number| key.contains(number))
                && matches!(self.stage.links.get(&reference.references), Some(Link::Tenant(_)))
        });
        told.then(|| (name.clone(), None))
    }

    fn is_key(&self, table: &Relation, column: &Column) -> bool {
        let catalog = &self.stage.catalog;
        let link = match self.stage.links.get(&table.oid) {
            Some(Link::Tenant(name) | Link::Person(name)) => *name == column.name,
            Some(Link::Parent { columns, .. }) => columns.iter().any(|(own, _)| *own == column.name),
            _ => false,
        };
        link || catalog.key(table.oid).contains(&column.number)
            || catalog.foreign_keys(table.oid).any(|key| key.columns.contains(&column.number))
    }
}
