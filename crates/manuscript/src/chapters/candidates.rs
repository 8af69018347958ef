//! The blocks that may head a chapter, with what the choice between them needs to know.

use super::label::{self, Family, Label};
use crate::{Block, Document, Kind};

/// Most words of a block that is a heading as a whole.
const HEADING_WORDS: u32 = 60;
/// Most words of a title that is set off by layout alone.
const TITLE_WORDS: u32 = 12;

/// A block that may be a heading.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) block: usize,
    /// The level, where the format marks the block as a heading.
    pub(crate) level: Option<u8>,
    pub(crate) label: Option<Label>,
    /// What the line says, in one case and without ornaments, to find it again in a list of contents.
    pub(crate) key: String,
    /// How many lines of the block belong to the heading: the first, or all.
    pub(crate) heading_lines: usize,
    /// Words from the end of the heading to the next candidate's.
    pub(crate) body: u64,
    pub(crate) setting: Setting,
    pub(crate) matter: Matter,
}

/// How a heading is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    Plain,
    /// Centred, or at the top of a page.
    SetOff,
    /// Centred at the top of a page.
    OpensPage,
}

/// What a heading stands above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Matter {
    Story,
    /// Forewords, notes and the like.
    Apparatus,
    /// A list of contents.
    Contents,
}

impl Candidate {
    pub(crate) fn family(&self) -> Option<Family> {
        self.label.map(|label| label.family)
    }

    pub(crate) fn is_part(&self) -> bool {
        self.family() == Some(Family::Part)
    }

    pub(crate) fn number(&self) -> Option<u32> {
        self.label.and_then(|label| label.number)
    }
}

/// Collects the candidates of a document in order.
pub(crate) fn collect(document: &Document, words: &[u32]) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut since = 0_u64;
    for (index, block) in document.blocks().enumerate() {
        let count = words.get(index).copied().unwrap_or_default();
        match candidate(index, &block, count) {
            Some((candidate, heading)) => {
                if let Some(last) = candidates.last_mut() {
                    last.body = since;
                }
                since = u64::from(count.saturating_sub(heading));
                candidates.push(candidate);
            }
            None => since += u64::from(count),
        }
    }
    if let Some(last) = candidates.last_mut() {
        last.body = since;
    }
    candidates
}

/// Looks at one block; returns it with the number of its words that belong to the heading.
fn candidate(index: usize, block: &Block<'_>, words: u32) -> Option<(Candidate, u32)> {
    if matches!(block.kind, Kind::Contents | Kind::Title) {
        return None;
    }
    let mut lines = block.text.lines();
    let first = lines.next()?;
    let level = match block.kind {
        Kind::Heading(level) => Some(level),
        _ => None,
    };
    let mut label = label::read(first).filter(|_| level.is_some() || !label::is_contents_entry(first));
    if level.is_none()
        && let (Some(outer), Some(inner)) = (label, lines.next().and_then(label::read))
    {
        match (outer.family, inner.family) {
            // A part's heading right above its first chapter's.
            (Family::Part, Family::Chapter | Family::Letter | Family::Act | Family::Numeral(_)) => {
                label = Some(inner);
            }
            (Family::Act, Family::Scene) | (Family::Chapter, Family::Numeral(_)) => {}
            // Lines that each look like a heading are a list.
            _ => return None,
        }
    }
    let short = words <= HEADING_WORDS;
    // A title on the heading's own line must end with the block; a bare heading may have its text right below.
    if label.is_some_and(|label| label.titled) && !short && level.is_none() {
        label = None;
    }
    let setting = match (block.centred, block.starts_page) {
        (true, true) => Setting::OpensPage,
        (false, false) => Setting::Plain,
        _ => Setting::SetOff,
    };
    let matter = match () {
        () if label::is_contents_title(first) => Matter::Contents,
        () if label::is_apparatus(first) => Matter::Apparatus,
        () => Matter::Story,
    };
    let titled_by_layout = setting == Setting::OpensPage && words > 0 && words <= TITLE_WORDS;
    if level.is_none() && label.is_none() && !titled_by_layout && matter != Matter::Contents {
        return None;
    }
    let is_heading = level.is_some() || label.is_none_or(|label| label.titled) || is_title_below(block.text);
    let heading_lines = if short && is_heading { block.text.lines().take(8).count() } else { 1 };
    let heading =
        if heading_lines > 1 { words } else { u32::try_from(crate::count_words(first)).unwrap_or(u32::MAX) };
    let candidate = Candidate {
        block: index,
        level,
        label,
        key: label::bare(first).chars().take(80).flat_map(char::to_lowercase).collect(),
        heading_lines,
        body: 0,
        setting,
        matter,
    };
    Some((candidate, heading))
}

/// Says whether the lines below a bare heading are its title rather than the text: few, in capitals or without a stop.
fn is_title_below(block: &str) -> bool {
    let mut lines = block.lines().skip(1).take(4);
    let fits = lines.by_ref().take(3).all(|line| {
        let line = line.trim();
        !line.ends_with(['.', '!', '?', '…', '”', '"']) || !line.contains(char::is_lowercase)
    });
    fits && lines.next().is_none()
}
