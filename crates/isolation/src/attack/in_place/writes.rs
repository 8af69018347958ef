//! Writes in each context, held to the canaries: by their key, and by a cursor on them where a statement that reads no
//! column would reach rows that one with a condition does not.

use super::{
    canaries::{craft, draws},
    ground::{Attempt, CURSOR, Ground},
};
use crate::{
    attack::{
        links::Link,
        seed::{Row, insert},
        stage::Actor,
        values::labels,
        writes::{by_key, writable},
    },
    catalog::{Column, Relation},
    finding::{TenantContext, Verb},
    rules,
    session::{SessionError, identifier, literal},
};

/// A statement to try.
#[derive(Clone)]
struct Try {
    verb: Verb,
    oracle: &'static str,
    statement: String,
    /// The canary that a cursor holds it to.
    cursor: Option<String>,
    /// Rows that are the victim's if it succeeds.
    rows: Vec<(u32, Row)>,
}

/// Writes everywhere.
pub(super) async fn run(ground: &mut Ground) -> Result<(), SessionError> {
    let mut all: Vec<(Relation, Vec<Try>)> = Vec::new();
    for relation in ground.hunt.stage.targets() {
        let may = |privilege: &str| ground.hunt.stage.may(&relation, privilege);
        let privileged = ["INSERT", "UPDATE", "DELETE"].into_iter().any(may);
        if !privileged || !relation.is_table() || relation.partition {
            continue;
        }
        if let Err(why) = ground.harmless.writing(&ground.hunt.stage.catalog, &relation) {
            ground.leaves(&relation.object(), "it is not written to", &why);
            continue;
        }
        let tries = tries(ground, &relation).await?;
        all.push((relation, tries));
    }
    for context in ground.contexts() {
        for (relation, tries) in &all {
            for one in tries {
                if ground.hunt.spent() {
                    return Ok(());
                }
                play(ground, relation, context, one).await?;
            }
        }
    }
    Ok(())
}

async fn play(
    ground: &mut Ground,
    relation: &Relation,
    context: TenantContext,
    one: &Try,
) -> Result<(), SessionError> {
    let object = relation.object();
    let needs = ground.needs(&[relation.oid]);
    let held = match &one.cursor {
        Some(_) => format!("{} where current of {CURSOR}", one.statement),
        None => one.statement.clone(),
    };
    let attempt = Attempt {
        object: &object,
        actor: Actor::of(context),
        needs: &needs,
        victims: true,
        cursor: one.cursor.as_deref().map(|condition| (relation, condition)),
        statements: std::slice::from_ref(&held),
        watch: Some(&one.rows),
    };
    let Some(outcome) = ground.attempt(attempt).await? else { return Ok(()) };
    let refused = outcome.refusal.as_ref().map(|refusal| refusal.code.as_str());
    if one.cursor.is_some() && matches!(refused, Some("0A000" | "24000")) {
        ground.leaves(
            &object,
            "writes without a condition are not tried",
            "no cursor holds them to a canary",
        );
        return Ok(());
    }
    let hunt = &mut ground.hunt;
    hunt.count(&object, one.verb, context, one.oracle);
    // On a copy the same is seen without a cursor.
    let statements = [one.statement.clone()];
    if let Some(refusal) = &outcome.refusal {
        if let Some(word) = hunt.tokens.in_refusal(refusal, &held) {
            let evidence = format!("the refusal quotes {}", hunt.shown(&word));
            hunt.leak_by_write(&rules::ERROR_TEXT, relation, one.verb, context, &statements, &evidence, &[]);
        }
        return Ok(());
    }
    if outcome.changed.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = outcome
        .changed
        .iter()
        .filter_map(|oid| hunt.stage.catalog.relation(*oid))
        .map(Relation::object)
        .collect();
    let how = if one.cursor.is_some() { ", held to one row by a cursor" } else { "" };
    let evidence = format!("another tenant's rows of {} are not what they were{how}", names.join(", "));
    let rule = if one.verb == Verb::Insert { &rules::PLANTS } else { &rules::WRITES };
    hunt.leak_by_write(rule, relation, one.verb, context, &statements, &evidence, &outcome.changed);
    Ok(())
}

async fn tries(ground: &mut Ground, relation: &Relation) -> Result<Vec<Try>, SessionError> {
    let mut tries = aimed(ground, relation);
    if ground.hunt.stage.may(relation, "INSERT") {
        tries.extend(insertions(ground, relation).await?);
    }
    Ok(tries)
}

/// Returns the statements that change or remove a canary.
fn aimed(ground: &mut Ground, relation: &Relation) -> Vec<Try> {
    let table = relation.quoted();
    let (attacker, victim) = (ground.hunt.stage.attacker.clone(), ground.hunt.stage.victim.clone());
    let of = |tenant| {
        let row = ground
            .hunt
            .seeds
            .row(relation.oid, tenant)
            .filter(|_| ground.has_canary(relation.oid, tenant))?;
        Some((row.clone(), by_key(&ground.hunt, relation, row)?))
    };
    let (own, theirs) = (of(&attacker), of(&victim));
    let mut tries = Vec::new();
    let mut both = |verb, statement: String, condition: &str, rows: Vec<(u32, Row)>| {
        let plain = Try { verb, oracle: "blind", statement, cursor: Some(condition.to_owned()), rows };
        let named = format!("{} where {condition}", plain.statement);
        tries.push(Try { oracle: "named", statement: named, cursor: None, ..plain.clone() });
        tries.push(plain);
    };
    let removing = ground.harmless.removing(&ground.hunt.stage.catalog, relation);
    if ground.hunt.stage.may(relation, "UPDATE") {
        let columns = writable(&ground.hunt, relation, "UPDATE");
        if let Some((_, condition)) = &theirs {
            for column in plain(ground, relation, &columns) {
                for value in constants(ground, relation, &column) {
                    let set = format!("update {table} set {} = {value}", identifier(&column.name));
                    both(Verb::Update, set, condition, Vec::new());
                }
            }
        }
        let tenant = tenant_column(ground, relation);
        let tenant = columns.iter().find(|column| Some(&column.name) == tenant.as_ref());
        if let (Some(column), Ok(())) = (tenant, &removing) {
            let set = |id: &str| format!("update {table} set {} = {}", identifier(&column.name), literal(id));
            if let Some((_, condition)) = &theirs {
                both(Verb::Update, set(&attacker.id), condition, Vec::new());
            }
            if let Some((row, condition)) = &own {
                let mut moved = row.clone();
                moved.insert(column.name.clone(), Some(victim.id.clone()));
                both(Verb::Update, set(&victim.id), condition, vec![(relation.oid, moved)]);
            }
        }
        if let (Some((row, condition)), Some((other, _))) = (&own, &theirs) {
            for (set, moved) in attachments(ground, relation, &columns, row, other) {
                both(
                    Verb::Update,
                    format!("update {table} set {set}"),
                    condition,
                    vec![(relation.oid, moved)],
                );
            }
        }
    }
    if let (Some((_, condition)), true) = (&theirs, ground.hunt.stage.may(relation, "DELETE")) {
        match &removing {
            Ok(()) => both(Verb::Delete, format!("delete from {table}"), condition, Vec::new()),
            Err(why) => ground.leaves(&relation.object(), "nothing is removed from it", why),
        }
    }
    tries
}

/// Returns what ties an attacker's row to what the victim's refers to: the assignments, and the row that then is.
fn attachments(
    ground: &Ground,
    relation: &Relation,
    columns: &[Column],
    own: &Row,
    theirs: &Row,
) -> Vec<(String, Row)> {
    let Some(Link::Parent { columns: pairs, .. }) = ground.hunt.stage.links.get(&relation.oid) else {
        return Vec::new();
    };
    let mut moved = own.clone();
    let mut sets = Vec::new();
    for (name, _) in pairs {
        let (Some(Some(value)), true) = (theirs.get(name), columns.iter().any(|column| column.name == *name))
        else {
            return Vec::new();
        };
        sets.push(format!("{} = {}", identifier(name), literal(value)));
        moved.insert(name.clone(), Some(value.clone()));
    }
    vec![(sets.join(", "), moved)]
}

fn tenant_column(ground: &Ground, relation: &Relation) -> Option<String> {
    match ground.hunt.stage.links.get(&relation.oid) {
        Some(Link::Tenant(column)) => Some(column.clone()),
        _ => ground.hunt.stage.subject.tenant_column.clone(),
    }
}

/// Returns one or two columns that are in no key and say nothing of the tenant; those are enough, for policies know rows.
fn plain(ground: &Ground, relation: &Relation, columns: &[Column]) -> Vec<Column> {
    let catalog = &ground.hunt.stage.catalog;
    let tenant = tenant_column(ground, relation);
    let keyed = |column: &&Column| {
        Some(&column.name) != tenant.as_ref()
            && !ground.hunt.stage.people.contains(&(relation.oid, column.name.clone()))
            && !catalog
                .constraints_of(relation.oid)
                .any(|one| one.kind != "c" && one.columns.contains(&column.number))
            && !catalog.constraints.iter().any(|key| {
                key.kind == "f" && key.references == relation.oid && key.referenced.contains(&column.number)
            })
            && !catalog.indexes.iter().any(|index| {
                index.table == relation.oid
                    && (index.columns.contains(&column.number)
                        || index.expression_columns.contains(&column.number))
            })
    };
    columns.iter().filter(keyed).take(2).cloned().collect()
}

/// Returns values that a column takes without looking at what it holds; no default, which would be evaluated.
fn constants(ground: &Ground, relation: &Relation, column: &Column) -> Vec<String> {
    let hunt = &ground.hunt;
    let mut values = Vec::new();
    if let Some(Some(value)) =
        hunt.seeds.row(relation.oid, &hunt.stage.attacker).and_then(|row| row.get(&column.name))
    {
        values.push(literal(value));
    }
    if !column.not_null {
        values.push("null".to_owned());
    }
    values.extend(labels(&hunt.stage.catalog, relation, column).iter().take(2).map(|state| literal(state)));
    if hunt.stage.catalog.base_type(column.type_oid).is_some_and(|info| info.category == "B") {
        values.extend(["true".to_owned(), "false".to_owned()]);
    }
    if values.is_empty() {
        values.push(identifier(&column.name));
    }
    values.truncate(3);
    values
}

/// Returns the statements that add a row for the victim, or change its canary by adding it again.
async fn insertions(ground: &mut Ground, relation: &Relation) -> Result<Vec<Try>, SessionError> {
    let mut tries = Vec::new();
    let (attacker, victim) = (ground.hunt.stage.attacker.clone(), ground.hunt.stage.victim.clone());
    let mut fresh = victim.clone();
    // A row that the victim could have made but has not.
    fresh.marker = format!("zqp{}", victim.marker.get(3..).unwrap_or_default());
    fresh.block = 107;
    let mut oneself = fresh.clone();
    oneself.principal.clone_from(&attacker.principal);
    let plain = craft(ground, relation, &fresh).await?;
    let signed = craft(ground, relation, &oneself).await?;
    let allowed = |row: Row| -> Row {
        row.into_iter()
            .filter(|(name, _)| {
                relation
                    .column_named(name)
                    .is_some_and(|column| ground.hunt.stage.may_column(relation, column, "INSERT"))
            })
            .collect()
    };
    let mut rows: Vec<Row> = [plain, signed].into_iter().filter_map(Result::ok).map(allowed).collect();
    rows.dedup();
    let mut drawn = None;
    rows.retain(|row| {
        let column = draws(ground, relation, row);
        let fits = column.is_none();
        drawn = column.or(drawn.take());
        fits
    });
    for row in &rows {
        let statement = insert(relation, row);
        let rows = vec![(relation.oid, row.clone())];
        tries.push(Try { verb: Verb::Insert, oracle: "plant", statement, cursor: None, rows });
    }
    if let Some(column) = drawn.filter(|_| rows.is_empty()) {
        let why = format!("its column {column} may not be given, and its default must not be evaluated");
        ground.leaves(&relation.object(), "nothing is added to it", &why);
        return Ok(tries);
    }
    tries.extend(conflicts(ground, relation));
    Ok(tries)
}

/// Inserts the canary again and changes it where it conflicts, and merges into it.
fn conflicts(ground: &Ground, relation: &Relation) -> Vec<Try> {
    let mut tries = Vec::new();
    let hunt = &ground.hunt;
    let (attacker, victim) = (&hunt.stage.attacker, &hunt.stage.victim);
    let Some(canary) =
        hunt.seeds.row(relation.oid, victim).filter(|_| ground.has_canary(relation.oid, victim))
    else {
        return tries;
    };
    let Some(condition) = by_key(hunt, relation, canary) else { return tries };
    let key: Vec<String> = hunt
        .stage
        .catalog
        .key(relation.oid)
        .iter()
        .filter_map(|number| Some(identifier(&relation.column(*number)?.name)))
        .collect();
    let columns = plain(ground, relation, &writable(hunt, relation, "UPDATE"));
    let head = format!("merge into {} t using (select 1) s on {condition}", relation.quoted());
    let plain = |verb, oracle, statement| Try { verb, oracle, statement, cursor: None, rows: Vec::new() };
    for column in columns.iter().take(1) {
        let (name, values) = (identifier(&column.name), constants(ground, relation, column));
        let Some(value) = values.first() else { continue };
        let mut own = canary.clone();
        if let Some(tenant) = tenant_column(ground, relation).filter(|name| canary.contains_key(name)) {
            own.insert(tenant, Some(attacker.id.clone()));
        }
        for row in [canary, &own] {
            let mut row = row.clone();
            row.retain(|name, _| {
                relation
                    .column_named(name)
                    .is_some_and(|column| hunt.stage.may_column(relation, column, "INSERT"))
            });
            if draws(ground, relation, &row).is_some() {
                continue;
            }
            let again = insert(relation, &row);
            let target = key.join(", ");
            let value = if *value == name { format!("excluded.{name}") } else { value.clone() };
            let statement = format!("{again} on conflict ({target}) do update set {name} = {value}");
            tries.push(plain(Verb::Update, "upsert", statement));
        }
        if *value != name {
            let statement = format!("{head} when matched then update set {name} = {value}");
            tries.push(plain(Verb::Update, "merge", statement));
        }
    }
    if hunt.stage.may(relation, "DELETE") && ground.harmless.removing(&hunt.stage.catalog, relation).is_ok() {
        tries.push(plain(Verb::Delete, "merge", format!("{head} when matched then delete")));
    }
    tries
}
