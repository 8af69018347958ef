//! Makes a repair, repeats the attempt behind it, and takes everything back.

use super::{Candidate, Shown};
use crate::{
    attack::{
        Hunt, reads,
        stage::{Actor, Outcome},
    },
    catalog::RelationKind,
    finding::Verb,
    rules,
    session::SessionError,
};

/// Trials of one finding.
const TRIALS: usize = 24;

/// Returns the first repair after which the attempt shows nothing; the first that can be made at all where the attempt
/// cannot be repeated; none where no repair helps.
pub(super) async fn choose(
    hunt: &mut Hunt,
    shown: &Shown,
    candidates: Vec<Candidate>,
    first: &Shows,
) -> Result<Option<Candidate>, SessionError> {
    let own = own_rows(hunt, &[], shown).await?;
    for candidate in candidates.into_iter().take(TRIALS) {
        if !runs(hunt, &[], &candidate.statements).await? {
            continue;
        }
        if !first.seen || candidate.untried {
            return Ok(Some(candidate));
        }
        let after = shows(hunt, &candidate.statements, shown, first.changed.is_empty()).await?;
        if after.seen {
            continue;
        }
        let works = candidate.closes
            || !after.refused && (!own || own_rows(hunt, &candidate.statements, shown).await?);
        if works && ends_others(hunt, shown, &candidate).await? {
            return Ok(Some(candidate));
        }
    }
    Ok(None)
}

/// Tells whether a repair ends the other attempts that showed the same, as far as they can be repeated.
async fn ends_others(hunt: &mut Hunt, shown: &Shown, candidate: &Candidate) -> Result<bool, SessionError> {
    for (context, statements) in &shown.others {
        let other = Shown { context: *context, statements: statements.clone(), ..shown.clone() };
        let before = shows(hunt, &[], &other, true).await?;
        if before.seen && shows(hunt, &candidate.statements, &other, before.changed.is_empty()).await?.seen {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Tells whether statements can be run, behind others.
pub(super) async fn runs(
    hunt: &mut Hunt,
    before: &[String],
    statements: &[String],
) -> Result<bool, SessionError> {
    let mut script = vec!["begin".to_owned()];
    script.extend(before.iter().cloned());
    script.extend(statements.iter().cloned());
    script.push("rollback".to_owned());
    let results = hunt.stage.used.try_run_all(&script).await?;
    let done = results.iter().all(Result::is_ok);
    hunt.stage.used.heard();
    if !done {
        hunt.stage.used.try_run("rollback").await?.ok();
    }
    Ok(done)
}

/// What an attempt shows.
#[derive(Debug, Default)]
pub(super) struct Shows {
    /// What it was reported for.
    pub(super) seen: bool,
    /// The role lacks a right.
    pub(super) refused: bool,
    /// The tables whose rows of another tenant are not what they were.
    pub(super) changed: Vec<u32>,
}

/// Repeats an attempt behind a repair; where no other row was changed before it, a statement that did something counts.
pub(super) async fn shows(
    hunt: &mut Hunt,
    fix: &[String],
    shown: &Shown,
    by_count: bool,
) -> Result<Shows, SessionError> {
    let actor = Actor::of(shown.context);
    if shown.statements.iter().any(|statement| statement.contains(" from stdin") || statement.starts_with("--"))
        || matches!(shown.rule.id, id if id == rules::STALE.id || id == rules::HEARS.id)
        // What a trigger has written into rows is there already.
        || shown.verb == Verb::Insert && shown.statements.iter().all(|statement| statement.starts_with("select "))
    {
        return Ok(Shows::default());
    }
    // A policy that refuses a row has the same code, and does its work.
    let refused = |outcome: &Outcome| {
        let refusal = outcome.refusal.as_ref();
        refusal
            .is_some_and(|refusal| refusal.code == "42501" && refusal.message.contains("permission denied"))
    };
    let own_table = shown.statements.iter().any(|statement| statement.starts_with("create table "));
    let alone = shown.verb == Verb::Existence && shown.rule.id == rules::EXISTENCE.id && !own_table;
    if alone && let [one, other] = shown.statements.as_slice() {
        let first = hunt.stage.attempt_after(fix, actor, std::slice::from_ref(one), None).await?;
        let second = hunt.stage.attempt_after(fix, actor, std::slice::from_ref(other), None).await?;
        return Ok(Shows {
            seen: first.class() != second.class(),
            refused: refused(&first),
            changed: Vec::new(),
        });
    }
    if shown.asks_two_worlds() {
        let with = hunt.stage.attempt_after(fix, actor, &shown.statements, None).await?;
        let mut without = hunt.stage.without_victim();
        without.extend(fix.iter().cloned());
        let other = hunt.stage.attempt_after(&without, actor, &shown.statements, None).await?;
        return Ok(Shows { seen: told(&with) != told(&other), refused: refused(&with), changed: Vec::new() });
    }
    let baseline = hunt.baseline.clone();
    let mut before = hunt.out_of_the_way(shown);
    before.extend(fix.iter().cloned());
    let outcome = hunt.stage.attempt_after(&before, actor, &shown.statements, Some(&baseline)).await?;
    let asked = shown.statements.join("; ");
    let word = outcome
        .refusal
        .as_ref()
        .and_then(|refusal| hunt.tokens.in_refusal(refusal, &asked))
        .or_else(|| hunt.tokens.in_heard(&outcome.heard, &asked));
    let done = outcome.refusal.is_none();
    let by_being_done = match shown.rule.id {
        id if id == rules::SEQUENCE.id || id == rules::UNDOES.id || id == rules::LARGE_OBJECT.id => true,
        id if id == rules::EXISTENCE.id => own_table,
        id if by_count && (id == rules::WRITES.id || id == rules::PLANTS.id) => {
            outcome.last().is_some_and(|answer| answer.count > 0)
        }
        _ => false,
    };
    let seen = word.is_some()
        || !outcome.changed.is_empty()
        || done && (by_being_done || answers(hunt, shown, &outcome));
    Ok(Shows { seen, refused: refused(&outcome), changed: outcome.changed })
}

fn told(outcome: &Outcome) -> (Option<String>, Vec<Vec<Option<String>>>) {
    let mut rows = outcome.last().map(|answer| answer.rows.clone()).unwrap_or_default();
    rows.sort();
    (outcome.refusal.as_ref().map(|refusal| refusal.code.clone()), rows)
}

/// Tells whether an answer says what only another tenant's rows do.
fn answers(hunt: &Hunt, shown: &Shown, outcome: &Outcome) -> bool {
    let asked = shown.statements.join("; ");
    let relation = hunt.stage.catalog.relations.iter().find(|relation| {
        shown.statements.last().is_some_and(|last| last.contains(&format!("from {}", relation.quoted())))
    });
    outcome.answers.iter().any(|answer| {
        hunt.tokens.in_answer(answer, &asked).is_some()
            || relation
                .is_some_and(|relation| !reads::foreign_rows(hunt, relation, answer, &asked).is_empty())
    })
}

/// Tells whether the attacker still sees rows of its own through what is repaired.
async fn own_rows(hunt: &mut Hunt, fix: &[String], shown: &Shown) -> Result<bool, SessionError> {
    let Some(relation) =
        hunt.stage.catalog.relations.iter().find(|relation| relation.object() == shown.object).cloned()
    else {
        return Ok(false);
    };
    if relation.kind == RelationKind::Foreign {
        return Ok(false);
    }
    let query = reads::select_all(&hunt.stage, &relation);
    let outcome = hunt.stage.attempt_after(fix, Actor::Attacker, &[query], None).await?;
    let attacker = &hunt.stage.attacker;
    Ok(outcome.last().is_some_and(|answer| {
        answer
            .rows
            .iter()
            .flatten()
            .flatten()
            .any(|cell| cell.contains(&attacker.marker) || *cell == attacker.id)
    }))
}
