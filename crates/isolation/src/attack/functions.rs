//! Calls every function that the role may call, with arguments that are the victim's, and listens to everything.

use super::{
    Hunt,
    choices::{Choice, choices_for},
    stage::{Actor, Stage},
};
use crate::{
    catalog::{Function, Relation},
    finding::{TenantContext, Verb},
    rules,
    session::SessionError,
};

/// Calls of one function in one context.
const CALLS: usize = 80;

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
