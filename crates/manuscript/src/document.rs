//! The one shape that every format is turned into: a text in blocks, each with the little layout that tells a
//! heading from a paragraph.

use serde::Serialize;

use crate::{ExtractError, Limits};

/// Holds the text of a manuscript as one string and the blocks as ranges of it.
///
/// Blocks follow each other, one line feed apart; a line feed inside a block is a line break of the manuscript.
#[derive(Clone, Debug, Default)]
pub struct Document {
    text: String,
    blocks: Vec<Entry>,
    warnings: Vec<Warning>,
}

/// Says what a block is by the marks of its format; plain text has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Running text, and whatever carries no mark.
    Paragraph,
    /// A heading of a level from 1, the outermost, to 9.
    Heading(u8),
    /// The title or subtitle of the whole.
    Title,
    /// A line of a generated table of contents.
    Contents,
}

/// Lends one block of a document.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// The text, trimmed and never empty.
    pub text: &'a str,
    /// What the format says it is.
    pub kind: Kind,
    /// Whether it is centred.
    pub centred: bool,
    /// Whether a page break stands right before it.
    pub starts_page: bool,
}

/// Tells a writer what was read otherwise than they may expect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "code", rename_all = "kebab-case", rename_all_fields = "snake_case")]
#[non_exhaustive]
pub enum Warning {
    /// Bytes that are no text in the file's encoding were replaced by U+FFFD.
    InvalidBytesReplaced {
        /// The number of replacement characters put in.
        count: u64,
    },
    /// A part that embeds another document was left out.
    EmbeddedDocumentSkipped {
        /// The number of such parts.
        count: u64,
    },
    /// There are more chapters than are listed; the last one listed holds the rest.
    ChaptersNotListed {
        /// The number of chapters not listed.
        count: u64,
    },
}

impl Warning {
    /// Returns a sentence for the writer.
    pub fn message(self) -> String {
        match self {
            Self::InvalidBytesReplaced { count } => {
                format!("{count} damaged characters were replaced by \u{fffd}. Look for them and mend them.")
            }
            Self::EmbeddedDocumentSkipped { count } => {
                format!(
                    "{count} documents embedded in the file were not read. Paste their text to include them."
                )
            }
            Self::ChaptersNotListed { count } => {
                format!("{count} chapters are not listed. Their words are counted in the last one listed.")
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u32,
    end: u32,
    kind: Kind,
    centred: bool,
    starts_page: bool,
    after_gap: bool,
}

impl Document {
    /// Returns the whole text, blocks one line feed apart.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the blocks in reading order.
    pub fn blocks(&self) -> impl ExactSizeIterator<Item = Block<'_>> + DoubleEndedIterator + Clone {
        self.blocks.iter().map(|entry| self.lend(entry))
    }

    /// Returns the number of blocks.
    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Says whether there is no block, which [`crate::extract`] never returns.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Returns the block at a position counted from 0.
    pub fn block(&self, index: usize) -> Option<Block<'_>> {
        self.blocks.get(index).map(|entry| self.lend(entry))
    }

    /// Returns what the writer should know about how the file was read.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    fn lend(&self, entry: &Entry) -> Block<'_> {
        Block {
            text: self.slice(entry),
            kind: entry.kind,
            centred: entry.centred,
            starts_page: entry.starts_page,
        }
    }

    fn slice(&self, entry: &Entry) -> &str {
        self.text.get(entry.start as usize..entry.end as usize).unwrap_or_default()
    }
}

/// Says how a block to be added is laid out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) kind: Kind,
    pub(crate) centred: bool,
    pub(crate) starts_page: bool,
    /// Whether blank lines or empty paragraphs stand before it.
    pub(crate) after_gap: bool,
}

impl Layout {
    pub(crate) const fn of(kind: Kind) -> Self {
        Self { kind, centred: false, starts_page: false, after_gap: true }
    }
}

/// Builds a document block by block within the limits.
#[derive(Debug)]
pub(crate) struct Builder {
    document: Document,
    max_text: usize,
    max_blocks: usize,
}

impl Builder {
    pub(crate) fn new(limits: &Limits) -> Self {
        let max_text = limits.text_bytes.min(u32::MAX as usize);
        Self { document: Document::default(), max_text, max_blocks: limits.blocks }
    }

    /// Adds a block unless it is blank.
    pub(crate) fn push(&mut self, text: &str, layout: Layout) -> Result<(), ExtractError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(());
        }
        let document = &mut self.document;
        if document.text.len() + 1 + text.len() > self.max_text || document.blocks.len() >= self.max_blocks {
            return Err(ExtractError::TooLarge);
        }
        if !document.text.is_empty() {
            document.text.push('\n');
        }
        let start = offset(document.text.len())?;
        document.text.push_str(text);
        let end = offset(document.text.len())?;
        let Layout { kind, centred, starts_page, after_gap } = layout;
        document.blocks.push(Entry { start, end, kind, centred, starts_page, after_gap });
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.document.blocks.len()
    }

    pub(crate) fn warn(&mut self, warning: Warning) {
        self.document.warnings.push(warning);
    }

    /// Joins the paragraphs from `first` on into one, a tab apart.
    pub(crate) fn join_row(&mut self, first: usize) {
        let rest = self.document.blocks.get(first..).unwrap_or_default();
        if rest.len() < 2 || rest.iter().any(|entry| entry.kind != Kind::Paragraph) {
            return;
        }
        let (gaps, end): (Vec<u32>, u32) = (
            rest.iter().skip(1).map(|entry| entry.start - 1).collect(),
            rest.iter().map(|e| e.end).fold(0, u32::max),
        );
        for gap in gaps {
            let gap = gap as usize;
            self.document.text.replace_range(gap..=gap, "\t");
        }
        self.document.blocks.truncate(first + 1);
        if let Some(row) = self.document.blocks.last_mut() {
            row.end = end;
        }
    }

    /// Joins blocks with no gap between them, where the file gives each printed line a paragraph of its own.
    pub(crate) fn join_printed_lines(&mut self) {
        if !self.is_printed_lines() {
            return;
        }
        let mut joined: Vec<Entry> = Vec::new();
        for entry in &self.document.blocks {
            match joined.last_mut() {
                Some(last)
                    if !entry.after_gap
                        && !entry.starts_page
                        && entry.kind == Kind::Paragraph
                        && last.kind == Kind::Paragraph =>
                {
                    last.end = entry.end;
                }
                _ => joined.push(*entry),
            }
        }
        self.document.blocks = joined;
    }

    /// Says whether most paragraphs are pieces of a line's length that go on in lower case without a gap.
    fn is_printed_lines(&self) -> bool {
        let blocks = &self.document.blocks;
        let (mut short, mut gaps, mut continued) = (0, 0, 0);
        for entry in blocks {
            short += usize::from(entry.end - entry.start <= 120);
            gaps += usize::from(entry.after_gap);
            let first = self.document.slice(entry).chars().next();
            continued += usize::from(!entry.after_gap && first.is_some_and(char::is_lowercase));
        }
        let all = blocks.len();
        all >= 40 && short * 100 >= all * 97 && gaps * 50 >= all && continued * 4 >= all
    }

    /// Returns the document, or says that it has no text.
    pub(crate) fn finish(self) -> Result<Document, ExtractError> {
        let document = self.document;
        let has_words = document.text.chars().any(char::is_alphanumeric);
        if has_words { Ok(document) } else { Err(ExtractError::NoText) }
    }
}

fn offset(length: usize) -> Result<u32, ExtractError> {
    u32::try_from(length).map_err(|_| ExtractError::TooLarge)
}
