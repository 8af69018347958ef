//! What a paragraph's or run's style says about it, through whatever it is based on.

use std::collections::HashMap;

use super::super::xml::{Item, attribute};
use crate::{ExtractError, Kind};

/// More styles than any program writes; Word stops at 4,091.
const MAX_STYLES: usize = 10_000;

/// How many styles deep a style may be based on others; Word allows no more than ten or so.
const MAX_CHAIN: usize = 64;

/// The style names for headings in the languages whose programs write no outline level.
const HEADING_NAMES: &[&str] = &[
    "heading",
    "überschrift",
    "titre",
    "título",
    "titulo",
    "titolo",
    "kop",
    "rubrik",
    "overskrift",
    "otsikko",
    "nagłówek",
    "nadpis",
    "címsor",
    "titlu",
    "başlık",
    "заголовок",
    "επικεφαλίδα",
    "标题",
    "標題",
    "見出し",
    "제목",
    "כותרת",
    "عنوان",
];

/// What a style settles; an unset field is inherited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Style {
    pub(crate) kind: Option<Kind>,
    pub(crate) centred: Option<bool>,
    pub(crate) page_break_before: Option<bool>,
    pub(crate) hidden: Option<bool>,
    pub(crate) based_on: Option<String>,
}

impl Style {
    fn inherit(&mut self, parent: &Self) {
        self.kind = self.kind.or(parent.kind);
        self.centred = self.centred.or(parent.centred);
        self.page_break_before = self.page_break_before.or(parent.page_break_before);
        self.hidden = self.hidden.or(parent.hidden);
    }
}

/// The styles of a document, each with what it inherits.
#[derive(Debug, Default)]
pub(crate) struct Styles {
    by_id: HashMap<String, Style>,
    default: Style,
}

impl Styles {
    /// Returns a style by its id.
    pub(crate) fn get(&self, id: &str) -> Option<&Style> {
        self.by_id.get(id)
    }

    /// Returns the style of paragraphs that name none.
    pub(crate) fn default_paragraph(&self) -> &Style {
        &self.default
    }
}

/// Collects styles while their part is read.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    styles: HashMap<String, Style>,
    default_id: Option<String>,
    current: Option<(String, Style)>,
    path: Vec<&'static str>,
}

impl Reading {
    pub(crate) fn visit(&mut self, item: &Item<'_>) -> Result<(), ExtractError> {
        match item {
            Item::Start(element) => {
                let name = element.local_name();
                self.path.push(known(name.as_ref()));
                let value = || attribute(element, "val");
                if name.as_ref() == "style" {
                    let id = attribute(element, "styleId").unwrap_or_default();
                    let is_default = attribute(element, "default").is_some_and(|v| is_on(&v));
                    if is_default && attribute(element, "type").as_deref() == Some("paragraph") {
                        self.default_id = Some(id.clone());
                    }
                    self.current = Some((id, Style::default()));
                }
                let inside = self.path.iter().rev().nth(1).copied().unwrap_or_default();
                let Some((_, style)) = &mut self.current else { return Ok(()) };
                match (inside, name.as_ref()) {
                    ("style", "name") => {
                        let named = value().and_then(|name| kind_of_name(&name));
                        style.kind = named.or(style.kind);
                    }
                    ("style", "basedOn") => style.based_on = value(),
                    // A built-in name outweighs the level: Title may carry one.
                    ("pPr", "outlineLvl") if style.kind.is_none() => {
                        style.kind = value().and_then(|level| outline(&level));
                    }
                    ("pPr", "jc") => style.centred = value().map(|v| v == "center"),
                    ("pPr", "pageBreakBefore") => style.page_break_before = Some(switch(value())),
                    ("rPr", "vanish") => style.hidden = Some(switch(value())),
                    _ => {}
                }
            }
            Item::End => {
                if self.path.pop() == Some("style")
                    && let Some((id, style)) = self.current.take()
                {
                    if self.styles.len() >= MAX_STYLES {
                        return Err(ExtractError::TooLarge);
                    }
                    self.styles.insert(id, style);
                }
            }
            Item::Text(_) => {}
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Styles {
        let resolve = |style: &Style| {
            let mut whole = style.clone();
            let mut parent = style.based_on.as_deref();
            for _ in 0..MAX_CHAIN {
                let Some(style) = parent.and_then(|id| self.styles.get(id)) else { break };
                whole.inherit(style);
                parent = style.based_on.as_deref();
            }
            whole.based_on = None;
            whole
        };
        let by_id: HashMap<_, _> =
            self.styles.iter().map(|(id, style)| (id.clone(), resolve(style))).collect();
        let default = self.default_id.and_then(|id| by_id.get(&id).cloned()).unwrap_or_default();
        Styles { by_id, default }
    }
}

/// Keeps the path free of owned names: only these matter as parents.
fn known(name: &str) -> &'static str {
    ["style", "pPr", "rPr"].into_iter().find(|known| *known == name).unwrap_or("")
}

/// Reads an outline level, 0 to 8 for headings and 9 for body text.
pub(crate) fn outline(level: &str) -> Option<Kind> {
    match level.parse::<u8>() {
        Ok(level @ 0..=8) => Some(Kind::Heading(level + 1)),
        Ok(_) => Some(Kind::Paragraph),
        Err(_) => None,
    }
}

/// Reads an on/off element: present means on unless its value says otherwise.
pub(crate) fn switch(value: Option<String>) -> bool {
    value.is_none_or(|value| is_on(&value))
}

fn is_on(value: &str) -> bool {
    !matches!(value, "0" | "false" | "off" | "none")
}

/// Tells headings, titles and contents lines by the name, or id, of their style.
pub(crate) fn kind_of_name(name: &str) -> Option<Kind> {
    let name = name.trim().to_lowercase();
    if matches!(name.as_str(), "title" | "subtitle") {
        return Some(Kind::Title);
    }
    let words = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let level: Option<u8> = name.get(words.len()..).and_then(|digits| digits.parse().ok());
    let words = words.trim_end();
    if matches!(words, "toc" | "contents" | "toc heading" | "contents heading") {
        return Some(Kind::Contents);
    }
    // Templates for novels name theirs after what they are for.
    if words.contains("chapter")
        && ["title", "heading", "head", "number", "name"].iter().any(|w| words.ends_with(w))
    {
        return Some(Kind::Heading(1));
    }
    match level {
        Some(level @ 1..=9) if HEADING_NAMES.contains(&words) => Some(Kind::Heading(level)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, formats::xml};

    fn read(xml: &str) -> Styles {
        let limits = Limits::default();
        let mut reading = Reading::default();
        xml::read(xml.as_bytes(), &limits, &mut xml::Budget::new(&limits), |item| reading.visit(&item))
            .unwrap();
        reading.finish()
    }

    #[test]
    fn names_in_many_languages_are_headings() {
        for name in
            ["heading 1", "Heading1", "Überschrift 1", "Titre 1", "Título 1", "Заголовок 1", "見出し 1"]
        {
            assert_eq!(kind_of_name(name), Some(Kind::Heading(1)), "{name}");
        }
        assert_eq!(kind_of_name("toc 2"), Some(Kind::Contents));
        assert_eq!(kind_of_name("Title"), Some(Kind::Title));
        for name in ["Normal", "Heading", "heading 12", "Body Text 2", "1"] {
            assert_eq!(kind_of_name(name), None, "{name}");
        }
    }

    #[test]
    fn a_style_inherits_what_it_does_not_settle_and_a_circle_ends() {
        let styles = read(
            "<w:styles xmlns:w='x'>\
             <w:style w:type='paragraph' w:default='1' w:styleId='N'><w:name w:val='Normal'/></w:style>\
             <w:style w:styleId='H'><w:name w:val='heading 2'/><w:pPr><w:jc w:val='center'/></w:pPr></w:style>\
             <w:style w:styleId='Mine'><w:name w:val='Mine'/><w:basedOn w:val='H'/>\
             <w:pPr><w:jc w:val='left'/><w:pageBreakBefore/></w:pPr></w:style>\
             <w:style w:styleId='A'><w:basedOn w:val='B'/></w:style>\
             <w:style w:styleId='B'><w:basedOn w:val='A'/><w:rPr><w:vanish/></w:rPr></w:style>\
             <w:style w:styleId='L'><w:pPr><w:outlineLvl w:val='0'/></w:pPr></w:style></w:styles>",
        );
        let mine = styles.get("Mine").unwrap();
        assert_eq!(mine.kind, Some(Kind::Heading(2)));
        assert_eq!((mine.centred, mine.page_break_before), (Some(false), Some(true)));
        assert_eq!(styles.get("A").unwrap().hidden, Some(true));
        assert_eq!(styles.get("L").unwrap().kind, Some(Kind::Heading(1)));
        assert_eq!(styles.default_paragraph(), &Style::default());
    }
}
