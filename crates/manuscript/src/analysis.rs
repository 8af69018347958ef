//! The numbers about a manuscript.

use std::ops::ControlFlow;

use serde::Serialize;

use crate::{Document, Kind, Warning, chapters, sentences, words};

/// Words of fiction that adults read silently in a minute, on average (Brysbaert 2019, a review of 190 studies).
const WORDS_PER_MINUTE: u64 = 260;

/// The most chapters that are listed one by one.
const MAX_CHAPTERS: usize = 2_000;

/// Bytes of text between two calls of a progress callback.
const STEP: usize = 64 << 10;

/// Counts what a manuscript holds; `words` is `front_matter_words` plus the words of all chapters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Analysis {
    /// Words as [`crate::words()`] defines them, headings included.
    pub words: u64,
    /// Sentences, headings not included.
    pub sentences: u64,
    /// Blocks of running text with at least one word.
    pub paragraphs: u64,
    /// The chapters in order; none where the text is undivided.
    pub chapters: Vec<Chapter>,
    /// Words before the first chapter, or all of them where there is none.
    pub front_matter_words: u64,
    /// Seconds that reading it silently takes an adult, at 260 words a minute, rounded up.
    pub reading_time_seconds: u64,
    /// What was read otherwise than the writer may expect.
    pub warnings: Vec<Warning>,
}

/// Names a chapter and counts its words, heading included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chapter {
    /// The heading on one line, at most 200 characters and an ellipsis.
    pub title: String,
    /// Words up to the next chapter.
    pub words: u64,
}

/// Says how far an analysis has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of text counted.
    pub done: u64,
    /// Bytes of text in all.
    pub total: u64,
}

/// Counts what a document holds.
pub fn analyse(document: &Document) -> Analysis {
    match analyse_with(document, &mut |_| ControlFlow::<std::convert::Infallible>::Continue(())) {
        ControlFlow::Continue(analysis) => analysis,
        ControlFlow::Break(never) => match never {},
    }
}

/// Counts what a document holds, calling `progress` after each 64 KiB or so; what it breaks with is returned.
pub fn analyse_with<B>(
    document: &Document,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<B>,
) -> ControlFlow<B, Analysis> {
    let total = document.text().len();
    let (mut done, mut reported) = (0, 0);
    let mut block_words = Vec::with_capacity(document.len());
    let mut block_sentences = Vec::with_capacity(document.len());
    for block in document.blocks() {
        block_words.push(u32::try_from(words::count_words(block.text)).unwrap_or(u32::MAX));
        let in_heading = block.kind != Kind::Paragraph;
        let sentences = if in_heading { 0 } else { sentences::count_sentences(block.text) };
        block_sentences.push(u32::try_from(sentences).unwrap_or(u32::MAX));
        done += block.text.len() + 1;
        if done >= reported + STEP {
            reported = done;
            progress(Progress { done: done.min(total) as u64, total: total as u64 })?;
        }
    }
    let starts = chapters::find(document, &block_words);
    for start in &starts {
        // A heading without a mark is no sentence; one in a block with its text is too little to tell.
        let single = document.block(start.block).is_some_and(|block| block.text.lines().count() <= 2);
        if single && let Some(sentences) = block_sentences.get_mut(start.block) {
            *sentences = 0;
        }
    }
    progress(Progress { done: total as u64, total: total as u64 })?;
    ControlFlow::Continue(sum(document, &block_words, &block_sentences, starts))
}

fn sum(document: &Document, words: &[u32], sentences: &[u32], starts: Vec<chapters::Start>) -> Analysis {
    let total = |blocks: &[u32]| blocks.iter().copied().map(u64::from).sum::<u64>();
    let mut warnings = document.warnings().to_vec();
    let unlisted = starts.len().saturating_sub(MAX_CHAPTERS);
    if unlisted > 0 {
        warnings.push(Warning::ChaptersNotListed { count: unlisted as u64 });
    }
    let first = starts.first().map_or(words.len(), |start| start.block);
    let heads: Vec<usize> = starts.iter().map(|start| start.block).collect();
    let ends: Vec<usize> =
        heads.iter().take(MAX_CHAPTERS).skip(1).copied().chain(std::iter::once(words.len())).collect();
    let chapters: Vec<Chapter> = starts
        .into_iter()
        .take(MAX_CHAPTERS)
        .zip(ends)
        .map(|(start, end)| Chapter {
            title: start.title,
            words: total(words.get(start.block..end).unwrap_or_default()),
        })
        .collect();
    let all = total(words);
    let paragraphs = document
        .blocks()
        .zip(words)
        .enumerate()
        .filter(|(index, (block, words))| {
            block.kind == Kind::Paragraph && **words > 0 && heads.binary_search(index).is_err()
        })
        .count();
    Analysis {
        words: all,
        sentences: total(sentences),
        paragraphs: paragraphs as u64,
        chapters,
        front_matter_words: total(words.get(..first).unwrap_or_default()),
        reading_time_seconds: (all * 60).div_ceil(WORDS_PER_MINUTE),
        warnings,
    }
}
