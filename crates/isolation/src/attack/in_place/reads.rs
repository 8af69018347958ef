//! Reads every relation in each context: the victim's canary by its key, and whatever else of the victim is there.

use std::collections::BTreeSet;

use super::{
    canaries::is_owned,
    ground::{Attempt, Ground},
};
use crate::{
    attack::{
        links::Link,
        reads::{foreign_rows, opened_by_flag},
        roles::reachable,
        stage::Actor,
        writes::{by_key, victims},
    },
    catalog::{Relation, RelationKind},
    finding::{TenantContext, Verb},
    rules,
    session::{SessionError, identifier, literal},
};

/// Rows that one reading looks at.
const ROWS: usize = 200;

/// A reading.
struct Reading {
    query: String,
    /// Whatever comes back is the victim's.
    aimed: bool,
}

/// Reads everything.
pub(super) async fn run(ground: &mut Ground) -> Result<(), SessionError> {
    let targets: Vec<Relation> = ground
        .hunt
        .stage
        .targets()
        .into_iter()
        .filter(|relation| ground.hunt.stage.may(relation, "SELECT"))
        .collect();
    let mut fit = Vec::new();
    for relation in targets {
        match ground.harmless.reading(&ground.hunt.stage.catalog, &relation) {
            Ok(()) => fit.push(relation),
            Err(why) => ground.leaves(&relation.object(), "it is not read", &why),
        }
    }
    // By context first, so that one transaction serves many relations.
    for context in TenantContext::ALL {
        for relation in &fit {
            if ground.hunt.spent() {
                return Ok(());
            }
            for reading in readings(ground, relation) {
                read(ground, relation, context, &reading).await?;
            }
        }
    }
    Ok(())
}

async fn read(
    ground: &mut Ground,
    relation: &Relation,
    context: TenantContext,
    reading: &Reading,
) -> Result<(), SessionError> {
    let object = relation.object();
    let needs = if context == TenantContext::Unset && !ground.login.plants_itself() {
        BTreeSet::new()
    } else {
        ground.needs(&[relation.oid])
    };
    let statements = [reading.query.clone()];
    let Some(outcome) =
        ground.attempt(Attempt::reading(&object, Actor::of(context), &needs, &statements)).await?
    else {
        return Ok(());
    };
    let hunt = &mut ground.hunt;
    hunt.count(&object, Verb::Select, context, if reading.aimed { "canary" } else { "rows" });
    let told = match &outcome.refusal {
        Some(refusal) => hunt.tokens.in_refusal(refusal, &reading.query).map(|word| (word, "the refusal")),
        None => hunt.tokens.in_heard(&outcome.heard, &reading.query).map(|word| (word, "a notice")),
    };
    if let Some((word, what)) = told {
        let evidence = format!("{what} quotes {}", hunt.shown(&word));
        hunt.leak(&rules::ERROR_TEXT, relation.oid, &object, Verb::Select, context, &statements, &evidence);
    }
    let Some(answer) = outcome.last() else { return Ok(()) };
    if context == TenantContext::Tenant {
        hunt.readable.insert(relation.oid);
    }
    let foreign = if reading.aimed {
        (0..answer.rows.len()).collect()
    } else {
        foreign_rows(hunt, relation, answer, &reading.query)
    };
    if foreign.is_empty() {
        return Ok(());
    }
    let evidence = format!("{} of {} rows are another tenant's", foreign.len(), answer.rows.len());
    if opened_by_flag(answer, &foreign) {
        hunt.shared_on_purpose(relation, context, &statements, &evidence);
        return Ok(());
    }
    hunt.read_leaks.insert((relation.oid, context));
    hunt.leak(&rules::READS, relation.oid, &object, Verb::Select, context, &statements, &evidence);
    Ok(())
}

/// Returns the readings of a relation: of the canary, of any row of the victim's, and of the first rows where neither can
/// be named.
fn readings(ground: &Ground, relation: &Relation) -> Vec<Reading> {
    let stage = &ground.hunt.stage;
    let may = |name: &str| {
        relation.column_named(name).is_some_and(|column| stage.may_column(relation, column, "SELECT"))
    };
    let columns: Vec<String> = relation
        .columns
        .iter()
        .filter(|column| stage.may_column(relation, column, "SELECT"))
        .map(|column| identifier(&column.name))
        .collect();
    let head = format!("select {} from {}", columns.join(", "), relation.quoted());
    let mut readings = Vec::new();
    let base = ground.hunt.base_of(relation);
    let owned = base.as_ref().is_some_and(|base| is_owned(ground, base.oid));
    if let Some(condition) = named(ground, relation, base.as_ref(), &may) {
        // A view may give the name of a key to something else, and a partition have a key of its own.
        let aimed = owned && relation.is_table() && !relation.partition;
        readings.push(Reading { query: format!("{head} where {condition} limit {ROWS}"), aimed });
    }
    if let Some(condition) = victims(&ground.hunt, relation)
        && tenant_column(ground, relation).is_some_and(|name| may(&name))
    {
        readings.push(Reading { query: format!("{head} where {condition} limit {ROWS}"), aimed: true });
    }
    if readings.is_empty() || relation.kind == RelationKind::View {
        readings.push(Reading { query: format!("{head} limit {ROWS}"), aimed: false });
    }
    readings
}

fn tenant_column(ground: &Ground, relation: &Relation) -> Option<String> {
    match ground.hunt.stage.links.get(&relation.oid) {
        Some(Link::Tenant(column)) => Some(column.clone()),
        _ => ground.hunt.stage.subject.tenant_column.clone(),
    }
}

/// Returns the condition that names the victim's canary, by the key of the table behind a relation.
fn named(
    ground: &Ground,
    relation: &Relation,
    base: Option<&Relation>,
    may: &impl Fn(&str) -> bool,
) -> Option<String> {
    let victim = &ground.hunt.stage.victim;
    let row = ground.hunt.row_behind(relation, victim)?;
    let base = base?;
    // What could not be planted has values that a row of anybody's may have.
    let there = ground.has_canary(base.oid, victim)
        || base.parents.iter().any(|parent| ground.has_canary(*parent, victim))
        || ground.hunt.seeds.found.contains(&(base.oid, row.clone()));
    if !there {
        return None;
    }
    let key = ground.hunt.stage.catalog.key(base.oid);
    let parts: Option<Vec<String>> = key
        .iter()
        .map(|number| {
            let name = &base.column(*number)?.name;
            let value = row.get(name)?.as_ref().filter(|_| may(name))?;
            Some(format!("{} = {}", identifier(name), literal(value)))
        })
        .collect();
    parts.filter(|parts| !parts.is_empty()).map(|parts| parts.join(" and "))
}

/// Becomes what the app's role can become, and reads canaries.
pub(super) async fn roles(ground: &mut Ground) -> Result<(), SessionError> {
    // What a login may become beyond what the app may is not the app's fault.
    if matches!(ground.login.kind, super::login::Kind::Unbound | super::login::Kind::Member) {
        return Ok(());
    }
    let victim = ground.hunt.stage.victim.clone();
    for role in reachable(&ground.hunt) {
        let object = format!("role:{role}");
        for table in ground.order.clone() {
            let row = ground.hunt.seeds.row(table.oid, &victim).cloned();
            let key = row.and_then(|row| by_key(&ground.hunt, &table, &row));
            let (Some(key), true) =
                (key, ground.has_canary(table.oid, &victim) && is_owned(ground, table.oid))
            else {
                continue;
            };
            if ground.hunt.spent() {
                return Ok(());
            }
            let needs = ground.needs(&[table.oid]);
            let statements = [
                format!("set local role {}", identifier(&role)),
                format!("select 1 from {} where {key}", table.quoted()),
            ];
            let attempt = Attempt::reading(&object, Actor::Attacker, &needs, &statements);
            let Some(outcome) = ground.attempt(attempt).await? else { continue };
            ground.hunt.count(&object, Verb::Select, TenantContext::Tenant, "set role");
            if outcome.last().is_some_and(|answer| !answer.rows.is_empty())
                && !ground.hunt.read_leaks.contains(&(table.oid, TenantContext::Tenant))
            {
                let evidence = format!("a row of {} is another tenant's", table.object());
                for object in [object.clone(), format!("role:{}", ground.hunt.stage.subject.app_role)] {
                    let rule = &rules::BECOMES;
                    let context = TenantContext::Tenant;
                    ground.hunt.add(rule, &object, Verb::Select, context, &statements, &evidence, None);
                }
                break;
            }
        }
    }
    Ok(())
}
