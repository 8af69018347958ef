//! A call first, then a look at everything: what the call has left behind, and what it has opened.

use super::looks::{Before, Shows};
use crate::{
    attack::{Hunt, functions},
    catalog::{Function, mentions},
    finding::{TenantContext, Verb},
    rules,
    session::SessionError,
};

/// Calls of a function that are looked behind, with one's own values and with another's.
const CALLS: usize = 4;

/// Functions that are called behind another.
const BEHIND: usize = 12;

/// Calls every function and looks at everything behind it.
pub(super) async fn run(hunt: &mut Hunt) -> Result<(), SessionError> {
    let before = Before::take(hunt).await?;
    for function in functions::callable(&hunt.stage) {
        if hunt.spent() {
            return Ok(());
        }
        if hunt.has(&function.object())
            || functions::opens(&hunt.stage, &function)
            || !leaves(hunt, &function)
        {
            continue;
        }
        behind(hunt, &before, &function).await?;
    }
    Ok(())
}

/// Tells whether something of a call can outlast it within its transaction.
fn leaves(hunt: &Hunt, function: &Function) -> bool {
    matches!(function.kind.as_str(), "f" | "p")
        && (function.volatility == "v"
            || hunt.stage.catalog.functions_behind(&[function.oid]).iter().any(|function| {
                let lower = function.source.to_ascii_lowercase();
                lower.contains("set_config") || function.volatility == "v"
            }))
}

async fn behind(hunt: &mut Hunt, before: &Before, function: &Function) -> Result<(), SessionError> {
    let attacker = hunt.stage.attacker.clone();
    let own: Vec<_> = functions::arguments_of(hunt, function, &attacker)
        .into_iter()
        .map(|(own, _)| (own, true))
        .filter(|(own, _)| !before.names_another(hunt, own))
        .take(CALLS)
        .collect();
    let theirs: Vec<_> = functions::arguments(hunt, function)
        .into_iter()
        .map(|(theirs, _)| (theirs, false))
        .filter(|(theirs, _)| own.iter().all(|(own, _)| own != theirs))
        .take(CALLS)
        .collect();
    let then = then(hunt, function);
    for (arguments, own) in own.into_iter().chain(theirs) {
        let call = functions::statement(function, &arguments);
        hunt.count(&function.object(), Verb::Execute, TenantContext::Tenant, "then read");
        let mut looks = vec![before.context.clone()];
        looks.extend(before.queries());
        looks.extend(then.iter().cloned());
        let seen = hunt.stage.looks(std::slice::from_ref(&call), &looks).await?;
        if seen.refusal.is_some() {
            continue;
        }
        // Who names another tenant to what opens contexts has not been let in by mistake.
        if !own && before.is_left(seen.looks.first()) {
            continue;
        }
        let reads = seen.looks.get(1..=before.readable.len()).unwrap_or_default();
        if let Some(Shows { relation, query, own }) = before.shows(hunt, reads, &call)
            && !(own && before.shows_anyway(hunt, std::slice::from_ref(&call), &call).await?)
        {
            let evidence = format!("after that call, rows of {} are another tenant's", relation.object());
            hunt.call_leak(&rules::CHAIN, function, TenantContext::Tenant, &[call, query], &evidence);
            return Ok(());
        }
        let calls = seen.looks.iter().skip(1 + before.readable.len());
        let told = then.iter().zip(calls).find_map(|(statement, look)| {
            let answer = look.as_ref().ok()?;
            Some((statement.clone(), hunt.tokens.in_answer(answer, &format!("{call}; {statement}"))?))
        });
        if let Some((statement, word)) = told {
            let evidence = format!("the call behind it told {}", hunt.shown(&word));
            hunt.call_leak(&rules::CHAIN, function, TenantContext::Tenant, &[call, statement], &evidence);
            return Ok(());
        }
    }
    Ok(())
}

/// Returns calls of the functions that speak of the same tables.
fn then(hunt: &Hunt, function: &Function) -> Vec<String> {
    let catalog = &hunt.stage.catalog;
    let spoken: Vec<&str> = catalog
        .relations
        .iter()
        .filter(|table| table.is_table() && mentions(&function.source, &table.name))
        .map(|table| table.name.as_str())
        .collect();
    functions::callable(&hunt.stage)
        .into_iter()
        .filter(|other| other.oid != function.oid && other.kind == "f" && !hunt.has(&other.object()))
        .filter(|other| !functions::opens(&hunt.stage, other))
        .filter(|other| spoken.iter().any(|name| mentions(&functions::said(hunt, other), name)))
        .take(BEHIND)
        .flat_map(|other| {
            let calls = functions::arguments(hunt, &other).into_iter().take(2);
            calls.map(|(theirs, _)| functions::statement(&other, &theirs)).collect::<Vec<_>>()
        })
        .collect()
}
