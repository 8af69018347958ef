//! Calls the functions that provably only answer, with values of the victim's canaries.

use super::ground::{Attempt, Ground};
use crate::{
    attack::{
        functions::{arguments, callable, statement},
        stage::Actor,
    },
    catalog::{Function, mentions},
    finding::{TenantContext, Verb},
    rules,
    session::{Answer, SessionError, identifier, literal},
};

/// Calls of one function in one context.
const CALLS: usize = 24;

/// Rows that one call looks at.
const ROWS: usize = 200;

/// Calls everything that may be called.
pub(super) async fn run(ground: &mut Ground) -> Result<(), SessionError> {
    let opening = ground.hunt.stage.subject.context.join("\n");
    let mut fit = Vec::new();
    for function in callable(&ground.hunt.stage) {
        // To open another tenant's context is not an attack but another context.
        if opening.contains('(') && mentions(&opening, &function.name) {
            continue;
        }
        match ground.harmless.calling(&ground.hunt.stage.catalog, &function) {
            Ok(()) => fit.push(function),
            Err(why) => ground.leaves(&function.object(), "it is not called", &why),
        }
    }
    for context in ground.contexts() {
        for function in &fit {
            let calls = arguments(&ground.hunt, function);
            for (theirs, _) in calls.iter().take(CALLS) {
                if ground.hunt.spent() {
                    return Ok(());
                }
                play(ground, function, context, theirs).await?;
            }
        }
    }
    Ok(())
}

async fn play(
    ground: &mut Ground,
    function: &Function,
    context: TenantContext,
    arguments: &[String],
) -> Result<(), SessionError> {
    let object = function.object();
    let needs = ground.needs(&reads(ground, function));
    let call = statement(function, arguments);
    let whole = format!("{call} limit {ROWS}");
    let attempt = Attempt::reading(&object, Actor::of(context), &needs, std::slice::from_ref(&whole));
    let Some(outcome) = ground.attempt(attempt).await? else { return Ok(()) };
    ground.hunt.count(&object, Verb::Execute, context, &arguments.len().to_string());
    let mut statements = vec![call.clone()];
    let mut word = match &outcome.refusal {
        Some(refusal) => ground.hunt.tokens.in_refusal(refusal, &whole),
        None => outcome.last().and_then(|answer| told(ground, answer, &whole)),
    }
    .or_else(|| ground.hunt.tokens.in_heard(&outcome.heard, &whole));
    // Among many rows the victim's are asked for by name.
    let column = ground.hunt.stage.subject.tenant_column.clone();
    if let (None, Some(answer), Some(column)) = (&word, outcome.last(), column)
        && answer.columns.contains(&column)
    {
        let victim = literal(&ground.hunt.stage.victim.id);
        let named = format!("{call} as f where f.{} = {victim} limit {ROWS}", identifier(&column));
        let attempt = Attempt::reading(&object, Actor::of(context), &needs, std::slice::from_ref(&named));
        if let Some(outcome) = ground.attempt(attempt).await?
            && outcome.last().is_some_and(|answer| !answer.rows.is_empty())
        {
            word = Some("a row of another tenant's".to_owned());
            statements = vec![named];
        }
    }
    if let Some(word) = word
        && !passes_on(ground, function, context)
    {
        let evidence = format!("it told {}", ground.hunt.shown(&word));
        ground.hunt.call_leak(&rules::REVEALS, function, context, &statements, &evidence);
    }
    Ok(())
}

/// Tells what of the victim's an answer says.
fn told(ground: &Ground, answer: &Answer, asked: &str) -> Option<String> {
    let stage = &ground.hunt.stage;
    let at = stage
        .subject
        .tenant_column
        .as_ref()
        .and_then(|name| answer.columns.iter().position(|column| column == name));
    let named = at
        .is_some_and(|at| answer.rows.iter().any(|row| row[at].as_deref() == Some(stage.victim.id.as_str())));
    ground
        .hunt
        .tokens
        .in_answer(answer, asked)
        .or_else(|| named.then(|| "a row of another tenant's".to_owned()))
}

/// Tells whether a function with its caller's rights only shows what a relation shows anyway.
fn passes_on(ground: &Ground, function: &Function, context: TenantContext) -> bool {
    let shows = |oid: &u32| {
        let relation = ground.hunt.stage.catalog.relation(*oid);
        relation.is_some_and(|relation| mentions(&function.source, &relation.name))
    };
    !function.definer && ground.hunt.read_leaks.iter().any(|(oid, leaky)| *leaky == context && shows(oid))
}

/// Returns the relations that a call may come upon.
pub(super) fn reads(ground: &Ground, function: &Function) -> Vec<u32> {
    let catalog = &ground.hunt.stage.catalog;
    let behind = catalog.functions_behind(&[function.oid]);
    let named = catalog
        .relations
        .iter()
        .filter(|relation| behind.iter().any(|function| mentions(&function.source, &relation.name)));
    named.map(|relation| relation.oid).collect()
}
