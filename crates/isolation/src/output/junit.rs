//! The report as the XML of `JUnit`: a finding that fails is a failed test, an object without findings a passed one.

use std::{collections::BTreeSet, fmt::Write as _};

use crate::report::Report;

use super::{Options, standing, text};

enum Outcome {
    Passed,
    Skipped(String),
    Failed { what: String, kind: String, text: String },
}

struct Case {
    class: String,
    name: String,
    outcome: Outcome,
    /// What a test that did not fail has to say all the same.
    said: Option<String>,
}

/// Writes the report as XML.
pub(crate) fn render(report: &Report, options: &Options) -> String {
    let cases = cases(report, options);
    let failed = cases.iter().filter(|case| matches!(case.outcome, Outcome::Failed { .. })).count();
    let skipped = cases.iter().filter(|case| matches!(case.outcome, Outcome::Skipped(_))).count();
    let sums = format!(
        "tests=\"{}\" failures=\"{failed}\" errors=\"0\" skipped=\"{skipped}\" time=\"{:.3}\"",
        cases.len(),
        report.seconds
    );
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(xml, "<testsuites name=\"tenant isolation\" {sums}>");
    let _ = writeln!(xml, "  <testsuite name=\"isolation {}\" {sums}>", options.mode.word());
    for case in &cases {
        write_case(&mut xml, case);
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

fn write_case(xml: &mut String, case: &Case) {
    let _ = write!(
        xml,
        "    <testcase classname=\"{}\" name=\"{}\" time=\"0\"",
        escape(&text::line(&case.class)),
        escape(&text::line(&case.name))
    );
    let mut inner = String::new();
    match &case.outcome {
        Outcome::Passed => {}
        Outcome::Skipped(why) => {
            let _ = writeln!(inner, "      <skipped message=\"{}\"/>", escape(why));
        }
        Outcome::Failed { what, kind, text } => {
            let _ = writeln!(
                inner,
                "      <failure message=\"{}\" type=\"{}\">{}</failure>",
                escape(what),
                escape(kind),
                escape(text)
            );
        }
    }
    if let Some(said) = &case.said {
        let _ = writeln!(inner, "      <system-out>{}</system-out>", escape(said));
    }
    if inner.is_empty() {
        xml.push_str("/>\n");
    } else {
        let _ = write!(xml, ">\n{inner}    </testcase>\n");
    }
}

fn cases(report: &Report, options: &Options) -> Vec<Case> {
    let mut cases = Vec::new();
    for finding in &report.findings {
        let circumstances = standing::circumstances(finding);
        let name = [finding.rule.as_str(), &circumstances, &format!("[{}]", finding.id)];
        let name = name.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        let what = format!("{}: {}", standing::word(finding), standing::title(&finding.rule));
        let (outcome, said) = if let Some(accepted) = standing::acceptance(finding) {
            (Outcome::Skipped(accepted), Some(finding.evidence.clone()))
        } else if standing::fails(finding, options) {
            let parts = [
                ("", finding.evidence.as_str()),
                ("Repair:\n", &finding.fix),
                ("Shown by:\n", &finding.reproduce),
            ];
            let parts = parts.into_iter().filter(|(_, text)| !text.is_empty());
            let text = parts.map(|(head, text)| format!("{head}{text}")).collect::<Vec<_>>().join("\n\n");
            (Outcome::Failed { what, kind: finding.rule.clone(), text }, None)
        } else {
            (Outcome::Passed, Some(format!("{what}\n{}", finding.evidence)))
        };
        cases.push(Case { class: finding.object.clone(), name, outcome, said });
    }
    for missed in &report.not_attacked {
        let outcome = if options.require_complete {
            let what = format!("not attacked: {}", missed.reason);
            Outcome::Failed { what, kind: "not-attacked".to_owned(), text: String::new() }
        } else {
            Outcome::Skipped(format!("not attacked: {}", missed.reason))
        };
        cases.push(Case { class: missed.object.clone(), name: "attacked".to_owned(), outcome, said: None });
    }
    let told: BTreeSet<&str> = cases.iter().map(|case| case.class.as_str()).collect();
    let clean: BTreeSet<&str> = report
        .matrix
        .iter()
        .map(|cell| cell.object.as_str())
        .filter(|object| !told.contains(object))
        .collect();
    let clean: Vec<Case> = clean
        .into_iter()
        .map(|object| Case {
            class: object.to_owned(),
            name: "isolation holds".to_owned(),
            outcome: Outcome::Passed,
            said: None,
        })
        .collect();
    cases.extend(clean);
    if cases.is_empty() || standing::nothing_proved(report, options) {
        // Services take a run without a test for a run that broke; one that proved nothing must not look like success.
        let what = standing::verdict(report, options);
        let outcome = if standing::nothing_proved(report, options) {
            Outcome::Failed { what, kind: "nothing-proved".to_owned(), text: String::new() }
        } else {
            Outcome::Passed
        };
        cases.push(Case { class: "isolation".to_owned(), name: "is proved".to_owned(), outcome, said: None });
    }
    cases
}

/// Escapes for an attribute and for text alike; what XML cannot hold is shown as an escape.
fn escape(raw: &str) -> String {
    let mut escaped = String::with_capacity(raw.len());
    for character in text::visible(raw).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            // A parser turns a line end in an attribute into a space.
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push_str("&#9;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quick_xml::{Reader, events::Event};

    use super::*;

    proptest! {
        #[test]
        fn a_parser_reads_back_what_was_escaped(raw in any::<String>()) {
            let xml = format!("<a b=\"{0}\">{0}</a>", escape(&raw));
            let mut reader = Reader::from_str(&xml);
            let (mut read, mut attribute) = (String::new(), String::new());
            loop {
                match reader.read_event().unwrap() {
                    Event::Start(start) => {
                        let found = start.attributes().next().unwrap().unwrap();
                        attribute = quick_xml::escape::unescape(&found.value).unwrap().into_owned();
                    }
                    Event::Text(text) => read.push_str(&text),
                    Event::GeneralRef(name) => {
                        read.push_str(&quick_xml::escape::unescape(&format!("&{};", &*name)).unwrap());
                    }
                    Event::Eof => break,
                    _ => {}
                }
            }
            prop_assert_eq!(&read, &text::visible(&raw));
            prop_assert_eq!(&attribute, &text::visible(&raw));
        }
    }
}
