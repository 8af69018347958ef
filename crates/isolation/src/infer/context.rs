//! How a tenant's context is opened, by the settings and claims that policies read.

use regex_lite::Regex;
use serde_json::json;

use super::all_text;
use crate::{
    catalog::{Catalog, mentions},
    config::Config,
};

/// Words in the name of a setting that holds a person.
const PERSON_WORDS: &[&str] =
    &["user", "uid", "person", "member", "principal", "actor", "staff", "employee", "login", "sub"];

/// Returns the settings that a text reads.
pub fn settings_read(text: &str) -> Vec<String> {
    let Ok(pattern) = Regex::new(r"current_setting\(\s*'([^']+)'") else { return Vec::new() };
    let mut names: Vec<String> = pattern.captures_iter(text).map(|found| found[1].to_owned()).collect();
    names.sort();
    names.dedup();
    names
}

/// Tells whether a statement acts by becoming another role.
pub fn is_role_change(statement: &str) -> bool {
    let lower = statement.to_ascii_lowercase();
    lower.contains("set local role")
        || lower.trim_start().starts_with("set role")
        || lower.contains("session authorization")
}

fn person_like(setting: &str) -> bool {
    let last = setting.rsplit('.').next().unwrap_or(setting).to_ascii_lowercase();
    let words: Vec<&str> = last.split('_').collect();
    words.iter().any(|word| PERSON_WORDS.contains(word))
}

pub(super) fn context(
    catalog: &Catalog,
    config: &Config,
    tenant_column: Option<&str>,
) -> (Vec<String>, String) {
    let text = all_text(catalog);
    let from_policies: Vec<String> =
        catalog.policies.iter().map(|policy| catalog.policy_text(policy)).collect();
    let from_policies = from_policies.join("\n");
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
            claims_template(catalog, &text, tenant_column, tenant_is_person)
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
    let lower = text.to_ascii_lowercase();
    if statements.is_empty() && mentions(&lower, "session_user") {
        return (
            vec!["SET LOCAL SESSION AUTHORIZATION {principal}".to_owned()],
            "the policies compare with the login".to_owned(),
        );
    }
    if statements.is_empty() && mentions(&lower, "current_user") {
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
fn claims_template(
    catalog: &Catalog,
    text: &str,
    tenant_column: Option<&str>,
    tenant_is_person: bool,
) -> String {
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
    keys.extend(claims_asked_for(catalog, text).into_iter().map(|key| vec![key]));
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

/// Returns the keys with which a helper that reads one of the claims is called.
fn claims_asked_for(catalog: &Catalog, text: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let helpers = catalog.functions.iter().filter(|function| {
        function.argument_types.len() == 1 && !function.extension && {
            let argument = function.argument_names.first().map_or("", String::as_str);
            function.source.contains("claims")
                && (function.source.contains("$1")
                    || !argument.is_empty() && mentions(&function.source, argument))
        }
    });
    for helper in helpers {
        let Ok(pattern) = Regex::new(&format!(r"\b{}\(\s*'([^']+)'", helper.name)) else { continue };
        keys.extend(pattern.captures_iter(text).map(|found| found[1].to_owned()));
    }
    keys.sort();
    keys.dedup();
    keys
}
