//! Binds a function to its caller, or closes it.

use super::{Candidate, Shown, privileges, roles};
use crate::{
    attack::Hunt,
    catalog::{Function, mentions},
    finding::Verb,
    rules,
    session::identifier,
};

/// Returns what could end a finding about a function, the smallest first.
pub(super) fn candidates(hunt: &Hunt, shown: &Shown, function: &Function) -> Vec<Candidate> {
    let name = named(hunt, function);
    let kind = if function.kind == "p" { "procedure" } else { "function" };
    let alter = |what: &str| Candidate::one(format!("alter {kind} {name} {what}"));
    if shown.rule.id == rules::UNDOES.id {
        let owner = roles::other_owner(hunt, &function.schema);
        let given = owner.map(|owner| Candidate { closes: true, ..alter(&format!("owner to {owner}")) });
        return given.into_iter().collect();
    }
    if shown.rule.id == rules::HEARS.id || shown.rule.id == rules::READS.id {
        return Vec::new();
    }
    let mut found = Vec::new();
    if shown.rule.id == rules::STALE.id {
        if function.volatility == "i" {
            found.push(alter("stable"));
        }
        return found;
    }
    if function.leakproof {
        found.push(alter("not leakproof"));
    }
    if shown.rule.id == rules::HIJACK.id {
        found.push(alter(&format!("set search_path = {}", path(hunt, function))));
    }
    if function.definer {
        found.push(alter("security invoker"));
    }
    if !fires(hunt, function) {
        let on = format!("{kind} {name}");
        found.push(Candidate::closing(privileges::revoke(hunt, &["EXECUTE"], &on, &function.grants)));
    } else if function.definer {
        // A trigger does its work or the write fails; either is better than another tenant's rows.
        found.push(Candidate { closes: true, ..alter("security invoker") });
    }
    if shown.verb == Verb::Listen {
        found.clear();
    }
    found
}

/// Tells whether a function is a trigger's.
fn fires(hunt: &Hunt, function: &Function) -> bool {
    hunt.stage.catalog.triggers.iter().any(|trigger| trigger.function == function.oid)
}

/// Writes a function with the types that tell it from its namesakes.
fn named(hunt: &Hunt, function: &Function) -> String {
    let types = function.argument_types.iter().map(|kind| {
        hunt.stage.catalog.types.get(kind).map_or_else(
            || "unknown".to_owned(),
            |info| format!("{}.{}", identifier(&info.schema), identifier(&info.name)),
        )
    });
    format!("{}({})", function.quoted(), types.collect::<Vec<_>>().join(", "))
}

/// Returns a search path in which nothing of the caller's comes first.
fn path(hunt: &Hunt, function: &Function) -> String {
    let catalog = &hunt.stage.catalog;
    let acting = privileges::acting(hunt);
    let writable = |name: &str| {
        catalog.schemas.iter().find(|schema| schema.name == name).is_some_and(|schema| {
            acting.contains(&schema.owner)
                || acting.iter().any(|role| *role != 0 && catalog.has(*role, &schema.grants, "CREATE"))
        })
    };
    let mut wanted: Vec<String> = match function.search_path() {
        Some(path) => path
            .split(',')
            .map(|part| part.trim().trim_matches('"').to_owned())
            .filter(|part| !part.is_empty())
            .collect(),
        None => vec![function.schema.clone()],
    };
    for relation in catalog.relations.iter().filter(|relation| mentions(&function.source, &relation.name)) {
        if !wanted.contains(&relation.schema) {
            wanted.push(relation.schema.clone());
        }
    }
    // What the system has comes first unless it is named.
    wanted.retain(|name| !name.starts_with("pg_") && name != "$user" && !writable(name));
    wanted.push("pg_temp".to_owned());
    wanted.iter().map(|name| identifier(name)).collect::<Vec<_>>().join(", ")
}
