//! Views, materialized views, foreign tables and rewrite rules: what reads with somebody else's rights, or without any
//! policy.

use super::{
    expr::Expr,
    judge::{Act, Holds, Judge},
    names::{column_named, option},
    rls::words,
};
use crate::{
    catalog::{Relation, RelationKind},
    finding::{Finding, Level, Verb},
    rules,
    session::identifier,
};

pub(super) fn run(judge: &mut Judge<'_>) {
    let mut found = Vec::new();
    for relation in judge.catalog.relations.iter().filter(|relation| !relation.extension) {
        let acts = judge.acts(relation);
        if acts.is_empty() {
            for_others(judge, relation, &mut found);
            continue;
        }
        match relation.kind {
            RelationKind::View => view(judge, relation, &acts, &mut found),
            RelationKind::MaterializedView => materialized(judge, relation, &acts, &mut found),
            RelationKind::Foreign => foreign(judge, relation, &acts, &mut found),
            RelationKind::Table | RelationKind::Partitioned => {}
        }
    }
    rewrite_rules(judge, &mut found);
    judge.findings.extend(found);
}

/// A view that shows every tenant to a role which is not the app's: whoever comes to be a member of it sees them.
fn for_others(judge: &Judge<'_>, view: &Relation, found: &mut Vec<Finding>) {
    if view.kind != RelationKind::View || option(view, "security_invoker") || filters(judge, view) {
        return;
    }
    let reader = view.grants.iter().find(|grant| {
        grant.privilege == "SELECT"
            && grant.grantee != 0
            && grant.grantee != view.owner
            && judge.role(grant.grantee).is_some_and(|role| !role.superuser && !role.bypassrls)
    });
    let why = judge.tables_behind(view).into_iter().find_map(|table| judge.unbound_on(view.owner, table));
    if let (Some(reader), Some(why)) = (reader, why) {
        let name = judge.role(reader.grantee).map_or("", |role| role.name.as_str());
        let mut finding = Finding::new(&rules::VIEW_OWNER, view.object(), Some(Verb::Select), name)
            .evidence(format!("{name} may read it, and it reads as its owner: {why}"))
            .fix(format!("ALTER VIEW {} SET (security_invoker = true);", view.quoted()));
        finding.level = Level::Warning;
        found.push(finding);
    }
}

fn view(judge: &Judge<'_>, view: &Relation, acts: &[Act], found: &mut Vec<Finding>) {
    if option(view, "security_invoker") {
        return;
    }
    statistics(judge, view, found);
    let open: Vec<String> = judge
        .tables_behind(view)
        .into_iter()
        .filter_map(|table| judge.unbound_on(view.owner, table))
        .collect();
    let Some(why) = open.first() else { return };
    let object = view.object();
    if !filters(judge, view) {
        found.push(
            Finding::new(&rules::VIEW_OWNER, &object, Some(Verb::Select), "")
                .evidence(format!("{} may {} it, and it reads as its owner: {why}", judge.app(), words(acts)))
                .fix(invoker(judge, view)),
        );
        return;
    }
    if !option(view, "security_barrier") {
        found.push(
            Finding::new(&rules::VIEW_BARRIER, &object, Some(Verb::Select), "")
                .evidence(format!(
                    "its own condition is all that keeps tenants apart ({why}), and the caller's functions may run before it"
                ))
                .fix(format!("ALTER VIEW {} SET (security_barrier = true);", view.quoted())),
        );
    }
    let writes = acts.iter().any(|act| matches!(act, Act::Insert | Act::Update));
    let checked = view.options.iter().any(|option| option.starts_with("check_option="));
    if writes && !checked && is_updatable(judge, view) {
        found.push(
            Finding::new(&rules::VIEW_CHECK, &object, Some(Verb::Update), "")
                .evidence(format!(
                    "{} writes through it ({}), rows that it does not show too",
                    judge.app(),
                    words(acts)
                ))
                .fix(format!("ALTER VIEW {} SET (check_option = 'cascaded');", view.quoted())),
        );
    }
}

/// A view over statistics shows them with its owner's rights.
fn statistics(judge: &Judge<'_>, view: &Relation, found: &mut Vec<Finding>) {
    let expr = Expr::parse(view.definition.as_deref().unwrap_or_default());
    let Some(name) =
        super::functions::STATISTICS.iter().find(|name| super::expr::mentions(expr.nodes(), name))
    else {
        return;
    };
    found.push(
        Finding::new(&rules::STATISTICS_READABLE, view.object(), Some(Verb::Select), "")
            .evidence(format!("{} reads {name} by it with its owner's rights", judge.app()))
            .fix(format!("ALTER VIEW {} SET (security_invoker = true);", view.quoted())),
    );
}

/// Writes how a view comes to read as its caller, who needs the privileges then.
fn invoker(judge: &Judge<'_>, view: &Relation) -> String {
    let mut fix = format!("ALTER VIEW {} SET (security_invoker = true);", view.quoted());
    let missing: Vec<String> = judge
        .tables_behind(view)
        .into_iter()
        .filter(|table| !judge.may(table, "SELECT"))
        .map(|table| {
            format!(
                "-- The caller then needs: GRANT SELECT ON {} TO {};",
                table.quoted(),
                identifier(judge.app())
            )
        })
        .collect();
    for line in missing {
        fix.push('\n');
        fix.push_str(&line);
    }
    fix
}

/// Tells whether a view, or one that it reads, asks who is asking.
fn filters(judge: &Judge<'_>, view: &Relation) -> bool {
    let text = view.definition.as_deref().unwrap_or_default();
    judge.context_in(Expr::parse(text).nodes())
        || view.reads.iter().filter_map(|oid| judge.relation(*oid)).any(|inner| {
            inner.kind == RelationKind::View && (option(inner, "security_invoker") || filters(judge, inner))
        })
}

/// Tells whether rows can be written through a view without a trigger's help.
fn is_updatable(judge: &Judge<'_>, view: &Relation) -> bool {
    let text = view.definition.as_deref().unwrap_or_default();
    let expr = Expr::parse(text);
    let top: Vec<&str> = expr.nodes().iter().filter_map(super::expr::Node::word).collect();
    let blocking =
        ["with", "distinct", "group", "having", "union", "intersect", "except", "limit", "offset", "join"];
    let from = top.iter().filter(|word| **word == "from").count();
    from == 1
        && !top.iter().any(|word| blocking.contains(word))
        && view.reads.len() == 1
        && !judge.catalog.triggers.iter().any(|trigger| trigger.table == view.oid)
        && !judge.catalog.rules.iter().any(|rule| rule.table == view.oid)
}

fn materialized(judge: &Judge<'_>, view: &Relation, acts: &[Act], found: &mut Vec<Finding>) {
    let behind = judge.tables_behind(view);
    let Some(table) = behind.first().filter(|_| acts.contains(&Act::Select)) else { return };
    let tenant = judge.subject.column.as_deref().and_then(|name| column_named(view, name));
    let mut finding = Finding::new(&rules::MATVIEW, view.object(), Some(Verb::Select), "")
        .evidence(format!(
            "{} may SELECT it; it keeps rows of {} and no policy can be put on it",
            judge.app(),
            table.object()
        ))
        .fix(judge.revoke_all(view));
    if tenant.is_none() {
        // Numbers over all tenants may be meant for all of them.
        finding.level = Level::Warning;
    }
    found.push(finding);
}

fn foreign(judge: &Judge<'_>, table: &Relation, acts: &[Act], found: &mut Vec<Finding>) {
    if judge.holds(table.oid) == Holds::Shared {
        return;
    }
    let server = table.server.as_deref().unwrap_or_default();
    found.push(
        Finding::new(&rules::FOREIGN, table.object(), Some(Verb::Select), "")
            .evidence(format!(
                "{} may {} it: no policy can be put on it, and server {server} sees one login for all tenants",
                judge.app(),
                words(acts)
            ))
            .fix(judge.revoke_all(table)),
    );
}

/// Rules act with the rights of the relation's owner.
fn rewrite_rules(judge: &Judge<'_>, found: &mut Vec<Finding>) {
    for rule in &judge.catalog.rules {
        let Some(relation) = judge.relation(rule.table) else { continue };
        if judge.acts(relation).iter().all(|act| *act == Act::Select) {
            continue;
        }
        let expr = Expr::parse(&rule.definition);
        let touched = judge.catalog.relations.iter().find(|other| {
            other.oid != relation.oid
                && judge.holds(other.oid) != Holds::Shared
                && super::expr::mentions(expr.nodes(), &other.name)
                && !judge.context_in(expr.nodes())
                && !judge.tenant_column(other.oid).is_some_and(|column| {
                    super::expr::mentions(expr.nodes(), &format!("new.{}", column.name))
                })
                && judge.unbound_on(relation.owner, other).is_some()
        });
        let Some(touched) = touched else { continue };
        let why = judge.unbound_on(relation.owner, touched).unwrap_or_default();
        found.push(
            Finding::new(&rules::REWRITE, relation.object(), None, &rule.name)
                .evidence(format!(
                    "rule {} writes to {} as the owner of the relation: {why}",
                    rule.name,
                    touched.object()
                ))
                .fix(format!("DROP RULE {} ON {};", identifier(&rule.name), relation.quoted())),
        );
    }
}
