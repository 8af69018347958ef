//! The report as GitHub's Markdown, for a step's summary, a pull request or a wiki.

use std::fmt::Write as _;

use crate::{finding::Finding, report::Report};

use super::{Options, standing, text};

/// Writes the report.
pub(crate) fn render(report: &Report, options: &Options) -> String {
    render_within(report, options, usize::MAX)
}

/// Writes so much of the report as fits into so many bytes, the worst findings first.
pub(crate) fn render_within(report: &Report, options: &Options, limit: usize) -> String {
    let counts = standing::Counts::of(report, options);
    let mut head = format!(
        "# Tenant isolation: {}\n\n**{}** {}\n\n",
        options.mode.word(),
        escape(&standing::verdict(report, options)),
        escape(&counts.in_words())
    );
    let _ = writeln!(head, "{}: {}.\n", code(&options.subject), escape(&standing::measure(report, options)));
    let mut parts = Vec::new();
    if !report.findings.is_empty() {
        parts.push("| | Rule | Object | How | Evidence |\n|---|---|---|---|---|\n".to_owned());
        parts.extend(report.findings.iter().map(row));
        parts.push("\n".to_owned());
        parts.extend(report.findings.iter().map(details));
    }
    if !report.not_attacked.is_empty() {
        parts.push("## Not attacked\n\n".to_owned());
        let missed = report.not_attacked.iter();
        parts.extend(
            missed.map(|missed| {
                format!("- {}: {}\n", code(&missed.object), escape(&text::line(&missed.reason)))
            }),
        );
        parts.push("\n".to_owned());
    }
    if !report.inferred.is_empty() {
        parts.push("## Worked out from the catalogue\n\n| | | Because |\n|---|---|---|\n".to_owned());
        parts.extend(report.inferred.iter().map(|(name, inferred)| {
            let value = standing::inferred_value(&inferred.value);
            format!("| {} | {} | {} |\n", code(name), code(&value), escape(&text::line(&inferred.because)))
        }));
        parts.push("\n".to_owned());
    }
    fit(head, &parts, limit)
}

fn fit(head: String, parts: &[String], limit: usize) -> String {
    const REST: &str = "\n\nThe report is longer than there is room for; the other formats have all of it.\n";
    let whole = head.len() + parts.iter().map(String::len).sum::<usize>();
    let room = if whole <= limit { limit } else { limit.saturating_sub(REST.len()) };
    if head.len() > room {
        return String::new();
    }
    let mut written = head;
    for part in parts {
        if written.len() + part.len() > room {
            break;
        }
        written.push_str(part);
    }
    if whole > limit {
        written.push_str(REST);
    }
    written
}

fn row(finding: &Finding) -> String {
    let word = standing::word(finding);
    let word = match &finding.accepted {
        Some(_) => format!("~~{word}~~ accepted"),
        None if matches!(word, "leak" | "error") => format!("**{word}**"),
        None => word.to_owned(),
    };
    format!(
        "| {word} | {} | {} | {} | {} |\n",
        code(&finding.rule),
        code(&finding.object),
        standing::circumstances(finding),
        escape(&text::cut(&text::line(&finding.evidence), 200))
    )
}

fn details(finding: &Finding) -> String {
    let mut section = format!(
        "### {} {}\n\n{}.",
        standing::word(finding),
        code(&finding.object),
        escape(standing::title(&finding.rule))
    );
    if let Some(accepted) = standing::acceptance(finding) {
        let _ = write!(section, " *{}*", escape(&text::line(&accepted)));
    }
    let circumstances = standing::circumstances(finding);
    if !circumstances.is_empty() {
        let _ = write!(section, " Shown by {circumstances}.");
    }
    let _ = write!(section, "\n\nRule {}, finding {}\n\n", code(&finding.rule), code(&finding.id));
    for (head, kind, part) in [
        ("Evidence", "text", &finding.evidence),
        ("Repair", "sql", &finding.fix),
        ("Shown by", "sql", &finding.reproduce),
    ] {
        if !part.is_empty() {
            let _ = write!(section, "{head}:\n\n{}\n", block(kind, part));
        }
    }
    section
}

/// Escapes a text that stands in a line or a cell.
fn escape(raw: &str) -> String {
    let mut escaped = String::with_capacity(raw.len());
    for character in text::line(raw).chars() {
        if "\\`*_[]<>|~#&$".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    // An empty mark keeps a name from being called and an address from becoming a link.
    escaped.replace('@', "@\u{200b}").replace("://", ":\u{200b}//").replace("www.", "www\u{200b}.")
}

/// Writes a text as code in a line or a cell.
pub(crate) fn code(raw: &str) -> String {
    let shown = text::line(raw);
    if shown.is_empty() || shown.contains(['|', '`']) {
        // Between backticks nothing can be escaped, and a cell would end at the bar.
        let mut entities = String::new();
        for character in shown.chars() {
            if character.is_ascii_punctuation() && !matches!(character, '.' | ',') {
                let _ = write!(entities, "&#{};", u32::from(character));
            } else {
                entities.push(character);
            }
        }
        return format!("<code>{entities}</code>");
    }
    format!("`{shown}`")
}

/// Writes lines of code.
fn block(kind: &str, raw: &str) -> String {
    let shown = text::visible(raw.trim_end());
    let fence = "`".repeat(longest_run(&shown).max(2) + 1);
    format!("{fence}{kind}\n{shown}\n{fence}\n")
}

fn longest_run(text: &str) -> usize {
    text.split(|character| character != '`').map(str::len).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cell_stays_in_its_cell(raw in any::<String>()) {
            for cell in [escape(&raw), code(&raw)] {
                let free = cell.replace("\\\\", "").replace("\\|", "");
                prop_assert!(!cell.contains('\n'));
                prop_assert!(!free.contains('|'), "{cell:?}");
            }
        }

        #[test]
        fn no_mark_is_left_bare(raw in any::<String>()) {
            let escaped = escape(&raw);
            let mut characters = escaped.chars();
            while let Some(character) = characters.next() {
                if character == '\\' {
                    characters.next();
                } else {
                    prop_assert!(!"`*_[]<>|~#&$".contains(character), "{escaped:?}");
                }
            }
        }

        #[test]
        fn a_block_ends_where_it_should(raw in "[`a\n]{0,40}") {
            let block = block("sql", &raw);
            let fence: String = block.chars().take_while(|character| *character == '`').collect();
            let inner = block.strip_prefix(&format!("{fence}sql\n")).unwrap();
            let inner = inner.strip_suffix(&format!("\n{fence}\n")).unwrap();
            prop_assert!(!inner.contains(&fence));
        }

        #[test]
        fn a_limit_is_kept(limit in 0_usize..20_000) {
            let (report, options) = crate::output::sample::report_and_options();
            prop_assert!(render_within(&report, &options, limit).len() <= limit);
        }
    }
}
