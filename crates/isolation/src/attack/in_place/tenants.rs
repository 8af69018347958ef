//! Finds two tenants, and who acts for them, by a few rows where an index leads to them.

use super::{InPlaceError, guarded};
use crate::{
    attack::{
        links::{Link, Links, roots},
        setup::person,
        stage::Tenant,
    },
    catalog::Catalog,
    infer::Subject,
    session::{Answer, Session, SessionError, identifier, literal},
};

/// Finds the attacker and the victim.
pub(super) async fn find(
    session: &mut Session,
    catalog: &Catalog,
    subject: &Subject,
    links: &Links,
    people: &[(u32, String)],
    seed: u64,
) -> Result<[Tenant; 2], InPlaceError> {
    let ids = match &subject.tenants {
        Some(given) => given.clone(),
        None => existing(session, catalog, subject, links).await?.ok_or(InPlaceError::NoTenants)?,
    };
    let mark = format!("{:04x}", (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) & 0xffff);
    let mut made = Vec::new();
    for (index, id) in ids.into_iter().enumerate() {
        let principal = match &subject.principals {
            Some(given) => Some(given[index].clone()),
            None => principal(session, catalog, links, people, &id, index, seed).await?,
        };
        let letter = ["a", "b"][index];
        // Numbers of canaries lie where few tables have come to.
        let block = u32::try_from(index).unwrap_or_default() + 101;
        made.push(Tenant { id, principal, marker: format!("zq{letter}{mark}"), block });
    }
    <[Tenant; 2]>::try_from(made).map_err(|_| InPlaceError::NoTenants)
}

/// Returns two tenants that have a row somewhere, those listed as tenants first.
async fn existing(
    session: &mut Session,
    catalog: &Catalog,
    subject: &Subject,
    links: &Links,
) -> Result<Option<[String; 2]>, SessionError> {
    let mut places: Vec<(u32, String)> =
        subject.tenant_column.as_deref().map(|name| roots(catalog, name)).unwrap_or_default();
    for relation in &catalog.relations {
        if let Some(Link::Tenant(column)) = links.get(&relation.oid) {
            places.push((relation.oid, column.clone()));
        }
    }
    for (table, column) in places {
        let Some(table) = catalog.relation(table).filter(|table| table.is_table()) else { continue };
        let (column, name) = (identifier(&column), table.quoted());
        let first = format!("select {column}::text from {name} where {column} is not null limit 1");
        let Some(one) = ask(session, &first).await? else { continue };
        let next = format!(
            "select {column}::text from {name} where {column} is not null and {column} <> {} limit 1",
            literal(&one)
        );
        if let Some(other) = ask(session, &next).await? {
            return Ok(Some([one, other]));
        }
    }
    Ok(None)
}

/// Returns a person who exists for a tenant, else makes one up.
async fn principal(
    session: &mut Session,
    catalog: &Catalog,
    links: &Links,
    people: &[(u32, String)],
    tenant: &str,
    index: usize,
    seed: u64,
) -> Result<Option<String>, SessionError> {
    let mut kind = None;
    for (table, column) in people {
        let Some(relation) = catalog.relation(*table) else { continue };
        let info = relation.column_named(column).and_then(|column| catalog.base_type(column.type_oid));
        kind = info.map(|info| info.name.clone()).or(kind);
        if let Some(Link::Tenant(by)) = links.get(table)
            && by != column
        {
            let query = format!(
                "select {c}::text from {t} where {by} = {id} and {c} is not null limit 1",
                c = identifier(column),
                t = relation.quoted(),
                by = identifier(by),
                id = literal(tenant)
            );
            if let Some(found) = ask(session, &query).await? {
                return Ok(Some(found));
            }
        }
    }
    Ok(kind.map(|kind| person(&kind, index, seed)))
}

/// Asks for one value; what is refused, or takes too long, is not known.
async fn ask(session: &mut Session, query: &str) -> Result<Option<String>, SessionError> {
    Ok(guarded(session, &[], query).await?.ok().as_ref().and_then(Answer::value).map(ToOwned::to_owned))
}
