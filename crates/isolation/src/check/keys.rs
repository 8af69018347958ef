//! Keys: uniqueness and references are checked across tenants, whatever the policies say, unless the tenant is in them.

use std::fmt::Write as _;

use std::collections::BTreeMap;

use super::{
    expr::{Expr, split},
    fixes::compared_with,
    judge::{Act, Holds, Judge, Parsed},
    names::{actions, column_list, columns, is_table},
};
use crate::{
    catalog::{Column, Constraint, Index, Relation, RelationKind},
    finding::{Finding, Level, Verb},
    rules,
    session::identifier,
};

pub(super) fn run(judge: &mut Judge<'_>) {
    let mut found = Vec::new();
    for (relation, tenant) in judge.tenant_tables() {
        let acts = judge.acts(relation);
        if relation.partition || acts.is_empty() {
            continue;
        }
        if acts.iter().any(|act| matches!(act, Act::Insert | Act::Update)) {
            unique(judge, relation, tenant, &mut found);
            exclusions(judge, relation, tenant, &mut found);
        }
        if !tenant.not_null {
            nullable(judge, relation, tenant, &mut found);
        }
        index(judge, relation, tenant, &mut found);
    }
    for key in judge.catalog.constraints.iter().filter(|key| key.kind == "f" && !key.inherited) {
        references(judge, key, &mut found);
    }
    types(judge, &mut found);
    judge.findings.extend(found);
}

/// Tells whether values of these columns cannot be guessed: ids drawn at random, and hashes.
pub(super) fn unguessable(relation: &Relation, numbers: &[i16]) -> bool {
    numbers.iter().all(|number| {
        relation
            .columns
            .iter()
            .any(|column| column.number == *number && matches!(column.type_name.as_str(), "uuid" | "bytea"))
    })
}

/// Tells whether the tenant is part of a unique index.
pub(super) fn holds_tenant(index: &Index, tenant: &Column) -> bool {
    index.columns.contains(&tenant.number) || index.expression_columns.contains(&tenant.number)
}

fn unique(judge: &Judge<'_>, relation: &Relation, tenant: &Column, found: &mut Vec<Finding>) {
    for index in judge.catalog.indexes.iter().filter(|index| index.table == relation.oid) {
        if holds_tenant(index, tenant) {
            continue;
        }
        let mut finding = Finding::new(&rules::UNIQUE, relation.object(), Some(Verb::Existence), &index.name)
            .evidence(format!(
                "{} is unique over all tenants, {}: a refused value is one that another has",
                index.name,
                index.definition.rsplit_once(" USING ").map_or("", |(_, keys)| keys)
            ))
            .fix(widen(judge, relation, tenant, index));
        if unguessable(relation, &index.columns) {
            finding.level = Level::Info;
        }
        found.push(finding);
    }
}

/// Writes a unique index anew with the tenant in front, and what refers to it.
pub(super) fn widen(judge: &Judge<'_>, relation: &Relation, tenant: &Column, index: &Index) -> String {
    let table = relation.quoted();
    let name = identifier(&index.name);
    let column = identifier(&tenant.name);
    let constraint =
        judge.catalog.constraints.iter().find(|c| {
            c.table == relation.oid && c.name == index.name && matches!(c.kind.as_str(), "p" | "u")
        });
    let Some(constraint) = constraint else {
        let anew = index.definition.replacen('(', &format!("({column}, "), 1);
        let schema = identifier(&relation.schema);
        return format!("DROP INDEX {schema}.{name};\n{anew};");
    };
    let word = if constraint.kind == "p" { "PRIMARY KEY" } else { "UNIQUE" };
    if constraint.kind == "p" && !tenant.not_null {
        return format!(
            "-- {} may be NULL, and no column of a primary key is: give each row a tenant first.",
            tenant.name
        );
    }
    let listed = columns(relation, &constraint.columns);
    let (mut before, mut after) = (String::new(), String::new());
    for key in judge.catalog.constraints.iter().filter(|key| {
        key.kind == "f" && !key.inherited && key.references == relation.oid && {
            let (mut one, mut other) = (key.referenced.clone(), constraint.columns.clone());
            one.sort_unstable();
            other.sort_unstable();
            one == other
        }
    }) {
        let Some(child) = judge.relation(key.table) else { continue };
        let Some(theirs) = judge.tenant_column(key.table) else {
            return format!(
                "-- {} refers to it and has no column of the tenant: give it one, then put {} in front of both keys.",
                child.object(),
                tenant.name
            );
        };
        let _ = writeln!(before, "ALTER TABLE {} DROP CONSTRAINT {};", child.quoted(), identifier(&key.name));
        after.push('\n');
        after.push_str(&composite(child, theirs, relation, tenant, key));
    }
    format!(
        "{before}ALTER TABLE {table} DROP CONSTRAINT {name};\n\
         ALTER TABLE {table} ADD CONSTRAINT {name} {word} ({column}, {listed});{after}"
    )
}

/// Writes a foreign key with the tenant in front. Rows that are there are looked at later: some may refer across tenants,
/// and a busy table need not wait.
fn composite(
    child: &Relation,
    theirs: &Column,
    parent: &Relation,
    tenant: &Column,
    key: &Constraint,
) -> String {
    let own = columns(child, &key.columns);
    let (table, name) = (child.quoted(), identifier(&key.name));
    let (later, validate) = if child.kind == RelationKind::Table {
        let remark = "-- Then, once no row refers to another tenant's:";
        (" NOT VALID", format!("\n{remark}\n-- ALTER TABLE {table} VALIDATE CONSTRAINT {name};"))
    } else {
        ("", String::new())
    };
    format!(
        "ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY ({}, {own}) REFERENCES {} ({}, {}){}{later};{validate}",
        identifier(&theirs.name),
        parent.quoted(),
        identifier(&tenant.name),
        columns(parent, &key.referenced),
        actions(key, &own)
    )
}

fn exclusions(judge: &Judge<'_>, relation: &Relation, tenant: &Column, found: &mut Vec<Finding>) {
    for constraint in judge.catalog.constraints.iter().filter(|c| c.table == relation.oid && c.kind == "x") {
        if constraint.columns.contains(&tenant.number) {
            continue;
        }
        let (table, name) = (relation.quoted(), identifier(&constraint.name));
        let anew = constraint.definition.replacen('(', &format!("({} WITH =, ", identifier(&tenant.name)), 1);
        found.push(
            Finding::new(&rules::UNIQUE, relation.object(), Some(Verb::Existence), &constraint.name)
                .evidence(format!("{} excludes what another tenant's row already takes", constraint.name))
                .fix(format!(
                    "CREATE EXTENSION IF NOT EXISTS btree_gist;\n\
                     ALTER TABLE {table} DROP CONSTRAINT {name};\nALTER TABLE {table} ADD CONSTRAINT {name} {anew};"
                )),
        );
    }
}

/// Tells whether a foreign key ties a tenant to the same tenant.
pub(super) fn ties_tenant(key: &Constraint, own: &Column, theirs: &Column) -> bool {
    key.columns.iter().zip(&key.referenced).any(|pair| pair == (&own.number, &theirs.number))
}

fn references(judge: &Judge<'_>, key: &Constraint, found: &mut Vec<Finding>) {
    let (Some(child), Some(parent)) = (judge.relation(key.table), judge.relation(key.references)) else {
        return;
    };
    let (Some(own), Some(theirs)) = (judge.tenant_column(child.oid), judge.tenant_column(parent.oid)) else {
        return;
    };
    if child.partition || !is_table(child) {
        return;
    }
    if key.columns.contains(&own.number) && clears(key, own) && key.columns.len() > 1 {
        let rest: Vec<i16> = key.columns.iter().copied().filter(|number| *number != own.number).collect();
        let (table, name) = (child.quoted(), identifier(&key.name));
        found.push(
            Finding::new(&rules::SET_NULL, child.object(), None, &key.name)
                .evidence(format!(
                    "{} sets all its columns on delete, {} too: the row is nobody's then",
                    key.name, own.name
                ))
                .fix(format!(
                    "ALTER TABLE {table} DROP CONSTRAINT {name};\n\
                     ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY ({}) REFERENCES {} ({}){};",
                    columns(child, &key.columns),
                    parent.quoted(),
                    columns(parent, &key.referenced),
                    actions(key, &columns(child, &rest))
                )),
        );
    }
    if ties_tenant(key, own, theirs) || judge.is_root(parent.oid) {
        return;
    }
    if judge.acts(child).is_empty() && judge.acts(parent).is_empty() {
        return;
    }
    let crosses =
        [&key.on_delete, &key.on_update].into_iter().any(|action| matches!(action.as_str(), "c" | "n" | "d"));
    let rule = if crosses { &rules::FK_ACTION } else { &rules::FOREIGN_KEY };
    let what = if crosses {
        "what one tenant deletes or renames changes rows that refer to it in another, whatever the policies say"
    } else {
        "a reference to another tenant's row is accepted, and so tells that it is there"
    };
    let mut finding = Finding::new(rule, child.object(), Some(Verb::Existence), &key.name)
        .evidence(format!(
            "{} ({}) refers to {} without {}: {what}",
            key.name,
            column_list(child, &key.columns),
            parent.object(),
            own.name
        ))
        .fix(tie(judge, key, (child, own), (parent, theirs)));
    if unguessable(child, &key.columns) {
        finding.level = Level::Info;
    }
    found.push(finding);
}

/// A deletion sets the column of the tenant itself to NULL or its default.
pub(super) fn clears(key: &Constraint, own: &Column) -> bool {
    if !matches!(key.on_delete.as_str(), "n" | "d") {
        return false;
    }
    let listed = ["SET NULL (", "SET DEFAULT ("].iter().find_map(|word| key.definition.split_once(word));
    listed.is_none_or(|(_, list)| {
        let list = list.split(')').next().unwrap_or_default();
        list.split(',').any(|name| name.trim().trim_matches('"') == own.name)
    })
}

fn tie(
    judge: &Judge<'_>,
    key: &Constraint,
    (child, own): (&Relation, &Column),
    (parent, theirs): (&Relation, &Column),
) -> String {
    let mut wanted: Vec<i16> = std::iter::once(theirs.number).chain(key.referenced.iter().copied()).collect();
    wanted.sort_unstable();
    let there = judge.catalog.indexes.iter().any(|index| {
        let mut has = index.columns.clone();
        has.sort_unstable();
        index.table == parent.oid && has == wanted && index.predicate.is_none()
    });
    let mut fix = String::new();
    if !there {
        fix = format!(
            "ALTER TABLE {} ADD UNIQUE ({}, {});\n",
            parent.quoted(),
            identifier(&theirs.name),
            columns(parent, &key.referenced)
        );
    }
    let drop = format!("ALTER TABLE {} DROP CONSTRAINT {};\n", child.quoted(), identifier(&key.name));
    format!("{fix}{drop}{}", composite(child, own, parent, theirs, key))
}

fn nullable(judge: &Judge<'_>, relation: &Relation, tenant: &Column, found: &mut Vec<Finding>) {
    // Where a policy speaks of such rows, they are meant.
    let meant = judge.policies(relation.oid).iter().flat_map(Parsed::expressions).any(|expr| {
        let parts = expr.disjuncts().into_iter().flat_map(|part| split(part, "and"));
        let mut parts = parts.filter(|part| compared_with(part, &tenant.name).is_none());
        parts.any(|part| expr.text_of(part).ends_with("IS NULL"))
    });
    if meant {
        return;
    }
    found.push(
        Finding::new(&rules::NULLABLE, relation.object(), None, "")
            .evidence(format!("{} may be NULL: such a row is nobody's, and no policy finds it", tenant.name))
            .fix(format!(
                "ALTER TABLE {} ALTER COLUMN {} SET NOT NULL;",
                relation.quoted(),
                identifier(&tenant.name)
            )),
    );
}

fn index(judge: &Judge<'_>, relation: &Relation, tenant: &Column, found: &mut Vec<Finding>) {
    let leads = judge
        .catalog
        .index_heads
        .iter()
        .any(|head| head.table == relation.oid && head.column == tenant.number);
    if leads || !relation.rls {
        return;
    }
    found.push(
        Finding::new(&rules::INDEX, relation.object(), None, "")
            .evidence(format!(
                "no index leads with {}: every query reads all tenants' rows to find its own",
                tenant.name
            ))
            .fix(format!("CREATE INDEX ON {} ({});", relation.quoted(), identifier(&tenant.name))),
    );
}

/// The column of tenants is of one type everywhere, or comparisons and keys go wrong.
fn types(judge: &Judge<'_>, found: &mut Vec<Finding>) {
    let base = |column: &Column| {
        let mut oid = column.type_oid;
        while let Some(info) = judge.catalog.types.get(&oid).filter(|info| info.kind == "d") {
            oid = info.base;
        }
        // The kinds of text that compare alike.
        match judge.catalog.types.get(&oid).map(|info| info.name.as_str()) {
            Some("varchar" | "text") => "text".to_owned(),
            Some(name) => name.to_owned(),
            None => column.type_name.clone(),
        }
    };
    let tables = judge.tenant_tables();
    let mut votes: BTreeMap<String, usize> = BTreeMap::new();
    for (_, column) in &tables {
        *votes.entry(base(column)).or_default() += 1;
    }
    let Some((usual, _)) = votes.iter().max_by_key(|(_, count)| **count) else { return };
    let Some(sample) = tables.iter().map(|(_, column)| *column).find(|column| base(column) == *usual) else {
        return;
    };
    for (relation, column) in tables.iter().filter(|(_, column)| base(column) != *usual) {
        if relation.partition || judge.holds(relation.oid) == Holds::Shared || judge.acts(relation).is_empty()
        {
            continue;
        }
        let (table, name) = (relation.quoted(), identifier(&column.name));
        let (mut drop, mut create) = (String::new(), String::new());
        for parsed in judge.policies(relation.oid) {
            let policy = parsed.policy;
            let on = format!("POLICY {} ON {table}", identifier(&policy.name));
            let _ = writeln!(drop, "DROP {on};");
            let kind = if policy.permissive { "" } else { " AS RESTRICTIVE" };
            let command = match policy.command.as_str() {
                "r" => " FOR SELECT",
                "a" => " FOR INSERT",
                "w" => " FOR UPDATE",
                "d" => " FOR DELETE",
                _ => "",
            };
            let roles: Vec<String> = policy.roles.iter().map(|role| judge.grantee(*role)).collect();
            let part = |word: &str, expr: Option<&Expr>| {
                let Some(expr) = expr else { return String::new() };
                let text = expr.text_of(expr.nodes());
                let parts: Vec<&[super::expr::Node]> =
                    expr.disjuncts().into_iter().flat_map(|part| split(part, "and")).collect();
                let whole = parts.first().filter(|_| parts.len() == 1);
                let usual = judge.usual_tenant().filter(|(_, kind)| *kind == sample.type_name);
                match (whole.and_then(|part| compared_with(part, &column.name)), usual) {
                    (Some(_), Some((value, _))) => format!(" {word} ({name} = {value})"),
                    _ => format!(" {word} ({text})"),
                }
            };
            let _ = write!(
                create,
                "\nCREATE {on}{kind}{command} TO {}{}{};",
                roles.join(", "),
                part("USING", parsed.using.as_ref()),
                part("WITH CHECK", parsed.check.as_ref())
            );
        }
        found.push(
            Finding::new(&rules::TYPES, relation.object(), None, "")
                .evidence(format!(
                    "{} is {} here and {} in most tables: two tenants can be one after a cast, and no key reaches across",
                    column.name, column.type_name, sample.type_name
                ))
                .fix(format!(
                    "{drop}ALTER TABLE {table} ALTER COLUMN {name} TYPE {kind} USING {name}::text::{kind};{create}",
                    kind = sample.type_name
                )),
        );
    }
}
