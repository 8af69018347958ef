//! Mends policies so that they let the own tenant's rows through and no others.

use super::{Candidate, Shown, condition, privileges};
use crate::{
    attack::Hunt,
    catalog::{Policy, Relation},
    check,
    finding::Verb,
    session::identifier,
};

/// Returns what could end a finding by policies of a table, the smallest first.
pub(super) fn candidates(hunt: &Hunt, shown: &Shown, table: &Relation) -> Vec<Candidate> {
    let conditions = condition::own_rows(hunt, table);
    let quoted = table.quoted();
    let mut found = Vec::new();
    if !table.rls {
        for condition in &conditions {
            let mut statements =
                vec![format!("alter table {quoted} enable row level security, force row level security")];
            if policies(hunt, table, None).is_empty() {
                let name = free_name(hunt, table, "tenant");
                statements.push(format!(
                    "create policy {name} on {quoted} using ({condition}) with check ({condition})"
                ));
            }
            found.push(Candidate::of(statements));
        }
        if let [first, ..] = conditions.as_slice() {
            let mut statements =
                vec![format!("alter table {quoted} enable row level security, force row level security")];
            statements.extend(
                policies(hunt, table, None).into_iter().filter_map(|policy| narrowed(table, policy, first)),
            );
            found.push(Candidate::of(statements));
        }
        return found;
    }
    if !table.force {
        found.push(Candidate::one(format!("alter table {quoted} force row level security")));
    }
    let at_fault = policies(hunt, table, Some(shown.verb));
    for condition in &conditions {
        for policy in &at_fault {
            let name = identifier(&policy.name);
            // Reading is no fault here, so that it stays as it is.
            if policy.command == "*" && shown.verb != Verb::Select && !hunt.leaks(&shown.object, Verb::Select)
            {
                if policy.check.is_none() || matches!(shown.verb, Verb::Insert | Verb::Update) {
                    found.push(Candidate::one(format!(
                        "alter policy {name} on {quoted} with check ({condition})"
                    )));
                }
                if let (Some(narrowed), Some(using)) = (narrowed(table, policy, condition), &policy.using) {
                    let reading = free_name(hunt, table, &format!("{}_read", policy.name));
                    found.push(Candidate::of(vec![
                        narrowed,
                        format!("create policy {reading} on {quoted} for select using {}", bracketed(using)),
                    ]));
                }
            } else if matches!(policy.command.as_str(), "w") {
                found.push(Candidate::one(format!(
                    "alter policy {name} on {quoted} with check ({condition})"
                )));
            }
            found.extend(narrowed(table, policy, condition).map(Candidate::one));
        }
    }
    if at_fault.len() > 1 {
        for policy in &at_fault {
            found.push(Candidate::one(format!("drop policy {} on {quoted}", identifier(&policy.name))));
        }
        for condition in &conditions {
            let all = at_fault.iter().filter_map(|policy| narrowed(table, policy, condition));
            found.push(Candidate::of(all.collect()));
        }
    }
    found
}

fn bracketed(text: &str) -> String {
    let text = check::in_one_line(text);
    if text.starts_with('(') && text.ends_with(')') { text } else { format!("({text})") }
}

/// Returns the permissive policies of a table by which the app passes with a verb.
fn policies<'a>(hunt: &'a Hunt, table: &Relation, verb: Option<Verb>) -> Vec<&'a Policy> {
    let acting = privileges::acting(hunt);
    let commands: &[&str] = match verb {
        None => &["*", "r", "a", "w", "d"],
        Some(Verb::Insert) => &["a", "*"],
        Some(Verb::Update) => &["w", "*", "a", "r"],
        Some(Verb::Delete) => &["d", "*", "r"],
        Some(_) => &["r", "*"],
    };
    let policies = hunt.stage.catalog.policies.iter().filter(|policy| {
        policy.table == table.oid
            && policy.permissive
            && commands.contains(&policy.command.as_str())
            && policy.roles.iter().any(|role| acting.contains(role))
    });
    let mut found: Vec<&Policy> = policies.collect();
    found.sort_by_key(|policy| {
        commands.iter().position(|command| *command == policy.command).unwrap_or(commands.len())
    });
    found
}

/// Gives a policy the own rows only, and leaves it its command.
fn narrowed(table: &Relation, policy: &Policy, condition: &str) -> Option<String> {
    let using = if policy.command == "a" { String::new() } else { format!(" using ({condition})") };
    let check = match policy.command.as_str() {
        "a" => format!(" with check ({condition})"),
        "*" | "w" if policy.check.is_some() => format!(" with check ({condition})"),
        _ => String::new(),
    };
    (!using.is_empty() || !check.is_empty())
        .then(|| format!("alter policy {} on {}{using}{check}", identifier(&policy.name), table.quoted()))
}

/// Returns a name that no policy of the table has.
fn free_name(hunt: &Hunt, table: &Relation, wanted: &str) -> String {
    let mut name = wanted.to_owned();
    while hunt.stage.catalog.policies.iter().any(|policy| policy.table == table.oid && policy.name == name) {
        name.push_str("_own");
    }
    identifier(&name)
}
