//! An own row led from one state to another, with another tenant's keys in it: triggers and rules that wait for such a
//! change act then.

use super::own::{allowed, asked_for, crafted, said, sets};
use crate::{
    attack::{
        Hunt,
        seed::{Row, insert},
        values::labels,
        writes,
    },
    catalog::{Column, Relation, RelationKind},
    finding::Verb,
    session::{SessionError, identifier, literal},
};

/// Columns of states, changes of one, and keys tried with each change.
const COLUMNS: usize = 3;
const CHANGES: usize = 12;
const KEYS: usize = 6;

/// Tells whether something acts behind a relation with other rights than the attacker's.
pub(super) fn acts(hunt: &Hunt, relation: &Relation) -> bool {
    let catalog = &hunt.stage.catalog;
    let by_trigger = catalog
        .triggers
        .iter()
        .filter(|trigger| trigger.table == relation.oid && trigger.enabled)
        .filter_map(|trigger| catalog.function(trigger.function))
        .any(|function| function.definer || relation.kind == RelationKind::View);
    let by_rule =
        || catalog.rules.iter().any(|rule| rule.table == relation.oid && !rule.name.starts_with("_RETURN"));
    by_trigger || by_rule()
}

/// Returns updates of a row of one's own, each with what has led it to another state before.
pub(super) async fn of(
    hunt: &mut Hunt,
    relation: &Relation,
) -> Result<Vec<(Verb, Vec<String>)>, SessionError> {
    let mut written = Vec::new();
    if !hunt.stage.may(relation, "UPDATE") || !acts(hunt, relation) {
        return Ok(written);
    }
    let mut columns = 0;
    for column in writes::writable(hunt, relation, "UPDATE") {
        let states = states(hunt, relation, &column);
        if states.len() < 2 || columns == COLUMNS {
            continue;
        }
        columns += 1;
        let with = with(hunt, relation, &column.name);
        let changes: Vec<(&String, &String)> = states
            .iter()
            .flat_map(|from| states.iter().map(move |to| (from, to)))
            .filter(|(from, to)| from != to)
            .take(CHANGES)
            .collect();
        for (from, to) in changes {
            for (first, condition) in begun(hunt, relation, &column, from).await? {
                for row in &with {
                    let mut row = row.clone();
                    row.insert(column.name.clone(), Some(to.clone()));
                    let then = format!("update {} set {} where {condition}", relation.quoted(), sets(&row));
                    written.push((Verb::Update, vec![first.clone(), then]));
                }
            }
        }
    }
    Ok(written)
}

/// Returns what leads a row of one's own to a state, and the condition that names it: a new row, of which nothing is
/// left from earlier changes, and one that was there.
async fn begun(
    hunt: &mut Hunt,
    relation: &Relation,
    column: &Column,
    state: &str,
) -> Result<Vec<(String, String)>, SessionError> {
    let given = Row::from([(column.name.clone(), Some(state.to_owned()))]);
    let mut begun = Vec::new();
    if relation.is_table() && hunt.stage.may(relation, "INSERT") {
        let row = crafted(hunt, relation, &given).await?;
        let condition = named(hunt, relation, &row).filter(|_| row.contains_key(&column.name));
        begun.extend(condition.map(|condition| (insert(relation, &row), condition)));
    }
    if begun.is_empty()
        && let Some(own) = hunt.row_behind(relation, &hunt.stage.attacker)
        && let Some(condition) = named(hunt, relation, &own)
    {
        let update = format!("update {} set {} where {condition}", relation.quoted(), sets(&given));
        begun.push((update, condition));
    }
    Ok(begun)
}

/// Returns the states that a column can have.
fn states(hunt: &Hunt, relation: &Relation, column: &Column) -> Vec<String> {
    let catalog = &hunt.stage.catalog;
    if catalog.base_type(column.type_oid).is_some_and(|info| info.category == "B") {
        return vec!["false".to_owned(), "true".to_owned()];
    }
    let base = hunt.base_of(relation);
    let behind = base.as_ref().and_then(|base| Some((base, base.column_named(&column.name)?)));
    behind.map_or_else(|| labels(catalog, relation, column), |(base, column)| labels(catalog, base, column))
}

/// Returns what else is written: nothing, what the victim's row says, and each of the victim's keys where it fits.
fn with(hunt: &Hunt, relation: &Relation, state: &str) -> Vec<Row> {
    let mut rows = vec![Row::new()];
    if relation.is_table() {
        let key = hunt.stage.catalog.key(relation.oid);
        for mut row in [said(hunt, relation, false), asked_for(hunt, relation)] {
            row.retain(|name, _| {
                relation.column_named(name).is_some_and(|column| !key.contains(&column.number))
            });
            rows.push(row);
        }
    }
    let tenant = hunt.stage.subject.tenant_column.as_deref().unwrap_or_default();
    let aims = writes::aims(hunt, relation, tenant).into_iter().filter(|(name, _)| name != state);
    rows.extend(aims.take(KEYS).map(|(name, value)| Row::from([(name, Some(value))])));
    let mut seen = Vec::new();
    for row in rows {
        let mut row = allowed(hunt, relation, row, "UPDATE");
        row.remove(state);
        if !seen.contains(&row) {
            seen.push(row);
        }
    }
    seen
}

/// Returns the condition that names one row by the key of the table behind a relation.
fn named(hunt: &Hunt, relation: &Relation, row: &Row) -> Option<String> {
    let base = hunt.base_of(relation)?;
    let parts: Option<Vec<String>> = hunt
        .stage
        .catalog
        .key(base.oid)
        .iter()
        .map(|number| {
            let name = &base.column(*number)?.name;
            relation.column_named(name)?;
            Some(format!("{} = {}", identifier(name), literal(row.get(name)?.as_ref()?)))
        })
        .collect();
    parts.filter(|parts| !parts.is_empty()).map(|parts| parts.join(" and "))
}
