//! The rows that attacks aim at: thought up by the catalogue alone, one a table and tenant, and planted anew in each
//! transaction.

use std::collections::HashSet;

use super::{
    InPlaceError,
    ground::{Attempt, Ground, LIMITS},
    guarded,
};
use crate::{
    attack::{
        SetupError,
        functions::{callable, statement},
        links::{Link, roots},
        seed::{Care, Row, Seeder},
        stage::{Actor, Tenant},
        tokens::Tokens,
        values::labels,
        writes::by_key,
    },
    catalog::Relation,
    session::{SessionError, identifier, literal},
};

/// Returns a seeder that reads no row and draws no default.
pub(super) fn seeder(ground: &mut Ground) -> Seeder<'_> {
    let catalog = &ground.hunt.stage.catalog;
    let mut given = HashSet::new();
    for table in catalog.relations.iter().filter(|relation| relation.is_table()) {
        let key = catalog.key(table.oid);
        for column in &table.columns {
            if key.contains(&column.number) || ground.harmless.has_to_be_given(catalog, column) {
                given.insert((table.oid, column.number));
            }
        }
    }
    let care = Care { given, opening: LIMITS.iter().map(ToString::to_string).collect() };
    let seeds = std::mem::take(&mut ground.hunt.seeds);
    let mut seeder = Seeder::resume(&mut ground.hunt.stage, seeds);
    seeder.care = Some(care);
    seeder
}

/// Thinks up a row for a tenant; none where a column would draw from a sequence, or the like, for want of a value.
pub(super) async fn craft(
    ground: &mut Ground,
    table: &Relation,
    tenant: &Tenant,
) -> Result<Result<Row, String>, SessionError> {
    // Checks are asked in a transaction of their own.
    ground.close().await?;
    let mut seeder = seeder(ground);
    let place = seeder.places(table).into_iter().next().unwrap_or_default();
    let row = seeder.craft(table, tenant, &place).await;
    let seeds = seeder.seeds;
    ground.hunt.seeds = seeds;
    let mut row = row?;
    // A row that is dated may be one that is over or not yet there: deleted, expired, embargoed.
    let catalog = &ground.hunt.stage.catalog;
    for column in table.columns.iter().filter(|column| !column.not_null && !place.contains_key(&column.name))
    {
        let dated = catalog.base_type(column.type_oid).is_some_and(|info| info.category == "D");
        let keyed = catalog
            .constraints_of(table.oid)
            .any(|one| one.kind != "c" && one.columns.contains(&column.number));
        if dated && !keyed && row.contains_key(&column.name) {
            row.insert(column.name.clone(), None);
        }
    }
    Ok(match draws(ground, table, &row) {
        Some(column) => Err(format!("nothing fits its column {column}, whose default must not be evaluated")),
        None => Ok(row),
    })
}

/// Returns a column whose default a row leaves to be evaluated and that must not be.
pub(super) fn draws(ground: &Ground, table: &Relation, row: &Row) -> Option<String> {
    let catalog = &ground.hunt.stage.catalog;
    let drawn = |column: &&crate::catalog::Column| {
        !row.contains_key(&column.name) && ground.harmless.has_to_be_given(catalog, column)
    };
    table.columns.iter().find(drawn).map(|column| column.name.clone())
}

/// Thinks up a canary for each tenant in every table that may hold one.
pub(super) async fn think_up(ground: &mut Ground) -> Result<(), InPlaceError> {
    let tenants = [ground.hunt.stage.attacker.clone(), ground.hunt.stage.victim.clone()];
    let roots = listings(ground);
    for table in ground.order.clone() {
        let object = table.object();
        if let Some((_, column)) = roots.iter().find(|(root, _)| *root == table.oid) {
            known(ground, &table, column, &tenants).await?;
            continue;
        }
        let linked = ground.hunt.stage.links.contains_key(&table.oid);
        if !linked && !ground.hunt.stage.may(&table, "INSERT") {
            shared(ground, &table, &tenants).await?;
            continue;
        }
        let catalog = &ground.hunt.stage.catalog;
        let alone = ground.login.kind == super::login::Kind::Superuser;
        let fit = if alone {
            ground.harmless.planting(catalog, &table)
        } else {
            ground.harmless.writing(catalog, &table)
        };
        if let Err(why) = fit {
            ground.leaves(&object, "no canary is planted", &why);
            continue;
        }
        for tenant in &tenants {
            match craft(ground, &table, tenant).await? {
                Ok(row) => {
                    ground.hunt.seeds.rows.entry((table.oid, tenant.id.clone())).or_default().push(row);
                    ground.canaries.insert((table.oid, tenant.id.clone()));
                }
                Err(why) => ground.leaves(&object, "no canary is planted", &why),
            }
        }
    }
    ground.hunt.tokens = tokens(ground, &tenants[0], &tenants[1]);
    Ok(())
}

/// Returns the tables that list the tenants, with the column that names one.
fn listings(ground: &Ground) -> Vec<(u32, String)> {
    let stage = &ground.hunt.stage;
    let catalog = &stage.catalog;
    let Some(name) = stage.subject.tenant_column.as_deref() else { return Vec::new() };
    let mut all = roots(catalog, name);
    for key in catalog.constraints.iter().filter(|key| key.kind == "f" && key.references != key.table) {
        let column = catalog.relation(key.references).and_then(|table| table.column_named(name));
        if let Some(column) = column
            && key.referenced == [column.number]
        {
            all.push((key.references, name.to_owned()));
        }
    }
    all
}

/// Notes the rows of the tenants themselves, which are there already and are nobody's canary.
async fn known(
    ground: &mut Ground,
    table: &Relation,
    column: &str,
    tenants: &[Tenant; 2],
) -> Result<(), InPlaceError> {
    for tenant in tenants {
        let row = Row::from([(column.to_owned(), Some(tenant.id.clone()))]);
        ground.hunt.seeds.found.insert((table.oid, row.clone()));
        ground.hunt.seeds.rows.entry((table.oid, tenant.id.clone())).or_default().push(row);
        if ground.login.plants_itself() && ground.harmless.reading(&ground.hunt.stage.catalog, table).is_ok()
        {
            let query = format!(
                "select 1 from {} where {} = {}",
                table.quoted(),
                identifier(column),
                literal(&tenant.id)
            );
            let found = guarded(&mut ground.hunt.stage.used, &[], &query).await?;
            if found.is_ok_and(|answer| answer.rows.is_empty()) {
                return Err(InPlaceError::UnknownTenant(tenant.id.clone()));
            }
        }
    }
    ground.leaves(&table.object(), "its rows are only read", "the tenants' own rows are there already");
    Ok(())
}

/// Takes a row that all tenants share, for others to refer to.
async fn shared(ground: &mut Ground, table: &Relation, tenants: &[Tenant; 2]) -> Result<(), SessionError> {
    let catalog = &ground.hunt.stage.catalog;
    let referred = catalog.constraints.iter().any(|key| key.kind == "f" && key.references == table.oid);
    if !referred || ground.harmless.reading(catalog, table).is_err() {
        return Ok(());
    }
    let opening = ground.login.looker(&ground.hunt.stage);
    let query = format!("select * from {} limit 1", table.quoted());
    let Ok(answer) = guarded(&mut ground.hunt.stage.used, &opening, &query).await? else { return Ok(()) };
    let Some(cells) = answer.rows.first() else { return Ok(()) };
    let row: Row = answer.columns.iter().cloned().zip(cells.iter().cloned()).collect();
    ground.hunt.stage.rows_say.extend(row.values().flatten().cloned());
    ground.hunt.seeds.found.insert((table.oid, row.clone()));
    for tenant in tenants {
        ground.hunt.seeds.rows.entry((table.oid, tenant.id.clone())).or_default().push(row.clone());
    }
    Ok(())
}

/// Gathers what only the victim's canaries say.
fn tokens(ground: &Ground, attacker: &Tenant, victim: &Tenant) -> Tokens {
    let catalog = &ground.hunt.stage.catalog;
    let said = |tenant: &Tenant| {
        let mut words = Vec::new();
        for table in ground.order.iter().filter(|table| ground.has_canary(table.oid, tenant)) {
            for (name, value) in ground.hunt.seeds.row(table.oid, tenant).into_iter().flatten() {
                let of_schema =
                    table.column_named(name).is_some_and(|column| !labels(catalog, table, column).is_empty());
                if let (Some(value), false) = (value, of_schema) {
                    words.push(value.as_str());
                }
            }
        }
        words
    };
    let mut others: HashSet<&str> = said(attacker).into_iter().collect();
    others.insert(&victim.id);
    others.extend(victim.principal.as_deref());
    others.extend(ground.hunt.stage.rows_say.iter().map(String::as_str));
    Tokens::of_rows(said(victim).into_iter(), &others, victim.marker.clone())
}

/// Proves that each tenant sees a canary of its own in its context, and that the rest can be planted.
pub(super) async fn prove(ground: &mut Ground) -> Result<(), InPlaceError> {
    let both = [
        (Actor::Attacker, ground.hunt.stage.attacker.clone()),
        (Actor::Victim, ground.hunt.stage.victim.clone()),
    ];
    for (actor, tenant) in both {
        let mut open = false;
        for table in ground.order.clone() {
            if !ground.has_canary(table.oid, &tenant) || ground.hunt.spent() {
                continue;
            }
            let row = ground.hunt.seeds.row(table.oid, &tenant);
            let key = row.and_then(|row| by_key(&ground.hunt, &table, row));
            // What cannot be read is planted all the same, to see whether it can be.
            let statement = match key {
                Some(key) if ground.hunt.stage.may(&table, "SELECT") => {
                    format!("select 1 from {} where {key}", table.quoted())
                }
                _ => "select 1 where false".to_owned(),
            };
            let needs = ground.needs(&[table.oid]);
            let object = table.object();
            let outcome = ground.attempt(Attempt::reading(&object, actor, &needs, &[statement])).await?;
            open |=
                outcome.is_some_and(|outcome| outcome.last().is_some_and(|answer| !answer.rows.is_empty()));
        }
        if !open {
            open = shown(ground, actor, &tenant).await?;
        }
        if !open && ground.order.iter().all(|table| !ground.has_canary(table.oid, &tenant)) {
            let why = ground.hunt.seeds.failed.values().next().map(|why| format!(": {why}"));
            return Err(InPlaceError::NoCanary { tenant: tenant.id, why: why.unwrap_or_default() });
        }
        if !open {
            return Err(SetupError::Closed(tenant.id).into());
        }
    }
    Ok(())
}

/// Tells whether a view or a function shows a tenant something of its own, where the app reads no table.
async fn shown(ground: &mut Ground, actor: Actor, tenant: &Tenant) -> Result<bool, SessionError> {
    let (stage, harmless) = (&ground.hunt.stage, &ground.harmless);
    let mut queries: Vec<(Vec<u32>, String)> = Vec::new();
    for view in stage.targets().iter().filter(|view| !view.is_table() && stage.may(view, "SELECT")) {
        if harmless.reading(&stage.catalog, view).is_ok() {
            queries.push((vec![view.oid], format!("select * from {} limit 1000", view.quoted())));
        }
    }
    for function in callable(stage).iter().filter(|function| function.argument_types.is_empty()) {
        if harmless.calling(&stage.catalog, function).is_ok() {
            queries.push((super::functions::reads(ground, function), statement(function, &[])));
        }
    }
    for (first, query) in queries {
        let needs = ground.needs(&first);
        let outcome = ground.attempt(Attempt::reading("in place", actor, &needs, &[query])).await?;
        let own = |cell: &String| cell.contains(&tenant.marker) || *cell == tenant.id;
        let answer = outcome.as_ref().and_then(crate::attack::stage::Outcome::last);
        if answer.is_some_and(|answer| answer.rows.iter().flatten().flatten().any(own)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Tells whether rows of a table belong to tenants at all.
pub(super) fn is_owned(ground: &Ground, table: u32) -> bool {
    matches!(
        ground.hunt.stage.links.get(&table),
        Some(Link::Tenant(_) | Link::Person(_) | Link::Parent { .. } | Link::Child { .. })
    )
}
