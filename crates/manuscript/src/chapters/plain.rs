//! Chapters of a text without marks, by what the lines say.

use std::collections::BTreeMap;

use super::{
    candidates::{Candidate, Matter, Setting},
    label::{Family, Label},
    numerals::Script,
};

/// Least words that a chapter headed by layout alone, or by a number before a title, has on average.
const CHAPTER_WORDS: u64 = 50;

/// Selects the headings that start chapters: of the kinds of division present, the one that novels put first.
pub(crate) fn select<'a>(candidates: &[&'a Candidate]) -> Vec<&'a Candidate> {
    let of = |wanted: &[Family]| -> Vec<&'a Candidate> {
        candidates
            .iter()
            .copied()
            .filter(|c| c.family().is_some_and(|family| wanted.contains(&family)))
            .collect()
    };
    let acts = without_repeats(&of(&[Family::Act]));
    let letters = of(&[Family::Letter]);
    let numerals = numerals(candidates);
    let chapters = of(&[Family::Chapter]);
    let set_off = set_off(candidates);
    let scenes = of(&[Family::Scene]);
    let mut chosen = if !chapters.is_empty() {
        let mut chapters = chapters;
        if letters.len() >= 2 {
            chapters.extend(letters);
        }
        chapters
    } else if acts.len() >= 2 && numerals.len() < acts.len() * 3 {
        acts
    } else if numerals.len() >= 2 {
        numerals
    } else if letters.len() >= 2 {
        letters
    } else if !acts.is_empty() {
        acts
    } else if set_off.len() >= 3 {
        set_off
    } else if scenes.len() >= 2 {
        scenes
    } else {
        Vec::new()
    };
    let named = named(candidates);
    if chosen.is_empty() && named.is_empty() {
        let parts = of(&[Family::Part]);
        return if parts.len() >= 2 { parts } else { Vec::new() };
    }
    chosen.extend(named);
    chosen.sort_by_key(|candidate| candidate.block);
    chosen.dedup_by_key(|candidate| candidate.block);
    chosen
}

/// Returns prologues, epilogues and the like; one with a chapter's heading right below it is a part, one right below
/// such a heading is its title.
fn named<'a>(candidates: &[&'a Candidate]) -> Vec<&'a Candidate> {
    let is_numbered = |neighbour: &&&Candidate| neighbour.number().is_some() && !neighbour.is_part();
    let mut named = Vec::new();
    for (at, candidate) in candidates.iter().enumerate() {
        let above = at.checked_sub(1).and_then(|at| candidates.get(at)).filter(is_numbered);
        let below = candidates.get(at + 1).filter(is_numbered);
        let is_title = above.is_some_and(|above| above.body == 0);
        let is_part = candidate.body == 0 && below.is_some();
        if candidate.family() == Some(Family::Named) && !is_title && !is_part {
            named.push(*candidate);
        }
    }
    named
}

/// Drops headings that repeat the one before, as plays repeat the act above each scene.
fn without_repeats<'a>(acts: &[&'a Candidate]) -> Vec<&'a Candidate> {
    let mut kept: Vec<&Candidate> = Vec::new();
    for act in acts {
        if kept.last().is_none_or(|last| last.number() != act.number() || act.number().is_none()) {
            kept.push(act);
        }
    }
    kept
}

/// Returns the bare numerals that count up from one, in the script that chapters are numbered in.
fn numerals<'a>(candidates: &[&'a Candidate]) -> Vec<&'a Candidate> {
    let mut chains: BTreeMap<Script, Chain<'a>> = BTreeMap::new();
    for candidate in candidates {
        if let Some(Label { family: Family::Numeral(script), number: Some(number), titled }) = candidate.label
        {
            let sure = !titled || candidate.setting != Setting::Plain || candidate.level.is_some();
            chains.entry(script).or_default().add(candidate, number, sure);
        }
    }
    let chains: Vec<Chain<'_>> = chains.into_values().filter(Chain::is_plausible).collect();
    // Where two scripts are nested, numbers that never restart are the chapters', else the outer ones are.
    let straight = chains.iter().filter(|chain| chain.restarts == 0).max_by_key(|chain| chain.members.len());
    let outer = chains.iter().min_by_key(|chain| chain.members.first().map(|first| first.block));
    straight.or(outer).map(|chain| chain.members.clone()).unwrap_or_default()
}

/// Numerals in one script that follow each other.
#[derive(Default)]
struct Chain<'a> {
    members: Vec<&'a Candidate>,
    last: u32,
    restarts: usize,
    unsure: usize,
}

impl<'a> Chain<'a> {
    fn add(&mut self, candidate: &'a Candidate, number: u32, sure: bool) {
        // One number may be missing: writers skip and drop chapters.
        let follows = number > self.last && number <= self.last + 2 && (self.last > 0 || number == 1);
        let restarts = number == 1 && self.last > 1;
        if follows || restarts {
            self.restarts += usize::from(restarts);
            self.unsure += usize::from(!sure);
            self.last = number;
            self.members.push(candidate);
        }
    }

    /// Numbers before titles are lists as often as chapters, unless there is text under each.
    fn is_plausible(&self) -> bool {
        let words: u64 = self.members.iter().map(|member| member.body).sum();
        let count = self.members.len() as u64;
        count >= 2 && (self.unsure == 0 || count >= 3 && words >= count * CHAPTER_WORDS)
    }
}

/// Returns short lines, centred at the top of a page, with a chapter's worth of text below.
fn set_off<'a>(candidates: &[&'a Candidate]) -> Vec<&'a Candidate> {
    candidates
        .iter()
        .copied()
        .filter(|candidate| {
            candidate.setting == Setting::OpensPage
                && candidate.body >= CHAPTER_WORDS
                && candidate.matter == Matter::Story
                && !candidate.is_part()
        })
        .collect()
}
