//! Writes a finding down as a script for psql that shows it, and takes everything back.

use std::collections::BTreeSet;

use super::{Hunt, fix::Shown, seed::insert, stage::Actor};
use crate::{
    catalog::{Column, Relation, RelationKind},
    finding::Verb,
    rules,
    session::literal,
};

/// Rows of one tenant that are planted in one table.
const ROWS: usize = 8;

/// Writes the script: plants what the attack needs, acts as the app's role, and rolls back; `changed` are the tables whose
/// rows of another tenant were not what they were.
pub(super) fn script(hunt: &Hunt, shown: &Shown, changed: &[u32]) -> String {
    // What is sent to others, and what the next borrower of a connection finds, is so only once it is committed.
    let commits = shown.rule.id == rules::HEARS.id;
    let mut lines = vec![
        format!("-- Shows that isolation fails at {}: run by psql as a superuser, on a copy.", shown.object),
        if commits { "-- What it plants stays." } else { "-- Everything is rolled back." }.to_owned(),
        "\\set ON_ERROR_ROLLBACK on".to_owned(),
        "\\set SHOW_CONTEXT never".to_owned(),
    ];
    let (listens, statements): (Vec<String>, Vec<String>) =
        shown.statements.iter().cloned().partition(|statement| commits && statement.starts_with("listen "));
    lines.extend(listens.into_iter().map(|statement| format!("{statement};")));
    lines.push("begin;".to_owned());
    lines.extend(planted(hunt, shown, changed));
    if shown.rule.id == rules::LARGE_OBJECT.id {
        lines.extend(large_object(hunt, shown));
    }
    lines.extend(looked_at(hunt, shown, changed, "before"));
    // What was prepared for another tenant goes on for this one.
    if shown.rule.id == rules::STALE.id {
        let first = statements.iter().take_while(|statement| !statement.starts_with("execute "));
        let mut before: Vec<String> = hunt.stage.enter(Actor::Victim);
        before.extend(first.cloned());
        before.extend(statements.iter().skip_while(|statement| !statement.starts_with("execute ")).cloned());
        before.push("reset session authorization".to_owned());
        lines.push("\\echo as another tenant:".to_owned());
        lines.extend(before.into_iter().map(|statement| format!("{statement};")));
    }
    let actor = if commits { Actor::Victim } else { Actor::of(shown.context) };
    lines.extend(hunt.out_of_the_way(shown).into_iter().map(|statement| format!("{statement};")));
    lines.extend(entered(hunt, actor));
    lines.push(format!("\\echo as {}:", literal(&hunt.stage.subject.app_role)));
    let own = statements
        .iter()
        .filter(|statement| shown.rule.id != rules::STALE.id || !statement.starts_with("prepare "));
    let own: Vec<String> = own.map(|statement| format!("{statement};")).collect();
    lines.extend(own.iter().cloned());
    if shown.asks_two_worlds() {
        lines.push("reset session authorization;".to_owned());
        lines.extend(hunt.stage.without_victim().into_iter().map(|statement| format!("{statement};")));
        lines.extend(entered(hunt, actor));
        lines.push("\\echo and where the other tenants have no rows:".to_owned());
        lines.extend(own);
    }
    if commits {
        lines.push("commit;".to_owned());
        lines.push("select 1;".to_owned());
    } else {
        lines.extend(looked_at(hunt, shown, changed, "after"));
        lines.push("rollback;".to_owned());
    }
    let whole = lines.join("\n") + "\n";
    let told = hunt.without_rows(&whole);
    if told == whole {
        return whole;
    }
    format!(
        "-- What rows say is left out, so that this does not run as it stands: --evidence full writes it.\n{told}"
    )
}

/// Writes what makes the session act as somebody; what the role brings along when it logs in is asked at the time.
fn entered(hunt: &Hunt, actor: Actor) -> Vec<String> {
    let fixed = hunt.stage.role_settings();
    let statements = hunt.stage.enter(actor).into_iter().filter(|statement| !fixed.contains(statement));
    let mut lines: Vec<String> = statements.map(|statement| format!("{statement};")).collect();
    if !fixed.is_empty() {
        lines.insert(
            0,
            format!(
                "\\o /dev/null\nselect set_config(split_part(s, '=', 1), substr(s, strpos(s, '=') + 1), true) from pg_db_role_setting, \
                 unnest(setconfig) s where setrole = {}::regrole order by setdatabase;\n\\o",
                literal(&crate::session::identifier(&hunt.stage.subject.app_role))
            ),
        );
    }
    lines
}

/// Writes a large object as the one that was read: the app's own, or nobody's where a role sees all.
fn large_object(hunt: &Hunt, shown: &Shown) -> Vec<String> {
    let Some(oid) =
        shown.statements.first().map(|text| text.chars().filter(char::is_ascii_digit).collect::<String>())
    else {
        return Vec::new();
    };
    let made = format!("select lo_from_bytea({oid}, convert_to('another tenant''s', 'UTF8'));");
    if shown.object.starts_with("role:") {
        return vec![made];
    }
    let mut lines = entered(hunt, Actor::Victim);
    lines.push(made);
    lines.push("reset session authorization;".to_owned());
    lines
}

/// Writes the rows of all tenants that the attack needs.
fn planted(hunt: &Hunt, shown: &Shown, changed: &[u32]) -> Vec<String> {
    let catalog = &hunt.stage.catalog;
    let mut wanted = BTreeSet::new();
    let relation = catalog
        .relations
        .iter()
        .find(|relation| relation.object() == shown.object)
        .map(|relation| relation.oid);
    let begin: Vec<u32> = shown.relation.or(relation).into_iter().chain(changed.iter().copied()).collect();
    if begin.is_empty() || relation.is_none() {
        wanted.extend(catalog.relations.iter().filter(|relation| relation.is_table()).map(|one| one.oid));
    }
    for table in begin.into_iter().filter_map(|oid| catalog.relation(oid)) {
        need(hunt, table, &mut wanted);
    }
    let mut lines = vec!["set local session_replication_role = replica;".to_owned()];
    for table in super::seed::order(catalog).iter().filter(|table| wanted.contains(&table.oid)) {
        for tenant in std::iter::once(&hunt.stage.attacker).chain(hunt.stage.foreign()) {
            // What was there before is there for whoever runs it, and is nobody else's to read.
            let rows = hunt.seeds.rows_of(table.oid, tenant).iter();
            for row in rows.filter(|row| !hunt.seeds.found.contains(&(table.oid, (*row).clone()))).take(ROWS)
            {
                let mut row = row.clone();
                row.retain(|name, _| {
                    table.column_named(name).is_some_and(|column| !column.generated && !is_now(column))
                });
                lines.push(format!("{} on conflict do nothing;", insert(table, &row)));
            }
        }
    }
    lines.push("set local session_replication_role = origin;".to_owned());
    let views = catalog.relations.iter().filter(|view| {
        view.kind == RelationKind::MaterializedView && (view.object() == shown.object || relation.is_none())
    });
    lines.extend(views.map(|view| format!("refresh materialized view {};", view.quoted())));
    lines
}

/// Tells whether a column says when its row was made, which is another time at each run.
fn is_now(column: &Column) -> bool {
    column.default.as_deref().is_some_and(|default| {
        let lower = default.to_ascii_lowercase();
        ["now()", "current_timestamp", "current_date", "_timestamp()", "localtimestamp"]
            .iter()
            .any(|word| lower.contains(word))
    })
}

/// Writes what a superuser, or another tenant, sees of the rows that the attack changes.
fn looked_at(hunt: &Hunt, shown: &Shown, changed: &[u32], when: &str) -> Vec<String> {
    let catalog = &hunt.stage.catalog;
    let mut lines = Vec::new();
    let counts: Vec<String> = changed
        .iter()
        .filter_map(|oid| catalog.relation(*oid))
        .filter_map(|relation| {
            let rows = hunt.stage.watched(relation)?;
            Some(format!(
                "select {} as \"another tenant's rows {when}\", count(*), md5(string_agg(t::text, ',' order by t::text)) from {rows};",
                literal(&relation.object())
            ))
        })
        .collect();
    let writes = matches!(shown.verb, Verb::Insert | Verb::Update | Verb::Delete);
    let shared = (changed.is_empty() && writes)
        .then(|| shown.relation.and_then(|oid| catalog.relation(oid)))
        .flatten()
        .and_then(|relation| hunt.shared_view(relation));
    if counts.is_empty() && shared.is_none() {
        return lines;
    }
    lines.push("reset session authorization;".to_owned());
    lines.extend(counts);
    if let Some(query) = shared {
        lines.push(format!("\\echo another tenant sees {when}:"));
        lines.extend(hunt.stage.enter(Actor::Victim).into_iter().map(|statement| format!("{statement};")));
        lines.push(format!("{query};"));
        lines.push("reset session authorization;".to_owned());
    }
    lines
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
    // Helpers of the policies ask tables too.
    let helpers: Vec<u32> = catalog
        .policies
        .iter()
        .filter(|policy| policy.table == relation.oid)
        .flat_map(|policy| policy.functions.clone())
        .collect();
    for helper in catalog.functions_behind(&helpers) {
        next.extend(
            catalog
                .relations
                .iter()
                .filter(|other| crate::catalog::mentions(&helper.source, &other.name))
                .map(|other| other.oid),
        );
    }
    for oid in next {
        if let Some(other) = catalog.relation(oid) {
            need(hunt, other, wanted);
        }
    }
}
