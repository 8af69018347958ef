//! Works out from the catalogue whom an attack acts as and how a tenant's context is opened, and says why.

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde_json::json;

use crate::{
    catalog::{Catalog, Relation, Role, mentions},
    config::{Config, Preset},
    report::Inferred,
};

/// Names that a column of tenants usually has, likeliest first.
const TENANT_NAMES: &[&str] = &[
    "tenant_id",
    "tenant",
    "tenant_uuid",
    "organization_id",
    "organisation_id",
    "org_id",
    "org",
    "workspace_id",
    "workspace",
    "account_id",
    "account",
    "company_id",
    "company",
    "customer_id",
    "client_id",
    "team_id",
    "group_id",
    "site_id",
    "shop_id",
    "store_id",
    "school_id",
    "clinic_id",
    "hotel_id",
    "club_id",
    "firm_id",
    "business_id",
    "merchant_id",
    "household_id",
    "owner_id",
    "user_id",
    "owner",
    "tenant_name",
    "realm",
];

/// Words in the name of a setting that holds a person.
const PERSON_WORDS: &[&str] =
    &["user", "uid", "person", "member", "principal", "actor", "staff", "employee", "login", "sub"];

/// Whom an attack acts as, and how.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The app's role.
    pub app_role: String,
    /// The column of tenants, where there is one.
    pub tenant_column: Option<String>,
    /// Two tenants that exist, the attacker first; none where they are to be made.
    pub tenants: Option<[String; 2]>,
    /// What opens a context, with `{tenant}` and `{principal}`.
    pub context: Vec<String>,
    /// Who acts for each tenant.
    pub principals: Option<[String; 2]>,
    /// What was worked out, and why.
    pub inferred: BTreeMap<String, Inferred>,
}

/// Why an attack has no subject.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InferError {
    /// Several would do.
    #[error("{what} is not clear: it could be {}; name one in isolation.toml or by its flag", candidates.join(", "))]
    Ambiguous {
        /// What is sought.
        what: &'static str,
        /// What it could be.
        candidates: Vec<String>,
    },
    /// None would do.
    #[error("{what} was not found: {why}")]
    Missing {
        /// What is sought.
        what: &'static str,
        /// Why nothing fits.
        why: String,
    },
}

/// Works out what the configuration leaves open.
pub fn infer(catalog: &Catalog, config: &Config) -> Result<Subject, InferError> {
    let mut inferred = BTreeMap::new();
    let tenant_column = config.tenant_column.clone().or_else(|| {
        let (column, because) = tenant_column(catalog)?;
        inferred.insert("tenant_column".to_owned(), Inferred { value: json!(column), because });
        Some(column)
    });
    let app_role = if let Some(name) = &config.app_role {
        if catalog.role(name).is_none() {
            return Err(InferError::Missing {
                what: "the app's role",
                why: format!("the server has no role {name}"),
            });
        }
        name.clone()
    } else {
        let (role, because) = app_role(catalog, config, tenant_column.as_deref())?;
        inferred.insert("app_role".to_owned(), Inferred { value: json!(role), because });
        role
    };
    let context = if let Some(statements) = &config.context {
        statements.list()
    } else {
        let (statements, because) = context(catalog, config, tenant_column.as_deref());
        inferred.insert("context".to_owned(), Inferred { value: json!(statements), because });
        statements
    };
    let pair = |list: &Option<Vec<String>>| match list.as_deref() {
        Some([one, other]) => Some([one.clone(), other.clone()]),
        _ => None,
    };
    let (mut tenants, mut principals) = (pair(&config.tenants), pair(&config.principals));
    if tenants.is_none()
        && principals.is_none()
        && let Some((roles, because)) = role_tenants(catalog, &app_role, &context)
    {
        inferred.insert("principals".to_owned(), Inferred { value: json!(roles), because });
        principals = Some(roles);
    }
    if context.iter().any(|statement| statement.contains("{tenant}") && is_role_change(statement))
        && tenants.is_none()
    {
        tenants.clone_from(&principals);
    }
    Ok(Subject { app_role, tenant_column, tenants, context, principals, inferred })
}

/// Tells whether a statement acts by becoming another role.
pub fn is_role_change(statement: &str) -> bool {
    let lower = statement.to_ascii_lowercase();
    lower.contains("set local role")
        || lower.trim_start().starts_with("set role")
        || lower.contains("session authorization")
}

/// Returns the settings that a text reads.
pub fn settings_read(text: &str) -> Vec<String> {
    let Ok(pattern) = Regex::new(r"current_setting\(\s*'([^']+)'") else { return Vec::new() };
    let mut names: Vec<String> = pattern.captures_iter(text).map(|found| found[1].to_owned()).collect();
    names.sort();
    names.dedup();
    names
}

fn tenant_column(catalog: &Catalog) -> Option<(String, String)> {
    let mut votes: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for relation in catalog.relations.iter().filter(|relation| relation.is_table() && !relation.extension) {
        for column in &relation.columns {
            let in_policies = catalog.policies.iter().any(|policy| {
                policy.table == relation.oid
                    && policy.columns.contains(&column.number)
                    && compares(policy, &column.name)
            });
            let known = TENANT_NAMES.contains(&column.name.to_ascii_lowercase().as_str());
            if in_policies || known {
                let vote = votes.entry(column.name.as_str()).or_default();
                vote.0 += usize::from(in_policies);
                vote.1 += 1;
            }
        }
    }
    let rank = |name: &str| {
        let lower = name.to_ascii_lowercase();
        TENANT_NAMES.iter().position(|known| *known == lower)
    };
    let score = |name: &str, (policies, tables): (usize, usize)| {
        let by_name =
            rank(name).map_or(0.0, |rank| 3.0 - f64::from(u32::try_from(rank).unwrap_or(40)) / 15.0);
        let plain = if name == "id" { 1.0 } else { 0.0 };
        let (policies, tables) = (u32::try_from(policies).unwrap_or(99), u32::try_from(tables).unwrap_or(99));
        f64::from(policies) * 2.0 + f64::from(tables) * 0.4 + by_name * 2.0 - plain * 4.0
    };
    let (name, (policies, tables)) =
        votes.iter().max_by(|one, other| score(one.0, *one.1).total_cmp(&score(other.0, *other.1)))?;
    let because = format!("{policies} tables' policies read it, {tables} tables have it");
    Some(((*name).to_owned(), because))
}

/// Tells whether a policy compares a column with something, rather than asking whether it is null.
fn compares(policy: &crate::catalog::Policy, column: &str) -> bool {
    let pattern =
        format!(r"\b{column}\b[^=<>~]{{0,40}}?(?:=|~~|\bIN\b|\^@)|(?:=|ANY \(|~~)\s*\(*(?:\w+\.)?{column}\b");
    let Ok(pattern) = Regex::new(&pattern) else { return true };
    [&policy.using, &policy.check].into_iter().flatten().any(|text| {
        pattern.find_iter(text).any(|found| !found.as_str().contains(" IS "))
            || text.contains('(') && !text.contains(&format!("{column} IS "))
    })
}

fn app_role(
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

fn person_like(setting: &str) -> bool {
    let last = setting.rsplit('.').next().unwrap_or(setting).to_ascii_lowercase();
    let words: Vec<&str> = last.split('_').collect();
    words.iter().any(|word| PERSON_WORDS.contains(word))
}

fn context(catalog: &Catalog, config: &Config, tenant_column: Option<&str>) -> (Vec<String>, String) {
    let mut text = String::new();
    for policy in &catalog.policies {
        text.push_str(&catalog.policy_text(policy));
        text.push('\n');
    }
    let from_policies = text.clone();
    for function in catalog.functions.iter().filter(|function| !function.extension) {
        text.push_str(&function.source);
        text.push('\n');
    }
    for relation in &catalog.relations {
        text.push_str(relation.definition.as_deref().unwrap_or_default());
        text.push('\n');
    }
    let mut settings = settings_read(&from_policies);
    let mut because = "the policies read it";
    if settings.is_empty() {
        settings = settings_read(&text);
        because = "functions and views read it";
    }
    settings.retain(|name| name.contains('.') && !is_switch(&text, name));
    let claims = settings.iter().any(|name| name == "request.jwt.claims")
        || config.preset.is_some()
        || mentions(&text, "auth.uid")
        || mentions(&text, "auth.jwt");
    let tenant_is_person = tenant_column.is_some_and(|name| person_like(name) || name == "owner");
    let mut statements = Vec::new();
    if claims {
        statements.push(format!(
            "SET LOCAL request.jwt.claims = '{}'",
            claims_template(&text, tenant_column, tenant_is_person)
        ));
        because = "the policies read claims";
    }
    let plain: Vec<&String> = settings.iter().filter(|name| *name != "request.jwt.claims").collect();
    for name in &plain {
        let person = person_like(name) && !tenant_is_person;
        let role_like = name.to_ascii_lowercase().ends_with("role");
        let value = if role_like && plain.len() > 1 {
            continue;
        } else if person {
            "{principal}"
        } else {
            "{tenant}"
        };
        statements.push(format!("SET LOCAL {} = '{value}'", quoted_setting(name)));
    }
    if statements.is_empty() && (mentions(&text, "CURRENT_USER") || mentions(&text, "current_user")) {
        return (
            vec!["SET LOCAL ROLE {principal}".to_owned()],
            "the policies compare with the current user".to_owned(),
        );
    }
    (statements, because.to_owned())
}

/// Tells whether a setting is compared with a fixed word: a switch, no name of a tenant.
fn is_switch(text: &str, name: &str) -> bool {
    let pattern = format!(
        r"current_setting\(\s*'{}'[^)]*\)\)*(?:,\s*''(?:::text)?\))?\s*(?:::\w+\s*)?(?:=|<>)\s*'[^']+'",
        name.replace('.', "\\.")
    );
    Regex::new(&pattern).is_ok_and(|pattern| pattern.is_match(text))
}

fn quoted_setting(name: &str) -> String {
    let plain = name.split('.').all(|part| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    });
    if plain {
        name.to_owned()
    } else {
        name.split('.').map(crate::session::identifier).collect::<Vec<_>>().join(".")
    }
}

/// Writes claims with every path that the schema reads.
fn claims_template(text: &str, tenant_column: Option<&str>, tenant_is_person: bool) -> String {
    let person = if tenant_is_person { "{tenant}" } else { "{principal}" };
    let mut claims = json!({ "sub": person, "role": "authenticated" });
    let mut keys: Vec<Vec<String>> = Vec::new();
    if let Ok(pattern) = Regex::new(r"->\s*'([^']+)'(?:::text)?\)?\s*->>\s*'([^']+)'") {
        keys.extend(pattern.captures_iter(text).map(|found| vec![found[1].to_owned(), found[2].to_owned()]));
    }
    if let Ok(pattern) = Regex::new(r"#>>\s*'\{([^}']+)\}'") {
        keys.extend(
            pattern
                .captures_iter(text)
                .map(|found| found[1].split(',').map(|part| part.trim().to_owned()).collect()),
        );
    }
    if let Ok(pattern) = Regex::new(r"->>\s*'([^']+)'") {
        let nested: Vec<String> = keys.iter().filter_map(|path| path.last().cloned()).collect();
        let single = pattern.captures_iter(text).map(|found| found[1].to_owned());
        keys.extend(single.filter(|key| !nested.contains(key)).map(|key| vec![key]));
    }
    if keys.is_empty() {
        keys.push(vec!["app_metadata".to_owned(), tenant_column.unwrap_or("tenant_id").to_owned()]);
    }
    for path in keys {
        let last = path.last().cloned().unwrap_or_default();
        if path.len() == 1 && matches!(last.as_str(), "sub" | "role" | "aud" | "iss" | "exp") {
            continue;
        }
        // What the end user edits is no place to take a tenant from.
        let value = if last.ends_with("role") {
            continue;
        } else if person_like(&last) && !tenant_is_person {
            "{principal}"
        } else {
            "{tenant}"
        };
        let mut place = &mut claims;
        for key in &path[..path.len() - 1] {
            if !place[key.as_str()].is_object() {
                place[key.as_str()] = json!({});
            }
            place = &mut place[key.as_str()];
        }
        place[last.as_str()] = json!(value);
    }
    claims.to_string()
}

/// Returns two roles that stand for tenants, where a context means becoming one.
fn role_tenants(catalog: &Catalog, app_role: &str, context: &[String]) -> Option<([String; 2], String)> {
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
