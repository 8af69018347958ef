//! Takes privileges from whoever passes them to the app's role.

use std::collections::{BTreeMap, BTreeSet};

use super::{Candidate, Shown};
use crate::{
    attack::Hunt,
    catalog::{Grant, Relation},
    finding::Verb,
    session::identifier,
};

/// Returns the roles that the app's role is or can be; 0 is everybody.
pub(super) fn acting(hunt: &Hunt) -> BTreeSet<u32> {
    let catalog = &hunt.stage.catalog;
    hunt.stage
        .roles_in_play()
        .into_iter()
        .flat_map(|role| catalog.privileges_of(role).into_iter().chain(catalog.may_become(role)))
        .collect()
}

fn grantee(hunt: &Hunt, oid: u32) -> String {
    hunt.stage.catalog.role_by_oid(oid).map_or_else(|| "public".to_owned(), |role| identifier(&role.name))
}

/// Writes the statements that take privileges on an object away.
pub(super) fn revoke(hunt: &Hunt, privileges: &[&str], on: &str, grants: &[Grant]) -> Vec<String> {
    let acting = acting(hunt);
    let mut from: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for grant in grants.iter().filter(|grant| privileges.contains(&grant.privilege.as_str())) {
        if acting.contains(&grant.grantee) {
            from.entry(grantee(hunt, grant.grantee))
                .or_default()
                .insert(grant.privilege.to_ascii_lowercase());
        }
    }
    from.into_iter()
        .map(|(who, which)| {
            format!("revoke {} on {on} from {who}", which.into_iter().collect::<Vec<_>>().join(", "))
        })
        .collect()
}

/// Writes the statements that take privileges on a relation and its columns away.
pub(super) fn on_relation(hunt: &Hunt, privileges: &[&str], relation: &Relation) -> Vec<String> {
    let all: Vec<Grant> = relation
        .grants
        .iter()
        .chain(relation.columns.iter().flat_map(|column| &column.grants))
        .cloned()
        .collect();
    revoke(hunt, privileges, &relation.quoted(), &all)
}

/// Returns the privilege that a verb needs.
pub(super) fn of_verb(verb: Verb) -> &'static [&'static str] {
    match verb {
        Verb::Select | Verb::Listen => &["SELECT"],
        Verb::Insert => &["INSERT"],
        Verb::Update => &["UPDATE"],
        Verb::Delete => &["DELETE"],
        Verb::Truncate => &["TRUNCATE"],
        Verb::Existence => &["INSERT", "UPDATE"],
        Verb::Execute => &["EXECUTE"],
    }
}

/// Closes the first step of two: the column that decides, or the row, is no longer the app's to write.
pub(super) fn of_step(hunt: &Hunt, shown: &Shown) -> Vec<Candidate> {
    let Some(relation) =
        hunt.stage.catalog.relations.iter().find(|relation| relation.object() == shown.object)
    else {
        return Vec::new();
    };
    let mut found = Vec::new();
    if shown.verb == Verb::Update
        && let Some(step) = shown.statements.first()
        && let Some(written) = relation
            .columns
            .iter()
            .find(|column| step.contains(&format!(" set {} = ", identifier(&column.name))))
    {
        let mut statements = on_relation(hunt, &["UPDATE"], relation);
        let app = identifier(&hunt.stage.subject.app_role);
        let kept: Vec<String> = relation
            .columns
            .iter()
            .filter(|column| column.name != written.name && !column.generated)
            .filter(|column| {
                hunt.stage.may_column(relation, column, "UPDATE") && !decides(hunt, relation, &column.name)
            })
            .map(|column| identifier(&column.name))
            .collect();
        if !kept.is_empty() && !statements.is_empty() {
            statements.push(format!("grant update ({}) on {} to {app}", kept.join(", "), relation.quoted()));
        }
        found.push(Candidate::of(statements));
    }
    found.push(Candidate::closing(on_relation(hunt, of_verb(shown.verb), relation)));
    found
}

/// Tells whether a column is part of the key, or read by what isolates.
fn decides(hunt: &Hunt, relation: &Relation, column: &str) -> bool {
    let catalog = &hunt.stage.catalog;
    let number = relation.column_named(column).map_or(0, |column| column.number);
    catalog.key(relation.oid).contains(&number)
        || hunt.stage.subject.tenant_column.as_deref() == Some(column)
        || catalog
            .policies
            .iter()
            .filter(|policy| policy.relations.contains(&relation.oid) || policy.table == relation.oid)
            .any(|policy| {
                [&policy.using, &policy.check]
                    .into_iter()
                    .flatten()
                    .any(|text| crate::catalog::mentions(text, column))
            })
}

/// Closes a relation of the system's.
pub(super) fn of_system(hunt: &Hunt, object: &str) -> Vec<Candidate> {
    let quoted: Vec<String> = object.split('.').map(identifier).collect();
    let on = quoted.join(".");
    let roles: Vec<u32> = acting(hunt).into_iter().filter(|role| *role != 0).collect();
    let from = |role: &u32| {
        hunt.stage
            .catalog
            .role_by_oid(*role)
            .filter(|role| !role.predefined)
            .map(|role| format!("revoke all on {on} from {}", identifier(&role.name)))
    };
    let own: Vec<String> = roles.iter().filter_map(from).collect();
    let mut everybody = own.clone();
    everybody.push(format!("revoke all on {on} from public"));
    vec![Candidate::closing(own), Candidate::closing(everybody)]
}
