//! Mends a table, view or the like.

use super::{Candidate, Shown, keys, policies, privileges, roles};
use crate::{
    attack::Hunt,
    catalog::{Relation, RelationKind},
    finding::Verb,
    rules,
};

/// Returns what could end a finding about a relation, the smallest first.
pub(super) fn candidates(hunt: &Hunt, shown: &Shown, relation: &Relation) -> Vec<Candidate> {
    match relation.kind {
        RelationKind::View => view(hunt, shown, relation),
        RelationKind::MaterializedView | RelationKind::Foreign => closed(hunt, shown.verb, relation),
        RelationKind::Table | RelationKind::Partitioned => table(hunt, shown, relation),
    }
}

/// Takes the privilege that a verb needs, else all.
fn closed(hunt: &Hunt, verb: Verb, relation: &Relation) -> Vec<Candidate> {
    let mut found =
        vec![Candidate::closing(privileges::on_relation(hunt, privileges::of_verb(verb), relation))];
    let all = ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"];
    found.push(Candidate::closing(privileges::on_relation(hunt, &all, relation)));
    found
}

fn view(hunt: &Hunt, shown: &Shown, view: &Relation) -> Vec<Candidate> {
    let set = |options: &str| Candidate::one(format!("alter view {} set ({options})", view.quoted()));
    let mut found = Vec::new();
    if shown.rule.id == rules::LEAKY_VIEW.id {
        found.push(set("security_barrier = true"));
    }
    if matches!(shown.verb, Verb::Insert | Verb::Update | Verb::Delete) {
        found.push(set("check_option = cascaded"));
    }
    found.push(set("security_invoker = true"));
    if matches!(shown.verb, Verb::Insert | Verb::Update) {
        found.push(set("security_invoker = true, check_option = cascaded"));
    }
    found.push(set("security_barrier = true"));
    found.extend(closed(hunt, shown.verb, view));
    found
}

fn table(hunt: &Hunt, shown: &Shown, table: &Relation) -> Vec<Candidate> {
    let revoked = |which: &[&str]| Candidate::closing(privileges::on_relation(hunt, which, table));
    if shown.rule.id == rules::TRUNCATES.id || shown.verb == Verb::Truncate {
        return vec![revoked(&["TRUNCATE"])];
    }
    if shown.rule.id == rules::LARGE_OBJECT.id || shown.rule.id == rules::HEARS.id {
        return Vec::new();
    }
    let mut found = Vec::new();
    if privileges::acting(hunt).contains(&table.owner) {
        found.push(Candidate { closes: true, ..Candidate::of(roles::given_away(hunt, table)) });
    }
    if shown.rule.id == rules::UNDOES.id {
        found.push(revoked(&["TRIGGER"]));
        return found;
    }
    if shown.statements.iter().any(|statement| statement.contains(" references ")) {
        found.push(revoked(&["REFERENCES"]));
    }
    // Who goes around the table that its policies stand on has no need to.
    if table.partition && !table.rls {
        let all = ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"];
        found.push(revoked(&all).remark("The partitioned table gives the same rows, under its policies."));
    }
    if shown.verb == Verb::Existence {
        found.extend(keys::candidates(hunt, shown, table));
    } else {
        found.extend(policies::candidates(hunt, shown, table));
        if shown.verb != Verb::Select {
            found.extend(keys::candidates(hunt, shown, table));
        }
    }
    found.push(
        revoked(privileges::of_verb(shown.verb))
            .remark("Nothing in the catalogue says how the app's own rows would be told from others':"),
    );
    found
}
