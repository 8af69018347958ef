//! Calls every function that the role may call, with arguments that are the victim's, and listens to everything.

use super::{
    Hunt,
    stage::{Actor, Stage},
};
use crate::{
    catalog::{Catalog, Function, Relation},
    finding::{TenantContext, Verb},
    rules,
    session::{SessionError, literal},
};

/// Calls of one function in one context.
const CALLS: usize = 80;

/// Words in names of columns that hold what only its owner knows.
const SECRET: &[&str] = &[
    "token",
    "secret",
    "hash",
    "password",
    "passwd",
    "signature",
    "nonce",
    "otp",
    "pin",
    "apikey",
    "private",
];

/// Words that make a code or key one that only its holder knows.
const SHARED_SECRETLY: &[&str] = &[
    "invite",
    "invitation",
    "share",
    "access",
    "join",
    "reset",
    "verif",
    "redeem",
    "login",
    "auth",
    "link",
    "api",
];

/// Tells whether a column of a table holds a secret, by their names.
pub(super) fn is_secret(table: &str, column: &str) -> bool {
    let (table, column) = (table.to_ascii_lowercase(), column.to_ascii_lowercase());
    let words: Vec<&str> = column.split('_').collect();
    let holds = |text: &str| SHARED_SECRETLY.iter().any(|word| text.contains(word));
    SECRET.iter().any(|word| words.contains(word) || word.len() > 4 && column.contains(word))
        || (words.contains(&"code") || words.contains(&"key")) && (holds(&column) || holds(&table))
}

/// Returns the functions that can be called.
pub(super) fn callable(stage: &Stage) -> Vec<Function> {
    let roles = stage.roles_in_play();
    stage
        .catalog
        .functions
        .iter()
        .filter(|function| matches!(function.kind.as_str(), "f" | "p"))
        .filter(|function| !function.extension || function.definer)
        .filter(|function| {
            let returns = stage.catalog.types.get(&function.returns).map(|info| info.name.as_str());
            !matches!(
                returns,
                Some("trigger" | "event_trigger" | "internal" | "language_handler" | "fdw_handler")
            )
        })
        .filter(|function| {
            roles.iter().any(|role| {
                stage.catalog.has(*role, &function.grants, "EXECUTE")
                    && stage.catalog.uses_schema(*role, &function.schema)
            })
        })
        .cloned()
        .collect()
}

/// Returns the calls of set-returning functions that need no argument.
pub(super) fn plain_calls(stage: &Stage) -> Vec<String> {
    callable(stage)
        .iter()
        .filter(|function| {
            function.kind == "f"
                && function.argument_types.len() == usize::try_from(function.defaults).unwrap_or_default()
        })
        .map(|function| format!("select * from {}()", function.quoted()))
        .collect()
}

/// Calls everything.
pub(super) async fn run(hunt: &mut Hunt) -> Result<(), SessionError> {
    let context = hunt.stage.subject.context.join("\n");
    for function in callable(&hunt.stage) {
        // To open another tenant's context is not an attack but another context.
        if context.contains('(') && crate::catalog::mentions(&context, &function.name) {
            continue;
        }
        let arguments = arguments(hunt, &function);
        for context in TenantContext::ALL {
            for call in &arguments {
                if hunt.spent() {
                    return Ok(());
                }
                play(hunt, &function, context, &call.0).await?;
            }
        }
        tells(hunt, &function, &arguments).await?;
    }
    Ok(())
}

pub(super) fn statement(function: &Function, arguments: &[String]) -> String {
    let call = format!("{}({})", function.quoted(), arguments.join(", "));
    if function.kind == "p" { format!("call {call}") } else { format!("select * from {call}") }
}

async fn play(
    hunt: &mut Hunt,
    function: &Function,
    context: TenantContext,
    arguments: &[String],
) -> Result<(), SessionError> {
    let object = function.object();
    hunt.count(&object, Verb::Execute, context, &arguments.len().to_string());
    let statements = vec![statement(function, arguments)];
    let baseline = hunt.baseline.clone();
    let outcome = hunt.stage.attempt(Actor::of(context), &statements, Some(&baseline)).await?;
    let asked = &statements[0];
    let word = match &outcome.refusal {
        Some(refusal) => hunt.tokens.in_refusal(refusal, asked),
        None => outcome.last().and_then(|answer| hunt.tokens.in_answer(answer, asked)),
    }
    .or_else(|| hunt.tokens.in_heard(&outcome.heard, asked));
    if let Some(word) = word
        && !passes_on(hunt, function, context)
    {
        let evidence = format!("it told {}", hunt.shown(&word));
        hunt.call_leak(&rules::REVEALS, function, context, &statements, &evidence);
    }
    if !outcome.changed.is_empty() && !passes_on_write(hunt, function, &outcome.changed) {
        let names: Vec<String> = outcome
            .changed
            .iter()
            .filter_map(|oid| hunt.stage.catalog.relation(*oid))
            .map(Relation::object)
            .collect();
        let evidence = format!("another tenant's rows of {} are not what they were", names.join(", "));
        hunt.call_leak(&rules::ACTS, function, context, &statements, &evidence);
    }
    Ok(())
}

/// Tells whether a function with its caller's rights only shows what a relation shows anyway.
fn passes_on(hunt: &Hunt, function: &Function, context: TenantContext) -> bool {
    !function.definer
        && hunt.read_leaks.iter().any(|(oid, where_)| {
            *where_ == context
                && hunt
                    .stage
                    .catalog
                    .relation(*oid)
                    .is_some_and(|relation| crate::catalog::mentions(&function.source, &relation.name))
        })
}

fn passes_on_write(hunt: &Hunt, function: &Function, changed: &[u32]) -> bool {
    !function.definer
        && changed
            .iter()
            .filter_map(|oid| hunt.stage.catalog.relation(*oid))
            .all(|relation| hunt.has_write_leak(&relation.object()))
}

/// Tells whether a function answers otherwise where the victim does not exist.
async fn tells(
    hunt: &mut Hunt,
    function: &Function,
    calls: &[(Vec<String>, Vec<String>)],
) -> Result<(), SessionError> {
    let object = function.object();
    if hunt.has(&object) || passes_on(hunt, function, TenantContext::Tenant) {
        return Ok(());
    }
    for (theirs, nobodys) in calls {
        if hunt.spent() {
            return Ok(());
        }
        // A value whose place nobody else's takes is one that cannot be guessed.
        if theirs
            .iter()
            .zip(nobodys)
            .any(|(own, other)| own == other && own.len() == 38 && own.matches('-').count() == 4)
        {
            continue;
        }
        hunt.count(&object, Verb::Existence, TenantContext::Tenant, "world without");
        let statements = vec![statement(function, theirs)];
        if hunt.interferes(&statements).await? {
            let (rule, verb) = if theirs.is_empty() || theirs == nobodys {
                (&rules::INTERFERES, Verb::Execute)
            } else {
                (&rules::EXISTENCE, Verb::Existence)
            };
            let evidence = "the answer is another one where the other tenant's rows do not exist";
            hunt.call_leak_as(rule, verb, function, TenantContext::Tenant, &statements, evidence);
            return Ok(());
        }
    }
    Ok(())
}

/// A value of the victim's for an argument, one that nobody has, and whether the former is hard to guess.
struct Choice {
    theirs: String,
    nobodys: String,
    likely: u8,
}

/// Returns the arguments of the calls to make: the victim's values, and beside each what nobody has.
pub(super) fn arguments(hunt: &Hunt, function: &Function) -> Vec<(Vec<String>, Vec<String>)> {
    let count = function.argument_types.len();
    if count == 0 {
        return vec![(Vec::new(), Vec::new())];
    }
    let mut choices: Vec<Vec<Choice>> = Vec::new();
    for (index, kind) in function.argument_types.iter().enumerate() {
        let name = function.argument_names.get(index).map_or("", String::as_str);
        let mut of_argument = choices_for(hunt, &hunt.stage.catalog, *kind, name, &function.source);
        of_argument.sort_by_key(|choice| std::cmp::Reverse(choice.likely));
        choices.push(of_argument);
    }
    let mut calls: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    let mut first = true;
    let mut push = |picked: Vec<usize>| {
        let pick = |nobody: bool| -> Vec<String> {
            picked
                .iter()
                .enumerate()
                .map(|(argument, at)| {
                    let choice = choices[argument].get(*at);
                    choice.map_or_else(
                        || "null".to_owned(),
                        |choice| if nobody { choice.nobodys.clone() } else { choice.theirs.clone() },
                    )
                })
                .collect()
        };
        let call = (pick(false), pick(true));
        if !calls.contains(&call) {
            calls.push(call.clone());
        }
        // One value of the victim's among others that say nothing: what is told of its row is then not what was asked.
        if first && count > 1 {
            for argument in 0..count {
                let mut mixed = call.1.clone();
                mixed[argument].clone_from(&call.0[argument]);
                calls.push((mixed, call.1.clone()));
            }
            first = false;
        }
    };
    push(vec![0; count]);
    for argument in 0..count {
        for at in 0..choices[argument].len().min(24) {
            let mut picked = vec![0; count];
            picked[argument] = at;
            push(picked);
        }
    }
    if count > 1 {
        for one in 0..choices[0].len().min(9) {
            for other in 0..choices[1].len().min(9) {
                let mut picked = vec![0; count];
                picked[0] = one;
                picked[1] = other;
                push(picked);
            }
        }
    }
    let needed = count - usize::try_from(function.defaults).unwrap_or_default();
    let shorter: Vec<(Vec<String>, Vec<String>)> = (needed..count)
        .rev()
        .filter_map(|length| {
            calls.first().map(|(theirs, nobodys)| (theirs[..length].to_vec(), nobodys[..length].to_vec()))
        })
        .collect();
    // What has a default may be left out of every call.
    if needed > 0 && needed < count {
        let short: Vec<_> = calls
            .iter()
            .map(|(theirs, nobodys)| (theirs[..needed].to_vec(), nobodys[..needed].to_vec()))
            .collect();
        calls = short.into_iter().zip(calls).flat_map(|(one, other)| [one, other]).collect();
    }
    let mut seen = Vec::new();
    calls.retain(|call| {
        let new = !seen.contains(call);
        seen.push(call.clone());
        new
    });
    calls.truncate(CALLS);
    calls.splice(0..0, shorter);
    calls
}

fn choices_for(hunt: &Hunt, catalog: &Catalog, kind: u32, name: &str, source: &str) -> Vec<Choice> {
    let Some(info) = catalog.base_type(kind) else { return Vec::new() };
    let lower = name.to_ascii_lowercase();
    let own = |likely: u8, theirs: &str, nobodys: &str| Choice {
        theirs: literal(theirs),
        nobodys: literal(nobodys),
        likely,
    };
    let mut choices = Vec::new();
    match info.category.as_str() {
        "B" => choices.extend([own(3, "true", "true"), own(2, "false", "false")]),
        "D" => choices.extend([
            own(3, "2000-01-01", "2000-01-01"),
            own(2, "2099-01-01", "2099-01-01"),
            own(1, "2026-06-01", "2026-06-01"),
        ]),
        "T" => choices.push(own(1, "10 years", "10 years")),
        "A" => {
            for choice in choices_for(hunt, catalog, info.base, name, source) {
                let array = |value: &str| format!("array[{value}]");
                choices.push(Choice {
                    theirs: array(&choice.theirs),
                    nobodys: array(&choice.nobodys),
                    likely: choice.likely,
                });
            }
            return choices;
        }
        _ => {}
    }
    let victim = &hunt.stage.victim;
    let column = hunt.stage.subject.tenant_column.as_deref().unwrap_or("tenant_id");
    let stem = column.trim_end_matches("_id").to_ascii_lowercase();
    for table in catalog.relations.iter().filter(|relation| relation.is_table() && !relation.extension) {
        let rows = hunt.seeds.rows_of(table.oid, victim);
        let Some(row) = rows.first() else { continue };
        for field in &table.columns {
            let Some(Some(value)) = row.get(&field.name) else { continue };
            let same_type = catalog.base_type(field.type_oid).is_some_and(|other| {
                other.oid == info.oid
                    || other.category == "S" && info.category == "S"
                    || other.category == "N" && info.category == "N"
            });
            if !same_type || is_secret(&table.name, &field.name) || value.len() > 200 {
                continue;
            }
            let plain = field.name.to_ascii_lowercase();
            let mut likely = 3;
            if !lower.is_empty()
                && (lower == plain
                    || lower.trim_start_matches("p_").trim_start_matches('_').trim_start_matches("in_")
                        == plain
                    || lower.ends_with(&plain))
            {
                likely += 6;
            }
            let singular = table.name.trim_end_matches('s').to_ascii_lowercase();
            if lower.contains(&singular) || lower.contains(table.name.as_str()) {
                likely += 3;
            }
            if crate::catalog::mentions(source, &table.name) {
                likely += 3;
            }
            if crate::catalog::mentions(source, &field.name) {
                likely += 2;
            }
            if catalog.key(table.oid).contains(&field.number) {
                likely += 1;
            }
            if *value == victim.id {
                likely = if lower.contains(&stem) || lower.contains("tenant") { 12 } else { likely.min(5) };
            }
            let nobodys = nobodys(&info.name, &info.category, value);
            // Who can name a random key knows it already.
            let nobodys = if info.name == "uuid" { value.clone() } else { nobodys };
            choices.push(own(likely, value, &nobodys));
        }
    }
    if let Some(person) = &victim.principal
        && matches!(info.category.as_str(), "S" | "N" | "U")
    {
        let fits = info.name != "uuid" || person.len() == 36;
        let fits = fits && (info.category != "N" || person.parse::<f64>().is_ok());
        if fits {
            choices.push(own(
                if lower.contains("user") || lower.contains("member") { 11 } else { 4 },
                person,
                person,
            ));
        }
    }
    match (info.category.as_str(), info.name.as_str()) {
        ("S", _) => {
            for (likely, text) in [
                (4, "%"),
                (3, ""),
                (4, "' or true --"),
                (3, "x' or '1'='1"),
                (3, "true"),
                (3, "*"),
                (2, "admin"),
                (2, "1=1"),
                (2, "id"),
            ] {
                choices.push(own(likely, text, text));
            }
            for table in catalog.relations.iter().filter(|relation| relation.is_table()).take(8) {
                choices.push(own(
                    if lower.contains("tab") || lower.contains("rel") { 9 } else { 2 },
                    &table.object(),
                    &table.object(),
                ));
                choices.push(own(
                    if lower.contains("tab") || lower.contains("rel") { 9 } else { 1 },
                    &table.name,
                    &table.name,
                ));
            }
            let injected = if source.contains("||") || source.contains("format(") { 7 } else { 1 };
            for sql in injections(hunt) {
                choices.push(own(injected, &sql, &sql));
            }
            if ["schema", "nsp"].iter().any(|word| lower.contains(word)) {
                for schema in &catalog.schemas {
                    choices.push(own(
                        if schema.name == "public" { 10 } else { 11 },
                        &schema.name,
                        &schema.name,
                    ));
                }
            }
            if ["col", "attr", "field"].iter().any(|word| lower.contains(word)) {
                for table in catalog.relations.iter().filter(|relation| relation.is_table()).take(8) {
                    for field in table.columns.iter().filter(|field| !is_secret(&table.name, &field.name)) {
                        choices.push(own(10, &field.name, &field.name));
                    }
                }
            }
        }
        ("N", "int2" | "int4" | "int8" | "numeric") => {
            for (likely, text) in [(3, "1"), (2, "0"), (2, "1000"), (1, "-1")] {
                choices.push(own(likely, text, text));
            }
        }
        ("U", "json" | "jsonb") => {
            let victim = &victim.id;
            for text in [
                format!("{{\"{column}\": \"{victim}\", \"tenant\": \"{victim}\", \"id\": \"{victim}\"}}"),
                format!("{{\"app_metadata\": {{\"{column}\": \"{victim}\"}}}}"),
                "{}".to_owned(),
            ] {
                choices.push(own(4, &text, &text));
            }
        }
        ("N", "regclass" | "oid") => {
            for table in catalog.relations.iter().filter(|relation| relation.is_table()) {
                choices.push(own(5, &table.quoted(), &table.quoted()));
            }
        }
        _ => {}
    }
    let mut seen = Vec::new();
    choices.sort_by_key(|choice| std::cmp::Reverse(choice.likely));
    choices.retain(|choice| {
        let new = !seen.contains(&choice.theirs);
        seen.push(choice.theirs.clone());
        new
    });
    choices
}

/// Texts that end a quoted string and go on with a statement of the attacker's.
fn injections(hunt: &Hunt) -> Vec<String> {
    let column = hunt.stage.subject.tenant_column.as_deref().unwrap_or("id");
    vec![
        format!("' or {column}::text <> '' --"),
        format!("') or ({column}::text <> ''"),
        "%' or '%'='".to_owned(),
        "x' or 'a' like '".to_owned(),
        "x' or true or 'a' = '".to_owned(),
        "x') or ('a' = 'a".to_owned(),
        "0 or true".to_owned(),
        format!("{column} desc"),
        "true or true".to_owned(),
    ]
}

/// Returns a value of the same form that nobody has.
pub(super) fn nobodys(name: &str, category: &str, value: &str) -> String {
    match (category, name) {
        (_, "uuid") => {
            let flipped = if value.starts_with('0') { '1' } else { '0' };
            format!("{flipped}{}", &value[1..])
        }
        ("N", "int2") => value.parse::<i32>().map_or_else(
            |_| value.to_owned(),
            |number| (if number < 32_000 { number + 571 } else { number - 571 }).to_string(),
        ),
        ("N", _) => value.parse::<i128>().map_or_else(
            |_| "987654.5".to_owned(),
            // Near, so that a check on the range lets it through as well.
            |number| (if number % 2 == 0 { number + 7 } else { number - 7 }).abs().max(2).to_string(),
        ),
        ("S", _) => {
            // Another letter in the middle keeps the form that checks want.
            let middle = value.chars().count() / 2;
            let mut done = false;
            let mut text: String = value
                .chars()
                .enumerate()
                .map(|(at, c)| {
                    if at >= middle && !done && c.is_ascii_alphanumeric() {
                        done = true;
                        return match c {
                            '0'..='8' => char::from(c as u8 + 1),
                            '9' => '1',
                            'x' => 'w',
                            'X' => 'W',
                            c if c.is_ascii_uppercase() => 'X',
                            _ => 'x',
                        };
                    }
                    c
                })
                .collect();
            if !done {
                text.push('x');
            }
            text
        }
        _ => value.to_owned(),
    }
}
