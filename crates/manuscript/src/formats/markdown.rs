//! Markdown as novelists write it: headings, paragraphs, emphasis, quotations, and marks that are no words.

mod inline;

use super::text;
use crate::{
    Document, ExtractError, Kind, Limits,
    document::{Builder, Layout},
};

/// Reads a Markdown file.
pub(crate) fn extract(bytes: &[u8], limits: &Limits) -> Result<Document, ExtractError> {
    let (source, warning) = text::decode(bytes, limits)?;
    let source = without_comments(without_front_matter(&source));
    let mut reading =
        Reading { builder: Builder::new(limits), paragraph: String::new(), lines: 0, fence: None };
    for line in source.split('\n') {
        reading.line(line.trim_end())?;
    }
    reading.close(Kind::Paragraph)?;
    if let Some(warning) = warning {
        reading.builder.warn(warning);
    }
    reading.builder.finish()
}

struct Reading {
    builder: Builder,
    paragraph: String,
    /// How many lines the paragraph has.
    lines: usize,
    /// The character and length of the fence that opened a block of code.
    fence: Option<(char, usize)>,
}

impl Reading {
    fn line(&mut self, line: &str) -> Result<(), ExtractError> {
        let content = unquoted(line);
        if let Some(open) = self.fence {
            match fence(content) {
                Some((c, length, rest)) if c == open.0 && length >= open.1 && rest.is_empty() => {
                    self.fence = None;
                }
                _ => self.add(content),
            }
            return Ok(());
        }
        if content.is_empty() {
            return self.close(Kind::Paragraph);
        }
        if let Some((c, length, _)) = fence(content) {
            self.close(Kind::Paragraph)?;
            self.fence = Some((c, length));
            return Ok(());
        }
        if let Some((level, title)) = atx(content) {
            self.close(Kind::Paragraph)?;
            self.paragraph.push_str(title);
            return self.close(Kind::Heading(level));
        }
        if (1..=3).contains(&self.lines) && line.len() == content.len() {
            if content.bytes().all(|b| b == b'=') {
                return self.close(Kind::Heading(1));
            }
            if content.bytes().all(|b| b == b'-') {
                return self.close(Kind::Heading(2));
            }
        }
        if is_break(content) {
            self.close(Kind::Paragraph)?;
            self.paragraph.push_str(content);
            return self.close(Kind::Paragraph);
        }
        if is_definition(content) {
            return self.close(Kind::Paragraph);
        }
        match item(content) {
            Some(text) => {
                self.close(Kind::Paragraph)?;
                self.add(text);
            }
            None => self.add(content),
        }
        Ok(())
    }

    fn add(&mut self, content: &str) {
        if !self.paragraph.is_empty() {
            self.paragraph.push('\n');
        }
        self.paragraph.push_str(content);
        self.lines += 1;
    }

    fn close(&mut self, kind: Kind) -> Result<(), ExtractError> {
        let text = inline::plain(&self.paragraph);
        self.paragraph.clear();
        self.lines = 0;
        self.builder.push(&text, Layout::of(kind))
    }
}

/// Cuts the metadata block that some editors put at the top.
fn without_front_matter(source: &str) -> &str {
    let Some(rest) = source.strip_prefix("---\n") else { return source };
    let first_is_key =
        rest.lines().next().is_some_and(|line| line.split_once(':').is_some_and(|(k, _)| !k.contains(' ')));
    if !first_is_key {
        return source;
    }
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        at += line.len();
        if matches!(line.trim_end(), "---" | "...") {
            return rest.get(at..).unwrap_or_default();
        }
    }
    source
}

/// Cuts HTML comments; one that never ends is text.
fn without_comments(source: &str) -> String {
    let mut kept = String::with_capacity(source.len());
    let mut rest = source;
    while let Some((before, comment)) = rest.split_once("<!--") {
        let Some((_, after)) = comment.split_once("-->") else { break };
        kept.push_str(before);
        rest = after;
    }
    kept.push_str(rest);
    kept
}

/// Strips the marks of quotations and the indent.
fn unquoted(line: &str) -> &str {
    let mut content = line.trim_start();
    while let Some(rest) = content.strip_prefix('>') {
        content = rest.trim_start();
    }
    content
}

fn atx(content: &str) -> Option<(u8, &str)> {
    let title = content.trim_start_matches('#');
    let level = u8::try_from(content.len() - title.len()).ok()?;
    if !(1..=6).contains(&level) || !(title.is_empty() || title.starts_with([' ', '\t'])) {
        return None;
    }
    let title = title.trim();
    let open = title.trim_end_matches('#');
    // Closing marks count only apart from the title, so that "C#" keeps its own.
    let title = if open.is_empty() || open.ends_with([' ', '\t']) { open.trim_end() } else { title };
    Some((level, without_attributes(title)))
}

/// Cuts an identifier in braces, as pandoc writes after headings.
fn without_attributes(title: &str) -> &str {
    match title.rfind(" {#").or_else(|| title.rfind(" {.")) {
        Some(at) if title.ends_with('}') => title.get(..at).unwrap_or(title).trim_end(),
        _ => title,
    }
}

fn fence(content: &str) -> Option<(char, usize, &str)> {
    let mark = content.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let rest = content.trim_start_matches(mark);
    let length = content.len() - rest.len();
    (length >= 3 && !rest.contains('`')).then_some((mark, length, rest.trim()))
}

/// Says whether a line is a thematic break, which also parts scenes.
fn is_break(content: &str) -> bool {
    let Some(mark) = content.chars().next().filter(|c| matches!(c, '*' | '-' | '_')) else { return false };
    let marks = content.chars().filter(|&c| c == mark).count();
    marks >= 3 && content.chars().all(|c| c == mark || c.is_whitespace())
}

/// Says whether a line defines a link's target, which is not shown; a footnote's text is.
fn is_definition(content: &str) -> bool {
    content.starts_with('[')
        && !content.starts_with("[^")
        && content.split_once("]:").is_some_and(|(label, target)| {
            !label.contains(' ') && target.trim_start().starts_with(['<', '/', '#', '.', 'h', 'm'])
        })
}

/// Returns the text of a list item without its bullet or number.
///
/// A number stays: at the start of a line of prose it is a year or a chapter as often as it is an item.
fn item(content: &str) -> Option<&str> {
    ["- ", "* ", "+ "].iter().find_map(|bullet| content.strip_prefix(bullet)).map(str::trim_start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(source: &str) -> Vec<(Kind, String)> {
        let document = extract(source.as_bytes(), &Limits::default()).unwrap();
        document.blocks().map(|block| (block.kind, block.text.to_owned())).collect()
    }

    #[test]
    fn headings_of_both_kinds_are_found() {
        let found =
            blocks("---\ntitle: x\n---\nTitle\n=====\n\n## One ##\nText\n\nTwo\n---\n> #hash C#\n\n# C#\n");
        let expected = [
            (Kind::Heading(1), "Title"),
            (Kind::Heading(2), "One"),
            (Kind::Paragraph, "Text"),
            (Kind::Heading(2), "Two"),
            (Kind::Paragraph, "#hash C#"),
            (Kind::Heading(1), "C#"),
        ];
        assert_eq!(found, expected.map(|(kind, text)| (kind, text.to_owned())));
    }

    #[test]
    fn a_line_under_a_whole_paragraph_makes_no_heading_of_it() {
        let found = blocks("one\ntwo\nthree\nfour\n---\nfive\n");
        assert!(found.iter().all(|(kind, _)| *kind == Kind::Paragraph), "{found:?}");
    }

    #[test]
    fn comments_definitions_and_breaks_are_no_headings_and_no_words() {
        let found = blocks(
            "A <!-- hidden\n\n# no --> b\n\n[x]: http://example.org\n\n* * *\n\n- item\n```\n# code\n```\n",
        );
        let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["A  b", "* * *", "item", "# code"]);
        assert!(found.iter().all(|(kind, _)| *kind == Kind::Paragraph));
    }
}
