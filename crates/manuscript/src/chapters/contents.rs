//! Telling a list of contents from the chapters it lists: its entries follow each other with nothing between, and
//! the first of them comes again where the list is over.

use super::{
    candidates::{Candidate, Matter},
    label::{Family, Label},
};

/// Most words between two entries of a list: a title that stands on a line of its own.
const BETWEEN: u64 = 25;

/// Returns the candidates without those that only list others, and without the lists' own headings.
pub(crate) fn without_lists(candidates: &[Candidate]) -> Vec<&Candidate> {
    let mut kept: Vec<&Candidate> = Vec::new();
    let mut at = 0;
    let mut under_title = false;
    while let Some(candidate) = candidates.get(at) {
        if candidate.matter == Matter::Contents {
            under_title = true;
            at += 1;
            continue;
        }
        let run = candidates.get(at..).unwrap_or_default();
        // The run's last entry is followed by the text after the list, or is the first chapter itself.
        let close =
            run.iter().take_while(|entry| entry.body <= BETWEEN && entry.matter != Matter::Contents).count();
        let listed = list_length(run, close, under_title);
        if listed == 0 {
            // Inside a run no later entry could start a list that this one did not.
            let step = close.max(1).min(run.len());
            kept.extend(run.iter().take(step));
            at += step;
        } else {
            at += listed;
        }
        under_title = false;
    }
    kept
}

/// Returns how many entries from the start of `run` are a list's, given that the first `close` stand close together.
fn list_length(run: &[Candidate], close: usize, under_title: bool) -> usize {
    if close == 0 || (close < 2 && !under_title) {
        return 0;
    }
    let Some(first) = run.first() else { return 0 };
    // The first heading's return is looked for up to the one after the run's last entry; the last return counts,
    // because numbers may restart within the list.
    let again = run.iter().take(close + 2).skip(1).rposition(|entry| is_same(entry, first)).map(|at| at + 1);
    if let Some(again) = again {
        return again;
    }
    if !under_title {
        return 0;
    }
    // A list with no counterpart after it: its last entry goes with it if it continues the numbers.
    let last = run.get(close).zip(run.get(close - 1));
    let continues = last.is_some_and(|(last, before)| match (last.number(), before.number()) {
        (Some(last), Some(before)) => last == before + 1,
        _ => false,
    });
    close + usize::from(continues && run.len() > close + 1)
}

/// Says whether two headings are one heading twice: the same division and number, or the same words.
fn is_same(one: &Candidate, other: &Candidate) -> bool {
    let division = |candidate: &Candidate| {
        let Label { family, number, .. } = candidate.label?;
        Some((family, number?))
    };
    match (division(one), division(other)) {
        (Some(first), Some(second)) => {
            // "Book One" and "Part One" may both occur.
            let word = |candidate: &Candidate| candidate.key.split_whitespace().next().map(str::to_owned);
            first == second && (first.0 != Family::Part || word(one) == word(other))
        }
        _ => one.key == other.key,
    }
}
