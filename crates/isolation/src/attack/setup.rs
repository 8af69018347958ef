//! Sets the stage in a copy: who the tenants are, what each owns, and proof that a context opens what it should.

use std::collections::BTreeSet;

use super::{
    links::{self, Link},
    people::people,
    seed::{Seeder, Seeds, order},
    stage::{Actor, Stage, Tenant},
    tokens::Tokens,
    values::{Maker, labels},
};
use crate::{
    catalog::{self, Catalog},
    infer::Subject,
    session::{Session, SessionError, literal},
};

/// Why nothing can be proved.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The server refuses.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A context shows nothing of its own tenant.
    #[error("the context does not open tenant {0}; nothing was proved")]
    Closed(String),
}

/// A stage with everything planted.
pub(super) struct Set {
    /// The stage.
    pub(super) stage: Stage,
    /// What was planted.
    pub(super) seeds: Seeds,
    /// What only the victim's rows say.
    pub(super) tokens: Tokens,
}

/// Sets the stage.
pub(super) async fn set(
    url: novelfoundry_connection::DatabaseUrl,
    subject: Subject,
    seed: u64,
) -> Result<Set, SetupError> {
    let mut used = Session::open(&url, "novelfoundry isolation").await?;
    let fresh = Session::open(&url, "novelfoundry isolation").await?;
    let catalog = catalog::load(&mut used).await?;
    let app = catalog.role(&subject.app_role).map_or(0, |role| role.oid);
    let people = people(&catalog, &subject.context, subject.tenant_column.as_deref());
    let links = links::links(&catalog, subject.tenant_column.as_deref(), &people);
    let [attacker, victim] = tenants(&mut used, &catalog, &subject, &links, &people, seed).await?;
    let mut stage = Stage {
        url,
        used,
        fresh,
        catalog,
        subject,
        app,
        links,
        attacker,
        victim,
        neighbours: Vec::new(),
        people,
        provenance: std::collections::HashMap::default(),
        rows_say: std::collections::HashSet::default(),
        fingerprint: String::new(),
        attempts: 0,
        only: None,
    };
    let order = order(&stage.catalog);
    for table in &order {
        shared_row(&mut stage, table.oid).await?;
    }
    let (attacker, victim) = (stage.attacker.clone(), stage.victim.clone());
    let mut known = Seeds::default();
    existing(&mut stage, &mut known).await?;
    let mut seeder = Seeder::resume(&mut stage, known);
    seeder.plant(&attacker, &order).await?;
    let before = horizon(&mut seeder.stage.used).await?;
    seeder.plant(&victim, &order).await?;
    for table in &order {
        seeder.vary(&victim, table).await?;
    }
    let after = horizon(&mut seeder.stage.used).await?;
    for table in &order {
        seeder.vary(&attacker, table).await?;
    }
    let mut seeds = seeder.seeds;
    provenance(&mut stage, &before, &after).await?;
    seeds = super::neighbours::plant(&mut stage, seeds, &order, seed).await?;
    refresh(&mut stage).await?;
    stage.write_fingerprint();
    let tokens = Tokens::gather(&mut stage, &seeds).await?;
    prove(&mut stage, &tokens).await?;
    Ok(Set { stage, seeds, tokens })
}

async fn horizon(session: &mut Session) -> Result<String, SessionError> {
    let answer = session.run("select pg_snapshot_xmax(pg_current_snapshot())::text").await?;
    Ok(answer.value().unwrap_or("0").to_owned())
}

/// Finds two tenants that exist, else makes their names.
async fn tenants(
    session: &mut Session,
    catalog: &Catalog,
    subject: &Subject,
    links: &links::Links,
    people: &[(u32, String)],
    seed: u64,
) -> Result<[Tenant; 2], SessionError> {
    let mut ids = subject.tenants.clone().map(Vec::from).unwrap_or_default();
    let mut kind = String::from("text");
    if ids.is_empty() {
        let mut counts: std::collections::BTreeMap<String, i64> = std::collections::BTreeMap::new();
        for (table, link) in links {
            let (Link::Tenant(column), Some(relation)) = (link, catalog.relation(*table)) else { continue };
            if let Some(column) = relation.column_named(column)
                && let Some(info) = catalog.base_type(column.type_oid)
            {
                kind.clone_from(&info.name);
            }
            let query = format!(
                "select {c}::text, count(*) from {t} where {c} is not null group by 1 order by 2 desc limit 50",
                c = crate::session::identifier(column),
                t = relation.quoted()
            );
            for row in session.run(&query).await?.rows {
                if let Some(id) = &row[0] {
                    *counts.entry(id.clone()).or_default() +=
                        1000 + row[1].as_deref().and_then(|n| n.parse::<i64>().ok()).unwrap_or(0).min(99);
                }
            }
        }
        let mut found: Vec<(i64, String)> = counts.into_iter().map(|(id, count)| (count, id)).collect();
        found.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
        if let Some(principals) = &subject.principals {
            let all: Vec<String> = found.iter().map(|(_, id)| id.clone()).collect();
            if let Some(theirs) = tenants_of(session, catalog, links, people, principals, &all).await? {
                found = theirs.into_iter().rev().map(|id| (0, id)).collect();
            }
        }
        // Who has most is the one to be seen.
        ids = found.into_iter().take(2).map(|(_, id)| id).rev().collect();
    }
    for index in ids.len()..2 {
        let maker = Maker::new(format!("tenant{seed}"), 1);
        ids.push(match kind.as_str() {
            "uuid" => maker.uuid(u32::try_from(index).unwrap_or_default()),
            "int2" => format!("{}", 1411 + index * 5),
            "int4" | "int8" | "numeric" => format!("{}", 41_180 + index * 1_741),
            _ => ["nfaster", "nfbravo"][index].to_owned(),
        });
    }
    let mut all = Vec::new();
    for (index, id) in ids.into_iter().enumerate() {
        let letter = ["a", "b"][index];
        let principal = match &subject.principals {
            Some(given) => Some(given[index].clone()),
            None => principal(session, catalog, links, people, &id, index, seed).await?,
        };
        let mark = format!("{:04x}", (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) & 0xffff);
        all.push(Tenant {
            id,
            principal,
            marker: format!("zq{letter}{mark}"),
            block: u32::try_from(index).unwrap_or_default() + 1,
        });
    }
    let victim = all.pop();
    let attacker = all.pop();
    match (attacker, victim) {
        (Some(attacker), Some(victim)) => Ok([attacker, victim]),
        _ => Err(SessionError::Unexpected("no two tenants".to_owned())),
    }
}

/// Finds the tenants for whom two persons act: by a table that says so, or because a tenant is a role of theirs.
async fn tenants_of(
    session: &mut Session,
    catalog: &Catalog,
    links: &links::Links,
    people: &[(u32, String)],
    principals: &[String; 2],
    ids: &[String],
) -> Result<Option<[String; 2]>, SessionError> {
    let mut found = Vec::new();
    for principal in principals {
        let mut tenant = None;
        for (table, column) in people {
            let (Some(Link::Tenant(by)), Some(relation)) = (links.get(table), catalog.relation(*table))
            else {
                continue;
            };
            if by == column {
                continue;
            }
            let query = format!(
                "select {by}::text from {t} where {c}::text = {p} and {by} is not null order by 1 limit 1",
                by = crate::session::identifier(by),
                t = relation.quoted(),
                c = crate::session::identifier(column),
                p = literal(principal)
            );
            if let Some(id) = session.run(&query).await?.value() {
                tenant = Some(id.to_owned());
                break;
            }
        }
        let roles = catalog.role(principal).map(|role| catalog.privileges_of(role.oid)).unwrap_or_default();
        let tenant = tenant.or_else(|| {
            ids.iter().find(|id| catalog.role(id).is_some_and(|role| roles.contains(&role.oid))).cloned()
        });
        found.extend(tenant);
    }
    Ok(<[String; 2]>::try_from(found).ok().filter(|[one, other]| one != other))
}

/// Finds a person who exists for a tenant, else makes one up.
async fn principal(
    session: &mut Session,
    catalog: &Catalog,
    links: &links::Links,
    people: &[(u32, String)],
    tenant: &str,
    index: usize,
    seed: u64,
) -> Result<Option<String>, SessionError> {
    let mut kind = None;
    for (table, column) in people {
        let Some(relation) = catalog.relation(*table) else { continue };
        if let Some(column) = relation.column_named(column)
            && let Some(info) = catalog.base_type(column.type_oid)
        {
            kind = Some(info.name.clone());
        }
        if let Some(Link::Tenant(by)) = links.get(table)
            && by != column
        {
            let query = format!(
                "select {c}::text from {t} where {by}::text = {id} and {c} is not null order by 1 limit 1",
                c = crate::session::identifier(column),
                t = relation.quoted(),
                by = crate::session::identifier(by),
                id = literal(tenant)
            );
            if let Some(found) = session.run(&query).await?.value() {
                return Ok(Some(found.to_owned()));
            }
        }
    }
    Ok(kind.map(|kind| person(&kind, index, seed)))
}

/// Makes up a person of a type.
pub(super) fn person(kind: &str, index: usize, seed: u64) -> String {
    match kind {
        "uuid" => Maker::new(format!("person{seed}"), 1).uuid(u32::try_from(index).unwrap_or_default()),
        "int2" | "int4" | "int8" | "numeric" => format!("{}", 7_101 + index * 37),
        _ => ["nfanna", "nfbruno"][index].to_owned(),
    }
}

/// Puts a row into a table that nothing ties to a tenant and that the app cannot fill itself.
async fn shared_row(stage: &mut Stage, table: u32) -> Result<(), SessionError> {
    let Some(relation) = stage.catalog.relation(table).cloned() else { return Ok(()) };
    if stage.links.contains_key(&table) || stage.may(&relation, "INSERT") {
        return Ok(());
    }
    let rows = stage
        .used
        .run(&format!("select count(*) from (select from {} limit 1) x", relation.quoted()))
        .await?;
    if rows.value() != Some("0") {
        return Ok(());
    }
    let nobody = Tenant { id: "shared".into(), principal: None, marker: "zqs0".into(), block: 9 };
    let mut seeder = Seeder::new(stage);
    // Without one the tables that refer to it stay empty, which is reported for them.
    let _ = seeder.plant_row(&relation, &nobody, &super::seed::Row::new()).await?;
    Ok(())
}

/// Notes which rows of tables without a tenant came into being while the victim was planted.
async fn provenance(stage: &mut Stage, before: &str, after: &str) -> Result<(), SessionError> {
    let tables: Vec<_> = stage
        .catalog
        .relations
        .iter()
        .filter(|relation| {
            relation.is_table() && !relation.extension && !stage.links.contains_key(&relation.oid)
        })
        .cloned()
        .collect();
    for table in tables {
        if table.partition {
            continue;
        }
        let query = format!(
            "select t::text from {} t where xmin::text::int8 >= {before} and xmin::text::int8 < {after} limit 200",
            table.quoted()
        );
        let rows: Vec<String> = stage
            .used
            .run(&query)
            .await?
            .rows
            .into_iter()
            .filter_map(|row| row.into_iter().next()?)
            .collect();
        if !rows.is_empty() {
            stage.provenance.insert(table.oid, rows);
        }
    }
    Ok(())
}

/// Adds rows that were there before to what is known of each tenant.
async fn existing(stage: &mut Stage, seeds: &mut Seeds) -> Result<(), SessionError> {
    for table in order(&stage.catalog) {
        for tenant in [stage.attacker.clone(), stage.victim.clone()] {
            let persons: Vec<&str> = tenant.principal.iter().map(String::as_str).collect();
            let Some(condition) =
                links::owned_by(&stage.catalog, &stage.links, table.oid, "t", &[&tenant.id], &persons)
            else {
                continue;
            };
            let answer = stage
                .used
                .run(&format!("select * from {} t where {condition} limit 4", table.quoted()))
                .await?;
            let known = seeds.rows.entry((table.oid, tenant.id.clone())).or_default();
            for cells in answer.rows {
                let row: super::seed::Row = answer.columns.iter().cloned().zip(cells).collect();
                let says = row.iter().filter(|(name, _)| {
                    table
                        .column_named(name)
                        .is_some_and(|column| labels(&stage.catalog, &table, column).is_empty())
                });
                let says = says.filter_map(|(_, value)| value.clone()).filter(|value| *value != tenant.id);
                stage.rows_say.extend(says.filter(|value| Some(value) != tenant.principal.as_ref()));
                seeds.found.insert((table.oid, row.clone()));
                known.push(row);
            }
            if !known.is_empty() {
                seeds.failed.remove(&table.oid);
            }
        }
    }
    seeds.rows.retain(|_, rows| !rows.is_empty());
    Ok(())
}

/// Brings materialized views and statistics up to date, as they would be after a night in production.
async fn refresh(stage: &mut Stage) -> Result<(), SessionError> {
    let views: Vec<String> = stage
        .catalog
        .relations
        .iter()
        .filter(|relation| relation.kind == crate::catalog::RelationKind::MaterializedView)
        .map(crate::catalog::Relation::quoted)
        .collect();
    let mut left: BTreeSet<String> = views.into_iter().collect();
    for _ in 0..3 {
        for view in left.clone() {
            if stage.used.try_run(&format!("refresh materialized view {view}")).await?.is_ok() {
                left.remove(&view);
            }
        }
    }
    stage.used.run("analyze").await?;
    Ok(())
}

/// Proves that each tenant sees something of its own through something.
async fn prove(stage: &mut Stage, tokens: &Tokens) -> Result<(), SetupError> {
    let readable: Vec<String> = stage
        .targets()
        .iter()
        .filter(|relation| stage.may(relation, "SELECT"))
        .map(|relation| super::reads::select_all(stage, relation))
        .collect();
    let functions = super::functions::plain_calls(stage);
    for (actor, tenant) in [(Actor::Attacker, stage.attacker.clone()), (Actor::Victim, stage.victim.clone())]
    {
        let mut open = false;
        for query in readable.iter().chain(&functions) {
            let outcome = stage.attempt(actor, std::slice::from_ref(query), None).await?;
            let own = outcome.last().is_some_and(|answer| {
                answer
                    .rows
                    .iter()
                    .flatten()
                    .flatten()
                    .any(|cell| cell.contains(&tenant.marker) || *cell == tenant.id)
            });
            if own
                || actor == Actor::Victim
                    && outcome.last().is_some_and(|answer| tokens.in_answer(answer, "").is_some())
            {
                open = true;
                break;
            }
        }
        if !open {
            return Err(SetupError::Closed(tenant.id));
        }
    }
    Ok(())
}
