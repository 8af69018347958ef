//! Asks, by the way a write fails, whether another tenant has a value.

use super::{
    Hunt,
    choices::nobodys,
    links::Link,
    seed::{Row, Seeder, insert},
    stage::Actor,
};
use crate::{
    catalog::{Column, Relation, RelationKind},
    finding::{Kind, Level, TenantContext, Verb},
    rules,
    session::{SessionError, identifier, literal},
};

/// Asks everywhere.
pub(super) async fn run(hunt: &mut Hunt) -> Result<(), SessionError> {
    for relation in hunt.stage.targets() {
        if hunt.spent() {
            return Ok(());
        }
        if hunt.unbound().is_none() && hunt.stage.may(&relation, "INSERT") {
            by_insert(hunt, &relation).await?;
            if relation.kind == RelationKind::View
                && !hunt.has_verb(&relation.object(), Verb::Existence)
                && let Some(base) = hunt.base_of(&relation)
            {
                by_view(hunt, &relation, &base).await?;
            }
        }
        if hunt.unbound().is_none() && hunt.stage.may(&relation, "UPDATE") {
            by_update(hunt, &relation).await?;
        }
    }
    Ok(())
}

/// Columns that together could answer, and under which condition.
pub(super) struct Group {
    /// The columns.
    pub(super) columns: Vec<Column>,
    /// The condition of their index.
    pub(super) condition: Option<String>,
}

/// Returns what could answer: each key, reference and exclusion, and each column alone.
pub(super) fn groups(hunt: &Hunt, base: &Relation) -> Vec<Group> {
    let catalog = &hunt.stage.catalog;
    let tenant = match hunt.stage.links.get(&base.oid) {
        Some(Link::Tenant(name)) => Some(name.clone()),
        _ => hunt.stage.subject.tenant_column.clone(),
    };
    let mut groups: Vec<Group> = Vec::new();
    let mut push = |numbers: Vec<i16>, condition: Option<String>| {
        let columns: Vec<Column> = numbers
            .iter()
            .filter_map(|number| base.column(*number))
            .filter(|column| Some(&column.name) != tenant.as_ref())
            .cloned()
            .collect();
        let names = |columns: &[Column]| columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
        let known = groups
            .iter()
            .any(|known| names(&known.columns) == names(&columns) && known.condition == condition);
        if !columns.is_empty() && !known {
            groups.push(Group { columns, condition });
        }
    };
    for constraint in catalog.constraints_of(base.oid).filter(|constraint| constraint.kind != "c") {
        let condition =
            constraint.definition.split_once(" WHERE ").map(|(_, condition)| condition.to_owned());
        push(constraint.columns.clone(), condition);
    }
    for index in catalog.indexes.iter().filter(|index| index.table == base.oid) {
        push(
            index
                .columns
                .iter()
                .chain(&index.expression_columns)
                .copied()
                .filter(|number| *number > 0)
                .collect(),
            index.predicate.clone(),
        );
    }
    for column in &base.columns {
        push(vec![column.number], None);
    }
    groups
}

/// Tells whether the values are of a kind that cannot be guessed, or that only count what a sequence gave out.
pub(super) fn beyond_guessing(hunt: &Hunt, base: &Relation, columns: &[Column]) -> bool {
    columns.iter().any(|column| {
        let random = hunt.stage.catalog.base_type(column.type_oid).is_some_and(|info| info.name == "uuid");
        let counted = !column.identity.is_empty()
            || column.default.as_deref().is_some_and(|default| default.starts_with("nextval("));
        random || counted || super::choices::is_secret(&base.name, &column.name)
    })
}

async fn by_insert(hunt: &mut Hunt, relation: &Relation) -> Result<(), SessionError> {
    let object = relation.object();
    let Some(base) = hunt.base_of(relation) else { return Ok(()) };
    let (attacker, victim) = (hunt.stage.attacker.clone(), hunt.stage.victim.clone());
    let allowed: Vec<String> = relation
        .columns
        .iter()
        .filter(|column| hunt.stage.may_column(relation, column, "INSERT"))
        .map(|column| column.name.clone())
        .collect();
    let mut own = attacker.clone();
    own.block = 8;
    own.marker = format!("zqo{}", attacker.marker.get(3..).unwrap_or_default());
    let seeds = std::mem::take(&mut hunt.seeds);
    let mut seeder = Seeder::resume(&mut hunt.stage, seeds);
    let mut fresh = seeder.craft(&base, &own, &Row::new()).await?;
    hunt.seeds = seeder.seeds;
    fresh.retain(|name, _| allowed.contains(name) && relation.column_named(name).is_some());
    for group in groups(hunt, &base) {
        let columns = group.columns.clone();
        if beyond_guessing(hunt, &base, &columns)
            || columns.iter().any(|column| !allowed.contains(&column.name) || column.generated)
        {
            continue;
        }
        for theirs in examples(hunt, &base, &victim, &group).await? {
            if visible_reference(hunt, &base, &columns, &theirs).await? {
                continue;
            }
            let (mut asking, mut control) = (fresh.clone(), fresh.clone());
            if let Some(condition) = &group.condition {
                // What the condition speaks of is as in the victim's row, which it covers.
                for column in
                    base.columns.iter().filter(|column| crate::catalog::mentions(condition, &column.name))
                {
                    if let Some(value) = theirs.get(&column.name)
                        && allowed.contains(&column.name)
                    {
                        asking.insert(column.name.clone(), value.clone());
                        control.insert(column.name.clone(), value.clone());
                    }
                }
            }
            let mut differs = false;
            for column in &columns {
                let Some(Some(value)) = theirs.get(&column.name) else { continue };
                let Some(info) = hunt.stage.catalog.base_type(column.type_oid) else { continue };
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
            if !differs {
                continue;
            }
            for suffix in ["", " on conflict do nothing"] {
                hunt.count(&object, Verb::Existence, TenantContext::Tenant, &format!("insert{suffix}"));
                let statements = vec![
                    format!("{}{suffix}", insert(relation, &asking)),
                    format!("{}{suffix}", insert(relation, &control)),
                ];
                if compare(hunt, relation, &base, &columns, &statements).await? {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// A view refuses others' rows only after its table's keys have answered.
async fn by_view(hunt: &mut Hunt, relation: &Relation, base: &Relation) -> Result<(), SessionError> {
    let victim = hunt.stage.victim.clone();
    let Some(theirs) = hunt.seeds.row(base.oid, &victim).cloned() else { return Ok(()) };
    let fresh: Vec<String> = [relation.object(), base.object()]
        .into_iter()
        .filter(|object| !hunt.has_verb(object, Verb::Existence))
        .collect();
    let mut row = theirs.clone();
    row.retain(|name, _| {
        relation
            .column_named(name)
            .is_some_and(|column| !column.generated && hunt.stage.may_column(relation, column, "INSERT"))
    });
    for group in groups(hunt, base) {
        let columns = group.columns;
        if columns.iter().any(|column| !row.contains_key(&column.name))
            || beyond_guessing(hunt, base, &columns)
        {
            continue;
        }
        let mut control = row.clone();
        let mut differs = false;
        for column in &columns {
            let Some(Some(value)) = theirs.get(&column.name) else { continue };
            let Some(info) = hunt.stage.catalog.base_type(column.type_oid) else { continue };
            let other = nobodys(&info.name, &info.category, value);
            differs |= other != *value;
            control.insert(column.name.clone(), Some(other));
        }
        if !differs {
            continue;
        }
        hunt.count(&relation.object(), Verb::Existence, TenantContext::Tenant, "view");
        let statements = vec![insert(relation, &row), insert(relation, &control)];
        if compare(hunt, relation, base, &columns, &statements).await? {
            // Who asks has to name the tenant and the whole key of its row: a trap more than a leak.
            for object in &fresh {
                let key = format!("{} {object} {}", rules::EXISTENCE.id, Verb::Existence.word());
                if let Some(finding) = hunt.findings.get_mut(&key) {
                    finding.level = Level::Warning;
                    finding.kind = Kind::Warning;
                }
            }
            return Ok(());
        }
    }
    Ok(())
}

/// Returns rows of the victim's to ask with: those that a condition covers, where there is one.
async fn examples(
    hunt: &mut Hunt,
    base: &Relation,
    victim: &super::stage::Tenant,
    group: &Group,
) -> Result<Vec<Row>, SessionError> {
    let known = hunt.seeds.rows_of(base.oid, victim);
    let Some(condition) = &group.condition else { return Ok(known.iter().take(2).cloned().collect()) };
    let persons: Vec<&str> = victim.principal.iter().map(String::as_str).collect();
    let Some(owned) = super::links::owned_by(
        &hunt.stage.catalog,
        &hunt.stage.links,
        base.oid,
        "t",
        &[&victim.id],
        &persons,
    ) else {
        return Ok(Vec::new());
    };
    let query = format!("select * from {} t where {owned} and ({condition}) limit 2", base.quoted());
    let answer = hunt.stage.used.run(&query).await?;
    Ok(answer.rows.into_iter().map(|cells| answer.columns.iter().cloned().zip(cells).collect()).collect())
}

async fn by_update(hunt: &mut Hunt, relation: &Relation) -> Result<(), SessionError> {
    let object = relation.object();
    if hunt.has_verb(&object, Verb::Existence) {
        return Ok(());
    }
    let Some(base) = hunt.base_of(relation) else { return Ok(()) };
    let (attacker, victim) = (hunt.stage.attacker.clone(), hunt.stage.victim.clone());
    let (Some(own), Some(theirs)) =
        (hunt.row_behind(relation, &attacker), hunt.row_behind(relation, &victim))
    else {
        return Ok(());
    };
    let Some(condition) = super::writes::by_key(hunt, &base, &own) else { return Ok(()) };
    for group in groups(hunt, &base) {
        let columns = group.columns;
        if beyond_guessing(hunt, &base, &columns)
            || columns.iter().any(|column| {
                relation.column_named(&column.name).is_none_or(|column| {
                    column.generated || !hunt.stage.may_column(relation, column, "UPDATE")
                })
            })
            || visible_reference(hunt, &base, &columns, &theirs).await?
        {
            continue;
        }
        let mut sets = [Vec::new(), Vec::new()];
        let mut differs = false;
        for column in &columns {
            let Some(Some(value)) = theirs.get(&column.name) else { continue };
            let Some(info) = hunt.stage.catalog.base_type(column.type_oid) else { continue };
            let other = nobodys(&info.name, &info.category, value);
            differs |= other != *value && own.get(&column.name).is_none_or(|own| own.as_ref() != Some(value));
            for (set, value) in sets.iter_mut().zip([value, &other]) {
                set.push(format!("{} = {}", identifier(&column.name), literal(value)));
            }
        }
        if !differs {
            continue;
        }
        hunt.count(&object, Verb::Existence, TenantContext::Tenant, "update");
        let statements: Vec<String> = sets
            .iter()
            .map(|set| format!("update {} set {} where {condition}", relation.quoted(), set.join(", ")))
            .collect();
        if compare(hunt, relation, &base, &columns, &statements).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// Tells whether the columns refer to something that the asker may see anyway.
async fn visible_reference(
    hunt: &mut Hunt,
    base: &Relation,
    columns: &[Column],
    theirs: &Row,
) -> Result<bool, SessionError> {
    let keys: Vec<_> = hunt
        .stage
        .catalog
        .foreign_keys(base.oid)
        .filter(|key| key.columns.iter().any(|number| columns.iter().any(|column| column.number == *number)))
        .cloned()
        .collect();
    for key in keys {
        let (Some(parent), Some(pairs)) = (
            hunt.stage.catalog.relation(key.references).cloned(),
            super::links::pairs(&hunt.stage.catalog, &key),
        ) else {
            continue;
        };
        let condition: Option<Vec<String>> = pairs
            .iter()
            .map(|(own, other)| {
                Some(format!("{} = {}", identifier(other), literal(theirs.get(own)?.as_ref()?)))
            })
            .collect();
        let Some(condition) = condition else { continue };
        let query = format!("select from {} where {}", parent.quoted(), condition.join(" and "));
        let outcome = hunt.stage.attempt(Actor::Attacker, &[query], None).await?;
        if outcome.last().is_some_and(|answer| answer.count > 0) {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn compare(
    hunt: &mut Hunt,
    relation: &Relation,
    base: &Relation,
    columns: &[Column],
    statements: &[String],
) -> Result<bool, SessionError> {
    let mut classes = Vec::new();
    for statement in statements {
        let outcome = hunt.stage.attempt(Actor::Attacker, std::slice::from_ref(statement), None).await?;
        classes.push(outcome.class());
    }
    // A value that the schema refuses for its form tells nothing.
    let of_form = |class: &String| {
        class.starts_with("22")
            || class.starts_with("23514")
            || class.starts_with("23502")
            || class.starts_with("42")
    };
    if classes[0] == classes[1] || classes.iter().any(of_form) {
        return Ok(false);
    }
    // The same difference must go with the victim's rows, else it is not about them.
    let without = hunt.stage.without_victims(&statements[..1]).await?;
    if without.class() == classes[0] {
        return Ok(false);
    }
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let evidence = format!(
        "{}: `{}` for another tenant's value, `{}` for one that nobody has",
        names.join(", "),
        classes[0].trim(),
        classes[1].trim()
    );
    hunt.leak(
        &rules::EXISTENCE,
        relation.oid,
        &relation.object(),
        Verb::Existence,
        TenantContext::Tenant,
        statements,
        &evidence,
    );
    // A function may be what looks: in the check that failed, or in a trigger.
    let failed = classes.iter().find(|class| !class.starts_with("ok")).cloned().unwrap_or_default();
    let catalog = &hunt.stage.catalog;
    let constraint = catalog
        .constraints_of(base.oid)
        .find(|constraint| failed.ends_with(&format!(" {}", constraint.name)));
    let between: Vec<String> = match constraint {
        Some(constraint) => catalog
            .functions
            .iter()
            .filter(|function| {
                constraint
                    .expression
                    .as_deref()
                    .is_some_and(|text| crate::catalog::mentions(text, &function.name))
            })
            .map(crate::catalog::Function::object)
            .collect(),
        None if !failed.starts_with("23") => catalog
            .triggers
            .iter()
            .filter(|trigger| trigger.table == base.oid || trigger.table == relation.oid)
            .filter_map(|trigger| catalog.function(trigger.function))
            .map(crate::catalog::Function::object)
            .collect(),
        None => Vec::new(),
    };
    for object in between {
        hunt.add(
            &rules::EXISTENCE,
            &object,
            Verb::Existence,
            TenantContext::Tenant,
            statements,
            &evidence,
            None,
        );
    }
    if base.oid != relation.oid {
        let object = base.object();
        hunt.leak(
            &rules::EXISTENCE,
            base.oid,
            &object,
            Verb::Existence,
            TenantContext::Tenant,
            statements,
            &evidence,
        );
    }
    Ok(true)
}
