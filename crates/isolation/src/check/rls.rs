//! Row security itself: off, not forced, without policies, or off where a partition is reached directly.

use super::{
    judge::{Act, Holds, Judge},
    names::is_table,
};
use crate::{
    catalog::Relation,
    finding::{Finding, Level, Verb},
    rules,
};

pub(super) fn run(judge: &mut Judge<'_>) {
    for relation in &judge.catalog.relations {
        if !is_table(relation) || relation.extension || judge.holds(relation.oid) == Holds::Shared {
            continue;
        }
        let acts = judge.acts(relation);
        if relation.rls {
            not_forced(judge, relation);
            without_policies(judge, relation, &acts);
        } else if !acts.is_empty() {
            off(judge, relation, &acts);
        } else if !judge.policies(relation.oid).is_empty() {
            forgotten(judge, relation);
        }
    }
}

pub(super) fn verb(act: Act) -> Verb {
    match act {
        Act::Select => Verb::Select,
        Act::Insert => Verb::Insert,
        Act::Update => Verb::Update,
        Act::Delete => Verb::Delete,
    }
}

pub(super) fn words(acts: &[Act]) -> String {
    acts.iter().map(|act| act.privilege()).collect::<Vec<_>>().join(", ")
}

fn off(judge: &mut Judge<'_>, relation: &Relation, acts: &[Act]) {
    let adds_only = acts == [Act::Insert];
    if adds_only
        && judge
            .tenant_column(relation.oid)
            .is_some_and(|column| !judge.may_column(relation, column, "INSERT"))
    {
        // Its default says whose the row is, and nobody else may.
        return;
    }
    let stamped = adds_only && judge.catalog.triggers.iter().any(|trigger| trigger.table == relation.oid);
    let parent = relation.parents.iter().filter_map(|oid| judge.relation(*oid)).find(|parent| parent.rls);
    let (rule, why) = match parent {
        Some(parent) => (
            &rules::PARTITION_OPEN,
            format!("the policies of {} do not bind who names {} itself", parent.object(), relation.object()),
        ),
        None => (&rules::RLS_OFF, format!("{}, and row level security is off", judge.whose(relation))),
    };
    let evidence = format!("{} may {}; {why}", judge.app(), words(acts));
    let fix = match parent {
        Some(_) if relation.owner != judge.subject.role => judge.revoke_all(relation),
        _ => judge.protect(relation),
    };
    // A list of the tenants that everybody may read can be meant so.
    let directory = judge.is_root(relation.oid) && acts == [Act::Select];
    let mut finding =
        Finding::new(rule, relation.object(), Some(verb(acts[0])), "").evidence(evidence).fix(fix);
    if directory || stamped {
        finding.level = Level::Warning;
    }
    judge.findings.push(finding);
}

/// Policies that wait for row security to be switched on, as the next grant will not.
fn forgotten(judge: &mut Judge<'_>, relation: &Relation) {
    let mut finding = Finding::new(&rules::RLS_OFF, relation.object(), None, "")
        .evidence("it has policies, and row level security is off: the first grant opens it to every tenant")
        .fix(judge.protect(relation));
    finding.level = Level::Warning;
    judge.findings.push(finding);
}

fn not_forced(judge: &mut Judge<'_>, relation: &Relation) {
    if relation.force {
        return;
    }
    let owner = judge.role(relation.owner).map_or("", |role| role.name.as_str());
    let app_owns = judge.inherits.contains(&relation.owner);
    let level = if app_owns {
        Level::Error
    } else if is_used(judge, relation) {
        Level::Warning
    } else {
        Level::Info
    };
    let evidence = if app_owns {
        format!("{} acts with the rights of {owner}, who owns it and is not bound", judge.app())
    } else if judge.is_superuser(relation.owner) {
        format!("{owner}, who owns it, is superuser: FORCE will matter when the table gets another owner")
    } else {
        format!("what runs as its owner {owner} (views, definer functions, jobs) sees every tenant")
    };
    let mut finding = Finding::new(&rules::NOT_FORCED, relation.object(), None, "")
        .evidence(evidence)
        .fix(format!("ALTER TABLE {} FORCE ROW LEVEL SECURITY;", relation.quoted()));
    finding.level = level;
    judge.findings.push(finding);
}

/// Tells whether something acts as a table's owner, or could: a login, a view or definer function of that role, a
/// member; or whether the owner's other tables are forced, and this one was forgotten.
fn is_used(judge: &Judge<'_>, relation: &Relation) -> bool {
    let owner = relation.owner;
    let catalog = judge.catalog;
    !judge.is_superuser(owner)
        && (judge.role(owner).is_some_and(|role| role.login)
            || catalog.memberships.iter().any(|membership| membership.role == owner)
            || catalog.functions.iter().any(|function| function.definer && function.owner == owner)
            || catalog.relations.iter().any(|other| {
                other.owner == owner
                    && (other.definition.is_some() || other.force && other.oid != relation.oid)
            }))
}

fn without_policies(judge: &mut Judge<'_>, relation: &Relation, acts: &[Act]) {
    if acts.is_empty() {
        return;
    }
    let fix = judge.protect(relation);
    if judge.policies(relation.oid).is_empty() {
        let evidence = format!("{} may {} and gets no row at all", judge.app(), words(acts));
        judge
            .findings
            .push(Finding::new(&rules::NO_POLICIES, relation.object(), None, "").evidence(evidence).fix(fix));
    } else if !judge.app_policies(relation.oid).any(|parsed| parsed.policy.permissive) {
        let names: Vec<&str> =
            judge.policies(relation.oid).iter().map(|parsed| parsed.policy.name.as_str()).collect();
        let evidence = format!(
            "{} may {}, and no permissive policy is for it: {}",
            judge.app(),
            words(acts),
            names.join(", ")
        );
        judge
            .findings
            .push(Finding::new(&rules::OTHER_ROLE, relation.object(), None, "").evidence(evidence).fix(fix));
    }
}
