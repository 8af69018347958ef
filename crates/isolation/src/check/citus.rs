//! What a Citus cluster refuses, weakens or silently answers with nothing, as far as the catalogue shows it. On a
//! database without Citus it is worth knowing; with it, a trap.

use std::fmt::Write as _;

use std::collections::BTreeSet;

use super::{
    expr::{Expr, calls, has_select, last},
    judge::Judge,
    keys::{clears, holds_tenant, ties_tenant, unguessable, widen},
    names::{actions, columns, is_table, routine},
};
use crate::{
    catalog::{Column, Constraint, Relation},
    finding::{Finding, Level},
    rules::{self, Rule},
    session::identifier,
};

pub(super) fn run(judge: &mut Judge<'_>) {
    let mut found = Vec::new();
    let tables: Vec<(&Relation, &Column)> = judge
        .tenant_tables()
        .into_iter()
        .filter(|(table, _)| !table.partition && !judge.acts(table).is_empty())
        .collect();
    for (table, tenant) in &tables {
        policies(judge, table, &mut found);
        triggers(judge, table, &mut found);
        keys(judge, table, tenant, &mut found);
        generated(judge, table, tenant, &mut found);
    }
    for key in judge.catalog.constraints.iter().filter(|key| key.kind == "f" && !key.inherited) {
        foreign_key(judge, key, &mut found);
    }
    helpers(judge, &mut found);
    roles(judge, &tables, &mut found);
    if judge.catalog.citus {
        for finding in found.iter_mut().filter(|finding| finding.level == Level::Info) {
            finding.level = Level::Warning;
        }
    }
    judge.findings.extend(found);
}

fn finding(rule: &'static Rule, object: String, which: &str, evidence: String, fix: String) -> Finding {
    Finding::new(rule, object, None, which).evidence(evidence).fix(fix)
}

fn policies(judge: &Judge<'_>, table: &Relation, found: &mut Vec<Finding>) {
    for parsed in judge.app_policies(table.oid) {
        let policy = parsed.policy;
        let name = identifier(&policy.name);
        if parsed.expressions().any(|expr| has_select(expr.nodes())) {
            found.push(finding(
                &rules::CITUS_SUBSELECT,
                table.object(),
                &policy.name,
                format!("policy {} has a sub-select, which distributed tables refuse", policy.name),
                judge.narrow(table, parsed),
            ));
        }
        if !policy.permissive {
            found.push(finding(
                &rules::CITUS_RESTRICTIVE,
                table.object(),
                &policy.name,
                format!("policy {} is RESTRICTIVE; on the shards it becomes permissive, and opens what it should close", policy.name),
                restrict(judge, table, policy).unwrap_or_else(|| format!("DROP POLICY {name} ON {};", table.quoted())),
            ));
        }
    }
}

/// Writes a restrictive policy into the permissive ones.
fn restrict(judge: &Judge<'_>, table: &Relation, policy: &crate::catalog::Policy) -> Option<String> {
    let mut fix = String::new();
    for other in judge.app_policies(table.oid).map(|parsed| parsed.policy).filter(|other| other.permissive) {
        if policy.command != "*" && other.command != policy.command {
            // Its command would have to be taken out of the other first.
            return (other.command == "*").then(|| {
                format!(
                    "-- Split policy {} by command, add the condition there, then:\nDROP POLICY {} ON {};",
                    other.name,
                    identifier(&policy.name),
                    table.quoted()
                )
            });
        }
        let join = |own: &Option<String>, added: &Option<String>, word: &str| match (own, added) {
            (Some(own), Some(added)) => format!(" {word} (({own}) AND ({added}))"),
            _ => String::new(),
        };
        let check = policy.check.clone().or_else(|| policy.using.clone());
        let _ = writeln!(
            fix,
            "ALTER POLICY {} ON {}{}{};",
            identifier(&other.name),
            table.quoted(),
            join(&other.using, &policy.using, "USING"),
            join(&other.check, &check, "WITH CHECK")
        );
    }
    Some(format!("{fix}DROP POLICY {} ON {};", identifier(&policy.name), table.quoted()))
}

fn triggers(judge: &Judge<'_>, table: &Relation, found: &mut Vec<Finding>) {
    for trigger in judge.catalog.triggers.iter().filter(|trigger| trigger.table == table.oid) {
        found.push(finding(
            &rules::CITUS_TRIGGER,
            table.object(),
            &trigger.name,
            format!("trigger {}: distributed tables refuse triggers", trigger.name),
            format!(
                "-- Do in the application's statement what it does, then:\nDROP TRIGGER {} ON {};",
                identifier(&trigger.name),
                table.quoted()
            ),
        ));
    }
}

/// Keys that are no oracle, and still have no tenant in them.
fn keys(judge: &Judge<'_>, table: &Relation, tenant: &Column, found: &mut Vec<Finding>) {
    for index in judge.catalog.indexes.iter().filter(|index| index.table == table.oid) {
        if index.columns.contains(&tenant.number) {
            continue;
        }
        let said = found_by_uniqueness(judge, table, index.name.as_str());
        if said && !unguessable(table, &index.columns) || holds_tenant(index, tenant) {
            continue;
        }
        found.push(finding(
            &rules::CITUS_KEY,
            table.object(),
            &index.name,
            format!("{} has no {} in it, and distributed tables refuse such a key", index.name, tenant.name),
            widen(judge, table, tenant, index),
        ));
    }
}

fn found_by_uniqueness(judge: &Judge<'_>, table: &Relation, index: &str) -> bool {
    judge.findings.iter().any(|finding| {
        finding.rule == rules::UNIQUE.id
            && finding.object == table.object()
            && finding.evidence.starts_with(index)
    })
}

/// Numbers drawn from a sequence in a key.
fn generated(judge: &Judge<'_>, table: &Relation, tenant: &Column, found: &mut Vec<Finding>) {
    let keys: BTreeSet<i16> = judge
        .catalog
        .indexes
        .iter()
        .filter(|index| index.table == table.oid && index.primary)
        .flat_map(|index| index.columns.clone())
        .collect();
    for column in
        table.columns.iter().filter(|column| keys.contains(&column.number) && column.number != tenant.number)
    {
        let drawn = column.default.as_deref().is_some_and(|default| default.contains("nextval("));
        let (table_name, name) = (table.quoted(), identifier(&column.name));
        let fix = if !column.identity.is_empty() {
            format!("ALTER TABLE {table_name} ALTER COLUMN {name} DROP IDENTITY;")
        } else if drawn {
            format!("ALTER TABLE {table_name} ALTER COLUMN {name} DROP DEFAULT;")
        } else {
            continue;
        };
        found.push(finding(
            &rules::CITUS_SEQUENCE,
            table.object(),
            &column.name,
            format!(
                "{} in the key is drawn from a sequence: one counter for all tenants and nodes",
                column.name
            ),
            format!("-- Let the application make the key, a UUIDv7 for one:\n{fix}"),
        ));
    }
}

fn foreign_key(judge: &Judge<'_>, key: &Constraint, found: &mut Vec<Finding>) {
    let (Some(child), Some(parent)) = (judge.relation(key.table), judge.relation(key.references)) else {
        return;
    };
    if child.partition || !is_table(child) || judge.acts(child).is_empty() && judge.acts(parent).is_empty() {
        return;
    }
    let drop = format!("ALTER TABLE {} DROP CONSTRAINT {};", child.quoted(), identifier(&key.name));
    let Some(theirs) = judge.tenant_column(parent.oid) else { return };
    let Some(own) = judge.tenant_column(child.oid) else {
        found.push(finding(
            &rules::CITUS_LOCAL,
            child.object(),
            &key.name,
            format!(
                "{} refers to {}: from a reference table that is refused, from a local one it breaks inserts",
                key.name,
                parent.object()
            ),
            drop,
        ));
        return;
    };
    let updates = matches!(key.on_update.as_str(), "c" | "n" | "d") && key.columns.contains(&own.number);
    if updates {
        let mut plain = key.clone();
        "a".clone_into(&mut plain.on_update);
        let rest: Vec<i16> = key.columns.iter().copied().filter(|number| *number != own.number).collect();
        found.push(finding(
            &rules::CITUS_UPDATE,
            child.object(),
            &key.name,
            format!("{} acts on update of {}, which distributed tables refuse", key.name, own.name),
            format!(
                "{drop}\nALTER TABLE {} ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({}){};",
                child.quoted(),
                identifier(&key.name),
                columns(child, &key.columns),
                parent.quoted(),
                columns(parent, &key.referenced),
                actions(&plain, &columns(child, &rest))
            ),
        ));
    }
    let nulls =
        matches!(key.on_delete.as_str(), "n" | "d") && key.columns.contains(&own.number) && !clears(key, own);
    if nulls && ties_tenant(key, own, theirs) {
        let mut plain = key.clone();
        "a".clone_into(&mut plain.on_delete);
        found.push(finding(
            &rules::CITUS_SET_NULL,
            child.object(),
            &key.name,
            format!(
                "{} sets columns on delete with {} in the key, which distributed tables refuse",
                key.name, own.name
            ),
            format!(
                "-- The application clears them before it deletes:\n{drop}\n\
                 ALTER TABLE {} ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({}){};",
                child.quoted(),
                identifier(&key.name),
                columns(child, &key.columns),
                parent.quoted(),
                columns(parent, &key.referenced),
                actions(&plain, "")
            ),
        ));
    }
}

/// Functions that policies call and workers do not get, and settings that workers do not hear of.
fn helpers(judge: &Judge<'_>, found: &mut Vec<Finding>) {
    let called: BTreeSet<u32> =
        judge.catalog.policies.iter().flat_map(|policy| policy.functions.iter().copied()).collect();
    let mut read: BTreeSet<String> = BTreeSet::new();
    for function in judge.catalog.functions.iter().filter(|function| !function.extension) {
        let body = judge.body(function.oid);
        if called.contains(&function.oid) {
            read.extend(super::expr::settings(body).into_iter().map(ToOwned::to_owned));
            let nested = calls(body).into_iter().map(|(name, _)| last(name)).find(|name| {
                judge.catalog.functions.iter().any(|other| other.name == *name && other.oid != function.oid)
            });
            if function.language == "plpgsql" || nested.is_some() {
                let why = nested.filter(|_| function.language == "plpgsql").map_or_else(
                    || format!("it is written in {}", function.language),
                    |name| format!("it calls {name}, which is not sent to the workers along with it"),
                );
                if function.language == "plpgsql" {
                    found.push(finding(
                        &rules::CITUS_HELPER,
                        function.object(),
                        &function.signature,
                        format!("a policy calls it on the workers, and {why}"),
                        "-- Write it as one SQL expression: CREATE OR REPLACE FUNCTION … LANGUAGE sql STABLE.".to_owned(),
                    ));
                }
            }
        }
    }
    for policy in &judge.catalog.policies {
        for text in [&policy.using, &policy.check].into_iter().flatten() {
            read.extend(super::expr::settings(Expr::parse(text).nodes()).into_iter().map(ToOwned::to_owned));
        }
    }
    for function in judge.catalog.functions.iter().filter(|function| !function.extension) {
        let sets = calls(judge.body(function.oid)).into_iter().any(|(name, arguments)| {
            last(name) == "set_config"
                && super::fixes::texts(arguments).first().is_some_and(|name| read.contains(*name))
        });
        if sets {
            found.push(finding(
                &rules::CITUS_SET_CONFIG,
                function.object(),
                &function.signature,
                "it opens a context by set_config(), which does not reach the workers: they answer with no rows".to_owned(),
                format!(
                    "-- Send SET LOCAL at top level as a statement of its own, or EXECUTE format('SET LOCAL … = %L', …) in plpgsql, then:\nDROP {};",
                    routine(function)
                ),
            ));
        }
    }
}

fn roles(judge: &Judge<'_>, tables: &[(&Relation, &Column)], found: &mut Vec<Finding>) {
    let Some(app) = judge.role(judge.subject.role) else { return };
    if tables.is_empty() {
        return;
    }
    let (object, name) = (format!("role:{}", app.name), identifier(&app.name));
    if !app.login {
        found.push(finding(
            &rules::CITUS_LOGIN,
            object.clone(),
            "",
            "workers are reached as the current role, and one without LOGIN is refused".to_owned(),
            format!("ALTER ROLE {name} LOGIN;"),
        ));
    }
    let propagates = judge.catalog.settings.iter().any(|setting| {
        (setting.role == 0 || setting.role == app.oid)
            && setting.setting == "citus.propagate_set_commands=local"
    });
    if judge.catalog.citus && !propagates {
        found.push(finding(
            &rules::CITUS_PROPAGATION,
            object,
            "",
            "citus.propagate_set_commands is none unless set: workers do not hear SET LOCAL and answer with no rows".to_owned(),
            format!("ALTER ROLE {name} SET citus.propagate_set_commands = 'local';"),
        ));
    }
    let owners: BTreeSet<u32> =
        tables.iter().filter(|(table, _)| table.force).map(|(table, _)| table.owner).collect();
    for owner in
        owners.into_iter().filter_map(|oid| judge.role(oid)).filter(|role| !role.superuser && !role.bypassrls)
    {
        found.push(finding(
            &rules::CITUS_OWNER,
            format!("role:{}", owner.name),
            "",
            format!(
                "{} owns tables that force row level security: moved as this role they arrive empty, without an error",
                owner.name
            ),
            format!(
                "-- Distribute and undistribute as a superuser or a role with BYPASSRLS, never as {}; compare counts.",
                owner.name
            ),
        ));
    }
}
