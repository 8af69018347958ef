//! Privileges that no policy covers: TRUNCATE, TRIGGER and REFERENCES, sequences, making objects, what coming objects
//! are granted, and tables that all tenants write.

use std::fmt::Write as _;

use std::collections::BTreeMap;

use super::{
    judge::{Act, Holds, Judge, is_true},
    names::is_table,
    rls::{verb, words},
};
use crate::{
    catalog::{Relation, RelationKind},
    finding::{Finding, Level, Verb},
    rules,
    session::identifier,
};

pub(super) fn run(judge: &mut Judge<'_>) {
    if judge.is_superuser(judge.subject.role) {
        return;
    }
    let mut found = Vec::new();
    for relation in judge.catalog.relations.iter().filter(|r| is_table(r) && !r.extension) {
        if judge.holds(relation.oid) == Holds::Shared {
            shared_writable(judge, relation, &mut found);
        }
        if relation.owner != judge.subject.role {
            uncovered(judge, relation, &mut found);
        }
    }
    large_objects(judge, &mut found);
    sequences(judge, &mut found);
    making(judge, &mut found);
    defaults(judge, &mut found);
    judge.findings.extend(found);
}

fn uncovered(judge: &Judge<'_>, relation: &Relation, found: &mut Vec<Finding>) {
    let table = relation.quoted();
    if judge.may_use(&relation.schema) && judge.granted(&relation.grants, "TRUNCATE") {
        found.push(
            Finding::new(&rules::TRUNCATE, relation.object(), Some(Verb::Truncate), "")
                .evidence(format!(
                    "TRUNCATE is granted to {}: it empties the table for every tenant, and no policy is asked",
                    judge.by_whom(&relation.grants, "TRUNCATE")
                ))
                .fix(judge.revoke(&["TRUNCATE"], &table, &relation.grants)),
        );
    }
    let mut grants = relation.grants.clone();
    grants.extend(relation.columns.iter().flat_map(|column| column.grants.clone()));
    let held: Vec<&str> =
        ["TRIGGER", "REFERENCES"].into_iter().filter(|privilege| judge.granted(&grants, privilege)).collect();
    others_truncate(judge, relation, found);
    if !held.is_empty() && judge.may_use(&relation.schema) {
        found.push(
            Finding::new(&rules::DDL_PRIVILEGE, relation.object(), None, "")
                .evidence(format!(
                    "{} is granted: with a schema to make objects in, {} hangs code on others' writes or asks which keys exist",
                    held.join(" and "),
                    judge.app()
                ))
                .fix(judge.revoke(&held, &table, &grants)),
        );
    }
}

/// TRUNCATE in the hands of another role than the app's, which the policies otherwise hold too.
fn others_truncate(judge: &Judge<'_>, relation: &Relation, found: &mut Vec<Finding>) {
    if judge.holds(relation.oid) == Holds::Shared || !relation.rls {
        return;
    }
    let others = relation.grants.iter().filter(|grant| {
        grant.privilege == "TRUNCATE"
            && grant.grantee != 0
            && grant.grantee != relation.owner
            && !judge.becomes.contains(&grant.grantee)
            && !judge.acting.contains(&grant.grantee)
            && judge.role(grant.grantee).is_some_and(|role| !role.superuser && !role.bypassrls)
    });
    for grant in others {
        let name = judge.role(grant.grantee).map_or("", |role| role.name.as_str());
        found.push(
            Finding::new(&rules::OTHER_LOGIN, relation.object(), Some(Verb::Truncate), name)
                .evidence(format!(
                    "{name}, whom its policies hold, may TRUNCATE it: that empties it for every tenant, and no policy is asked"
                ))
                .fix(format!("REVOKE TRUNCATE ON {} FROM {};", relation.quoted(), judge.grantee(grant.grantee))),
        );
    }
}

/// A table that is nobody's, in which every tenant writes.
fn shared_writable(judge: &Judge<'_>, relation: &Relation, found: &mut Vec<Finding>) {
    let writes: Vec<Act> = judge
        .acts(relation)
        .into_iter()
        .filter(|act| *act != Act::Select)
        .filter(|act| {
            !relation.rls
                || judge.app_policies(relation.oid).any(|parsed| {
                    let asked =
                        if *act == Act::Insert { parsed.demand(*act) } else { parsed.condition(*act) };
                    parsed.policy.permissive && asked.is_some_and(is_true)
                })
        })
        .collect();
    let Some(first) = writes.first() else { return };
    // A table that can only be added to and not read is a letter box.
    if writes == [Act::Insert] && !judge.may(relation, "SELECT") {
        return;
    }
    let privileges: Vec<&str> = writes.iter().map(|act| act.privilege()).collect();
    let grants: Vec<_> = relation
        .grants
        .iter()
        .chain(relation.columns.iter().flat_map(|column| &column.grants))
        .cloned()
        .collect();
    let mut fix = judge.revoke(&privileges, &relation.quoted(), &grants);
    if relation.owner == judge.subject.role {
        fix = format!(
            "REVOKE {} ON {} FROM {};",
            privileges.join(", "),
            relation.quoted(),
            identifier(judge.app())
        );
    }
    found.push(
        Finding::new(&rules::SHARED_WRITABLE, relation.object(), Some(verb(*first)), "")
            .evidence(format!(
                "{} may {}, no column says whose a row is, and no policy narrows it: what one tenant writes, all read",
                judge.app(),
                words(&writes)
            ))
            .fix(fix),
    );
}

/// Columns that refer to large objects, which have privileges and no policies.
fn large_objects(judge: &Judge<'_>, found: &mut Vec<Finding>) {
    for (table, _) in judge.tenant_tables().into_iter().filter(|(table, _)| !judge.acts(table).is_empty()) {
        for column in table.columns.iter().filter(|column| matches!(column.type_name.as_str(), "oid" | "lo"))
        {
            let name = identifier(&column.name);
            found.push(
                Finding::new(&rules::LARGE_OBJECT_COLUMN, table.object(), None, &column.name)
                    .evidence(format!(
                        "{} refers to large objects: whoever knows or lists their numbers reads them, in every tenant",
                        column.name
                    ))
                    .fix(format!(
                        "-- Then remove the large objects with lo_unlink().\n\
                         ALTER TABLE {} ALTER COLUMN {name} TYPE bytea USING lo_get({name});",
                        table.quoted()
                    )),
            );
        }
    }
}

fn sequences(judge: &Judge<'_>, found: &mut Vec<Finding>) {
    for sequence in judge.catalog.sequences.iter().filter(|sequence| !sequence.extension) {
        if judge.acting.contains(&sequence.owner) || !judge.may_use(&sequence.schema) {
            continue;
        }
        let held: Vec<&str> = ["SELECT", "UPDATE"]
            .into_iter()
            .filter(|privilege| judge.granted(&sequence.grants, privilege))
            .collect();
        if held.is_empty() {
            continue;
        }
        let name = format!("SEQUENCE {}", sequence.quoted());
        let update = held.contains(&"UPDATE");
        let mut fix = judge.revoke(&held, &name, &sequence.grants);
        if update && !judge.granted(&sequence.grants, "USAGE") {
            let _ = write!(fix, "\nGRANT USAGE ON {name} TO {};", identifier(judge.app()));
        }
        found.push(
            Finding::new(
                &rules::SEQUENCE_PRIVILEGE,
                sequence.object(),
                Some(if update { Verb::Update } else { Verb::Select }),
                "",
            )
            .evidence(if update {
                "with UPDATE one tenant sets the number that all others get next"
            } else {
                "with SELECT its last number tells how much all tenants make"
            })
            .fix(fix),
        );
    }
}

fn making(judge: &Judge<'_>, found: &mut Vec<Finding>) {
    for schema in &judge.catalog.schemas {
        if judge.acting.contains(&schema.owner) || !judge.granted(&schema.grants, "CREATE") {
            continue;
        }
        found.push(
            Finding::new(&rules::SCHEMA_CREATE, format!("role:{}", judge.app()), None, &schema.name)
                .evidence(format!(
                    "{} may make objects in schema {}: functions and tables that shadow the ones meant",
                    judge.by_whom(&schema.grants, "CREATE"),
                    schema.name
                ))
                .fix(judge.revoke(
                    &["CREATE"],
                    &format!("SCHEMA {}", identifier(&schema.name)),
                    &schema.grants,
                )),
        );
    }
    let database = &judge.catalog.database_grants;
    let owned = judge.acting.contains(&judge.catalog.database_owner);
    if !owned && judge.granted(database, "CREATE") {
        let name = identifier(&judge.catalog.database);
        found.push(
            Finding::new(&rules::SCHEMA_CREATE, format!("role:{}", judge.app()), None, "\0database")
                .evidence(format!("{} may make schemas in the database", judge.by_whom(database, "CREATE")))
                .fix(judge.revoke(&["CREATE"], &format!("DATABASE {name}"), database)),
        );
    }
}

/// The next partition of a protected table, which its parent's policies do not hold where it is named itself.
fn partitions_to_come(
    judge: &Judge<'_>,
    owner: u32,
    schema: Option<&str>,
    grantee: u32,
    privileges: &[&str],
    found: &mut Vec<Finding>,
) {
    let parents = judge.catalog.relations.iter().filter(|relation| {
        relation.kind == RelationKind::Partitioned
            && relation.rls
            && relation.owner == owner
            && schema.is_none_or(|schema| schema == relation.schema)
    });
    for parent in parents {
        let who = judge.role(grantee).map_or("PUBLIC", |role| role.name.as_str());
        let place = schema.map(|schema| format!(" IN SCHEMA {}", identifier(schema))).unwrap_or_default();
        let mut finding = Finding::new(&rules::PARTITION_OPEN, parent.object(), Some(Verb::Select), who)
            .evidence(format!(
                "its next partition grants {who} {} at once, and the policies of {} do not bind who names that partition itself",
                privileges.join(", "),
                parent.object()
            ))
            .fix(format!(
                "ALTER DEFAULT PRIVILEGES FOR ROLE {}{place} REVOKE {} ON TABLES FROM {};",
                judge.grantee(owner),
                privileges.join(", "),
                judge.grantee(grantee)
            ));
        finding.level = Level::Warning;
        found.push(finding);
    }
}

/// What coming tables are granted before anybody has put a policy on them.
fn defaults(judge: &Judge<'_>, found: &mut Vec<Finding>) {
    let mut by_place: BTreeMap<(u32, Option<&str>, u32), Vec<&str>> = BTreeMap::new();
    for grant in &judge.catalog.default_grants {
        let ours = grant.grantee == 0 || judge.acting.contains(&grant.grantee);
        let rows = ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"].contains(&grant.privilege.as_str());
        if grant.kind == "r" && ours && rows && grant.grantee != grant.owner {
            by_place
                .entry((grant.owner, grant.schema.as_deref(), grant.grantee))
                .or_default()
                .push(&grant.privilege);
        }
    }
    for ((owner, schema, grantee), privileges) in by_place {
        partitions_to_come(judge, owner, schema, grantee, &privileges, found);
        let place = schema.map(|schema| format!(" IN SCHEMA {}", identifier(schema))).unwrap_or_default();
        let who = judge.role(grantee).map_or("PUBLIC", |role| role.name.as_str());
        found.push(
            Finding::new(
                &rules::DEFAULT_PRIVILEGES,
                format!("role:{}", judge.role(owner).map_or("", |role| role.name.as_str())),
                None,
                &format!("{who}{place}"),
            )
            .evidence(format!(
                "the next table of {}{} grants {who} {} at once, before it has row level security",
                judge.role(owner).map_or("", |role| role.name.as_str()),
                schema.map(|schema| format!(" in schema {schema}")).unwrap_or_default(),
                privileges.join(", ")
            ))
            .fix(format!(
                "ALTER DEFAULT PRIVILEGES FOR ROLE {}{place} REVOKE {} ON TABLES FROM {};",
                judge.grantee(owner),
                privileges.join(", "),
                judge.grantee(grantee)
            )),
        );
    }
}
