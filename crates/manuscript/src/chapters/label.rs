//! Reading one line as a heading: what it calls itself, which number it bears, and how sure that is.

use super::numerals::{self, Script};

/// What kind of division a heading names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Family {
    Chapter,
    Letter,
    Act,
    Scene,
    /// A division above chapters: part, book, volume.
    Part,
    /// A numeral with no word before it.
    Numeral(Script),
    /// Prologue, epilogue and the like, which need no number.
    Named,
}

/// A line read as a heading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) family: Family,
    /// Absent where the number is in words of a language whose numbers are not known here.
    pub(crate) number: Option<u32>,
    /// Whether a title follows on the line.
    pub(crate) titled: bool,
}

/// Words for divisions, in lower case, by family.
const KEYWORDS: &[(Family, &[&str])] = &[
    (
        Family::Chapter,
        &[
            "chapter",
            "chap",
            "chapitre",
            "kapitel",
            "capítulo",
            "capitulo",
            "capitolo",
            "hoofdstuk",
            "kapittel",
            "глава",
            "розділ",
            "rozdział",
            "kapitola",
            "luku",
            "capitol",
            "bölüm",
            "κεφάλαιο",
            "poglavlje",
            "stave",
            "canto",
            "episode",
        ],
    ),
    (Family::Letter, &["letter", "lettre", "lettera", "carta", "brief", "письмо"]),
    (Family::Act, &["act", "acte", "akt", "aufzug", "acto", "atto", "действие"]),
    (Family::Scene, &["scene", "scène", "szene", "escena", "scena", "явление"]),
    (
        Family::Part,
        &[
            "part",
            "book",
            "volume",
            "vol",
            "partie",
            "livre",
            "tome",
            "teil",
            "buch",
            "band",
            "parte",
            "libro",
            "tomo",
            "deel",
            "boek",
            "часть",
            "книга",
            "том",
            "część",
            "tom",
        ],
    ),
];

/// Headings that stand for a chapter without a number.
const NAMED: &[&str] = &[
    "prologue",
    "epilogue",
    "prolog",
    "epilog",
    "prólogo",
    "epílogo",
    "prologo",
    "epilogo",
    "épilogue",
    "prologus",
    "пролог",
    "эпилог",
    "interlude",
    "intermezzo",
    "coda",
    "conclusion",
];

/// Headings of what stands before and after the story.
const APPARATUS: &[&str] = &[
    "contents",
    "table of contents",
    "foreword",
    "preface",
    "introduction",
    "dedication",
    "acknowledgements",
    "acknowledgments",
    "afterword",
    "copyright",
    "about the author",
    "also by",
    "notes",
    "footnotes",
    "endnotes",
    "glossary",
    "bibliography",
    "index",
    "title page",
    "epigraph",
    "table des matières",
    "préface",
    "avant-propos",
    "remerciements",
    "inhalt",
    "inhaltsverzeichnis",
    "vorwort",
    "nachwort",
    "danksagung",
    "índice",
    "indice",
    "prefacio",
    "agradecimientos",
    "содержание",
    "оглавление",
];

/// Titles of contents lists among them.
const CONTENTS: &[&str] = &[
    "contents",
    "table of contents",
    "list of chapters",
    "table des matières",
    "table",
    "inhalt",
    "inhaltsverzeichnis",
    "índice",
    "indice",
    "inhoud",
    "содержание",
    "оглавление",
];

/// Says whether a line heads what is not part of the story.
pub(crate) fn is_apparatus(line: &str) -> bool {
    APPARATUS.contains(&bare(line).to_lowercase().as_str())
}

/// Says whether a line heads a list of contents.
pub(crate) fn is_contents_title(line: &str) -> bool {
    CONTENTS.contains(&bare(line).to_lowercase().as_str())
}

/// Says whether a line ends in a page number behind a tab or a leader of dots, as lists of contents do.
pub(crate) fn is_contents_entry(line: &str) -> bool {
    let rest = line.trim_end_matches(|c: char| c.is_ascii_digit());
    rest.len() < line.len()
        && (rest.ends_with('\t') || rest.trim_end().ends_with("..") || rest.trim_end().ends_with(". ."))
}

/// Reads a line as a heading, if it is one by its form.
pub(crate) fn read(line: &str) -> Option<Label> {
    let line = bare(line);
    if line.is_empty() || line.len() > 400 {
        return None;
    }
    let tokens: Vec<Token<'_>> = line.split_whitespace().take(64).map(Token::of).collect();
    let label = ideographic(line)
        .or_else(|| keyword_first(&tokens))
        .or_else(|| ordinal_first(&tokens))
        .or_else(|| named(&tokens))
        .or_else(|| numeral(&tokens))?;
    Some(label)
}

/// Strips what ornaments a heading and the marks of notes behind it.
pub(crate) fn bare(line: &str) -> &str {
    let mut line = line.trim().trim_start_matches('\u{feff}');
    loop {
        let trimmed = without_note(line)
            .trim_matches(|c: char| {
                c.is_whitespace() || matches!(c, '*' | '_' | '=' | '~' | '#' | '-' | '–' | '—' | '•')
            })
            .trim_end_matches(['.', ':'])
            .trim_end();
        if trimmed.len() == line.len() {
            return line;
        }
        line = trimmed;
    }
}

/// Cuts a note's mark, such as `[1]` or `[*]`, off the end.
fn without_note(line: &str) -> &str {
    let line = line.trim_end_matches(['¹', '²', '³', '†']);
    line.strip_suffix(']')
        .and_then(|open| open.rsplit_once('['))
        .filter(|(before, mark)| {
            !before.is_empty() && mark.len() <= 3 && mark.chars().all(|c| c.is_ascii_digit() || c == '*')
        })
        .map_or(line, |(before, _)| before.trim_end())
}

/// A word of a heading, apart from its punctuation.
#[derive(Clone, Copy, Debug)]
struct Token<'a> {
    word: &'a str,
    /// Whether what follows it parts a number from a title.
    is_closed: bool,
    is_capital: bool,
}

impl<'a> Token<'a> {
    fn of(raw: &'a str) -> Self {
        let open = raw.trim_start_matches(['(', '[', '“', '"', '«', '‘']);
        let unmarked = without_note(open.trim_end_matches(['.', ':', ',']));
        let word =
            unmarked.trim_end_matches(['.', ':', ')', ']', ',', ';', '—', '–', '-', '”', '"', '»', '’']);
        let is_closed = word.len() < open.len();
        let is_capital = word.chars().next().is_some_and(|c| !c.is_lowercase());
        Self { word, is_closed, is_capital }
    }

    fn is(&self, words: &[&str]) -> bool {
        words.contains(&self.word.to_lowercase().as_str())
    }

    fn family(&self) -> Option<Family> {
        let word = self.word.to_lowercase();
        KEYWORDS.iter().find(|(_, words)| words.contains(&word.as_str())).map(|(family, _)| *family)
    }
}

fn words_of<'a>(tokens: &[Token<'a>]) -> Vec<&'a str> {
    tokens.iter().take(6).map(|token| token.word).collect()
}

/// Returns what follows a number, and whether punctuation or a dash of its own parts the two.
fn title_after<'t, 'a>(tokens: &'t [Token<'a>], number: usize) -> Option<(bool, &'t [Token<'a>])> {
    let (taken, title) = tokens.split_at_checked(number)?;
    let is_closed = taken.last().is_some_and(|token| token.is_closed);
    Some(match title.split_first() {
        Some((dash, title)) if dash.word.is_empty() => (true, title),
        _ => (is_closed, title),
    })
}

/// Reads "Chapter 12", "CHAPTER I. Title", "Chapter the First", "Chapitre premier".
fn keyword_first(tokens: &[Token<'_>]) -> Option<Label> {
    let (keyword, rest) = tokens.split_first()?;
    let family = keyword.family()?;
    let rest = match rest.split_first() {
        Some((article, tail)) if article.is(&["the", "no", "nº", "n°", "nr"]) && !tail.is_empty() => tail,
        Some((sign, tail)) if sign.word.is_empty() => tail,
        _ => rest,
    };
    let Some(number) = numerals::read(&words_of(rest)) else {
        // An ordinal of another language; in English this would be "Chapter Notes" or "Part company".
        let foreign = rest.len() == 1 && keyword.is_capital && !needs_number(keyword.word);
        return foreign.then_some(Label { family, number: None, titled: false });
    };
    let (is_closed, title) = title_after(rest, number.words)?;
    let titled = !title.is_empty();
    if titled && !(keyword.is_capital && (is_closed || is_title_like(title))) {
        return None;
    }
    Some(Label { family, number: Some(number.value), titled })
}

/// Reads "FIRST ACT", "The Third Book", "Erstes Kapitel".
fn ordinal_first(tokens: &[Token<'_>]) -> Option<Label> {
    let tokens = match tokens.split_first() {
        Some((article, rest)) if article.is(&["the"]) => rest,
        _ => tokens,
    };
    let number = numerals::read(&words_of(tokens)).filter(|number| number.is_ordinal && !tokens.is_empty());
    let (keyword, title) = match number {
        Some(number) => tokens.get(number.words..)?.split_first()?,
        None if tokens.len() == 2 => tokens.get(1..)?.split_first()?,
        None => return None,
    };
    let is_capital = tokens.first().is_some_and(|token| token.is_capital);
    if !is_capital || !(title.is_empty() || keyword.is_closed) {
        return None;
    }
    if number.is_some() && keyword.is(NAMED) {
        return Some(Label {
            family: Family::Named,
            number: number.map(|n| n.value),
            titled: !title.is_empty(),
        });
    }
    let family = keyword.family()?;
    if number.is_none() && (needs_number(keyword.word) || tokens.first().is_some_and(|token| token.is_closed))
    {
        return None;
    }
    Some(Label { family, number: number.map(|number| number.value), titled: !title.is_empty() })
}

fn named(tokens: &[Token<'_>]) -> Option<Label> {
    let (name, title) = tokens.split_first()?;
    let fits = name.is(NAMED) && (title.is_empty() || name.is_capital && name.is_closed);
    // "Interlude II" and "Prologue: Ten Years Before" both name one.
    let numbered = name.is(NAMED) && numerals::read(&words_of(title)).is_some_and(|n| n.words == title.len());
    (fits || numbered).then_some(Label { family: Family::Named, number: None, titled: !title.is_empty() })
}

/// Reads "XII.", "12" and "Twelve", alone or with a title behind.
fn numeral(tokens: &[Token<'_>]) -> Option<Label> {
    let number = numerals::read(&words_of(tokens)).filter(|number| !number.is_ordinal && number.value > 0)?;
    let (is_closed, title) = title_after(tokens, number.words)?;
    let titled = !title.is_empty();
    if titled && !(is_closed && is_title_like(title) && title.len() <= 12) {
        return None;
    }
    Some(Label { family: Family::Numeral(number.script), number: Some(number.value), titled })
}

/// Reads "第十二章" and its kin in Chinese, Japanese and Korean.
fn ideographic(line: &str) -> Option<Label> {
    let rest = line.strip_prefix(['第', '제'])?.trim_start();
    let numerals = |c: char| {
        c.is_ascii_digit() || ('０'..='９').contains(&c) || "〇零一二三四五六七八九十百千".contains(c)
    };
    let unit = rest.trim_start_matches(numerals);
    if unit.len() == rest.len() || line.chars().count() > 40 {
        return None;
    }
    let family = match unit.trim_start().chars().next()? {
        '章' | '回' | '話' | '话' | '节' | '節' | '장' | '화' => Family::Chapter,
        '部' | '卷' | '巻' | '부' | '권' => Family::Part,
        _ => return None,
    };
    let number = rest.get(..rest.len() - unit.len())?.parse().ok();
    Some(Label { family, number, titled: unit.trim_start().chars().nth(1).is_some() })
}

/// Says whether words can be a title: it starts like one and is no longer than one.
fn is_title_like(words: &[Token<'_>]) -> bool {
    words.len() <= 15 && words.first().is_some_and(|first| first.is_capital)
}

/// Says whether a division's word is an everyday word too, or one of a language whose numbers are all known.
fn needs_number(keyword: &str) -> bool {
    let keyword = keyword.to_lowercase();
    matches!(
        keyword.as_str(),
        "chapter"
            | "chap"
            | "letter"
            | "act"
            | "scene"
            | "part"
            | "book"
            | "volume"
            | "vol"
            | "stave"
            | "canto"
            | "episode"
            | "brief"
            | "band"
            | "carta"
            | "tom"
            | "luku"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(line: &str) -> Option<(Family, Option<u32>)> {
        read(line).map(|label| (label.family, label.number))
    }

    #[test]
    fn headings_of_many_forms_are_read() {
        for (line, division, number) in [
            ("CHAPTER I.", Family::Chapter, Some(1)),
            ("Chapter 12", Family::Chapter, Some(12)),
            ("CHAPITRE XXII[1].", Family::Chapter, Some(22)),
            ("CHAPTER 56. Of the Less Erroneous Pictures of Whales, and the True", Family::Chapter, Some(56)),
            ("CHAPTER FORTY-SEVEN", Family::Chapter, Some(47)),
            ("Chapter 2 - The Calm", Family::Chapter, Some(2)),
            ("3 — THE SEA", Family::Numeral(Script::Arabic), Some(3)),
            ("Chapter the First: In Which", Family::Chapter, Some(1)),
            ("_Chapter Twenty One_", Family::Chapter, Some(21)),
            ("*** Chapter 3 ***", Family::Chapter, Some(3)),
            ("Erstes Kapitel", Family::Chapter, None),
            ("Chapitre premier", Family::Chapter, None),
            ("Глава первая", Family::Chapter, None),
            ("第十二章　雪", Family::Chapter, None),
            ("第3章", Family::Chapter, Some(3)),
            ("STAVE ONE", Family::Chapter, Some(1)),
            ("Letter 4", Family::Letter, Some(4)),
            ("FIRST ACT", Family::Act, Some(1)),
            ("ACT III", Family::Act, Some(3)),
            ("PART 1", Family::Part, Some(1)),
            ("BOOK ONE: 1805", Family::Part, Some(1)),
            ("I.", Family::Numeral(Script::Roman), Some(1)),
            ("XVI. After the Story", Family::Numeral(Script::Roman), Some(16)),
            ("— 7 —", Family::Numeral(Script::Arabic), Some(7)),
            ("Seven", Family::Numeral(Script::Words), Some(7)),
            ("Epilogue", Family::Named, None),
            ("FIRST EPILOGUE: 1813 - 20", Family::Named, Some(1)),
            ("Prologue: Ten Years Before", Family::Named, None),
        ] {
            assert_eq!(family(line), Some((division, number)), "{line}");
        }
    }

    #[test]
    fn prose_is_not() {
        for line in [
            "Act third was the castle hall, and here Hagar appeared, having come to",
            "Chapter 5 of the book was the one he loved, and he read it aloud.",
            "letter, full of lively descriptions of camp life, marches, and military",
            "chapitre XXXI du _Précis du Siècle de Louis XV_.  B.",
            "ACT DROP",
            "Chapter Notes",
            "I had called upon my friend.",
            "One cannot choose but wonder.",
            "Part of the rich",
            "THE END",
            "* * *",
            "ALGERNON.",
            "A letter in a box.",
            "",
        ] {
            assert_eq!(family(line), None, "{line}");
        }
    }

    #[test]
    fn entries_of_contents_lists_are_told_by_their_page_numbers() {
        for line in ["Chapter One\t12", "I. The Storm ........ 3", "Chapter 2 . . . . 40"] {
            assert!(is_contents_entry(line), "{line}");
        }
        for line in ["Chapter 12", "It was 1984", "12", "He left in . 1984"] {
            assert!(!is_contents_entry(line), "{line}");
        }
    }
}
