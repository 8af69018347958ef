//! Small documents made here, each for one thing that real files do.

use std::io::{Cursor, Write};

use novelfoundry_manuscript::{
    Analysis, Document, ExtractError, Format, Kind, Limits, Warning, analyse, analyse_with, extract,
};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

const W: &str = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";
const RELATED: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

/// Packs named parts into a zip.
pub(crate) fn zip(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, content) in parts {
        writer.start_file(*name, options).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn relationships(kind: &str, target: &str) -> String {
    format!("<Relationships><Relationship Id='r' Type='{RELATED}/{kind}' Target='{target}'/></Relationships>")
}

/// Makes a document of the inside of its body and of its styles.
pub(crate) fn docx(body: &str, styles: &str) -> Vec<u8> {
    zip(&[
        ("_rels/.rels", &relationships("officeDocument", "word/document.xml")),
        ("word/_rels/document.xml.rels", &relationships("styles", "styles.xml")),
        ("word/styles.xml", &format!("<w:styles xmlns:w='{W}'>{styles}</w:styles>")),
        ("word/document.xml", &format!("<w:document xmlns:w='{W}'><w:body>{body}</w:body></w:document>")),
    ])
}

/// Makes a paragraph of its properties and text.
fn p(properties: &str, text: &str) -> String {
    format!("<w:p><w:pPr>{properties}</w:pPr><w:r><w:t xml:space='preserve'>{text}</w:t></w:r></w:p>")
}

fn read(bytes: &[u8]) -> Result<Document, ExtractError> {
    let format = Format::detect("sample.docx", "", bytes)?;
    assert_eq!(format, Format::Docx);
    extract(format, bytes, &Limits::default())
}

fn texts(bytes: &[u8]) -> Vec<String> {
    read(bytes).unwrap().blocks().map(|block| block.text.to_owned()).collect()
}

fn titles(analysis: &Analysis) -> Vec<&str> {
    analysis.chapters.iter().map(|chapter| chapter.title.as_str()).collect()
}

fn plain(text: &str) -> Analysis {
    let format = Format::detect("sample.txt", "text/plain", text.as_bytes()).unwrap();
    analyse(&extract(format, text.as_bytes(), &Limits::default()).unwrap())
}

const PROSE: &str = "The night was long and nobody came to the door, which stood open as it always had. ";

#[test]
fn the_main_part_is_found_wherever_the_package_says() {
    let document = format!(
        "<x:document xmlns:x='{W}'><x:body><x:p><x:r><x:t>Found.</x:t></x:r></x:p></x:body></x:document>"
    );
    let bytes = zip(&[
        ("_rels/.rels", &relationships("officeDocument", "/Text/Main.xml")),
        ("text/main.xml", &document),
        ("word/document.xml", "<other/>"),
    ]);
    // A part at the conventional place must not win over the one that the package names.
    assert_eq!(texts(&bytes), ["Found."]);
    let strict = document.replace(W, "http://purl.oclc.org/ooxml/wordprocessingml/main");
    assert_eq!(texts(&zip(&[("word/document.xml", &strict)])), ["Found."]);
}

#[test]
fn workbooks_and_pretenders_are_of_an_unsupported_kind() {
    let workbook = zip(&[
        ("_rels/.rels", &relationships("officeDocument", "xl/workbook.xml")),
        ("xl/workbook.xml", "<workbook/>"),
    ]);
    let epub = zip(&[("mimetype", "application/epub+zip"), ("_rels/.rels", "<x/>")]);
    let not_text = zip(&[("word/document.xml", "<html><p>words</p></html>")]);
    for bytes in [workbook, epub, not_text] {
        assert_eq!(read(&bytes).unwrap_err(), ExtractError::UnsupportedType);
    }
}

#[test]
fn deleted_paragraph_marks_join_and_hidden_styles_hide() {
    let styles = "<w:style w:type='character' w:styleId='Ghost'><w:rPr><w:vanish/></w:rPr></w:style>\
                  <w:style w:type='paragraph' w:styleId='Secret'><w:basedOn w:val='Ghost'/></w:style>";
    let body = [
        p("<w:rPr><w:del w:id='1'/></w:rPr>", "To"),
        p("", "gether."),
        "<w:p><w:r><w:rPr><w:rStyle w:val='Ghost'/></w:rPr><w:t>hidden</w:t></w:r><w:r><w:t>Shown.</w:t></w:r></w:p>"
            .to_owned(),
        p("<w:pStyle w:val='Secret'/>", "hidden too"),
        "<w:p><w:r><w:rPr><w:vanish w:val='0'/></w:rPr><w:t>Shown again.</w:t></w:r></w:p>".to_owned(),
        p("<w:rPr><w:del w:id='2'/></w:rPr>", "Last."),
    ];
    assert_eq!(texts(&docx(&body.concat(), styles)), ["Together.", "Shown.", "Shown again.", "Last."]);
}

#[test]
fn a_field_left_open_does_not_swallow_the_rest() {
    let mark = |kind: &str| format!("<w:r><w:fldChar w:fldCharType='{kind}'/></w:r>");
    let body = format!(
        "<w:p>{}<w:r><w:t>code</w:t></w:r>{}<w:r><w:t>code in code</w:t></w:r>{}<w:r><w:t>code</w:t></w:r></w:p>{}",
        mark("begin"),
        mark("begin"),
        mark("separate"),
        p("", "Everything else.")
    );
    assert_eq!(texts(&docx(&body, "")), ["Everything else."]);
}

#[test]
fn cells_of_a_row_stand_in_one_block_unless_they_hold_whole_texts() {
    let cell = |inside: &str| format!("<w:tc>{inside}</w:tc>");
    let small = format!("<w:tbl><w:tr>{}{}</w:tr></w:tbl>", cell(&p("", "left")), cell(&p("", "right")));
    let large = format!("<w:tbl><w:tr>{}</w:tr></w:tbl>", cell(&[p("", "One."), p("", "Two.")].concat()));
    assert_eq!(texts(&docx(&format!("{small}{large}"), "")), ["left\tright", "One.", "Two."]);
}

#[test]
fn headings_are_found_through_localised_and_derived_styles() {
    let styles = "<w:style w:type='paragraph' w:styleId='berschrift1'><w:name w:val='heading 1'/></w:style>\
                  <w:style w:type='paragraph' w:styleId='Kap'><w:name w:val='Kapitelkopf'/>\
                  <w:basedOn w:val='berschrift1'/></w:style>";
    let heading = |text: &str| p("<w:pStyle w:val='Kap'/>", text);
    let toc = p("<w:pStyle w:val='TOC1'/>", "Der Sturm\t3");
    let body = [
        toc,
        heading("Vorwort"),
        p("", PROSE),
        heading("Der Sturm"),
        p("", PROSE),
        heading("Die Stille"),
        p("", PROSE),
    ];
    let document = read(&docx(&body.concat(), styles)).unwrap();
    assert!(document.blocks().any(|block| block.kind == Kind::Contents));
    assert_eq!(titles(&analyse(&document)), ["Der Sturm", "Die Stille"]);
}

#[test]
fn a_number_and_its_title_in_two_headings_are_one_chapter() {
    let heading = |text: &str| p("<w:pStyle w:val='Heading1'/>", text);
    let body = [
        heading("Chapter 1"),
        heading("The Door"),
        p("", PROSE),
        heading("Chapter 2"),
        heading("The Key"),
        p("", PROSE),
    ];
    assert_eq!(titles(&analyse(&read(&docx(&body.concat(), "")).unwrap())), ["Chapter 1", "Chapter 2"]);
}

#[test]
fn centred_lines_on_their_own_pages_are_chapters_and_a_dedication_is_not() {
    let head = |text: &str| p("<w:pageBreakBefore/><w:jc w:val='center'/>", text);
    let prose = p("", &PROSE.repeat(5));
    let mut body = vec![head("For my mother")];
    for title in ["The Door", "The Key", "The House"] {
        body.extend([head(title), prose.clone()]);
    }
    body.extend([head("Acknowledgements"), prose]);
    assert_eq!(
        titles(&analyse(&read(&docx(&body.concat(), "")).unwrap())),
        ["The Door", "The Key", "The House"]
    );
}

#[test]
fn embedded_documents_are_told_of() {
    let document = read(&docx(&format!("{}<w:altChunk/>", p("", "Words.")), "")).unwrap();
    assert_eq!(document.warnings(), [Warning::EmbeddedDocumentSkipped { count: 1 }]);
}

#[test]
fn limits_refuse_and_never_cut_short() {
    let bytes = docx(&p("", PROSE).repeat(2_000), "");
    let whole = Limits::default();
    for limits in [
        Limits { unpacked_bytes: 100_000, ..whole },
        Limits { text_bytes: 100_000, ..whole },
        Limits { blocks: 1_999, ..whole },
    ] {
        assert_eq!(extract(Format::Docx, &bytes, &limits).unwrap_err(), ExtractError::TooLarge, "{limits:?}");
    }
    let few = Limits { entries: 3, ..whole };
    assert_eq!(extract(Format::Docx, &bytes, &few).unwrap_err(), ExtractError::TooManyEntries);
    assert_eq!(extract(Format::Docx, &bytes, &whole).unwrap().len(), 2_000);
}

#[test]
fn a_size_that_lies_does_not_get_past_the_limit() {
    let mut bytes = docx(&p("", PROSE).repeat(20_000), "");
    let honest =
        u32::try_from(extract(Format::Docx, &bytes, &Limits::default()).unwrap().text().len()).unwrap();
    assert!(honest > 1_000_000);
    // Both headers of the largest part now claim that it unpacks to ten bytes.
    for (signature, at) in [(b"PK\x03\x04", 22), (b"PK\x01\x02", 24)] {
        for start in 0..bytes.len() - 50 {
            if bytes[start..].starts_with(signature) {
                let size = u32::from_le_bytes(bytes[start + at..start + at + 4].try_into().unwrap());
                if size > 1_000_000 {
                    bytes[start + at..start + at + 4].copy_from_slice(&10_u32.to_le_bytes());
                }
            }
        }
    }
    let limits = Limits { unpacked_bytes: 500_000, ..Limits::default() };
    let error = extract(Format::Docx, &bytes, &limits).unwrap_err();
    assert!(matches!(error, ExtractError::TooLarge | ExtractError::Corrupt), "{error:?}");
}

#[test]
fn parts_are_no_chapters_and_numbers_may_restart() {
    let mut text = String::from("THE BOOK\n\nCONTENTS\n\n");
    let list = "BOOK ONE: 1805\n\nCHAPTER I\n\nCHAPTER II\n\nBOOK TWO: 1806\n\nCHAPTER I\n\nCHAPTER II\n\nFIRST EPILOGUE\n\nCHAPTER I\n\n";
    text.push_str(list);
    text.push_str("\n\n");
    for line in list.split_terminator("\n\n") {
        text.push_str(line);
        text.push_str("\n\n");
        if line.starts_with("CHAPTER") {
            text.push_str(&PROSE.repeat(4));
            text.push_str("\n\n");
        }
    }
    let analysis = plain(&text);
    assert_eq!(titles(&analysis), ["CHAPTER I", "CHAPTER II", "CHAPTER I", "CHAPTER II", "CHAPTER I"]);
    assert!(analysis.chapters.iter().all(|chapter| chapter.words > 60), "{:?}", analysis.chapters);
}

#[test]
fn divisions_without_chapters_below_them_are_the_chapters() {
    let part = |number: &str| format!("Part {number}\n\n{PROSE}\n\n");
    assert_eq!(
        titles(&plain(&["One", "Two", "Three"].map(part).concat())),
        ["Part One", "Part Two", "Part Three"]
    );
    let act = |number: &str| format!("ACT {number}\n\nSCENE I\n\n{PROSE}\n\nSCENE II\n\n{PROSE}\n\n");
    assert_eq!(titles(&plain(&["I", "II", "III"].map(act).concat())), ["ACT I", "ACT II", "ACT III"]);
    assert_eq!(
        titles(&plain(&format!("1.\n\n{PROSE}\n\n2.\n\n{PROSE}\n\n3.\n\n{PROSE}"))),
        ["1.", "2.", "3."]
    );
}

#[test]
fn a_heading_right_above_its_text_keeps_its_title_to_itself() {
    let text = format!(
        "CHAPTER I\nDown the Hole\n\n{PROSE}\n\nCHAPTER II\nIt was dark.\nNobody came.\n\nCHAPTER III\nA WORD.\n\n{PROSE}"
    );
    let analysis = plain(&text);
    assert_eq!(titles(&analysis), ["CHAPTER I Down the Hole", "CHAPTER II", "CHAPTER III A WORD."]);
    assert_eq!(analysis.sentences, 4);
}

#[test]
fn a_list_whose_chapters_look_otherwise_is_still_a_list() {
    let list = "Contents\n\nChapter 1\n\nChapter 2\n\nChapter 3\n\n";
    let prose = PROSE.repeat(3);
    let chapters = ["I", "II", "III"].map(|n| format!("{n}.\n\n{prose}\n\n"));
    let analysis = plain(&format!("{list}{prose}\n\n{}", chapters.concat()));
    assert_eq!(titles(&analysis), ["I.", "II.", "III."]);
}

#[test]
fn bare_numbers_out_of_order_divide_nothing_and_one_may_be_missing() {
    let text =
        |numbers: &[u32]| numbers.iter().map(|n| format!("{n}\n\n{PROSE}\n\n")).collect::<Vec<_>>().concat();
    assert_eq!(titles(&plain(&text(&[1, 1984, 2, 4, 3, 5]))), ["1", "2", "4", "5"]);
    assert_eq!(titles(&plain(&text(&[1984, 2001]))), Vec::<&str>::new());
}

#[test]
fn headings_that_only_hold_others_are_parts() {
    let part = |name: &str| {
        format!("# {name}\n\n## The Door of {name}\n\n{PROSE}\n\n## The Key of {name}\n\n{PROSE}\n\n")
    };
    let source = ["Winter", "Spring"].map(part).concat();
    let analysis = analyse(&extract(Format::Markdown, source.as_bytes(), &Limits::default()).unwrap());
    let expected = ["The Door of Winter", "The Key of Winter", "The Door of Spring", "The Key of Spring"];
    assert_eq!(titles(&analysis), expected);
}

#[test]
fn short_paragraphs_with_gaps_are_not_taken_for_printed_lines() {
    let scene = [p("", "He came in."), p("", "She left."), "<w:p/>".to_owned()].concat();
    assert_eq!(read(&docx(&scene.repeat(40), "")).unwrap().len(), 80);
    let printed = [p("", "He came in and"), p("", "sat down."), "<w:p/>".to_owned()].concat();
    assert_eq!(read(&docx(&printed.repeat(40), "")).unwrap().len(), 40);
}

#[test]
fn prose_that_starts_like_a_heading_divides_nothing() {
    let text = format!(
        "I\nhad been there.\n\nPart of the house was dark.\n\nAct third was the castle hall, and here he came.\n\n\
         Chapter 5 of the book was the one he loved, and he read it aloud to whoever would listen.\n\n{PROSE}"
    );
    assert_eq!(titles(&plain(&text)), Vec::<&str>::new());
}

#[test]
fn titles_hold_no_marks_that_turn_or_flood_the_page() {
    let text =
        format!("Chapter 1: \u{202e}evil\u{7} [1]\n\n{PROSE}\n\nChapter 2. {}\n\n{PROSE}", "x".repeat(300));
    let analysis = plain(&text);
    assert_eq!(titles(&analysis)[0], "Chapter 1: evil");
    assert_eq!(titles(&analysis)[1].chars().count(), 201);
}

#[test]
fn more_chapters_than_are_listed_are_counted_in_the_last() {
    let text = (1..=2_100).map(|n| format!("Chapter {n}\n\n{PROSE}\n\n")).collect::<Vec<_>>().concat();
    let analysis = plain(&text);
    assert_eq!(analysis.chapters.len(), 2_000);
    assert_eq!(analysis.warnings, [Warning::ChaptersNotListed { count: 100 }]);
    let sum: u64 = analysis.chapters.iter().map(|chapter| chapter.words).sum();
    assert_eq!(sum, analysis.words);
}

#[test]
fn markdown_titles_parts_and_prefaces_are_no_chapters() {
    let source = format!(
        "# The Book\n\n## Preface\n\n{PROSE}\n\n## The *Door*\n\n{PROSE}\n\n### A scene\n\n{PROSE}\n\n## The Key\n\n{PROSE}"
    );
    let format = Format::detect("book.md", "", source.as_bytes()).unwrap();
    assert_eq!(format, Format::Markdown);
    let analysis = analyse(&extract(format, source.as_bytes(), &Limits::default()).unwrap());
    assert_eq!(titles(&analysis), ["The Door", "The Key"]);
}

#[test]
fn progress_is_told_and_can_stop_the_count() {
    let text = format!("{PROSE}\n\n").repeat(5_000);
    let document = extract(Format::Text, text.as_bytes(), &Limits::default()).unwrap();
    let mut calls = Vec::new();
    let whole = analyse_with(&document, &mut |progress| {
        calls.push(progress.done);
        std::ops::ControlFlow::<()>::Continue(())
    });
    assert_eq!(whole.continue_value(), Some(analyse(&document)));
    assert!(calls.len() > 5 && calls.is_sorted());
    let stopped = analyse_with(&document, &mut |_| std::ops::ControlFlow::Break("stop"));
    assert_eq!(stopped.break_value(), Some("stop"));
}

#[test]
fn an_analysis_has_a_stable_json_form() {
    let json = serde_json::to_value(plain("Chapter 1\n\nIt was dark. Nobody came.")).unwrap();
    let expected = serde_json::json!({
        "words": 7, "sentences": 2, "paragraphs": 1, "front_matter_words": 0, "reading_time_seconds": 2,
        "chapters": [{"title": "Chapter 1", "words": 7}], "warnings": [],
    });
    assert_eq!(json, expected);
    let warning = serde_json::to_value(Warning::InvalidBytesReplaced { count: 2 }).unwrap();
    assert_eq!(warning, serde_json::json!({"code": "invalid-bytes-replaced", "count": 2}));
}
