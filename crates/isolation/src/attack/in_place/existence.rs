//! Asks, by the way an insertion fails, whether another tenant has a value that its canary has.

use super::{
    canaries::{craft, draws},
    ground::{Attempt, Ground},
};
use crate::{
    attack::{
        choices::nobodys,
        existence::{beyond_guessing, groups},
        links::pairs,
        seed::{Row, insert},
        stage::Actor,
    },
    catalog::{Column, Relation, mentions},
    finding::{TenantContext, Verb},
    rules,
    session::{SessionError, identifier, literal},
};

/// A question: the same insertion with a value of the victim's and with nobody's.
struct Question {
    columns: Vec<Column>,
    statements: [String; 2],
}

/// Asks everywhere.
pub(super) async fn run(ground: &mut Ground) -> Result<(), SessionError> {
    for relation in ground.hunt.stage.targets() {
        let fit = relation.is_table()
            && !relation.partition
            && ground.hunt.stage.may(&relation, "INSERT")
            && ground.hunt.unbound().is_none()
            && ground.has_canary(relation.oid, &ground.hunt.stage.victim)
            && ground.harmless.writing(&ground.hunt.stage.catalog, &relation).is_ok();
        if !fit {
            continue;
        }
        if ground.hunt.spent() {
            return Ok(());
        }
        let questions = questions(ground, &relation).await?;
        ask(ground, &relation, &questions).await?;
    }
    Ok(())
}

async fn questions(ground: &mut Ground, relation: &Relation) -> Result<Vec<Question>, SessionError> {
    let (mut own, victim) = (ground.hunt.stage.attacker.clone(), ground.hunt.stage.victim.clone());
    own.marker = format!("zqo{}", own.marker.get(3..).unwrap_or_default());
    own.block = 108;
    let Ok(mut fresh) = craft(ground, relation, &own).await? else { return Ok(Vec::new()) };
    let may = |ground: &Ground, name: &str| {
        relation.column_named(name).is_some_and(|column| {
            !column.generated && ground.hunt.stage.may_column(relation, column, "INSERT")
        })
    };
    fresh.retain(|name, _| may(ground, name));
    let Some(theirs) = ground.hunt.seeds.row(relation.oid, &victim).cloned() else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for group in groups(&ground.hunt, relation) {
        let columns = group.columns;
        if beyond_guessing(&ground.hunt, relation, &columns)
            || columns.iter().any(|column| !may(ground, &column.name))
        {
            continue;
        }
        let (mut asking, mut control) = (fresh.clone(), fresh.clone());
        for column in &relation.columns {
            // What the condition of an index speaks of is as in the victim's row, which it covers.
            if let (Some(condition), Some(value)) = (&group.condition, theirs.get(&column.name))
                && mentions(condition, &column.name)
                && may(ground, &column.name)
            {
                asking.insert(column.name.clone(), value.clone());
                control.insert(column.name.clone(), value.clone());
            }
        }
        let mut differs = false;
        for column in &columns {
            let Some(Some(value)) = theirs.get(&column.name) else { continue };
            let Some(info) = ground.hunt.stage.catalog.base_type(column.type_oid) else { continue };
            if fresh.get(&column.name).is_some_and(|own| own.as_ref() == Some(value)) {
                continue;
            }
            let other = nobodys(&info.name, &info.category, value);
            differs |= other != *value || matches!(info.category.as_str(), "R" | "D" | "G");
            asking.insert(column.name.clone(), Some(value.clone()));
            if other != *value {
                control.insert(column.name.clone(), Some(other));
            }
        }
        if !differs || draws(ground, relation, &asking).is_some() {
            continue;
        }
        for suffix in ["", " on conflict do nothing"] {
            let write = |row: &Row| format!("{}{suffix}", insert(relation, row));
            all.push(Question { columns: columns.clone(), statements: [write(&asking), write(&control)] });
        }
    }
    Ok(all)
}

async fn ask(ground: &mut Ground, relation: &Relation, questions: &[Question]) -> Result<(), SessionError> {
    let object = relation.object();
    for question in questions {
        ground.hunt.count(&object, Verb::Existence, TenantContext::Tenant, "insert");
        let mut classes = Vec::new();
        for statement in &question.statements {
            let Some(class) = class(ground, relation, statement, true).await? else { return Ok(()) };
            classes.push(class);
        }
        if classes[0] == classes[1] || classes.iter().any(|class| tells_nothing(class)) {
            continue;
        }
        // The same difference must go with the victim's rows, else it is not about them.
        if class(ground, relation, &question.statements[0], false)
            .await?
            .is_none_or(|class| class == classes[0])
            || is_visible(ground, relation, question).await?
        {
            continue;
        }
        let names: Vec<&str> = question.columns.iter().map(|column| column.name.as_str()).collect();
        let evidence = format!(
            "{}: `{}` for another tenant's value, `{}` for one that nobody has",
            names.join(", "),
            classes[0].trim(),
            classes[1].trim()
        );
        ground.hunt.leak(
            &rules::EXISTENCE,
            relation.oid,
            &object,
            Verb::Existence,
            TenantContext::Tenant,
            &question.statements,
            &evidence,
        );
        return Ok(());
    }
    Ok(())
}

/// A refusal for the value's form, or because others were in the way.
fn tells_nothing(class: &str) -> bool {
    ["22", "23514", "23502", "42", "55P03", "57014", "40"].iter().any(|code| class.starts_with(code))
}

/// Tries an insertion, with or without the victim's canaries in the world.
async fn class(
    ground: &mut Ground,
    relation: &Relation,
    statement: &String,
    victims: bool,
) -> Result<Option<String>, SessionError> {
    let needs = ground.needs(&[relation.oid]);
    let object = relation.object();
    let attempt = Attempt {
        object: &object,
        actor: Actor::Attacker,
        needs: &needs,
        victims,
        cursor: None,
        statements: std::slice::from_ref(statement),
        watch: Some(&[]),
    };
    Ok(ground.attempt(attempt).await?.map(|outcome| outcome.class()))
}

/// Tells whether the columns refer to something that the asker may see anyway.
async fn is_visible(
    ground: &mut Ground,
    relation: &Relation,
    question: &Question,
) -> Result<bool, SessionError> {
    let victim = ground.hunt.stage.victim.clone();
    let Some(theirs) = ground.hunt.seeds.row(relation.oid, &victim).cloned() else { return Ok(false) };
    let asked = |number: &i16| question.columns.iter().any(|column| column.number == *number);
    let catalog = &ground.hunt.stage.catalog;
    let mut queries = Vec::new();
    for key in catalog.foreign_keys(relation.oid).filter(|key| key.columns.iter().any(asked)) {
        let (Some(parent), Some(pairs)) = (catalog.relation(key.references), pairs(catalog, key)) else {
            continue;
        };
        let parts: Option<Vec<String>> = pairs
            .iter()
            .map(|(own, other)| {
                Some(format!("{} = {}", identifier(other), literal(theirs.get(own)?.as_ref()?)))
            })
            .collect();
        if let (Some(parts), Ok(())) = (parts, ground.harmless.reading(catalog, parent)) {
            queries.push(format!("select 1 from {} where {}", parent.quoted(), parts.join(" and ")));
        }
    }
    let needs = ground.needs(&[relation.oid]);
    let object = relation.object();
    for query in queries {
        let outcome = ground.attempt(Attempt::reading(&object, Actor::Attacker, &needs, &[query])).await?;
        if outcome.is_none_or(|outcome| outcome.last().is_some_and(|answer| !answer.rows.is_empty())) {
            return Ok(true);
        }
    }
    Ok(false)
}
