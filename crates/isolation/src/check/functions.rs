//! Functions: definer rights without a fixed search path or open to everybody, LEAKPROOF, and notifications.

use std::{collections::BTreeSet, fmt::Write as _};

use super::{
    expr::{Token, any_word, calls, last, mentions},
    judge::{Holds, Judge},
    names::{is_table, routine},
};
use crate::{
    catalog::{Function, Relation},
    finding::{Finding, Level, Verb},
    rules,
    session::identifier,
};

pub(super) fn run(judge: &mut Judge<'_>) {
    let mut found = Vec::new();
    for function in judge.catalog.functions.iter().filter(|function| !function.extension) {
        if function.leakproof {
            found.push(
                Finding::new(&rules::LEAKPROOF, function.object(), None, &function.signature)
                    .evidence("it may run on rows before policies and security barriers have left them out")
                    .fix(format!("ALTER {} NOT LEAKPROOF;", routine(function))),
            );
        }
        if function.definer {
            definer(judge, function, &mut found);
            pastes(judge, function, &mut found);
        }
        notify(judge, function, &mut found);
        opens_tables(judge, function, &mut found);
        statistics(judge, function, &mut found);
    }
    judge.findings.extend(found);
}

fn returns_trigger(judge: &Judge<'_>, function: &Function) -> bool {
    judge
        .catalog
        .types
        .get(&function.returns)
        .is_some_and(|info| matches!(info.name.as_str(), "trigger" | "event_trigger"))
}

/// Tells whether the app makes it run: by calling it, or by what a trigger or policy does.
fn runs(judge: &Judge<'_>, function: &Function) -> bool {
    if returns_trigger(judge, function) {
        return judge.catalog.triggers.iter().any(|trigger| {
            trigger.function == function.oid
                && judge.relation(trigger.table).is_some_and(|table| !judge.acts(table).is_empty())
        });
    }
    judge.may_call(function)
}

/// Names were settled when the function was made: the body is kept as a tree, not as text.
fn is_bound(function: &Function) -> bool {
    let body = function.source.trim_start();
    function.language == "sql" && (body.starts_with("BEGIN ATOMIC") || body.starts_with("RETURN "))
}

fn definer(judge: &Judge<'_>, function: &Function, found: &mut Vec<Finding>) {
    if !runs(judge, function) || judge.acting.contains(&function.owner) {
        return;
    }
    let object = function.object();
    let path = function.config.iter().find_map(|setting| setting.strip_prefix("search_path="));
    if is_bound(function) || !matches!(function.language.as_str(), "sql" | "plpgsql") {
        // Nothing to take from the caller.
    } else if let Some(path) = path {
        writable_path(judge, function, path, found);
    } else {
        found.push(
            Finding::new(&rules::DEFINER_PATH, &object, Some(Verb::Execute), &function.signature)
                .evidence(format!(
                    "{} runs it with the rights of {}, and names in it are looked up in the caller's search path",
                    judge.app(),
                    owner(judge, function)
                ))
                .fix(format!("ALTER {} SET search_path = {};", routine(function), fixed_path(judge, function))),
        );
    }
    let in_trigger = returns_trigger(judge, function);
    let touched = tables_in(judge, function);
    let open = touched.iter().find_map(|table| judge.unbound_on(function.owner, table));
    let asks = judge.reads_context(function.oid);
    // A function of a trigger cannot be called.
    if !in_trigger && function.grants.iter().any(|grant| grant.grantee == 0 && grant.privilege == "EXECUTE") {
        let mut finding =
            Finding::new(&rules::DEFINER_PUBLIC, &object, Some(Verb::Execute), &function.signature)
                .evidence(format!(
                    "every role, coming ones too, may run it with the rights of {}",
                    owner(judge, function)
                ))
                .fix(format!(
                    "REVOKE EXECUTE ON {routine} FROM PUBLIC;\nGRANT EXECUTE ON {routine} TO {};",
                    identifier(judge.app()),
                    routine = routine(function)
                ));
        if asks || open.is_none() {
            finding.level = Level::Info;
        }
        found.push(finding);
    }
    if let (Some(why), false) = (open, asks) {
        let mut finding =
            Finding::new(&rules::DEFINER_TENANT, &object, Some(Verb::Execute), &function.signature)
                .evidence(format!("it reads or writes tenants' rows without asking for whom: {why}"))
                .fix(format!("ALTER {} SECURITY INVOKER;", routine(function)));
        if in_trigger || !function.argument_types.is_empty() {
            // An argument can be a secret that only its holder knows, and a row says whose it is.
            finding.level = Level::Info;
        }
        found.push(finding);
    }
}

/// A text that a caller gives becomes part of a statement that runs with the owner's rights.
fn pastes(judge: &Judge<'_>, function: &Function, found: &mut Vec<Finding>) {
    let called = function.grants.iter().any(|grant| {
        grant.privilege == "EXECUTE"
            && grant.grantee != function.owner
            && judge.role(grant.grantee).is_none_or(|role| !role.superuser && !role.bypassrls)
    });
    if function.language != "plpgsql" || !called || returns_trigger(judge, function) {
        return;
    }
    let body = function.source.to_ascii_lowercase();
    let given = function.argument_types.iter().zip(&function.argument_names).find(|(kind, name)| {
        !name.is_empty()
            && judge.catalog.base_type(**kind).is_some_and(|info| info.category == "S")
            && is_pasted(&body, &name.to_ascii_lowercase())
    });
    let Some((_, argument)) = given else { return };
    found.push(
        Finding::new(&rules::DEFINER_DYNAMIC, function.object(), Some(Verb::Execute), &function.signature)
            .evidence(format!(
                "{argument} becomes part of a statement that runs with the rights of {}: give it by USING, or write it by %L or %I",
                owner(judge, function)
            ))
            .fix(format!("ALTER {} SECURITY INVOKER;", routine(function))),
    );
}

/// Tells whether a body executes a text into which an argument went as it is.
fn is_pasted(body: &str, argument: &str) -> bool {
    let Some((_, statement)) = body.split_once("execute") else { return false };
    let joined = ["|| {}", "||{}", "{} ||", "{}||"].map(|way| way.replace("{}", argument));
    let formatted = statement.contains("format(")
        && statement.contains("%s")
        && crate::catalog::mentions(statement, argument);
    formatted || joined.iter().any(|way| statement.contains(way.as_str()))
}

fn owner<'a>(judge: &Judge<'a>, function: &Function) -> &'a str {
    judge.role(function.owner).map_or("", |role| role.name.as_str())
}

fn names_table(body: &[super::expr::Node], table: &Relation) -> bool {
    mentions(body, &table.name)
}

/// The tables with tenants' rows that a body names.
fn tables_in<'a>(judge: &Judge<'a>, function: &Function) -> Vec<&'a Relation> {
    let body = judge.body(function.oid);
    judge
        .catalog
        .relations
        .iter()
        .filter(|table| {
            is_table(table) && judge.holds(table.oid) != Holds::Shared && names_table(body, table)
        })
        .collect()
}

/// The schemas of what a body names without a schema, and `pg_temp` last.
fn fixed_path(judge: &Judge<'_>, function: &Function) -> String {
    let body = judge.body(function.oid);
    let mut words = BTreeSet::new();
    any_word(body, &mut |word| {
        words.insert(word.to_owned());
        false
    });
    let tables = judge.catalog.relations.iter().map(|table| (&table.schema, &table.name));
    let functions = judge.catalog.functions.iter().map(|function| (&function.schema, &function.name));
    let schemas: BTreeSet<&str> = tables
        .chain(functions)
        .filter(|(_, name)| words.contains(name.as_str()))
        .map(|(schema, _)| schema.as_str())
        .collect();
    let path = schemas.into_iter().map(identifier);
    std::iter::once("pg_catalog".to_owned())
        .chain(path)
        .chain(["pg_temp".to_owned()])
        .collect::<Vec<_>>()
        .join(", ")
}

fn writable_path(judge: &Judge<'_>, function: &Function, path: &str, found: &mut Vec<Finding>) {
    let entries: Vec<String> = path
        .split(',')
        .map(|entry| entry.trim().trim_matches('"').to_owned())
        .filter(|entry| !entry.is_empty())
        .collect();
    let writable = entries.iter().find(|entry| {
        *entry == "$user"
            || judge
                .catalog
                .schemas
                .iter()
                .any(|schema| schema.name == **entry && judge.granted(&schema.grants, "CREATE"))
    });
    let temp = entries.iter().position(|entry| entry == "pg_temp");
    let may_temp = judge.granted(&judge.catalog.database_grants, "TEMPORARY");
    let unqualified = judge.catalog.relations.iter().find(|table| {
        entries.contains(&table.schema) && any_word(judge.body(function.oid), &mut |word| word == table.name)
    });
    // Another login that may make objects there is one step away.
    let others =
        judge.catalog.schemas.iter().filter(|schema| entries.contains(&schema.name)).find_map(|schema| {
            let maker = schema.grants.iter().find(|grant| {
                grant.privilege == "CREATE"
                    && ![schema.owner, function.owner].contains(&grant.grantee)
                    && judge.role(grant.grantee).is_some_and(|role| role.login && !role.superuser)
            })?;
            Some((schema, judge.role(maker.grantee)?))
        });
    let others = others.filter(|_| writable.is_none());
    let why = if let Some(schema) = writable {
        format!("its search path has {schema}, in which {} makes objects", judge.app())
    } else if let Some((schema, role)) = others {
        format!("its search path has {}, in which {} makes objects", schema.name, role.name)
    } else if let (Some(table), true, true) =
        (unqualified, may_temp, temp.is_none_or(|place| place + 1 < entries.len()))
    {
        format!("it names {} without its schema, and a temporary table of that name comes first", table.name)
    } else {
        return;
    };
    let mut safe: Vec<String> = entries
        .iter()
        .filter(|entry| !matches!(entry.as_str(), "pg_temp" | "$user"))
        .map(|entry| identifier(entry))
        .collect();
    safe.push("pg_temp".to_owned());
    let mut fix = format!("ALTER {} SET search_path = {};", routine(function), safe.join(", "));
    let schema = judge.catalog.schemas.iter().find(|schema| writable == Some(&schema.name));
    if let Some(schema) = schema {
        fix.push('\n');
        fix.push_str(&judge.revoke(
            &["CREATE"],
            &format!("SCHEMA {}", identifier(&schema.name)),
            &schema.grants,
        ));
    }
    if let Some((schema, role)) = others {
        let _ = write!(
            fix,
            "\nREVOKE CREATE ON SCHEMA {} FROM {};",
            identifier(&schema.name),
            identifier(&role.name)
        );
    }
    found.push(
        Finding::new(&rules::DEFINER_WRITABLE, function.object(), Some(Verb::Execute), &function.signature)
            .evidence(why)
            .fix(fix),
    );
}

/// Notifications go to whoever listens, in every tenant.
fn notify(judge: &Judge<'_>, function: &Function, found: &mut Vec<Finding>) {
    let body = judge.body(function.oid);
    let statement = any_word(body, &mut |word| word == "notify") && function.language == "plpgsql";
    let call = calls(body).into_iter().find(|(name, _)| last(name) == "pg_notify");
    if (call.is_none() && !statement) || !runs(judge, function) {
        return;
    }
    // A bare wake-up says nothing.
    let silent = call.is_some_and(|(_, arguments)| {
        let payload: Vec<_> = arguments.rsplit(|node| node.token == Token::Symbol(",".to_owned())).collect();
        payload.first().is_some_and(|payload| {
            matches!(super::expr::strip_casts(payload).0, [node] if matches!(node.token, Token::Text(_)))
        })
    });
    if silent {
        return;
    }
    let triggers: Vec<String> = judge
        .catalog
        .triggers
        .iter()
        .filter(|trigger| trigger.function == function.oid)
        .filter_map(|trigger| {
            let table = judge.relation(trigger.table)?;
            Some(format!("DROP TRIGGER {} ON {};", identifier(&trigger.name), table.quoted()))
        })
        .collect();
    let fix = if triggers.is_empty() {
        format!(
            "-- Send nothing but a wake-up: pg_notify('channel', ''). Until then:\nREVOKE EXECUTE ON {} FROM PUBLIC, {};",
            routine(function),
            identifier(judge.app())
        )
    } else {
        format!(
            "-- Send nothing but a wake-up: pg_notify('channel', ''). Until then:\n{}",
            triggers.join("\n")
        )
    };
    found.push(
        Finding::new(&rules::NOTIFY, function.object(), Some(Verb::Listen), &function.signature)
            .evidence(
                "channels have no privileges: every login of the database may LISTEN and reads the payload",
            )
            .fix(fix),
    );
}

/// Tables made by a function, granted, and never put under row security.
fn opens_tables(judge: &Judge<'_>, function: &Function, found: &mut Vec<Finding>) {
    let source = function.source.to_lowercase();
    let makes = source.contains("create table") && source.contains("grant ");
    if !makes || source.contains("row level security") || judge.tenant_tables().is_empty() {
        return;
    }
    found.push(
        Finding::new(&rules::OPENS_TABLES, function.object(), None, &function.signature)
            .evidence("it makes tables and grants them, and does not enable row level security on them")
            .fix(
                "-- Let it grant nothing (a partition is reached through its parent), or enable and force row level\n\
                 -- security on what it makes, and create the parent's policies there, before it grants.",
            ),
    );
}

/// Catalogues whose rows quote what is in tables, or what other sessions send.
pub(super) const STATISTICS: &[&str] = &[
    "pg_stats",
    "pg_stats_ext",
    "pg_stats_ext_exprs",
    "pg_statistic",
    "pg_statistic_ext_data",
    "pg_stat_statements",
    "pg_stat_activity",
];

fn statistics(judge: &Judge<'_>, function: &Function, found: &mut Vec<Finding>) {
    let reads = STATISTICS.iter().find(|name| mentions(judge.body(function.oid), name));
    let (Some(name), true) = (reads, function.definer && runs(judge, function)) else { return };
    if judge.acting.contains(&function.owner) {
        return;
    }
    found.push(
        Finding::new(
            &rules::STATISTICS_READABLE,
            function.object(),
            Some(Verb::Execute),
            &function.signature,
        )
        .evidence(format!("{} reads {name} by it with the rights of {}", judge.app(), owner(judge, function)))
        .fix(format!("ALTER {} SECURITY INVOKER;", routine(function))),
    );
}
