//! Proposes statements that end a finding.

use super::Hunt;
use crate::{
    catalog::{Relation, RelationKind},
    finding::Verb,
    rules::Rule,
    session::identifier,
};

/// Writes the repair of a finding; a comment where it needs a decision.
pub(super) fn propose(hunt: &Hunt, rule: &Rule, object: &str, verb: Verb, relation: Option<u32>) -> String {
    if let Some(role) = object.strip_prefix("role:") {
        return of_role(hunt, role);
    }
    let Some(relation) = relation.and_then(|oid| hunt.stage.catalog.relation(oid)) else {
        return format!("-- {}: see `explain {}`.", object, rule.id);
    };
    let table = relation.quoted();
    let app = identifier(&hunt.stage.subject.app_role);
    match (relation.kind, verb) {
        (RelationKind::View, _) => format!("alter view {table} set (security_invoker = true);"),
        (RelationKind::MaterializedView | RelationKind::Foreign, _) => {
            format!("revoke all on {table} from {app}, public;")
        }
        (_, Verb::Truncate) => format!("revoke truncate on {table} from {app}, public;"),
        (_, Verb::Existence) => existence(hunt, relation),
        _ if !relation.rls => {
            format!(
                "alter table {table} enable row level security, force row level security;\n{}",
                policy(hunt, relation)
            )
        }
        _ if !relation.force => {
            format!("alter table {table} force row level security;")
        }
        _ => format!(
            "-- The policies of {table} let this through; they should compare the tenant and nothing else:\n{}",
            policy(hunt, relation)
        ),
    }
}

fn of_role(hunt: &Hunt, name: &str) -> String {
    let role = identifier(name);
    match hunt.stage.catalog.role(name) {
        Some(found) if found.superuser || found.bypassrls => {
            format!("alter role {role} nosuperuser nobypassrls;")
        }
        Some(found) if found.oid != hunt.stage.app => {
            format!("revoke {role} from {};", identifier(&hunt.stage.subject.app_role))
        }
        _ => format!("alter role {role} nosuperuser nobypassrls nocreaterole noreplication;"),
    }
}

/// Writes a policy in the manner of the other tables.
fn policy(hunt: &Hunt, relation: &Relation) -> String {
    let Some(column) =
        hunt.stage.subject.tenant_column.as_deref().filter(|name| relation.column_named(name).is_some())
    else {
        return format!(
            "-- Write a policy for {} that reaches the tenant through what it refers to.",
            relation.object()
        );
    };
    let expression = hunt.stage.catalog.policies.iter().find_map(|policy| {
        let using = policy.using.as_deref()?;
        let start = format!("({column} = ");
        (policy.table != relation.oid && using.starts_with(&start)).then(|| using.to_owned())
    });
    match expression {
        Some(expression) => {
            format!(
                "create policy tenant on {} using {expression} with check {expression};",
                relation.quoted()
            )
        }
        None => format!(
            "-- create policy tenant on {} using ({column} = <the tenant of the context>) with check (the same);",
            relation.quoted()
        ),
    }
}

fn existence(hunt: &Hunt, relation: &Relation) -> String {
    let column = hunt.stage.subject.tenant_column.as_deref().unwrap_or("the tenant");
    format!("-- Put {column} first into the key or reference of {} that answers.", relation.object())
}
