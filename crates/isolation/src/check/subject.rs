//! Whom a check is about: the column of tenants and the app's role, from the configuration or else from the catalogue.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::expr::{Expr, comparison, split, strip_casts};
use crate::{
    catalog::{Catalog, Relation, RelationKind},
    config::{Config, Preset},
    report::Inferred,
};

/// Names that a column of tenants usually has, likeliest first.
const NAMES: &[&str] = &[
    "tenant_id",
    "tenant",
    "org_id",
    "organization_id",
    "organisation_id",
    "workspace_id",
    "account_id",
    "company_id",
    "team_id",
    "customer_id",
    "client_id",
    "clinic_id",
    "school_id",
    "club_id",
    "site_id",
    "shop_id",
    "store_id",
    "firm_id",
    "business_id",
    "merchant_id",
    "owner_id",
    "user_id",
    "owner",
];

/// Why there is nobody to check for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// The role does not exist.
    #[error("the server has no role {0}")]
    NoSuchRole(String),
    /// No role fits.
    #[error("no role but superusers has a privilege on any table: name one by app_role in isolation.toml")]
    NoRole,
    /// Several fit.
    #[error("the app's role could be {}: name one by app_role in isolation.toml", .0.join(" or "))]
    Ambiguous(Vec<String>),
}

/// Whom a check is about.
#[derive(Debug)]
pub(super) struct Subject {
    /// The app's role.
    pub(super) role: u32,
    /// The column of tenants.
    pub(super) column: Option<String>,
    /// What was worked out, and why.
    pub(super) inferred: BTreeMap<String, Inferred>,
}

pub(super) fn subject(catalog: &Catalog, config: &Config) -> Result<Subject, SubjectError> {
    let mut inferred = BTreeMap::new();
    let column = config.tenant_column.clone().or_else(|| {
        let (name, because) = column(catalog)?;
        inferred.insert("tenant_column".to_owned(), Inferred { value: json!(name), because });
        Some(name)
    });
    let role = if let Some(name) = &config.app_role {
        let role = catalog.roles.iter().find(|role| role.name == *name);
        role.ok_or_else(|| SubjectError::NoSuchRole(name.clone()))?.oid
    } else {
        let (oid, name, because) = role(catalog, config)?;
        inferred.insert("app_role".to_owned(), Inferred { value: json!(name), because });
        oid
    };
    Ok(Subject { role, column, inferred })
}

fn is_table(relation: &Relation) -> bool {
    matches!(relation.kind, RelationKind::Table | RelationKind::Partitioned) && !relation.extension
}

/// The column that the policies of most tables compare with something, else the likeliest name that most tables have.
fn column(catalog: &Catalog) -> Option<(String, String)> {
    let mut compared: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    let relations: BTreeMap<u32, &Relation> =
        catalog.relations.iter().map(|relation| (relation.oid, relation)).collect();
    for policy in &catalog.policies {
        let Some(relation) = relations.get(&policy.table) else { continue };
        for text in [&policy.using, &policy.check].into_iter().flatten() {
            let expr = Expr::parse(text);
            for part in expr.disjuncts().into_iter().flat_map(|part| split(part, "and")) {
                let Some((left, "=", right)) = comparison(part) else { continue };
                for side in [left, right] {
                    let (bare, _) = strip_casts(side);
                    let [node] = bare else { continue };
                    let named = relation.columns.iter().find(|column| node.word() == Some(&column.name));
                    if let Some(column) = named {
                        compared.entry(&column.name).or_default().insert(relation.oid);
                    }
                }
            }
        }
    }
    let tables: Vec<&Relation> = catalog.relations.iter().filter(|relation| is_table(relation)).collect();
    let owners =
        |name: &str| tables.iter().filter(|table| table.columns.iter().any(|c| c.name == name)).count();
    let rank = |name: &str| NAMES.iter().position(|known| *known == name).unwrap_or(NAMES.len());
    let best = compared
        .iter()
        .map(|(name, tables)| (*name, tables.len()))
        // A key of its own is what the list of tenants compares; the column is what all others do.
        .max_by_key(|(name, policies)| (*policies, *name != "id", owners(name), usize::MAX - rank(name)));
    if let Some((name, policies)) = best {
        return Some((name.to_owned(), format!("the policies of {policies} tables compare it")));
    }
    NAMES
        .iter()
        .map(|name| (*name, owners(name)))
        .filter(|(_, tables)| *tables > 0)
        .max_by_key(|(name, tables)| (*tables, usize::MAX - rank(name)))
        .map(|(name, tables)| {
            (name.to_owned(), format!("{tables} tables have it, and no policy compares any"))
        })
}

fn role(catalog: &Catalog, config: &Config) -> Result<(u32, String, String), SubjectError> {
    let known = catalog.roles.iter().find(|role| role.name == "authenticated");
    if let Some(role) = known.filter(|_| config.preset == Some(Preset::Supabase)) {
        return Ok((role.oid, role.name.clone(), "the preset says so".to_owned()));
    }
    let reach = |role: u32| {
        let mut all = BTreeSet::from([role]);
        loop {
            let more: Vec<u32> = catalog
                .memberships
                .iter()
                .filter(|m| all.contains(&m.member) && !all.contains(&m.role))
                .map(|m| m.role)
                .collect();
            if more.is_empty() {
                return all;
            }
            all.extend(more);
        }
    };
    let mut scored = Vec::new();
    for role in catalog.roles.iter().filter(|role| !role.predefined && !role.superuser) {
        let reached = reach(role.oid);
        let granted = catalog
            .relations
            .iter()
            .filter(|relation| !relation.extension)
            .filter(|relation| {
                relation.grants.iter().any(|grant| reached.contains(&grant.grantee))
                    || relation.columns.iter().any(|c| c.grants.iter().any(|g| reached.contains(&g.grantee)))
            })
            .count();
        if granted == 0 {
            continue;
        }
        let owned = catalog.relations.iter().filter(|relation| relation.owner == role.oid).count();
        let named = catalog.policies.iter().filter(|policy| policy.roles.contains(&role.oid)).count();
        let name = role.name.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
        let own = catalog.relations.iter().filter(|relation| {
            relation.grants.iter().any(|grant| grant.grantee == role.oid)
                || relation.columns.iter().any(|c| c.grants.iter().any(|grant| grant.grantee == role.oid))
        });
        let own = own.count();
        let mut score = i64::try_from(granted.min(30) * 2 + own.min(30) * 2 + named).unwrap_or_default();
        score += if role.login { 8 } else { 0 };
        score += if has(&["app", "api", "web", "tenant", "authenticated"]) { 8 } else { 0 };
        score -=
            if has(&["read", "report", "admin", "migrat", "support", "backup", "anon", "service", "owner"]) {
                12
            } else {
                0
            };
        score -= if role.bypassrls { 20 } else { 0 };
        score -= i64::try_from(owned.min(30) * 3).unwrap_or_default();
        scored.push((score, role));
    }
    scored.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.name.cmp(&other.1.name)));
    match scored.as_slice() {
        [] => Err(SubjectError::NoRole),
        [(best, _), (next, _), ..] if best == next => {
            let candidates = scored.iter().take_while(|(score, _)| score == best);
            let candidates: Vec<_> = candidates.map(|(_, role)| role).collect();
            // A role that may act as each of them is the app's.
            let gateway = catalog.roles.iter().find(|role| {
                role.login && !role.superuser && !candidates.iter().any(|one| one.oid == role.oid) && {
                    let reached = reach(role.oid);
                    candidates.iter().all(|one| reached.contains(&one.oid))
                }
            });
            match gateway {
                Some(role) => {
                    Ok((role.oid, role.name.clone(), "it may act as each role with privileges".to_owned()))
                }
                None => {
                    Err(SubjectError::Ambiguous(candidates.iter().map(|role| role.name.clone()).collect()))
                }
            }
        }
        [(_, role), ..] => {
            let login = if role.login { "logs in and " } else { "" };
            Ok((role.oid, role.name.clone(), format!("it {login}has privileges on tables")))
        }
    }
}
