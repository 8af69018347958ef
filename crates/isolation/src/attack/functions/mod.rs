//! Calls every function that the role may call, with arguments that are the victim's, and listens to everything.

mod again;
mod arguments;
mod statements;

use super::{
    Hunt,
    stage::{Actor, Outcome, Stage},
};
use crate::{
    catalog::{Function, Relation},
    finding::{TenantContext, Verb},
    rules,
    session::SessionError,
};

pub(super) use arguments::{arguments, arguments_of, said};
pub(super) use statements::statement;
use statements::statements;

/// Returns the functions that can be called.
pub(super) fn callable(stage: &Stage) -> Vec<Function> {
    let roles = stage.roles_in_play();
    stage
        .catalog
        .functions
        .iter()
        .filter(|function| matches!(function.kind.as_str(), "f" | "p" | "a" | "w"))
        .filter(|function| !function.extension || function.definer)
        .filter(|function| stage.wants(&function.object()))
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
    for function in callable(&hunt.stage) {
        // To open another tenant's context is not an attack but another context.
        if opens(&hunt.stage, &function) {
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
        again::run(hunt, &function, &arguments).await?;
        tells(hunt, &function, &arguments).await?;
    }
    Ok(())
}

/// Tells whether a function is how contexts are opened.
pub(super) fn opens(stage: &Stage, function: &Function) -> bool {
    let context = stage.subject.context.join("\n");
    context.contains('(') && crate::catalog::mentions(&context, &function.name)
}

async fn play(
    hunt: &mut Hunt,
    function: &Function,
    context: TenantContext,
    arguments: &[String],
) -> Result<(), SessionError> {
    let object = function.object();
    hunt.count(&object, Verb::Execute, context, &arguments.len().to_string());
    for statements in statements(&hunt.stage, function, arguments, context) {
        let baseline = hunt.baseline.clone();
        let outcome = hunt.stage.attempt(Actor::of(context), &statements, Some(&baseline)).await?;
        judge(hunt, function, context, &statements, &outcome).await?;
    }
    Ok(())
}

/// Reports what calls told or changed; tells whether there was anything.
async fn judge(
    hunt: &mut Hunt,
    function: &Function,
    context: TenantContext,
    statements: &[String],
    outcome: &Outcome,
) -> Result<bool, SessionError> {
    let mut found = false;
    if let Some(word) = hunt.told(outcome, &statements.join("; "))
        && !passes_on(hunt, function, context)
        && !(is_comparable(function, context) && hunt.told_anyway(statements, &word).await?)
    {
        let evidence = format!("it told {}", hunt.shown(&word));
        report(hunt, &rules::REVEALS, function, context, statements, &evidence);
        found = true;
    }
    if !outcome.changed.is_empty() && !passes_on_write(hunt, function, &outcome.changed) {
        let evidence = hunt.not_as_they_were(&outcome.changed);
        report(hunt, &rules::ACTS, function, context, statements, &evidence);
        found = true;
    }
    Ok(found)
}

/// Tells whether what a call answers where the victim's rows are not says something: statistics outlive rows, so that in
/// general only what the attacker's own context shows does, and what says of itself that it reads nothing.
fn is_comparable(function: &Function, context: TenantContext) -> bool {
    context == TenantContext::Tenant || function.volatility == "i"
}

/// Reports a leak of a function, and of those that work for it where it is an aggregate.
fn report(
    hunt: &mut Hunt,
    rule: &'static rules::Rule,
    function: &Function,
    context: TenantContext,
    statements: &[String],
    evidence: &str,
) {
    for part in arguments::parts(hunt, function).into_iter().filter(|part| part.definer) {
        hunt.call_leak(rule, &part, context, statements, evidence);
    }
    hunt.call_leak(rule, function, context, statements, evidence);
}

impl Hunt {
    /// Tells what of the victim was answered, refused with, or heard.
    pub(super) fn told(&self, outcome: &Outcome, asked: &str) -> Option<String> {
        let refused = outcome.refusal.as_ref().and_then(|refusal| self.tokens.in_refusal(refusal, asked));
        refused
            .or_else(|| outcome.answers.iter().find_map(|answer| self.tokens.in_answer(answer, asked)))
            .or_else(|| self.tokens.in_heard(&outcome.heard, asked))
    }

    /// Tells whether a word is told as well where the victim's rows are not: it was made of what was asked, then.
    pub(super) async fn told_anyway(
        &mut self,
        statements: &[String],
        word: &str,
    ) -> Result<bool, SessionError> {
        if self.tokens.is_marked(word) {
            return Ok(false);
        }
        let outcome = self.stage.without_victims(statements).await?;
        Ok(self.told(&outcome, &statements.join("; ")).as_deref() == Some(word))
    }

    /// Writes whose rows have changed.
    pub(super) fn not_as_they_were(&self, changed: &[u32]) -> String {
        let relations = changed.iter().filter_map(|oid| self.stage.catalog.relation(*oid));
        let names: Vec<String> = relations.map(Relation::object).collect();
        format!("another tenant's rows of {} are not what they were", names.join(", "))
    }
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
            for part in arguments::parts(hunt, function).into_iter().filter(|part| part.definer) {
                hunt.call_leak_as(rule, verb, &part, TenantContext::Tenant, &statements, evidence);
            }
            hunt.call_leak_as(rule, verb, function, TenantContext::Tenant, &statements, evidence);
            return Ok(());
        }
    }
    Ok(())
}
