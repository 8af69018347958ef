//! Chapters of a format that marks its headings: choosing the level that chapters are on.

use std::collections::BTreeMap;

use super::{
    candidates::{Candidate, Matter},
    label::{Family, Label},
};
use crate::{Document, Kind};

/// Selects the headings that start chapters.
pub(crate) fn select<'a>(document: &Document, candidates: &'a [Candidate]) -> Vec<&'a Candidate> {
    let headings = without_subtitles(document, candidates);
    let Some(level) = chapter_level(&headings) else { return Vec::new() };
    let chapters: Vec<&Candidate> = headings
        .iter()
        .copied()
        .filter(|heading| {
            let is_outer_chapter = heading.level < Some(level) && is_labelled(heading);
            (heading.level == Some(level) && heading.matter == Matter::Story || is_outer_chapter)
                && !heading.is_part()
        })
        .collect();
    if chapters.is_empty() {
        headings.into_iter().filter(|heading| heading.is_part()).collect()
    } else {
        chapters
    }
}

fn is_labelled(heading: &Candidate) -> bool {
    heading.label.is_some_and(|Label { family, .. }| !matches!(family, Family::Part | Family::Scene))
}

/// Drops headings that only add a title to the numbered one right above.
fn without_subtitles<'a>(document: &Document, candidates: &'a [Candidate]) -> Vec<&'a Candidate> {
    let mut headings: Vec<&Candidate> = Vec::new();
    for heading in candidates.iter().filter(|candidate| candidate.level.is_some()) {
        let above = headings.last().filter(|above| {
            above.block + 1 == heading.block
                && is_labelled(above)
                && above.label.is_some_and(|label| !label.titled)
        });
        let is_first =
            heading.block == 0 || document.block(heading.block - 1).is_some_and(|b| b.kind == Kind::Title);
        if above.is_none() || heading.label.is_some() || is_first {
            headings.push(heading);
        }
    }
    headings
}

/// Chooses the level with most headings that call themselves chapters, else the outermost that can be them.
fn chapter_level(headings: &[&Candidate]) -> Option<u8> {
    // By level: headings that call themselves chapters; those that may be; those with no text before the next.
    let mut levels: BTreeMap<u8, (usize, usize, usize)> = BTreeMap::new();
    for heading in headings {
        let Some(level) = heading.level else { continue };
        let (labelled, plausible, empty) = levels.entry(level).or_default();
        *labelled += usize::from(is_labelled(heading));
        *plausible += usize::from(!heading.is_part() && heading.matter == Matter::Story);
        *empty += usize::from(heading.body == 0);
    }
    // On equal numbers the outer level wins.
    let labelled =
        levels.iter().rev().max_by_key(|(_, (labelled, ..))| *labelled).filter(|(_, (n, ..))| *n > 0);
    if let Some((level, _)) = labelled {
        return Some(*level);
    }
    // A lone heading is the whole's title; headings without text of their own head parts.
    let holds_text = |(_, (_, plausible, empty)): &(&u8, &(usize, usize, usize))| {
        *plausible >= 2 && empty * 2 < *plausible
    };
    let deepest = levels.iter().rev().find(|(_, (_, plausible, _))| *plausible >= 2);
    let parts =
        levels.keys().next().filter(|_| headings.iter().filter(|heading| heading.is_part()).count() >= 2);
    levels.iter().find(holds_text).or(deepest).map(|(level, _)| *level).or(parts.copied())
}
