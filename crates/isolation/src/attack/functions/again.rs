//! The same call several times, by somebody who has no rows of their own: who takes the next one of anybody gets another
//! tenant's then.

use super::{arguments::said, judge, statement};
use crate::{
    attack::{Hunt, links, stage::Actor},
    catalog::{Function, Relation, mentions},
    finding::{TenantContext, Verb},
    session::SessionError,
};

/// Arguments tried.
const TRIES: usize = 3;

/// Calls behind one another.
const TIMES: usize = 3;

/// Calls a function again and again where no row is the attacker's own.
pub(super) async fn run(
    hunt: &mut Hunt,
    function: &Function,
    calls: &[(Vec<String>, Vec<String>)],
) -> Result<(), SessionError> {
    if hunt.has(&function.object()) {
        return Ok(());
    }
    let before = without_own(hunt, &said(hunt, function));
    if before.is_empty() {
        return Ok(());
    }
    for (theirs, _) in calls.iter().take(TRIES) {
        if hunt.spent() {
            return Ok(());
        }
        hunt.count(&function.object(), Verb::Execute, TenantContext::Tenant, "again");
        let times = if function.volatility == "v" { vec![1, TIMES] } else { vec![1] };
        for times in times {
            let statements = vec![statement(function, theirs); times];
            let baseline = hunt.baseline.clone();
            let outcome =
                hunt.stage.attempt_after(&before, Actor::Attacker, &statements, Some(&baseline)).await?;
            if judge(hunt, function, TenantContext::Tenant, &statements, &outcome).await? {
                return Ok(());
            }
            if outcome.refusal.is_some() {
                break;
            }
        }
    }
    Ok(())
}

/// Takes the attacker's rows out of the tables that a source speaks of, but not the attacker.
fn without_own(hunt: &Hunt, source: &str) -> Vec<String> {
    let stage = &hunt.stage;
    let roots = stage.subject.tenant_column.as_deref().map(|name| links::roots(&stage.catalog, name));
    let is_root = |table: &Relation| roots.iter().flatten().any(|(oid, _)| *oid == table.oid);
    let is_of_people = |table: &Relation| stage.people.iter().any(|(oid, _)| *oid == table.oid);
    let mut tables: Vec<&Relation> = stage
        .catalog
        .relations
        .iter()
        .filter(|table| table.is_table() && !table.partition && mentions(source, &table.name))
        .filter(|table| !is_root(table) && !is_of_people(table))
        .collect();
    // What is told by others' rows goes first.
    tables.sort_by_key(|table| matches!(stage.links.get(&table.oid), Some(links::Link::Tenant(_))));
    tables.into_iter().flat_map(|table| stage.without_own(table)).collect()
}
