//! Where the chapters start: by the marks of the format, else by what the lines say.
//!
//! Parts, books and volumes are not chapters, unless there is nothing below them; contents lists and what stands
//! before and after the story are none either. Numbers may restart, as they do in each part of some novels.

mod candidates;
mod contents;
mod label;
mod marked;
mod numerals;
mod plain;

use candidates::Candidate;

use crate::Document;

/// The most characters of a title that are kept.
const TITLE_CHARS: usize = 200;

/// A chapter's first block and its title.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) block: usize,
    pub(crate) title: String,
}

/// Finds the chapters, given the words of each block.
pub(crate) fn find(document: &Document, words: &[u32]) -> Vec<Start> {
    let candidates = candidates::collect(document, words);
    let by_marks = marked::select(document, &candidates);
    let by_text = plain::select(&contents::without_lists(&candidates));
    // A document may mark its title and a preface and leave the chapters plain.
    let marks_suffice = !by_marks.is_empty() && by_text.len() < 3.max(by_marks.len() * 3);
    let chosen = if marks_suffice || by_text.is_empty() { by_marks } else { by_text };
    chosen
        .iter()
        .map(|candidate| Start { block: candidate.block, title: title(document, candidate) })
        .collect()
}

/// Returns the heading on one line, without ornaments, and with what follows in its block if that is short.
fn title(document: &Document, candidate: &Candidate) -> String {
    let Some(block) = document.block(candidate.block) else { return String::new() };
    let first = block.text.lines().next().unwrap_or_default();
    let heading = if candidate.heading_lines > 1 { block.text } else { first };
    let mut title = String::new();
    for word in heading.lines().map(without_ornaments).flat_map(str::split_whitespace) {
        if !title.is_empty() {
            title.push(' ');
        }
        // Controls, and marks that turn the direction of what stands around them, stay out.
        title.extend(word.chars().filter(|c| !c.is_control() && !is_direction_mark(*c)));
    }
    match title.char_indices().nth(TITLE_CHARS) {
        Some((end, _)) => format!("{}…", title.get(..end).unwrap_or_default().trim_end()),
        None => title,
    }
}

/// Strips ornaments and a note's mark but keeps the closing dot.
fn without_ornaments(line: &str) -> &str {
    let bare = label::bare(line);
    let dotted = line.split_once(bare).is_some_and(|(_, rest)| rest.starts_with('.') && !bare.is_empty());
    let end = line.find(bare).map(|at| at + bare.len() + usize::from(dotted));
    let start = line.find(bare).unwrap_or_default();
    end.and_then(|end| line.get(start..end)).unwrap_or(bare)
}

fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}')
}
