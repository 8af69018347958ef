//! Writes a finding down as a script for psql that shows it, and takes everything back.

use std::collections::BTreeSet;

use super::{Hunt, seed::insert, stage::Actor};
use crate::{catalog::Relation, finding::TenantContext, session::literal};

/// Writes the script: plants what the attack needs, acts as the app's role, and rolls back.
pub(super) fn script(
    hunt: &Hunt,
    object: &str,
    context: TenantContext,
    statements: &[String],
    relation: Option<u32>,
) -> String {
    let mut lines = vec![
        format!(
            "-- Shows that isolation fails at {object}: run by psql as a superuser, on a copy. Everything is rolled back."
        ),
        "begin;".to_owned(),
        "set local session_replication_role = replica;".to_owned(),
    ];
    let mut wanted = BTreeSet::new();
    if let Some(table) = relation.and_then(|oid| hunt.stage.catalog.relation(oid)) {
        need(hunt, table, &mut wanted);
    } else {
        wanted.extend(
            hunt.stage
                .catalog
                .relations
                .iter()
                .filter(|relation| relation.is_table())
                .map(|relation| relation.oid),
        );
    }
    for table in super::seed::order(&hunt.stage.catalog).iter().filter(|table| wanted.contains(&table.oid)) {
        for tenant in std::iter::once(&hunt.stage.attacker).chain(hunt.stage.foreign()) {
            for row in hunt.seeds.rows_of(table.oid, tenant).iter().take(8) {
                let mut row = row.clone();
                row.retain(|name, _| table.column_named(name).is_some_and(|column| !column.generated));
                lines.push(format!("{} on conflict do nothing;", insert(table, &row)));
            }
        }
    }
    lines.push("set local session_replication_role = origin;".to_owned());
    for statement in hunt.stage.enter(Actor::of(context)) {
        lines.push(format!("{statement};"));
    }
    lines.push(format!("\\echo as {}:", literal(&hunt.stage.subject.app_role)));
    lines.extend(statements.iter().map(|statement| format!("{statement};")));
    lines.push("rollback;".to_owned());
    lines.join("\n") + "\n"
}

fn need(hunt: &Hunt, relation: &Relation, wanted: &mut BTreeSet<u32>) {
    if !wanted.insert(relation.oid) {
        return;
    }
    let catalog = &hunt.stage.catalog;
    let mut next: Vec<u32> = relation.reads.iter().chain(&relation.parents).copied().collect();
    next.extend(catalog.foreign_keys(relation.oid).map(|key| key.references));
    next.extend(
        catalog
            .policies
            .iter()
            .filter(|policy| policy.table == relation.oid)
            .flat_map(|policy| policy.relations.clone()),
    );
    for oid in next {
        if let Some(other) = catalog.relation(oid) {
            need(hunt, other, wanted);
        }
    }
}
