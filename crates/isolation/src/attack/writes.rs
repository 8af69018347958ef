//! Writes to every relation in each context, and compares the victim's rows before and after.

use super::{
    Hunt,
    links::Link,
    seed::{Row, Seeder, insert},
    stage::Actor,
};
use crate::{
    catalog::{Column, Relation, RelationKind},
    finding::{TenantContext, Verb},
    rules,
    session::{SessionError, identifier, literal},
};

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
        let tries = tries(hunt, &relation).await?;
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

async fn tries(hunt: &mut Hunt, relation: &Relation) -> Result<Vec<Try>, SessionError> {
    let table = relation.quoted();
    let mut tries = Vec::new();
    let victim = hunt.stage.victim.clone();
    let victim_row = hunt.row_behind(relation, &victim);
    let key = victim_row.as_ref().and_then(|row| by_key(hunt, relation, row));
    let theirs = victims(hunt, relation);
    let tenant_column = theirs.as_ref().and_then(|_| tenant_column(hunt, relation));
    if hunt.stage.may(relation, "DELETE") {
        tries.push(Try::new(Verb::Delete, "all", format!("delete from {table}")));
        for condition in [&theirs, &key].into_iter().flatten() {
            tries.push(Try::new(Verb::Delete, "named", format!("delete from {table} where {condition}")));
            tries.push(Try::new(
                Verb::Delete,
                "returning",
                format!("delete from {table} where {condition} returning *"),
            ));
        }
    }
    if hunt.stage.may(relation, "UPDATE") {
        for column in writable(hunt, relation, "UPDATE") {
            let name = identifier(&column.name);
            if Some(&column.name) == tenant_column.as_ref() {
                let own = literal(&hunt.stage.attacker.id);
                let other = literal(&hunt.stage.victim.id);
                tries.push(Try::new(Verb::Update, "take", format!("update {table} set {name} = {own}")));
                tries.push(Try::new(
                    Verb::Update,
                    "take named",
                    format!("update {table} set {name} = {own} where {name} = {other}"),
                ));
                tries.push(Try::new(
                    Verb::Update,
                    "move out",
                    format!("update {table} set {name} = {other}"),
                ));
                tries.push(Try::new(
                    Verb::Update,
                    "move out named",
                    format!("update {table} set {name} = {other} where {name} = {own}"),
                ));
                if !column.not_null {
                    tries.push(Try::new(Verb::Update, "share", format!("update {table} set {name} = null")));
                }
                continue;
            }
            for value in constants(hunt, relation, &column) {
                tries.push(Try::new(Verb::Update, "blind", format!("update {table} set {name} = {value}")));
                if let Some(condition) = theirs.as_ref().or(key.as_ref()) {
                    tries.push(Try::new(
                        Verb::Update,
                        "named",
                        format!("update {table} set {name} = {value} where {condition}"),
                    ));
                }
            }
            // A reference to what is the victim's ties the attacker's row to it.
            if let Some(row) = &victim_row
                && let Some(Some(value)) = row.get(&column.name)
                && hunt
                    .stage
                    .catalog
                    .foreign_keys(relation.oid)
                    .any(|key| key.columns.contains(&column.number))
            {
                tries.push(Try::new(
                    Verb::Update,
                    "attach",
                    format!("update {table} set {name} = {}", literal(value)),
                ));
            }
        }
        if let Some(column) = writable(hunt, relation, "UPDATE").first()
            && let Some(condition) = theirs.as_ref().or(key.as_ref())
        {
            let name = identifier(&column.name);
            tries.push(Try::new(
                Verb::Update,
                "returning",
                format!("update {table} set {name} = {name} where {condition} returning *"),
            ));
        }
    }
    if hunt.stage.may(relation, "INSERT") {
        tries.extend(insertions(hunt, relation).await?);
    }
    if hunt.stage.may(relation, "TRUNCATE") && relation.is_table() {
        tries.push(Try::new(Verb::Truncate, "empty", format!("truncate {table}")));
        tries.push(Try::new(Verb::Truncate, "empty", format!("truncate {table} cascade")));
    }
    Ok(tries)
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

/// Returns values that a column takes without looking at what it holds.
fn constants(hunt: &Hunt, relation: &Relation, column: &Column) -> Vec<String> {
    let mut values = Vec::new();
    if column.default.is_some() {
        values.push("default".to_owned());
    } else if !column.not_null {
        values.push("null".to_owned());
    }
    let attacker = hunt.stage.attacker.clone();
    if let Some(row) = hunt.row_behind(relation, &attacker)
        && let Some(Some(value)) = row.get(&column.name)
    {
        values.push(literal(value));
    }
    for state in super::values::labels(&hunt.stage.catalog, relation, column).into_iter().take(2) {
        values.push(literal(&state));
    }
    if hunt.stage.catalog.base_type(column.type_oid).is_some_and(|info| info.category == "B") {
        values.extend(["true".to_owned(), "false".to_owned()]);
    }
    values
}

async fn insertions(hunt: &mut Hunt, relation: &Relation) -> Result<Vec<Try>, SessionError> {
    let mut tries = Vec::new();
    let victim = hunt.stage.victim.clone();
    let allowed: Vec<String> = relation
        .columns
        .iter()
        .filter(|column| hunt.stage.may_column(relation, column, "INSERT"))
        .map(|column| column.name.clone())
        .collect();
    let base = hunt.base_of(relation);
    let mut fresh = victim.clone();
    // A row that the victim could have made but has not.
    fresh.marker = format!("zqp{}", victim.marker.get(3..).unwrap_or_default());
    fresh.block = 7;
    let seeds = std::mem::take(&mut hunt.seeds);
    let mut seeder = Seeder::resume(&mut hunt.stage, seeds);
    let table = base.clone().unwrap_or_else(|| relation.clone());
    let mut row = seeder.craft(&table, &fresh, &Row::new()).await?;
    // Who plants may have to name oneself.
    let mut oneself = fresh.clone();
    oneself.principal.clone_from(&seeder.stage.attacker.principal);
    let mut signed = seeder.craft(&table, &oneself, &Row::new()).await?;
    hunt.seeds = seeder.seeds;
    signed.retain(|name, _| allowed.contains(name) && relation.column_named(name).is_some());
    row.retain(|name, _| allowed.contains(name) && relation.column_named(name).is_some());
    let plain = insert(relation, &row);
    tries.push(Try::new(Verb::Insert, "plant", plain.clone()));
    if signed.iter().any(|(name, value)| {
        row.get(name) != Some(value) && hunt.stage.people.iter().any(|(_, person)| person == name)
    }) {
        tries.push(Try::new(Verb::Insert, "plant signed", insert(relation, &signed)));
    }
    tries.push(Try::new(Verb::Insert, "plant returning", format!("{plain} returning *")));
    if let Some(name) = tenant_column(hunt, relation) {
        let nullable = relation.column_named(&name).is_some_and(|column| !column.not_null);
        if nullable {
            let mut ownerless = row.clone();
            ownerless.insert(name.clone(), None);
            tries.push(Try::new(Verb::Insert, "share", insert(relation, &ownerless)));
        }
        let mut left_out = row.clone();
        left_out.remove(&name);
        tries.push(Try::new(Verb::Insert, "left out", insert(relation, &left_out)));
        // Own by its column, but tied to the victim's things by its references.
        let mut tied = row.clone();
        tied.insert(name.clone(), Some(hunt.stage.attacker.id.clone()));
        tries.push(Try::new(Verb::Insert, "tie", insert(relation, &tied)));
        let mut own = signed.clone();
        own.insert(name.clone(), Some(hunt.stage.attacker.id.clone()));
        tries.push(Try::new(
            Verb::Insert,
            "own returning",
            format!("{} returning *", insert(relation, &own)),
        ));
        for (column, value) in aims(hunt, relation, &name) {
            let mut aimed = signed.clone();
            aimed.insert(name.clone(), Some(hunt.stage.attacker.id.clone()));
            aimed.insert(column, Some(value));
            tries.push(Try::new(Verb::Insert, "aim", insert(relation, &aimed)));
        }
    }
    tries.extend(conflicts(hunt, relation, &table, &allowed));
    Ok(tries)
}

/// Inserts what is there already, and changes it where it conflicts.
fn conflicts(hunt: &Hunt, relation: &Relation, table: &Relation, allowed: &[String]) -> Vec<Try> {
    let mut tries = Vec::new();
    let victim = hunt.stage.victim.clone();
    let Some(existing) = hunt.row_behind(relation, &victim) else { return tries };
    let mut same: Row = existing.clone();
    same.retain(|name, _| {
        allowed.contains(name) && relation.column_named(name).is_some_and(|column| !column.generated)
    });
    let key: Vec<String> = hunt
        .stage
        .catalog
        .key(table.oid)
        .iter()
        .filter_map(|number| Some(identifier(&table.column(*number)?.name)))
        .collect();
    if !key.is_empty() && relation.kind != RelationKind::Foreign {
        let mut own = same.clone();
        if let Some(name) = tenant_column(hunt, relation) {
            own.insert(name, Some(hunt.stage.attacker.id.clone()));
        }
        for values in [&same, &own] {
            let conflict = insert(relation, values);
            for column in writable(hunt, relation, "UPDATE")
                .iter()
                .filter(|column| !key.contains(&identifier(&column.name)))
                .take(3)
            {
                for value in
                    constants(hunt, relation, column).into_iter().filter(|value| value != "default").take(1)
                {
                    tries.push(Try {
                        verb: Verb::Update,
                        oracle: "upsert",
                        statements: vec![format!(
                            "{conflict} on conflict ({}) do update set {} = {value}",
                            key.join(", "),
                            identifier(&column.name)
                        )],
                    });
                }
            }
        }
        tries.extend(merges(hunt, relation, &same, &key));
    }
    tries
}

/// Returns values of the victim's for columns of a relation behind which something else acts: a trigger, a rule.
fn aims(hunt: &Hunt, relation: &Relation, tenant: &str) -> Vec<(String, String)> {
    let catalog = &hunt.stage.catalog;
    let acts = catalog.triggers.iter().any(|trigger| trigger.table == relation.oid)
        || catalog.rules.iter().any(|rule| rule.table == relation.oid);
    if !acts {
        return Vec::new();
    }
    let mut aims = Vec::new();
    for column in relation.columns.iter().filter(|column| column.name != tenant && !column.generated) {
        for table in catalog.relations.iter().filter(|table| table.is_table() && table.oid != relation.oid) {
            let keys: Vec<i16> = catalog
                .constraints_of(table.oid)
                .filter(|constraint| matches!(constraint.kind.as_str(), "p" | "u"))
                .flat_map(|constraint| constraint.columns.clone())
                .collect();
            for key in keys.iter().filter_map(|number| table.column(*number)) {
                if key.type_oid != column.type_oid {
                    continue;
                }
                for row in hunt.seeds.rows_of(table.oid, &hunt.stage.victim).iter().take(2) {
                    if let Some(Some(value)) = row.get(&key.name) {
                        let aim = (column.name.clone(), value.clone());
                        if !aims.contains(&aim) && *value != hunt.stage.victim.id {
                            aims.push(aim);
                        }
                    }
                }
            }
        }
    }
    aims.truncate(24);
    aims
}

/// MERGE reaches rows by ways of its own.
fn merges(hunt: &Hunt, relation: &Relation, row: &Row, key: &[String]) -> Vec<Try> {
    let mut tries = Vec::new();
    if !relation.is_table() && relation.kind != RelationKind::View {
        return tries;
    }
    let table = relation.quoted();
    let on: Vec<String> = key
        .iter()
        .filter_map(|name| {
            let plain = name.trim_matches('"').replace("\"\"", "\"");
            let value = row.get(&plain)?.as_ref()?;
            Some(format!("t.{name} = {}", literal(value)))
        })
        .collect();
    if on.len() != key.len() {
        return tries;
    }
    let head = format!("merge into {table} t using (select 1) s on {}", on.join(" and "));
    if hunt.stage.may(relation, "DELETE") {
        tries.push(Try::new(Verb::Delete, "merge", format!("{head} when matched then delete")));
    }
    if hunt.stage.may(relation, "UPDATE") {
        for column in writable(hunt, relation, "UPDATE")
            .iter()
            .filter(|column| !key.contains(&identifier(&column.name)))
            .take(2)
        {
            for value in constants(hunt, relation, column).into_iter().take(1) {
                tries.push(Try::new(
                    Verb::Update,
                    "merge",
                    format!("{head} when matched then update set {} = {value}", identifier(&column.name)),
                ));
            }
        }
    }
    tries
}
