//! Reads every relation in each context and looks for rows that are another tenant's.

use super::{
    Hunt,
    links::Link,
    stage::{Actor, Stage},
};
use crate::{
    catalog::{Relation, RelationKind},
    finding::{TenantContext, Verb},
    rules,
    session::{Answer, SessionError, identifier},
};

/// Rows that one reading looks at.
const ROWS: usize = 3000;

/// Words in the name of a column by which a tenant itself opens a row to all.
const OPENED: &[&str] = &["public", "published", "shared", "visibility", "listed", "global", "everyone"];

/// Writes the statement that reads what the role may read of a relation.
pub(super) fn select_all(stage: &Stage, relation: &Relation) -> String {
    let allowed: Vec<String> = relation
        .columns
        .iter()
        .filter(|column| stage.may_column(relation, column, "SELECT"))
        .map(|column| identifier(&column.name))
        .collect();
    let list = if allowed.len() == relation.columns.len() || allowed.is_empty() {
        "*".to_owned()
    } else {
        allowed.join(", ")
    };
    format!("select {list} from {} limit {ROWS}", relation.quoted())
}

/// Returns how many rows of an answer are not the attacker's, by their tenant column or their words.
pub(super) fn foreign_rows(hunt: &Hunt, relation: &Relation, answer: &Answer, asked: &str) -> Vec<usize> {
    let ids = hunt.stage.foreign_ids();
    let tenant = match hunt.stage.links.get(&relation.oid) {
        Some(Link::Tenant(column)) => Some(column.clone()),
        _ => hunt.stage.subject.tenant_column.clone(),
    };
    let at = tenant.and_then(|name| answer.columns.iter().position(|column| *column == name));
    let is_foreign = |row: &Vec<Option<String>>| {
        at.is_some_and(|at| row[at].as_deref().is_some_and(|id| ids.contains(&id)))
            || row.iter().flatten().any(|cell| hunt.tokens.in_text(cell, asked).is_some())
    };
    answer.rows.iter().enumerate().filter(|(_, row)| is_foreign(row)).map(|(index, _)| index).collect()
}

/// Tells whether every foreign row is one that its tenant has opened by a flag of its own.
pub(super) fn opened_by_flag(answer: &Answer, foreign: &[usize]) -> bool {
    let flags: Vec<usize> = answer
        .columns
        .iter()
        .enumerate()
        .filter(|(_, name)| {
            let lower = name.to_ascii_lowercase();
            OPENED.iter().any(|word| lower.contains(word))
        })
        .map(|(index, _)| index)
        .collect();
    !flags.is_empty()
        && foreign.iter().all(|row| {
            flags.iter().any(|flag| match answer.rows[*row][*flag].as_deref() {
                None | Some("f" | "false" | "0" | "private" | "draft") => false,
                Some(_) => true,
            })
        })
}

/// Tells whether a relation is a list of the tenants that says no more than their names, which all may read and nobody of
/// them may write.
fn is_directory(hunt: &Hunt, relation: &Relation) -> bool {
    let catalog = &hunt.stage.catalog;
    let [number] = catalog.key(relation.oid)[..] else { return false };
    let Some(Link::Tenant(key)) = hunt.stage.links.get(&relation.oid) else { return false };
    let named = relation.column(number).is_some_and(|column| column.name == *key);
    let referred = catalog.constraints.iter().any(|reference| {
        reference.kind == "f" && reference.references == relation.oid && reference.referenced == [number]
    });
    if !named || !referred {
        return false;
    }
    let writable =
        ["INSERT", "UPDATE", "DELETE", "TRUNCATE"].iter().any(|verb| hunt.stage.may(relation, verb));
    !relation.rls
        && !writable
        && relation.columns.len() <= 3
        && relation.columns.iter().all(|column| {
            let name = column.name.to_ascii_lowercase();
            column.name == *key || DIRECTORY.iter().any(|word| name.contains(word))
        })
}

/// Words in the names of columns that a list of tenants shows to everybody.
const DIRECTORY: &[&str] = &["name", "title", "label", "city", "country", "region", "slug", "display"];

/// Reads everything.
pub(super) async fn run(hunt: &mut Hunt) -> Result<(), SessionError> {
    for relation in hunt.stage.targets() {
        if !hunt.stage.may(&relation, "SELECT") {
            continue;
        }
        for context in TenantContext::ALL {
            if hunt.spent() {
                return Ok(());
            }
            read(hunt, &relation, context, false).await?;
        }
        if relation.kind == RelationKind::View || relation.kind == RelationKind::Foreign {
            leaky_conditions(hunt, &relation).await?;
        }
        if relation.rls {
            read(hunt, &relation, TenantContext::Tenant, true).await?;
        }
    }
    Ok(())
}

async fn read(
    hunt: &mut Hunt,
    relation: &Relation,
    context: TenantContext,
    lifted: bool,
) -> Result<(), SessionError> {
    let object = relation.object();
    hunt.count(&object, Verb::Select, context, if lifted { "row_security" } else { "rows" });
    let query = select_all(&hunt.stage, relation);
    let mut statements = vec![query.clone()];
    if lifted {
        statements.insert(0, "set local row_security = off".to_owned());
    }
    let outcome = hunt.stage.attempt(Actor::of(context), &statements, None).await?;
    let asked = statements.join("; ");
    if let Some(refusal) = &outcome.refusal {
        if let Some(word) = hunt.tokens.in_refusal(refusal, &asked) {
            hunt.leak(
                &rules::ERROR_TEXT,
                relation.oid,
                &object,
                Verb::Select,
                context,
                &statements,
                &format!("the refusal quotes {}", hunt.shown(&word)),
            );
        }
        return Ok(());
    }
    if let Some(word) = hunt.tokens.in_heard(&outcome.heard, &asked) {
        hunt.leak(
            &rules::ERROR_TEXT,
            relation.oid,
            &object,
            Verb::Select,
            context,
            &statements,
            &format!("a notice quotes {}", hunt.shown(&word)),
        );
    }
    let Some(answer) = outcome.last() else { return Ok(()) };
    if context == TenantContext::Tenant {
        hunt.readable.insert(relation.oid);
    }
    let foreign = foreign_rows(hunt, relation, answer, &asked);
    if foreign.is_empty() {
        return Ok(());
    }
    let evidence = format!("{} of {} rows are another tenant's", foreign.len(), answer.rows.len());
    let directory = is_directory(hunt, relation);
    if directory {
        hunt.read_leaks.insert((relation.oid, context));
    }
    if directory || opened_by_flag(answer, &foreign) {
        hunt.shared_on_purpose(relation, context, &statements, &evidence);
        return Ok(());
    }
    // What stands in rows of the attacker's own was put there by something between.
    if context == TenantContext::Tenant
        && let Some(Link::Tenant(column)) = hunt.stage.links.get(&relation.oid)
        && let Some(at) = answer.columns.iter().position(|name| name == column)
        && foreign.iter().all(|row| answer.rows[*row][at].as_deref() == Some(hunt.stage.attacker.id.as_str()))
    {
        let between: Vec<String> = hunt
            .stage
            .catalog
            .triggers
            .iter()
            .filter(|trigger| trigger.table == relation.oid && trigger.enabled)
            .filter_map(|trigger| hunt.stage.catalog.function(trigger.function))
            .filter(|function| function.definer)
            .map(crate::catalog::Function::object)
            .collect();
        for function in between {
            let evidence = "it writes what another tenant's rows say into rows of the attacker's own";
            hunt.add(&rules::REVEALS, &function, Verb::Insert, context, &statements, evidence, None);
        }
    }
    hunt.read_leaks.insert((relation.oid, context));
    if context == TenantContext::Tenant {
        for helper in deciding(hunt, relation) {
            let evidence = format!("it decides for the policies of {object}: {evidence}");
            hunt.add(&rules::READS, &helper, Verb::Select, context, &statements, &evidence, None);
        }
    }
    hunt.leak(&rules::READS, relation.oid, &object, Verb::Select, context, &statements, &evidence);
    Ok(())
}

/// Returns the functions that compare for a relation's policies, or list what they let through.
fn deciding(hunt: &Hunt, relation: &Relation) -> Vec<String> {
    let catalog = &hunt.stage.catalog;
    catalog
        .policies
        .iter()
        .filter(|policy| policy.table == relation.oid)
        .flat_map(|policy| &policy.functions)
        .filter_map(|oid| catalog.function(*oid))
        .filter(|function| !function.extension)
        .filter(|function| function.returns_set || function.argument_types.len() > 1)
        .map(crate::catalog::Function::object)
        .collect()
}

/// Conditions that fail loudly on each row, or tell of it, before a view has left out the rows of others.
async fn leaky_conditions(hunt: &mut Hunt, relation: &Relation) -> Result<(), SessionError> {
    if hunt.read_leaks.contains(&(relation.oid, TenantContext::Tenant)) {
        return Ok(());
    }
    let object = relation.object();
    let before = hunt.base_of(relation).map(|base| hunt.stage.without_own(&base)).unwrap_or_default();
    for column in &relation.columns {
        if !hunt.stage.may_column(relation, column, "SELECT") {
            continue;
        }
        let name = identifier(&column.name);
        let table = relation.quoted();
        // An index would leave out others' rows before the condition is asked.
        let scan = ["indexscan", "bitmapscan", "indexonlyscan"]
            .map(|kind| format!("set local enable_{kind} = off"))
            .to_vec();
        let mut cast = scan.clone();
        cast.push(format!("select 1 from {table} where ({name}::text)::int = 0"));
        let mut told = scan;
        told.extend([
            "create function pg_temp.nf_tell(text) returns boolean language plpgsql cost 0.0000001 as $$ begin raise notice '%', $1; return true; end $$".to_owned(),
            format!("select 1 from {table} where pg_temp.nf_tell({name}::text)"),
        ]);
        for script in [cast, told] {
            hunt.count(&object, Verb::Select, TenantContext::Tenant, "leaky condition");
            let outcome = hunt.stage.attempt_after(&before, Actor::Attacker, &script, None).await?;
            let asked = script.join("; ");
            let word = outcome
                .refusal
                .as_ref()
                .and_then(|refusal| hunt.tokens.in_refusal(refusal, &asked))
                .or_else(|| hunt.tokens.in_heard(&outcome.heard, &asked));
            if let Some(word) = word {
                let evidence = format!(
                    "a condition of the asker's ran on another tenant's row and told {}",
                    hunt.shown(&word)
                );
                hunt.leak(
                    &rules::LEAKY_VIEW,
                    relation.oid,
                    &object,
                    Verb::Select,
                    TenantContext::Tenant,
                    &script,
                    &evidence,
                );
                return Ok(());
            }
        }
    }
    Ok(())
}
