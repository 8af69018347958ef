//! Names that a definer function takes from the caller: a temporary table, view or type, and what stands in a schema that
//! the caller may write to.

mod functions_of_ones_own;
mod occasions;
mod relations;
mod spy;
mod types;

use super::{Hunt, stage::Actor};
use crate::{
    catalog::{Function, mentions},
    finding::{TenantContext, Verb},
    rules,
    session::{Session, SessionError, identifier, literal},
};

/// Tries to slip something under every definer function.
pub(super) async fn run(hunt: &mut Hunt) -> Result<(), SessionError> {
    let definers: Vec<Function> = hunt
        .stage
        .catalog
        .functions
        .iter()
        .filter(|function| function.definer && !function.extension && hunt.stage.wants(&function.object()))
        .cloned()
        .collect();
    for function in definers {
        if hunt.spent() {
            return Ok(());
        }
        if hunt.has(&function.object()) || hunt.unbound().is_some() {
            continue;
        }
        let occasions = occasions::occasions(hunt, &function).await?;
        if occasions.is_empty() {
            continue;
        }
        let _ = relations::run(hunt, &function, &occasions).await?
            || types::run(hunt, &function, &occasions).await?
            || functions_of_ones_own::run(hunt, &function, &occasions).await?;
    }
    Ok(())
}

/// Where something can be slipped in: a schema, and what makes it and puts it in the way.
struct Place {
    schema: String,
    made: Vec<String>,
}

/// Returns where names of relations are looked up before they are found where they should be.
fn places(hunt: &Hunt, function: &Function) -> Vec<Place> {
    let mut places = Vec::new();
    if !temporary_is_last(function) {
        places.push(Place { schema: "pg_temp".to_owned(), made: Vec::new() });
    }
    places.extend(writable_place(hunt, function));
    places
}

/// Returns the schema that the caller may write to and that a function looks into.
fn writable_place(hunt: &Hunt, function: &Function) -> Option<Place> {
    let (schema, mut made) = writable_schema(hunt)?;
    match function.search_path() {
        Some(path) => {
            if !path.split(',').any(|part| part.trim().trim_matches('"') == schema) {
                return None;
            }
        }
        None => made.push(format!(
            "select set_config('search_path', {} || ', ' || current_setting('search_path') || ', pg_catalog', true)",
            literal(&identifier(&schema))
        )),
    }
    Some(Place { schema, made })
}

/// Tells whether the search path ends with the temporary schema, which comes first where it is not named.
fn temporary_is_last(function: &Function) -> bool {
    function.search_path().is_some_and(|path| {
        path.split(',').next_back().is_some_and(|part| part.trim().trim_matches('"') == "pg_temp")
    })
}

/// Tells whether a source says a name without the schema before it.
fn unqualified(source: &str, name: &str) -> bool {
    mentions(source, name)
        && source.match_indices(name).any(|(at, _)| {
            let before = source[..at].chars().next_back();
            !matches!(before, Some('.'))
                && !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '"')
        })
}

/// Returns a schema that the role may create in, with what makes it where it has to be made first.
pub(super) fn writable_schema(hunt: &Hunt) -> Option<(String, Vec<String>)> {
    let roles = hunt.stage.roles_in_play();
    let catalog = &hunt.stage.catalog;
    let own = catalog.schemas.iter().find(|schema| {
        roles.iter().any(|role| {
            catalog.has(*role, &schema.grants, "CREATE") && catalog.has(*role, &schema.grants, "USAGE")
        })
    });
    if let Some(schema) = own {
        return Some((schema.name.clone(), Vec::new()));
    }
    roles.iter().any(|role| catalog.has(*role, &catalog.database_grants, "CREATE")).then(|| {
        let made =
            vec!["create schema nf_own".to_owned(), "grant usage on schema nf_own to public".to_owned()];
        ("nf_own".to_owned(), made)
    })
}

/// Lets the function run after what was slipped under it, and listens.
async fn played(
    hunt: &mut Hunt,
    function: &Function,
    before: &[String],
    occasions: &[String],
) -> Result<bool, SessionError> {
    // A connection that has called the function before has resolved its names already.
    hunt.stage.used = Session::open(&hunt.stage.url, "novelfoundry isolation").await?;
    for occasion in occasions {
        hunt.count(&function.object(), Verb::Execute, TenantContext::Tenant, "hijack");
        let mut script = before.to_vec();
        script.push(occasion.clone());
        let baseline = hunt.baseline.clone();
        let outcome = hunt.stage.attempt(Actor::Attacker, &script, Some(&baseline)).await?;
        let evidence = match hunt.told(&outcome, &script.join("; ")) {
            Some(word) => format!("with a name of the caller's in its way it told {}", hunt.shown(&word)),
            None if !outcome.changed.is_empty() => {
                "with a name of the caller's in its way it changed another tenant's rows".to_owned()
            }
            None if outcome.answers.len() < before.len() => return Ok(false),
            None => continue,
        };
        hunt.call_leak(&rules::HIJACK, function, TenantContext::Tenant, &script, &evidence);
        return Ok(true);
    }
    Ok(false)
}
