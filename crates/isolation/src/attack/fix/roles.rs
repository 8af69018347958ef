//! Takes from the app's role what leads around isolation: memberships, attributes, settings, ownership.

use std::collections::{BTreeMap, BTreeSet};

use super::{Candidate, Shown, privileges};
use crate::{
    attack::Hunt,
    catalog::{Relation, Role},
    rules,
    session::identifier,
};

/// Returns what could end a finding about a role.
pub(super) fn candidates(hunt: &Hunt, shown: &Shown, name: &str) -> Vec<Candidate> {
    let catalog = &hunt.stage.catalog;
    let Some(role) = catalog.role(name) else { return Vec::new() };
    if shown.rule.id == rules::UNDOES.id {
        return owned_by_app(hunt);
    }
    let mut found = Vec::new();
    let settings = settings(hunt, shown, role);
    if !settings.is_empty() {
        found.push(Candidate { untried: true, ..Candidate::of(settings) });
    }
    if role.oid == hunt.stage.app {
        if role.superuser || role.bypassrls {
            let role = identifier(name);
            found.push(Candidate::closing(vec![format!("alter role {role} nosuperuser nobypassrls")]));
        }
        // Whom it became stands in what was shown.
        for other in became(hunt, shown) {
            found.push(Candidate::closing(memberships(hunt, other)));
        }
        if role.createrole {
            found.push(Candidate::closing(vec![format!("alter role {} nocreaterole", identifier(name))]));
        }
        let predefined: BTreeSet<u32> = privileges::acting(hunt)
            .into_iter()
            .filter(|oid| catalog.role_by_oid(*oid).is_some_and(|role| role.predefined))
            .collect();
        for other in predefined {
            found.push(Candidate::closing(memberships(hunt, other)));
        }
    } else {
        found.push(Candidate::closing(memberships(hunt, role.oid)));
        if catalog.role_by_oid(hunt.stage.app).is_some_and(|app| app.createrole) {
            let app = identifier(&hunt.stage.subject.app_role);
            found.push(Candidate::closing(vec![format!("alter role {app} nocreaterole")]));
        }
    }
    found
}

/// Returns the roles that the statements become.
fn became(hunt: &Hunt, shown: &Shown) -> Vec<u32> {
    let names = shown.statements.iter().filter_map(|statement| statement.strip_prefix("set local role "));
    names
        .filter_map(|name| {
            hunt.stage.catalog.roles.iter().find(|role| identifier(&role.name) == name).map(|role| role.oid)
        })
        .collect()
}

/// Ends the memberships by which a role is reached.
fn memberships(hunt: &Hunt, role: u32) -> Vec<String> {
    let acting = privileges::acting(hunt);
    let catalog = &hunt.stage.catalog;
    let members: BTreeSet<u32> = catalog
        .memberships
        .iter()
        .filter(|membership| membership.role == role && acting.contains(&membership.member))
        .map(|membership| membership.member)
        .collect();
    let name = |oid: u32| catalog.role_by_oid(oid).map(|role| identifier(&role.name));
    members
        .into_iter()
        .filter_map(|member| Some(format!("revoke {} from {}", name(role)?, name(member)?)))
        .collect()
}

/// Resets what the role, or the database, brings to a connection.
fn settings(hunt: &Hunt, shown: &Shown, role: &Role) -> Vec<String> {
    let wanted = |name: &str| {
        if shown.rule.id == rules::LARGE_OBJECT.id {
            name == "lo_compat_privileges"
        } else {
            hunt.stage
                .subject
                .context
                .iter()
                .filter_map(|statement| crate::attack::stage::setting_of(statement))
                .any(|own| own == name)
        }
    };
    let quoted = |name: &str| name.split('.').map(identifier).collect::<Vec<_>>().join(".");
    let database = identifier(&hunt.stage.catalog.database);
    hunt.stage
        .catalog
        .settings
        .iter()
        .filter_map(|setting| {
            let (name, _) = setting.setting.split_once('=')?;
            if !wanted(name) || setting.role != role.oid && setting.role != 0 {
                return None;
            }
            let name = quoted(name);
            let within = if setting.here { format!(" in database {database}") } else { String::new() };
            Some(match setting.role {
                0 if setting.here => format!("alter database {database} reset {name}"),
                0 => format!("alter role all reset {name}"),
                _ => format!("alter role {}{within} reset {name}", identifier(&role.name)),
            })
        })
        .collect()
}

/// Gives all that isolates, and that the app's role owns, to somebody else.
fn owned_by_app(hunt: &Hunt) -> Vec<Candidate> {
    let acting = privileges::acting(hunt);
    let mut statements = Vec::new();
    for schema in hunt.stage.catalog.schemas.iter().filter(|schema| acting.contains(&schema.owner)) {
        if let Some(owner) = other_owner(hunt, &schema.name) {
            let (name, app) = (identifier(&schema.name), identifier(&hunt.stage.subject.app_role));
            statements.push(format!("alter schema {name} owner to {owner}"));
            statements.push(format!("grant usage on schema {name} to {app}"));
        }
    }
    let owned = hunt.stage.catalog.relations.iter().filter(|relation| acting.contains(&relation.owner));
    for relation in owned.filter(|relation| relation.is_table() && !relation.extension) {
        statements.extend(given_away(hunt, relation));
    }
    vec![Candidate::closing(statements)]
}

/// Gives a table to whoever owns the others, and leaves the app what it needs for its work.
pub(super) fn given_away(hunt: &Hunt, relation: &Relation) -> Vec<String> {
    let Some(owner) = other_owner(hunt, &relation.schema) else { return Vec::new() };
    let table = relation.quoted();
    let mut statements = vec![format!("alter table {table} owner to {owner}")];
    if relation.rls && !relation.force {
        statements.push(format!("alter table {table} force row level security"));
    }
    let app = identifier(&hunt.stage.subject.app_role);
    statements.push(format!("grant select, insert, update, delete on {table} to {app}"));
    statements
}

/// Returns who owns most of a schema beside the app, else the schema or the database.
pub(super) fn other_owner(hunt: &Hunt, schema: &str) -> Option<String> {
    let catalog = &hunt.stage.catalog;
    let acting = privileges::acting(hunt);
    let mut owners: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
    for relation in catalog.relations.iter().filter(|relation| !acting.contains(&relation.owner)) {
        let number = owners.entry(relation.owner).or_default();
        number.0 += usize::from(relation.schema == schema);
        number.1 += 1;
    }
    let most = owners
        .into_iter()
        .max_by_key(|(owner, number)| (*number, std::cmp::Reverse(*owner)))
        .map(|(owner, _)| owner);
    let of_schema = catalog.schemas.iter().find(|other| other.name == schema).map(|schema| schema.owner);
    [most, of_schema, Some(catalog.database_owner), Some(10)]
        .into_iter()
        .flatten()
        .filter(|owner| !acting.contains(owner))
        .find_map(|owner| catalog.role_by_oid(owner))
        .filter(|role| !role.predefined || role.oid == 10)
        .map(|role| identifier(&role.name))
}
