//! Every row of the shared table of expected results that is about a format read here, compared with the file itself.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use novelfoundry_manuscript::{
    Analysis, Document, ExtractError, Format, Limits, analyse, count_words, extract,
};

/// What a table says of one file, by column.
type Row = BTreeMap<String, String>;

fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/manuscripts");
    if folder.join("EXPECTED.md").is_file() {
        Some(folder)
    } else {
        println!("skipped: the shared manuscripts are not here");
        None
    }
}

/// Parses the tables of a Markdown file into the rows whose first column names a file of a format read here.
fn rows(folder: &Path, of: &str) -> Vec<(String, Row)> {
    let source = fs::read_to_string(folder.join("EXPECTED.md")).unwrap();
    let cells = |line: &str| -> Vec<String> {
        line.trim().trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let mut columns = Vec::new();
    let mut rows = Vec::new();
    for line in source.lines() {
        let cells = cells(line);
        if !line.starts_with('|') {
            columns.clear();
        } else if columns.is_empty() {
            columns = cells;
        } else if let Some(file) = cells.first().filter(|file| file.starts_with(of)).cloned() {
            let read_here = [".txt", ".md", ".docx"].iter().any(|extension| file.ends_with(extension));
            if read_here {
                rows.push((file, columns.iter().cloned().zip(cells).collect()));
            }
        }
    }
    rows
}

fn read(folder: &Path, file: &str) -> Result<(Document, Analysis), ExtractError> {
    let bytes = fs::read(folder.join(file)).unwrap();
    let format = Format::detect(file, "", &bytes)?;
    let document = extract(format, &bytes, &Limits::default())?;
    let analysis = analyse(&document);
    Ok((document, analysis))
}

fn number(text: &str) -> Option<u64> {
    let digits: String = text.trim().chars().filter(|c| *c != ',').take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// Returns every number that a cell holds.
fn numbers(text: &str) -> Vec<u64> {
    text.replace(',', "").split(|c: char| !c.is_ascii_digit()).filter_map(number).collect()
}

/// The numbers of chapters that a cell allows: its leading number, and those that it calls right too.
fn chapters_allowed(cell: &str) -> Vec<u64> {
    if cell.starts_with("none") {
        return vec![0];
    }
    let mut allowed = vec![number(cell).unwrap_or_else(|| panic!("no number in {cell:?}"))];
    if let Some(range) = cell.split_once("also right").map(|(before, _)| before) {
        let all = numbers(range);
        let (low, high) = (all[all.len() - 2], all[all.len() - 1]);
        allowed.extend(low..=high);
    }
    if cell.contains("+ Epilogue (") && !cell.starts_with("17") {
        allowed.push(allowed[0] + 1);
    }
    allowed
}

fn check(file: &str, row: &Row, analysis: &Analysis, problems: &mut Vec<String>) {
    let (ws, uni) = (number(&row["ws"]).unwrap(), number(&row["uni"]).unwrap());
    let (low, high) = (ws.min(uni), ws.max(uni));
    let exact = row.get("tolerance").is_some_and(|tolerance| tolerance == "exact");
    let slack = |words: u64| if exact { 0 } else { words / 100 };
    if !(low - slack(low)..=high + slack(high)).contains(&analysis.words) {
        problems.push(format!("{file}: {} words, expected {low} to {high}", analysis.words));
    }
    let chapters = analysis.chapters.len() as u64;
    let allowed = chapters_allowed(&row["chapters"]);
    if !allowed.contains(&chapters) {
        let titles: Vec<&str> = analysis.chapters.iter().map(|chapter| chapter.title.as_str()).collect();
        problems.push(format!("{file}: {chapters} chapters, expected one of {allowed:?}: {titles:?}"));
    }
    if !analysis.warnings.is_empty() {
        problems.push(format!("{file}: {:?}", analysis.warnings));
    }
    let sum: u64 = analysis.chapters.iter().map(|chapter| chapter.words).sum();
    if sum + analysis.front_matter_words != analysis.words {
        problems.push(format!("{file}: the chapters' words do not add up"));
    }
    // A contents line taken for a chapter would be a chapter of a few words.
    if high > 1_000
        && let Some(small) = analysis.chapters.iter().find(|chapter| chapter.words < 40)
    {
        problems.push(format!("{file}: {small:?} is too small"));
    }
}

fn walk(of: &str, least: usize) {
    let Some(folder) = folder() else { return };
    let rows = rows(&folder, of);
    assert!(rows.len() >= least, "{} rows of {of}", rows.len());
    let mut problems = Vec::new();
    for (file, row) in rows {
        let names = row.get("names").cloned().unwrap_or_default();
        match read(&folder, &file) {
            Ok((document, analysis)) => {
                check(&file, &row, &analysis, &mut problems);
                for name in names.split(", ").filter(|name| !name.is_empty()) {
                    let (name, times) = name.rsplit_once(' ').unwrap();
                    let found = whole_words(document.text(), name);
                    if found != times.parse::<usize>().unwrap() {
                        problems.push(format!("{file}: {name} {found} times, expected {times}"));
                    }
                }
            }
            Err(error) => problems.push(format!("{file}: {error}")),
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Counts case-sensitive occurrences of a name as whole words, across line ends.
fn whole_words(text: &str, name: &str) -> usize {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(name)
        .filter(|(at, _)| {
            !is_inside(text[..*at].chars().next_back()) && !is_inside(text[at + name.len()..].chars().next())
        })
        .count()
}

#[test]
fn novels_are_counted_and_divided_as_expected() {
    walk("novels/", 9);
}

#[test]
fn formats_are_read_as_expected() {
    walk("formats/", 10);
}

#[test]
fn hostile_files_end_as_expected() {
    let Some(folder) = folder() else { return };
    let rows = rows(&folder, "hostile/");
    assert!(rows.len() >= 19, "{} rows", rows.len());
    let mut problems = Vec::new();
    for (file, row) in rows {
        let started = Instant::now();
        let result = read(&folder, &file);
        if started.elapsed() > Duration::from_secs(30) {
            problems.push(format!("{file}: took {:?}", started.elapsed()));
        }
        let (outcome, kind) = (row["outcome"].as_str(), row["error kind"].as_str());
        match result {
            Ok((document, analysis)) => {
                if document.text().contains("root:") {
                    problems.push(format!("{file}: another file's content is in the text"));
                }
                if !outcome.starts_with("read") {
                    problems.push(format!("{file}: was read, expected {outcome}"));
                }
                if (outcome == "read+warn") == analysis.warnings.is_empty() {
                    problems.push(format!("{file}: {:?}, expected {outcome}", analysis.warnings));
                }
                let (expected, slack) = match row["words"].split_once("within ") {
                    Some(_) => {
                        let all = numbers(&row["words"]);
                        (undamaged_words(&folder, &document, all[1], all[2]), all[0])
                    }
                    None => (number(&row["words"]).unwrap(), u64::from(row["words"].contains("whitespace"))),
                };
                if analysis.words.abs_diff(expected) > slack {
                    problems.push(format!("{file}: {} words, expected {expected}", analysis.words));
                }
                if let Some((before, _)) = row["words"].split_once(" chapters") {
                    let chapters = *numbers(before).last().unwrap();
                    if analysis.chapters.len() as u64 != chapters {
                        problems
                            .push(format!("{file}: {:?}, expected {chapters} chapters", analysis.chapters));
                    }
                }
                if row["why"].contains("no sentence") && analysis.sentences != 0 {
                    problems.push(format!("{file}: {} sentences", analysis.sentences));
                }
            }
            Err(error) => {
                let fits = meanings(error).iter().any(|meaning| kind.contains(meaning));
                if !fits || (outcome != "refused" && !kind.starts_with("- or")) {
                    problems.push(format!("{file}: {error:?}, expected {outcome} {kind}"));
                }
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Counts the words of the undamaged novel up to a character, having checked that the table speaks of that novel.
fn undamaged_words(folder: &Path, damaged: &Document, characters: u64, words_by_whitespace: u64) -> u64 {
    let start = |text: &str| text.split_whitespace().take(40).collect::<Vec<_>>().join(" ");
    let novel = fs::read_dir(folder.join("novels"))
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .find(|novel| start(novel) == start(damaged.text()))
        .unwrap();
    let whole: String = novel.chars().take(characters.try_into().unwrap()).collect();
    assert_eq!(whole.split_whitespace().count() as u64, words_by_whitespace);
    count_words(&whole)
}

/// How the table names the reasons.
fn meanings(error: ExtractError) -> &'static [&'static str] {
    match error {
        ExtractError::Empty => &["empty file"],
        ExtractError::NoText => &["no text found"],
        ExtractError::PasswordProtected => &["password-protected"],
        ExtractError::Corrupt => &["corrupt file"],
        ExtractError::TooLarge => &["too large when unpacked"],
        ExtractError::NestedTooDeep => &["nested too deep"],
        ExtractError::TooManyEntries => &["too many entries"],
        ExtractError::ForbiddenXml => &["forbidden XML"],
        ExtractError::UnsupportedType => &["wrong or unsupported type"],
        _ => &[],
    }
}

#[test]
fn the_edge_cases_of_word_give_exactly_the_text_that_is_shown() {
    let Some(folder) = folder() else { return };
    let source = fs::read_to_string(folder.join("EXPECTED.md")).unwrap();
    let shown = source.split("```").nth(1).unwrap();
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let expected: Vec<String> = shown.trim().lines().map(words).collect();
    let (document, _) = read(&folder, "formats/word-edge.docx").unwrap();
    let found: Vec<String> = document.blocks().map(|block| words(block.text)).collect();
    assert_eq!(found, expected);
}

#[test]
fn printed_lines_of_a_google_document_become_paragraphs() {
    let Some(folder) = folder() else { return };
    let (_, analysis) = read(&folder, "formats/the-lerouge-case.google-docs.docx").unwrap();
    assert!((1_000..6_000).contains(&analysis.paragraphs), "{}", analysis.paragraphs);
    assert!(analysis.words / analysis.sentences < 40, "{} sentences", analysis.sentences);
}

#[test]
fn accents_survive_windows_1252_and_a_byte_order_mark_is_no_letter() {
    let Some(folder) = folder() else { return };
    let (document, _) = read(&folder, "formats/candide-fr.cp1252-crlf.txt").unwrap();
    assert!(document.text().contains("Cunégonde"));
    let (document, _) = read(&folder, "formats/bartleby.utf8-bom-crlf.txt").unwrap();
    assert!(document.text().starts_with("I am a rather elderly man."));
}
