//! Roles: what the app's own role is or can become, what it owns, and other logins that isolation does not bind.

use std::fmt::Write as _;

use super::{
    judge::{Act, Holds, Judge},
    names::is_table,
};
use crate::{
    catalog::{Relation, Role},
    finding::{Finding, Level},
    rules,
    session::identifier,
};

/// Predefined roles that reach past every policy, and those that only show or touch more than a tenant needs.
const BEYOND: &[&str] = &["pg_execute_server_program", "pg_read_server_files", "pg_write_server_files"];

pub(super) fn run(judge: &mut Judge<'_>) {
    let mut found = Vec::new();
    if let Some(app) = judge.role(judge.subject.role) {
        itself(judge, app, &mut found);
        owns(judge, app, &mut found);
        owns_helpers(judge, app, &mut found);
        becomes(judge, app, &mut found);
    }
    other_logins(judge, &mut found);
    judge.findings.extend(found);
}

fn itself(judge: &Judge<'_>, app: &Role, found: &mut Vec<Finding>) {
    let name = identifier(&app.name);
    let object = format!("role:{}", app.name);
    let mut lifts = Vec::new();
    if app.superuser {
        lifts.push(("is superuser", "NOSUPERUSER"));
    }
    if app.bypassrls {
        lifts.push(("has BYPASSRLS", "NOBYPASSRLS"));
    }
    if app.replication {
        lifts.push(("has REPLICATION, which streams every table", "NOREPLICATION"));
    }
    if !lifts.is_empty() {
        let why: Vec<&str> = lifts.iter().map(|(why, _)| *why).collect();
        let words: Vec<&str> = lifts.iter().map(|(_, word)| *word).collect();
        found.push(
            Finding::new(&rules::ROLE_UNBOUND, &object, None, "")
                .evidence(format!("{} {}: policies do not bind it", app.name, why.join(" and ")))
                .fix(format!("ALTER ROLE {name} {};", words.join(" "))),
        );
    }
    if app.createrole && !app.superuser {
        let mut finding = Finding::new(&rules::CREATEROLE, &object, None, "")
            .evidence(if judge.catalog.version < 160_000 {
                "before PostgreSQL 16 it may grant itself every role that is not superuser"
            } else {
                "it makes roles, and acts as those that it has made"
            })
            .fix(format!("ALTER ROLE {name} NOCREATEROLE;"));
        if judge.catalog.version < 160_000 {
            finding.level = Level::Error;
        }
        found.push(finding);
    }
}

fn owns(judge: &Judge<'_>, app: &Role, found: &mut Vec<Finding>) {
    let tables: Vec<&Relation> = judge
        .catalog
        .relations
        .iter()
        .filter(|relation| relation.owner == app.oid && !relation.extension)
        .collect();
    let holding: Vec<&&Relation> = tables
        .iter()
        .filter(|relation| is_table(relation) && judge.holds(relation.oid) != Holds::Shared)
        .collect();
    let mut names: Vec<String> = tables.iter().map(|relation| relation.object()).collect();
    let functions =
        judge.catalog.functions.iter().filter(|function| function.owner == app.oid && !function.extension);
    names.extend(functions.map(crate::catalog::Function::object));
    let schemas = judge.catalog.schemas.iter().filter(|schema| schema.owner == app.oid);
    names.extend(schemas.map(|schema| format!("schema {}", schema.name)));
    let database = judge.catalog.database_owner == app.oid;
    if database {
        names.push(format!("database {}", judge.catalog.database));
    }
    if names.is_empty() {
        return;
    }
    let count = names.len();
    names.truncate(5);
    let owner = "isolation_owner";
    let mut fix =
        format!("CREATE ROLE {owner} NOLOGIN;\nREASSIGN OWNED BY {} TO {owner};", identifier(&app.name));
    for relation in &tables {
        let sequence = judge.catalog.sequences.iter().filter(|sequence| sequence.table == relation.oid);
        let _ = write!(
            fix,
            "\nGRANT SELECT, INSERT, UPDATE, DELETE ON {} TO {};",
            relation.quoted(),
            identifier(&app.name)
        );
        for sequence in sequence {
            let _ =
                write!(fix, "\nGRANT USAGE ON SEQUENCE {} TO {};", sequence.quoted(), identifier(&app.name));
        }
    }
    for schema in judge.catalog.schemas.iter().filter(|schema| schema.owner == app.oid) {
        let _ =
            write!(fix, "\nGRANT USAGE ON SCHEMA {} TO {};", identifier(&schema.name), identifier(&app.name));
    }
    let mut finding = Finding::new(&rules::ROLE_OWNS, format!("role:{}", app.name), None, "")
        .evidence(if holding.is_empty() {
            format!("it owns {}: an owner changes and drops what is its own", listed(&names, count))
        } else {
            format!(
                "it owns {}: an owner lifts row level security and rewrites policies",
                listed(&names, count)
            )
        })
        .fix(fix);
    if holding.is_empty() {
        finding.level = Level::Warning;
    }
    found.push(finding);
}

/// A function that decides in policies, in the hands of whom they should bind.
fn owns_helpers(judge: &Judge<'_>, app: &Role, found: &mut Vec<Finding>) {
    let called = super::context::called_by_policies(judge);
    for function in judge.catalog.functions.iter().filter(|function| {
        called.contains(&function.oid)
            && judge.inherits.contains(&function.owner)
            && !judge.is_superuser(app.oid)
    }) {
        let table = judge
            .catalog
            .relations
            .iter()
            .find(|table| table.rls && !judge.inherits.contains(&table.owner) && is_table(table));
        let owner = table.map_or_else(|| "CURRENT_USER".to_owned(), |table| judge.grantee(table.owner));
        found.push(
            Finding::new(&rules::ROLE_OWNS, function.object(), None, &function.signature)
                .evidence(format!("policies call it, and {} owns it: its owner replaces its body", app.name))
                .fix(format!("ALTER {} OWNER TO {owner};", super::names::routine(function))),
        );
    }
}

fn listed(names: &[String], count: usize) -> String {
    let more = if count > names.len() { format!(" and {} more", count - names.len()) } else { String::new() };
    format!("{}{more}", names.join(", "))
}

fn becomes(judge: &Judge<'_>, app: &Role, found: &mut Vec<Finding>) {
    for oid in &judge.becomes {
        let Some(role) = judge.role(*oid).filter(|role| role.oid != app.oid) else { continue };
        let fix = leave(judge, app, role);
        let object = format!("role:{}", role.name);
        if role.predefined {
            let mut finding = Finding::new(&rules::PREDEFINED, &object, None, &role.name)
                .evidence(format!("{} is member of {}", app.name, role.name))
                .fix(fix);
            if BEYOND.contains(&role.name.as_str()) {
                finding.level = Level::Error;
            }
            found.push(finding);
            continue;
        }
        let why = judge.unbound(*oid).or_else(|| {
            (role.createrole && judge.catalog.version < 160_000)
                .then(|| format!("{} has CREATEROLE", role.name))
        });
        let why = why.or_else(|| wider(judge, role));
        let Some(why) = why else { continue };
        found.push(
            Finding::new(&rules::ROLE_BECOMES, &object, None, &role.name)
                .evidence(format!("{} may act as {}, and {why}", app.name, role.name))
                .fix(fix),
        );
    }
}

/// Writes the revocation of the first step that leads from the app to a role.
fn leave(judge: &Judge<'_>, app: &Role, role: &Role) -> String {
    let mut lines = Vec::new();
    for membership in judge.catalog.memberships.iter().filter(|membership| membership.role == role.oid) {
        if judge.becomes.contains(&membership.member) {
            let member = judge.grantee(membership.member);
            lines.push(format!("REVOKE {} FROM {member};", identifier(&role.name)));
        }
    }
    if lines.is_empty() {
        lines.push(format!("REVOKE {} FROM {};", identifier(&role.name), identifier(&app.name)));
    }
    lines.join("\n")
}

/// Says why a role sees more than the app's: a policy of its own shows it every row.
fn wider(judge: &Judge<'_>, role: &Role) -> Option<String> {
    for (table, _) in judge.tenant_tables().into_iter().filter(|(table, _)| table.rls) {
        let open = judge.policies(table.oid).iter().find(|parsed| {
            parsed.policy.permissive
                && parsed.policy.roles == [role.oid]
                && parsed.condition(Act::Select).is_some_and(super::judge::is_true)
        });
        if let Some(open) = open {
            return Some(format!(
                "policy {} shows {} every row of {}",
                open.policy.name,
                role.name,
                table.object()
            ));
        }
    }
    None
}

/// Logins beside the app's that policies do not bind, with something to see.
fn other_logins(judge: &Judge<'_>, found: &mut Vec<Finding>) {
    for role in &judge.catalog.roles {
        if !role.login || role.superuser || judge.becomes.contains(&role.oid) {
            continue;
        }
        // Before PostgreSQL 16 it may grant itself the role that owns the tables.
        if role.createrole && !role.bypassrls && judge.catalog.version < 160_000 {
            found.push(
                Finding::new(&rules::OTHER_LOGIN, format!("role:{}", role.name), None, "createrole")
                    .evidence(format!(
                        "{} logs in with CREATEROLE, by which it becomes the tables' owner: whoever has its password \
                         lifts row level security",
                        role.name
                    ))
                    .fix(format!("ALTER ROLE {} NOCREATEROLE;", identifier(&role.name))),
            );
        }
        if !role.bypassrls {
            continue;
        }
        let table = judge.tenant_tables().into_iter().find(|(table, _)| {
            table.owner == role.oid
                || table.grants.iter().any(|grant| {
                    grant.grantee == role.oid
                        || judge
                            .catalog
                            .memberships
                            .iter()
                            .any(|m| m.member == role.oid && m.role == grant.grantee)
                })
        });
        let Some((table, _)) = table else { continue };
        found.push(
            Finding::new(&rules::OTHER_LOGIN, format!("role:{}", role.name), None, "")
                .evidence(format!(
                    "{} logs in with BYPASSRLS and has privileges on {}: whoever has its password sees every tenant",
                    role.name,
                    table.object()
                ))
                .fix(format!("ALTER ROLE {} NOBYPASSRLS;", identifier(&role.name))),
        );
    }
}
