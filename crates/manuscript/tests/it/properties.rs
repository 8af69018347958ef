//! What holds for any bytes at all.

use novelfoundry_manuscript::{ExtractError, Format, Limits, analyse, count_words, extract};
use proptest::prelude::*;

use crate::samples::{docx, zip};

/// Reads bytes in a format and checks what every result must satisfy.
fn check(format: Format, bytes: &[u8]) {
    let Ok(document) = extract(format, bytes, &Limits::default()) else { return };
    let analysis = analyse(&document);
    let blocks: u64 = document.blocks().map(|block| count_words(block.text)).sum();
    let chapters: u64 = analysis.chapters.iter().map(|chapter| chapter.words).sum();
    assert_eq!(analysis.words, blocks);
    assert_eq!(analysis.words, count_words(document.text()));
    assert_eq!(analysis.words, analysis.front_matter_words + chapters);
    assert!(analysis.words > 0 && !document.is_empty());
    assert!(analysis.paragraphs <= document.len() as u64);
    assert!(analysis.chapters.len() <= document.len());
    assert!(document.blocks().all(|block| !block.text.is_empty() && block.text == block.text.trim()));
}

/// Lines that headings, lists of contents and prose are made of.
fn manuscript() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        "(CHAPTER|Chapter|Letter|ACT|Part|BOOK|Scene) [IVXL]{1,4}\\.?",
        "(Chapter|Kapitel|Глава) [0-9]{1,3}(: [A-Z][a-z]{1,9})?",
        "[IVX]{1,5}\\.?( [A-Z][a-z]{1,9})?",
        "(Contents|Epilogue|Prologue|FIRST EPILOGUE|THE END|# One|## Two|---|===|第三章|```|>)",
        "[A-Z][a-z]{1,9}( [a-z]{1,9}){0,12}[.!?”]?",
        "\\PC{0,30}",
        Just(String::new()),
    ];
    proptest::collection::vec(line, 0..60).prop_map(|lines| lines.join("\n"))
}

/// Elements of a document in any order, nested or not, closed or not.
fn body() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "</?w:(p|r|t|tbl|tr|tc|del|ins|pPr|rPr|txbxContent|sdt)>",
        "<w:(p|br|tab|softHyphen|vanish|altChunk|pageBreakBefore)/>",
        "<w:fldChar w:fldCharType='(begin|separate|end)'/>",
        "</?mc:(AlternateContent|Choice|Fallback)>",
        "<w:pStyle w:val='(Heading1|TOC1|Title|x)'/>",
        "<w:p><w:r><w:t>[A-Za-z .]{0,20}</w:t></w:r></w:p>",
        "(&amp;|&#[0-9]{1,3};|Chapter I|word )",
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_detected_or_refused_and_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        for name in ["a.txt", "a.md", "a.docx", "a", ""] {
            if let Ok(format) = Format::detect(name, "text/plain", &bytes) {
                check(format, &bytes);
            }
        }
        for format in Format::ALL {
            check(*format, &bytes);
        }
    }

    #[test]
    fn any_manuscript_adds_up(text in manuscript()) {
        check(Format::Text, text.as_bytes());
        check(Format::Markdown, text.as_bytes());
    }

    #[test]
    fn any_body_is_read_or_refused(body in body()) {
        check(Format::Docx, &docx(&body, ""));
    }

    #[test]
    fn a_well_formed_body_keeps_its_words_in_order(lines in proptest::collection::vec("[a-z]{1,8}( [a-z]{1,8}){0,5}", 1..30)) {
        let body = lines.iter().map(|line| format!("<w:p><w:r><w:t>{line}</w:t></w:r></w:p>")).collect::<Vec<_>>().concat();
        let document = extract(Format::Docx, &docx(&body, ""), &Limits::default()).unwrap();
        prop_assert_eq!(document.text(), lines.join("\n"));
    }

    #[test]
    fn a_cut_or_changed_document_is_never_read_as_another(cut in any::<prop::sample::Index>(), change in 1_u8..) {
        let body = "<w:p><w:r><w:t>One sentence that is here again and again.</w:t></w:r></w:p>".repeat(40);
        let whole = docx(&body, "");
        let text = extract(Format::Docx, &whole, &Limits::default()).unwrap().text().to_owned();
        let at = cut.index(whole.len());
        prop_assert!(extract(Format::Docx, &whole[..at], &Limits::default()).is_err());
        let mut changed = whole.clone();
        changed[at] ^= change;
        if let Ok(document) = extract(Format::Docx, &changed, &Limits::default()) {
            prop_assert_eq!(document.text(), text);
        }
    }

    #[test]
    fn refusals_of_archives_do_not_depend_on_names(name in "[a-z./\\\\]{1,20}") {
        let bytes = zip(&[(&name, "x")]);
        let refused = Format::detect("a.docx", "", &bytes).unwrap_err();
        prop_assert_eq!(refused, ExtractError::UnsupportedType);
    }
}
