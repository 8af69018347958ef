//! Plain text: finding the paragraphs in the three ways people lay text out.

use super::encoding;
use crate::{
    Document, ExtractError, Kind, Limits, Warning,
    document::{Builder, Layout},
};

/// A line longer than this was not broken by hand or by a typesetter.
const PRINTED_LINE: usize = 120;

/// Starts of files that are made of readable characters but are no text to be read as it stands.
const MARKED_UP: &[&str] = &["%pdf-", "%!ps", "{\\rtf", "<!doctype html", "<html", "<?xml", "mime-version:"];

/// Says whether the content is text at all rather than data or another format's source.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    let sample = bytes.get(..bytes.len().min(64 << 10)).unwrap_or_default();
    let decoded = encoding::decode(sample).text;
    let start: String = decoded.trim_start().chars().take(20).collect::<String>().to_ascii_lowercase();
    if MARKED_UP.iter().any(|mark| start.starts_with(mark)) {
        return false;
    }
    let odd = decoded.chars().filter(|c| c.is_control() && !is_layout(*c)).count();
    let zeros = decoded.contains('\0');
    !zeros && odd * 100 <= decoded.chars().count()
}

/// Control characters that real text files hold: tabs, line ends, page breaks, the end-of-file mark of DOS.
fn is_layout(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1a}' | '\u{85}')
}

/// Decodes a text file and brings its line ends to one form; a page break becomes a line of its own.
pub(crate) fn decode(bytes: &[u8], limits: &Limits) -> Result<(String, Option<Warning>), ExtractError> {
    if bytes.len() / 2 > limits.text_bytes {
        return Err(ExtractError::TooLarge);
    }
    let decoded = encoding::decode(bytes);
    let warning = (decoded.replaced > 0).then_some(Warning::InvalidBytesReplaced { count: decoded.replaced });
    let text = decoded.text;
    if text.len() > limits.text_bytes {
        return Err(ExtractError::TooLarge);
    }
    if text.contains('\0') {
        return Err(ExtractError::UnsupportedType);
    }
    let mut lines = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\r' => {
                rest.next_if_eq(&'\n');
                lines.push('\n');
            }
            '\u{85}' | '\u{2028}' | '\u{b}' => lines.push('\n'),
            '\u{2029}' => lines.push_str("\n\n"),
            '\u{c}' => lines.push_str("\n\u{c}\n"),
            '\u{ad}' | '\u{feff}' | '\u{1a}' => {}
            c => lines.push(c),
        }
    }
    Ok((lines, warning))
}

/// Reads a plain-text file.
pub(crate) fn extract(bytes: &[u8], limits: &Limits) -> Result<Document, ExtractError> {
    let (text, warning) = decode(bytes, limits)?;
    let mut builder = Builder::new(limits);
    let breaks = Breaks::of(&text);
    let mut block = String::new();
    let mut layout = Layout::of(Kind::Paragraph);
    let mut last_indent = usize::MAX;
    for line in text.split('\n') {
        let page_break = line.contains('\u{c}');
        let line = line.trim_end();
        let content = line.trim_start();
        let indent = line.len() - content.len();
        let blank = content.is_empty();
        let new = match breaks {
            Breaks::EveryLine => true,
            Breaks::Indents => blank || indent > last_indent,
            Breaks::BlankLines => blank,
        };
        if new && !block.is_empty() {
            builder.push(&block, layout)?;
            block.clear();
            layout = Layout { after_gap: false, ..Layout::of(Kind::Paragraph) };
        }
        layout.starts_page |= page_break;
        if blank {
            layout.after_gap = true;
            last_indent = usize::MAX;
            continue;
        }
        if !block.is_empty() {
            block.push('\n');
        }
        block.push_str(content);
        last_indent = indent;
    }
    builder.push(&block, layout)?;
    if let Some(warning) = warning {
        builder.warn(warning);
    }
    builder.finish()
}

/// What ends a paragraph in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Breaks {
    /// Blank lines: each line is a printed one.
    BlankLines,
    /// Deeper indents: each line is a printed one, and blank lines are rare.
    Indents,
    /// Every line end: a line is a paragraph.
    EveryLine,
}

impl Breaks {
    fn of(text: &str) -> Self {
        let (mut lines, mut blanks, mut long, mut indented) = (0_usize, 0, 0, 0);
        for line in text.trim().lines() {
            if line.trim().is_empty() {
                blanks += 1;
                continue;
            }
            lines += 1;
            indented += usize::from(line.starts_with([' ', '\t', '\u{a0}', '\u{3000}']));
            // Bytes overstate the width of other scripts threefold at most, so they only rule short lines out.
            let is_long = line.len() > PRINTED_LINE && line.chars().count() > PRINTED_LINE;
            long += usize::from(is_long);
        }
        if long * 10 >= lines {
            Self::EveryLine
        } else if blanks * 20 < lines && indented * 20 > lines && indented * 4 < lines * 3 {
            Self::Indents
        } else if blanks * 50 < lines && indented == 0 && lines > 3 {
            Self::EveryLine
        } else {
            Self::BlankLines
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paragraphs(text: &str) -> Vec<String> {
        let document = extract(text.as_bytes(), &Limits::default()).unwrap();
        document.blocks().map(|block| block.text.to_owned()).collect()
    }

    #[test]
    fn blank_lines_part_printed_paragraphs_whatever_the_line_ends() {
        for end in ["\n", "\r\n", "\r", "\u{85}"] {
            let text = format!("{end}One line{end}and another.{end}{end}{end}  Next.{end}");
            assert_eq!(paragraphs(&text), ["One line\nand another.", "Next."], "{end:?}");
        }
    }

    #[test]
    fn long_lines_are_paragraphs_by_themselves() {
        let long = "word ".repeat(60);
        assert_eq!(paragraphs(&format!("Chapter 1\n{long}\n“Yes.”\n{long}")).len(), 4);
    }

    #[test]
    fn short_lines_without_any_blank_one_are_paragraphs() {
        assert_eq!(paragraphs("Chapter One\nIt was dark.\nShe left.\nChapter Two\n").len(), 4);
    }

    #[test]
    fn indents_part_paragraphs_where_blank_lines_do_not() {
        let text = "   He came in\nand sat down, and\nsaid nothing at\nall.\n".repeat(30);
        assert_eq!(paragraphs(&text).len(), 30);
    }

    #[test]
    fn a_page_break_ends_a_paragraph_and_marks_the_next() {
        let document = extract(b"The end of one.\n\x0cThe next\npage.\n\nMore.", &Limits::default()).unwrap();
        let pages: Vec<bool> = document.blocks().map(|block| block.starts_page).collect();
        assert_eq!(pages, [false, true, false]);
    }

    #[test]
    fn other_formats_made_of_characters_are_no_text() {
        for other in ["{\\rtf1\\ansi hello}", "%PDF-1.7\n", "<!DOCTYPE html><p>x", "\u{feff}<html>"] {
            assert!(!is_text(other.as_bytes()), "{other}");
        }
        assert!(is_text("<div align=center>\n\n# A book".as_bytes()));
        assert!(is_text(b"MZ was the signature of the letter."));
    }
}
