//! The main part's text as a reader of the printed page sees it: insertions accepted, deletions gone, hidden text,
//! field codes and fallbacks left out.

use quick_xml::events::BytesStart;

use super::{
    super::xml::{Item, attribute},
    styles::{self, Style, Styles},
};
use crate::{
    ExtractError, Kind, Limits,
    document::{Builder, Layout},
};

const WORDPROCESSING: [&str; 2] = [
    "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
    "http://purl.oclc.org/ooxml/wordprocessingml/main",
];

/// Open fields inside each other; a contents list with links nests three.
const MAX_FIELDS: usize = 64;

/// What an open element means to the reading of what is inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Nothing: its content is read.
    Transparent,
    /// Its content is not read.
    Skipped,
    Paragraph,
    ParagraphProperties,
    /// The run properties of the paragraph's own mark.
    MarkProperties,
    Run,
    RunProperties,
    Text,
    Row,
    Cell,
    /// The choice between renderings of one thing, of which only the first is read.
    Alternatives,
}

/// A paragraph being read.
#[derive(Debug, Default)]
struct Paragraph {
    text: String,
    style: Style,
    starts_page: bool,
    /// The mark at its end was deleted: the next paragraph goes on in it.
    runs_on: bool,
}

/// A table row being read.
#[derive(Debug, Default)]
struct Row {
    first_block: usize,
    cell_start: usize,
    /// Whether some cell holds more than a paragraph.
    large: bool,
}

/// Reads the items of a main part into blocks.
pub(crate) struct Story<'s> {
    styles: &'s Styles,
    builder: Builder,
    /// The prefix, with its colon, of the part's own vocabulary.
    prefix: Option<String>,
    roles: Vec<Role>,
    skipped: usize,
    /// One entry an open `AlternateContent`: whether its first choice was met.
    chosen: Vec<bool>,
    paragraphs: Vec<Paragraph>,
    rows: Vec<Row>,
    /// One entry an open field: whether its code, not its result, is being read.
    fields: Vec<bool>,
    run_hidden: bool,
    after_gap: bool,
    page_break: bool,
    /// The paragraph whose mark was deleted.
    unfinished: Option<Paragraph>,
    embedded: u64,
    /// Bytes of text that may still come, those of open paragraphs counted as come.
    room: usize,
}

impl<'s> Story<'s> {
    pub(crate) fn new(styles: &'s Styles, builder: Builder, limits: &Limits) -> Self {
        Self {
            styles,
            builder,
            prefix: None,
            roles: Vec::new(),
            skipped: 0,
            chosen: Vec::new(),
            paragraphs: Vec::new(),
            rows: Vec::new(),
            fields: Vec::new(),
            run_hidden: false,
            after_gap: false,
            page_break: false,
            unfinished: None,
            embedded: 0,
            room: limits.text_bytes,
        }
    }

    pub(crate) fn visit(&mut self, item: &Item<'_>) -> Result<(), ExtractError> {
        match item {
            Item::Start(element) => {
                let role = if self.skipped > 0 { Role::Skipped } else { self.start(element)? };
                self.skipped += usize::from(role == Role::Skipped);
                self.roles.push(role);
                Ok(())
            }
            Item::End => self.end(),
            Item::Text(text) => {
                if self.roles.last() == Some(&Role::Text) {
                    self.append(text)?;
                }
                Ok(())
            }
        }
    }

    /// Returns the blocks and the number of embedded documents left out.
    pub(crate) fn finish(mut self) -> Result<(Builder, u64), ExtractError> {
        if let Some(paragraph) = self.unfinished.take() {
            self.emit(&paragraph)?;
        }
        Ok((self.builder, self.embedded))
    }

    fn start(&mut self, element: &BytesStart<'_>) -> Result<Role, ExtractError> {
        let name = element.name();
        let local = element.local_name();
        let Some(prefix) = &self.prefix else {
            self.prefix = Some(own_prefix(element)?);
            return Ok(Role::Transparent);
        };
        // Word declares this vocabulary wherever it needs it, so its prefix cannot be known beforehand.
        match local.as_ref() {
            "AlternateContent" => {
                self.chosen.push(false);
                return Ok(Role::Alternatives);
            }
            "Choice" | "Fallback" if self.roles.last() == Some(&Role::Alternatives) => {
                let first = self.chosen.last_mut().is_some_and(|chosen| !std::mem::replace(chosen, true));
                return Ok(if first { Role::Transparent } else { Role::Skipped });
            }
            _ => {}
        }
        if name.as_ref().strip_prefix(prefix.as_str()) != Some(local.as_ref()) {
            return Ok(Role::Transparent);
        }
        Ok(match self.roles.last() {
            Some(Role::ParagraphProperties) => self.paragraph_property(local.as_ref(), element),
            Some(Role::MarkProperties) => {
                if matches!(local.as_ref(), "del" | "moveFrom")
                    && let Some(paragraph) = self.paragraphs.last_mut()
                {
                    paragraph.runs_on = true;
                }
                Role::Skipped
            }
            Some(Role::RunProperties) => {
                self.run_property(local.as_ref(), element);
                Role::Skipped
            }
            _ => return self.content(local.as_ref(), element),
        })
    }

    fn content(&mut self, local: &str, element: &BytesStart<'_>) -> Result<Role, ExtractError> {
        Ok(match local {
            "p" => {
                self.open_paragraph();
                Role::Paragraph
            }
            "pPr" => Role::ParagraphProperties,
            "r" => {
                self.run_hidden = self.paragraphs.last().is_some_and(|p| p.style.hidden == Some(true));
                Role::Run
            }
            "rPr" if self.roles.last() == Some(&Role::Run) => Role::RunProperties,
            "t" => Role::Text,
            "tab" | "ptab" => self.mark("\t")?,
            "cr" => self.mark("\n")?,
            "br" => {
                if attribute(element, "type").as_deref() == Some("page") {
                    self.break_page();
                    Role::Skipped
                } else {
                    self.mark("\n")?
                }
            }
            "noBreakHyphen" => self.mark("-")?,
            "fldChar" => {
                self.field(attribute(element, "fldCharType").as_deref())?;
                Role::Skipped
            }
            "tr" => {
                self.rows.push(Row { first_block: self.builder.len(), ..Row::default() });
                Role::Row
            }
            "tc" => {
                if let Some(row) = self.rows.last_mut() {
                    row.cell_start = self.builder.len();
                }
                Role::Cell
            }
            "altChunk" | "subDoc" => {
                self.embedded += 1;
                Role::Skipped
            }
            // Deleted and moved away; properties; the reading aid over ideographs; notes on changed formatting.
            "del" | "moveFrom" | "delText" | "instrText" | "delInstrText" | "sectPr" | "tblPr"
            | "tblGrid" | "trPr" | "tcPr" | "sdtPr" | "sdtEndPr" | "rPr" | "rt" | "rubyPr" => Role::Skipped,
            _ => Role::Transparent,
        })
    }

    fn end(&mut self) -> Result<(), ExtractError> {
        match self.roles.pop() {
            Some(Role::Skipped) => self.skipped = self.skipped.saturating_sub(1),
            Some(Role::Alternatives) => {
                self.chosen.pop();
            }
            Some(Role::Paragraph) => self.close_paragraph()?,
            Some(Role::Cell) => {
                if let Some(row) = self.rows.last_mut() {
                    row.large |= self.builder.len() > row.cell_start + 1;
                }
            }
            Some(Role::Row) => {
                if let Some(row) = self.rows.pop()
                    && !row.large
                {
                    self.builder.join_row(row.first_block);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn paragraph_property(&mut self, local: &str, element: &BytesStart<'_>) -> Role {
        let Some(paragraph) = self.paragraphs.last_mut() else { return Role::Skipped };
        let value = attribute(element, "val");
        match local {
            "pStyle" => {
                if let Some(id) = value {
                    // A document without a styles part still names its styles by telling ids.
                    let by_name = || Style { kind: styles::kind_of_name(&id), ..Style::default() };
                    paragraph.style = self.styles.get(&id).cloned().unwrap_or_else(by_name);
                }
            }
            "outlineLvl" if paragraph.style.kind != Some(Kind::Title) => {
                paragraph.style.kind =
                    value.and_then(|level| styles::outline(&level)).or(paragraph.style.kind);
            }
            "jc" => paragraph.style.centred = value.map(|v| v == "center"),
            "pageBreakBefore" => paragraph.style.page_break_before = Some(styles::switch(value)),
            "rPr" => return Role::MarkProperties,
            // The section ends with this paragraph and the next one starts on a new page.
            "sectPr" => self.page_break = true,
            _ => {}
        }
        Role::Skipped
    }

    fn run_property(&mut self, local: &str, element: &BytesStart<'_>) {
        let value = attribute(element, "val");
        match local {
            "vanish" => self.run_hidden = styles::switch(value),
            "rStyle" => {
                let style = value.and_then(|id| self.styles.get(&id));
                self.run_hidden = style.and_then(|style| style.hidden).unwrap_or(self.run_hidden);
            }
            _ => {}
        }
    }

    /// Follows the three marks of a field; what stands between the first and the second is its code.
    fn field(&mut self, kind: Option<&str>) -> Result<(), ExtractError> {
        match kind {
            Some("begin") if self.fields.len() >= MAX_FIELDS => return Err(ExtractError::NestedTooDeep),
            Some("begin") => self.fields.push(true),
            Some("separate") => {
                if let Some(in_code) = self.fields.last_mut() {
                    *in_code = false;
                }
            }
            Some("end") => {
                self.fields.pop();
            }
            _ => {}
        }
        Ok(())
    }

    fn mark(&mut self, text: &str) -> Result<Role, ExtractError> {
        self.append(text).map(|()| Role::Skipped)
    }

    fn append(&mut self, text: &str) -> Result<(), ExtractError> {
        if self.run_hidden || self.fields.contains(&true) {
            return Ok(());
        }
        if let Some(paragraph) = self.paragraphs.last_mut() {
            // Soft hyphens and byte order marks are invisible and would part a word.
            paragraph.text.extend(text.chars().filter(|c| !matches!(c, '\u{ad}' | '\u{feff}')));
            self.room = self.room.checked_sub(text.len()).ok_or(ExtractError::TooLarge)?;
        }
        Ok(())
    }

    fn break_page(&mut self) {
        match self.paragraphs.last_mut() {
            Some(paragraph) if paragraph.text.trim().is_empty() => paragraph.starts_page = true,
            _ => self.page_break = true,
        }
    }

    fn open_paragraph(&mut self) {
        let mut paragraph = match self.unfinished.take() {
            // The mark that survives gives the joined paragraph its style.
            Some(unfinished) if self.paragraphs.is_empty() && self.rows.is_empty() => {
                Paragraph { runs_on: false, style: Style::default(), ..unfinished }
            }
            other => {
                self.unfinished = other;
                Paragraph::default()
            }
        };
        paragraph.style = self.styles.default_paragraph().clone();
        paragraph.starts_page |= std::mem::take(&mut self.page_break);
        self.paragraphs.push(paragraph);
    }

    fn close_paragraph(&mut self) -> Result<(), ExtractError> {
        // A field's code does not go on in the next paragraph, so that one left open cannot swallow the rest.
        self.fields.iter_mut().for_each(|in_code| *in_code = false);
        let Some(paragraph) = self.paragraphs.pop() else { return Ok(()) };
        if paragraph.runs_on && self.paragraphs.is_empty() && self.rows.is_empty() {
            self.unfinished = Some(paragraph);
            return Ok(());
        }
        self.emit(&paragraph)
    }

    fn emit(&mut self, paragraph: &Paragraph) -> Result<(), ExtractError> {
        let before = self.builder.len();
        let starts_page = paragraph.starts_page || paragraph.style.page_break_before == Some(true);
        let layout = Layout {
            kind: paragraph.style.kind.unwrap_or(Kind::Paragraph),
            centred: paragraph.style.centred == Some(true),
            starts_page,
            after_gap: self.after_gap,
        };
        self.builder.push(&paragraph.text, layout)?;
        self.after_gap = self.builder.len() == before;
        // A break in an empty paragraph is the next one's.
        self.page_break |= self.after_gap && starts_page;
        Ok(())
    }
}

/// Returns the prefix bound to the vocabulary of text documents on the root element.
fn own_prefix(root: &BytesStart<'_>) -> Result<String, ExtractError> {
    if root.local_name().as_ref() != "document" {
        return Err(ExtractError::UnsupportedType);
    }
    for declared in root.attributes().with_checks(false).filter_map(Result::ok) {
        if WORDPROCESSING.contains(&declared.value.as_ref()) {
            return match declared.key.as_ref() {
                "xmlns" => Ok(String::new()),
                key => {
                    key.strip_prefix("xmlns:").map(|p| format!("{p}:")).ok_or(ExtractError::UnsupportedType)
                }
            };
        }
    }
    Err(ExtractError::UnsupportedType)
}
