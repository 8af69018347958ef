//! A type of the caller's in place of one that a function names without its schema: a domain, whose check runs with the
//! function's rights.

use super::{
    places, played,
    spy::{Returns, spy},
    unqualified,
};
use crate::attack::Hunt;
use crate::{
    catalog::{Function, TypeInfo},
    session::{SessionError, identifier},
};

/// Puts a domain in place of every type of the schema's that the function names alone.
pub(super) async fn run(
    hunt: &mut Hunt,
    function: &Function,
    occasions: &[String],
) -> Result<bool, SessionError> {
    let catalog = &hunt.stage.catalog;
    let is_table = |info: &TypeInfo| {
        catalog.relations.iter().any(|relation| relation.schema == info.schema && relation.name == info.name)
    };
    let mut named: Vec<TypeInfo> = catalog
        .types
        .values()
        .filter(|info| matches!(info.kind.as_str(), "d" | "e" | "c") && info.schema != "pg_catalog")
        .filter(|info| !is_table(info) && unqualified(&function.source, &info.name))
        .cloned()
        .collect();
    named.sort_by_key(|info| info.oid);
    for place in places(hunt, function) {
        let schema = identifier(&place.schema);
        for info in named.iter().filter(|info| info.schema != place.schema) {
            let mut script = place.made.clone();
            script.push(spy(hunt, &schema, Returns::Truth));
            script.push(format!(
                "create domain {schema}.{name} as {}.{name} check ({schema}.nf_spy())",
                identifier(&info.schema),
                name = identifier(&info.name)
            ));
            if played(hunt, function, &script, occasions).await? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
