//! The role that the app acts as, and roles that stand for a tenant each.

use super::{InferError, context::is_role_change};
use crate::{
    catalog::{Catalog, Relation, Role},
    config::{Config, Preset},
};

pub(super) fn app_role(
    catalog: &Catalog,
    config: &Config,
    tenant_column: Option<&str>,
) -> Result<(String, String), InferError> {
    if config.preset == Some(Preset::Supabase) && catalog.role("authenticated").is_some() {
        return Ok(("authenticated".to_owned(), "the preset says so".to_owned()));
    }
    let tables: Vec<&Relation> = catalog
        .relations
        .iter()
        .filter(|relation| !relation.extension)
        .filter(|relation| {
            relation.is_table() || tenant_column.is_some_and(|name| relation.column_named(name).is_some())
        })
        .collect();
    let score = |role: &Role| {
        let direct = |relation: &&&Relation| relation.grants.iter().any(|grant| grant.grantee == role.oid);
        let reached = tables.iter().filter(|relation| {
            ["SELECT", "INSERT", "UPDATE", "DELETE"]
                .iter()
                .any(|privilege| catalog.may(role.oid, relation, privilege))
        });
        let reached = reached.count();
        if reached == 0
            && !catalog.functions.iter().any(|function| {
                !function.extension
                    && function.grants.iter().any(|grant| grant.grantee == role.oid)
                    && function.owner != role.oid
            })
        {
            return None;
        }
        let owned = tables.iter().filter(|relation| relation.owner == role.oid).count();
        let policies = catalog.policies.iter().filter(|policy| policy.roles.contains(&role.oid)).count();
        let granted = tables.iter().filter(direct).count();
        let name = role.name.to_ascii_lowercase();
        let word = |words: &[&str]| words.iter().any(|word| name.contains(word));
        let mut score =
            i64::try_from(reached.min(30) * 2 + policies * 3 + granted.min(30) * 2).unwrap_or_default();
        score += if role.login { 6 } else { 0 };
        score += if word(&["app", "api", "web", "tenant", "authenticated", "client"]) { 6 } else { 0 };
        score -= if word(&[
            "read", "report", "admin", "owner", "migrat", "support", "backup", "anon", "service", "analyst",
        ]) {
            12
        } else {
            0
        };
        // An owner that others are granted beside is the one that migrates.
        score -= if owned > 0 && granted <= owned {
            i64::try_from(owned.min(20)).unwrap_or_default() * 3
        } else {
            0
        };
        Some(score)
    };
    let mut scored: Vec<(i64, &Role)> = catalog
        .roles
        .iter()
        .filter(|role| !(role.predefined || role.superuser && role.oid == 10))
        .filter_map(|role| Some((score(role)?, role)))
        .collect();
    scored.sort_by_key(|(score, role)| (-score, role.name.clone()));
    match scored.as_slice() {
        [] => Err(InferError::Missing {
            what: "the app's role",
            why: "no role but superusers has a privilege on any table".to_owned(),
        }),
        [(best, role), (next, other), ..] if best == next && role.login == other.login => {
            let group = common_gateway(catalog, role, other);
            if let Some(gateway) = group {
                return Ok((gateway, "it may act as each of the roles that have privileges".to_owned()));
            }
            let candidates =
                scored.iter().take_while(|(score, _)| score == best).map(|(_, role)| role.name.clone());
            Err(InferError::Ambiguous { what: "the app's role", candidates: candidates.collect() })
        }
        [(_, role), ..] => {
            let login = if role.login { "logs in and " } else { "" };
            Ok((role.name.clone(), format!("it {login}has privileges on the tables")))
        }
    }
}

/// Returns a role that may become both.
fn common_gateway(catalog: &Catalog, one: &Role, other: &Role) -> Option<String> {
    catalog
        .roles
        .iter()
        .filter(|role| {
            !role.predefined && role.login && role.oid != one.oid && role.oid != other.oid && !role.superuser
        })
        .find(|role| {
            let reachable = catalog.may_become(role.oid);
            reachable.contains(&one.oid) && reachable.contains(&other.oid)
        })
        .map(|role| role.name.clone())
}

/// Returns two logins that have their rights by one group, where a context means logging in: the app's role and one
/// beside it, or two members where the app's role is that group.
pub(super) fn sibling_logins(
    catalog: &Catalog,
    app_role: &str,
    context: &[String],
) -> Option<([String; 2], String)> {
    if !context.iter().any(|statement| is_role_change(statement)) {
        return None;
    }
    let app = catalog.role(app_role)?;
    let granted = |oid: u32| {
        catalog.relations.iter().any(|relation| relation.grants.iter().any(|grant| grant.grantee == oid))
    };
    let group = if app.login {
        catalog
            .privileges_of(app.oid)
            .into_iter()
            .find(|oid| *oid != 0 && *oid != app.oid && granted(*oid))?
    } else {
        app.oid
    };
    let mut logins: Vec<&Role> = catalog
        .roles
        .iter()
        .filter(|role| role.login && !role.superuser && !role.bypassrls)
        .filter(|role| role.oid != group && catalog.privileges_of(role.oid).contains(&group))
        .collect();
    logins.sort_by_key(|role| (role.oid != app.oid, role.name.clone()));
    let [one, other, ..] = logins.as_slice() else { return None };
    let because = format!("they log in and have their rights by {}", catalog.role_name(group));
    Some(([one.name.clone(), other.name.clone()], because))
}

/// Returns two roles that stand for tenants, where a context means becoming one.
pub(super) fn role_tenants(
    catalog: &Catalog,
    app_role: &str,
    context: &[String],
) -> Option<([String; 2], String)> {
    if !context.iter().any(|statement| is_role_change(statement)) {
        return None;
    }
    let app = catalog.role(app_role)?;
    let reachable = catalog.may_become(app.oid);
    let roles: Vec<&Role> = catalog
        .roles
        .iter()
        .filter(|role| {
            reachable.contains(&role.oid)
                && role.oid != app.oid
                && !role.predefined
                && !role.superuser
                && !role.bypassrls
        })
        .filter(|role| !catalog.relations.iter().any(|relation| relation.owner == role.oid))
        .collect();
    match roles.as_slice() {
        [one, other, ..] => Some((
            [one.name.clone(), other.name.clone()],
            format!("{app_role} may become them and they own nothing"),
        )),
        _ => None,
    }
}
