//! Writes to every relation in each context, and compares the victim's rows before and after.

mod insertions;
mod tries;

use super::{Hunt, links::Link, seed::Row, stage::Actor};
use crate::{
    catalog::{Column, Relation},
    finding::{TenantContext, Verb},
    rules,
    session::{SessionError, identifier, literal},
};

pub(super) use insertions::aims;

/// A statement to try.
struct Try {
    verb: Verb,
    statements: Vec<String>,
    oracle: &'static str,
}

impl Try {
    fn new(verb: Verb, oracle: &'static str, statement: String) -> Self {
        Self { verb, statements: vec![statement], oracle }
    }
}

/// Writes everywhere.
pub(super) async fn run(hunt: &mut Hunt) -> Result<(), SessionError> {
    for relation in hunt.stage.targets() {
        let may = |privilege: &str| hunt.stage.may(&relation, privilege);
        if !["INSERT", "UPDATE", "DELETE", "TRUNCATE"].into_iter().any(may) {
            continue;
        }
        let tries = tries::tries(hunt, &relation).await?;
        for context in TenantContext::ALL {
            for one in &tries {
                if hunt.spent() {
                    return Ok(());
                }
                play(hunt, &relation, context, one).await?;
            }
        }
    }
    Ok(())
}

async fn play(
    hunt: &mut Hunt,
    relation: &Relation,
    context: TenantContext,
    one: &Try,
) -> Result<(), SessionError> {
    let object = relation.object();
    hunt.count(&object, one.verb, context, one.oracle);
    let baseline = hunt.baseline.clone();
    let outcome = hunt.stage.attempt(Actor::of(context), &one.statements, Some(&baseline)).await?;
    let asked = one.statements.join("; ");
    if let Some(refusal) = &outcome.refusal {
        if context == TenantContext::Tenant && refusal.code.starts_with("23") {
            row_by_row(hunt, relation, one).await?;
        }
        if let Some(word) = hunt.tokens.in_refusal(refusal, &asked) {
            let evidence = format!("the refusal quotes {}", hunt.shown(&word));
            hunt.leak_by_write(
                &rules::ERROR_TEXT,
                relation,
                one.verb,
                context,
                &one.statements,
                &evidence,
                &[],
            );
        }
        return Ok(());
    }
    if let Some(word) = hunt.tokens.in_heard(&outcome.heard, &asked) {
        let evidence = format!("a notice quotes {}", hunt.shown(&word));
        hunt.leak_by_write(&rules::ERROR_TEXT, relation, one.verb, context, &one.statements, &evidence, &[]);
    }
    if !outcome.changed.is_empty() {
        let names: Vec<String> = outcome
            .changed
            .iter()
            .filter_map(|oid| hunt.stage.catalog.relation(*oid))
            .map(Relation::object)
            .collect();
        let evidence = format!("another tenant's rows of {} are not what they were", names.join(", "));
        let rule = match one.verb {
            Verb::Insert => &rules::PLANTS,
            Verb::Truncate => &rules::TRUNCATES,
            _ => &rules::WRITES,
        };
        hunt.leak_by_write(rule, relation, one.verb, context, &one.statements, &evidence, &outcome.changed);
    }
    let returned = outcome.last().and_then(|answer| hunt.tokens.in_answer(answer, &asked));
    if let Some(word) = returned
        && !hunt.read_leaks.contains(&(relation.oid, context))
    {
        let evidence = format!("the statement returned {}", hunt.shown(&word));
        hunt.leak_by_write(&rules::READS, relation, one.verb, context, &one.statements, &evidence, &[]);
    }
    shared(hunt, relation, context, one, outcome.last().is_some_and(|answer| answer.count > 0)).await
}

/// Tries again what one row's constraints have refused, with each of the victim's rows alone in the table.
async fn row_by_row(hunt: &mut Hunt, relation: &Relation, one: &Try) -> Result<(), SessionError> {
    if !matches!(one.verb, Verb::Update | Verb::Delete)
        || !relation.is_table()
        || hunt.has_verb(&relation.object(), one.verb)
    {
        return Ok(());
    }
    let victim = hunt.stage.victim.clone();
    let rows: Vec<Row> = hunt.seeds.rows_of(relation.oid, &victim).iter().take(8).cloned().collect();
    for row in rows {
        let before = hunt.stage.alone(relation, &row);
        if before.is_empty() {
            return Ok(());
        }
        let outcome = hunt.stage.attempt_in(&before, Actor::Attacker, &one.statements).await?;
        if outcome.changed.is_empty() {
            continue;
        }
        let evidence = "another tenant's row, alone in the table, is not what it was";
        let (verb, context) = (one.verb, TenantContext::Tenant);
        let (rule, changed) = (&rules::WRITES, &outcome.changed);
        hunt.leak_by_write(rule, relation, verb, context, &one.statements, evidence, changed);
        return Ok(());
    }
    Ok(())
}

/// Looks whether what tenants share is, in the victim's eyes, not what it was.
async fn shared(
    hunt: &mut Hunt,
    relation: &Relation,
    context: TenantContext,
    one: &Try,
    wrote: bool,
) -> Result<(), SessionError> {
    if !wrote || context != TenantContext::Tenant {
        return Ok(());
    }
    let Some(query) = hunt.shared_view(relation) else { return Ok(()) };
    let mut script = one.statements.clone();
    script.push("reset session authorization".to_owned());
    let victim = hunt.stage.enter(Actor::Victim);
    script.extend(victim);
    script.push(query.clone());
    let before = hunt.stage.attempt(Actor::Victim, std::slice::from_ref(&query), None).await?;
    let after = hunt.stage.attempt(Actor::Attacker, &script, None).await?;
    let (Some(before), Some(after)) = (before.last(), after.last()) else { return Ok(()) };
    if before.rows != after.rows {
        let rule = if one.verb == Verb::Insert { &rules::PLANTS } else { &rules::WRITES };
        let evidence = "another tenant sees the change among what all share";
        hunt.leak_by_write(rule, relation, one.verb, context, &one.statements, evidence, &[]);
    }
    Ok(())
}

/// Returns the condition that names the victim's rows.
pub(super) fn victims(hunt: &Hunt, relation: &Relation) -> Option<String> {
    match hunt.stage.links.get(&relation.oid) {
        Some(Link::Tenant(column)) if relation.column_named(column).is_some() => {
            Some(format!("{} = {}", identifier(column), literal(&hunt.stage.victim.id)))
        }
        _ => {
            let column = hunt.stage.subject.tenant_column.as_deref()?;
            relation.column_named(column)?;
            Some(format!("{} = {}", identifier(column), literal(&hunt.stage.victim.id)))
        }
    }
}

/// Returns the condition that names one row by its key.
pub(super) fn by_key(hunt: &Hunt, relation: &Relation, row: &Row) -> Option<String> {
    let key = hunt.stage.catalog.key(relation.oid);
    if key.is_empty() {
        return None;
    }
    let parts: Option<Vec<String>> = key
        .iter()
        .map(|number| {
            let column = relation.column(*number)?;
            let value = row.get(&column.name)?.as_ref()?;
            Some(format!("{} = {}", identifier(&column.name), literal(value)))
        })
        .collect();
    Some(parts?.join(" and "))
}

fn tenant_column(hunt: &Hunt, relation: &Relation) -> Option<String> {
    match hunt.stage.links.get(&relation.oid) {
        Some(Link::Tenant(column)) => Some(column.clone()),
        _ => hunt.stage.subject.tenant_column.clone().filter(|name| relation.column_named(name).is_some()),
    }
}

/// Returns the columns that the app's role may write.
pub(super) fn writable(hunt: &Hunt, relation: &Relation, privilege: &str) -> Vec<Column> {
    relation
        .columns
        .iter()
        .filter(|column| {
            !column.generated && column.identity != "a" && hunt.stage.may_column(relation, column, privilege)
        })
        .cloned()
        .collect()
}
