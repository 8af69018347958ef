//! The report as one page that can be kept, mailed and printed: nothing in it is loaded from elsewhere and nothing in it
//! runs.

mod matrix;
mod prose;

use std::{
    collections::BTreeSet,
    fmt::{self, Write as _},
};

use crate::{finding::Finding, report::Report, rules};

use super::{Mode, Options, standing, text};

/// Forbids whatever the page does not need, should a name slip through unescaped after all.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// A text, escaped for HTML's text and attributes.
struct Safe<'a>(&'a str);

impl fmt::Display for Safe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in text::visible(self.0).chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// Writes the page.
pub(crate) fn render(report: &Report, options: &Options) -> String {
    let mut page = String::new();
    let title = format!("Tenant isolation of {}", options.subject);
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\"/>\n\
         <meta name=\"referrer\" content=\"no-referrer\"/>\n<title>{}</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>\n",
        Safe(&title),
        include_str!("page.css")
    );
    head(&mut page, report, options, &title);
    findings(&mut page, report);
    matrix::write(&mut page, report);
    missed(&mut page, report);
    inferred(&mut page, report);
    pages(&mut page, report);
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn head(page: &mut String, report: &Report, options: &Options, title: &str) {
    let counts = standing::Counts::of(report, options);
    let mood = if counts.leaks + counts.errors > 0 || standing::nothing_proved(report, options) {
        "bad"
    } else if counts.warnings > 0 || !report.not_attacked.is_empty() {
        "warn"
    } else {
        "good"
    };
    let _ = write!(
        page,
        "<h1>{}</h1>\n<p class=\"quiet\">{} on {}</p>\n<p class=\"verdict {mood}\">{}</p>\n<ul class=\"sums\">\n",
        Safe(title),
        options.mode.word(),
        options.today,
        Safe(&standing::verdict(report, options))
    );
    let mut sum = |number: String, what: &str| {
        let _ = writeln!(page, "<li><b>{}</b><span>{}</span></li>", Safe(&number), Safe(what));
    };
    let plural = |number: usize, one: &str| if number == 1 { one.to_owned() } else { format!("{one}s") };
    if options.mode == Mode::Attack {
        sum(text::thousands(counts.leaks), &plural(counts.leaks, "leak"));
    }
    if counts.errors > 0 || options.mode == Mode::Check {
        sum(text::thousands(counts.errors), &plural(counts.errors, "error"));
    }
    sum(text::thousands(counts.warnings), &plural(counts.warnings, "warning"));
    for (number, what) in [(counts.infos, "info"), (counts.accepted, "accepted"), (counts.known, "known")] {
        if number > 0 {
            sum(text::thousands(number), what);
        }
    }
    let (reached, all) = standing::reach(report);
    let done = if options.mode == Mode::Attack { "objects attacked" } else { "objects read" };
    sum(format!("{} of {}", text::thousands(reached), text::thousands(all)), done);
    if options.mode == Mode::Attack {
        sum(text::thousands(report.attacks), &plural(report.attacks, "attack"));
    }
    sum(format!("{:.1} s", report.seconds), "taken");
    page.push_str("</ul>\n");
}

fn findings(page: &mut String, report: &Report) {
    page.push_str("<h2 id=\"findings\">Findings</h2>\n");
    if report.findings.is_empty() {
        page.push_str("<p>None.</p>\n");
    }
    for finding in &report.findings {
        one(page, finding);
    }
}

fn one(page: &mut String, finding: &Finding) {
    let word = standing::word(finding);
    let accepted = standing::acceptance(finding);
    let class = if accepted.is_some() { "accepted" } else { word };
    let _ = write!(
        page,
        "<article class=\"finding is-{class}\" id=\"f-{}\">\n<header><h3><code>{}</code></h3>\
         <span class=\"badge {word}\">{word}</span>",
        Safe(&finding.id),
        Safe(&text::line(&finding.object))
    );
    if accepted.is_some() {
        page.push_str("<span class=\"badge accepted\">accepted</span>");
    }
    let circumstances = standing::circumstances(finding);
    let circumstances =
        if circumstances.is_empty() { circumstances } else { format!(" Shown by {circumstances}.") };
    let _ = write!(
        page,
        "</header>\n<p>{}.{}</p>\n<p class=\"quiet small\">Rule <a href=\"#rule-{}\">{}</a> · finding <code>{}</code></p>\n",
        Safe(standing::title(&finding.rule)),
        Safe(&circumstances),
        Safe(&finding.rule),
        Safe(&finding.rule),
        Safe(&finding.id)
    );
    if let Some(accepted) = accepted {
        let _ = writeln!(page, "<p>{}</p>", Safe(&accepted));
    }
    for (head, part) in [("Evidence", &finding.evidence), ("Repair", &finding.fix)] {
        if !part.is_empty() {
            let _ = writeln!(page, "<h5>{head}</h5>\n<pre>{}</pre>", Safe(part.trim_end()));
        }
    }
    if !finding.reproduce.is_empty() {
        let _ = writeln!(
            page,
            "<details><summary>Script that shows it</summary>\n<pre>{}</pre></details>",
            Safe(finding.reproduce.trim_end())
        );
    }
    page.push_str("</article>\n");
}

fn missed(page: &mut String, report: &Report) {
    if report.not_attacked.is_empty() {
        return;
    }
    page.push_str("<h2 id=\"not-attacked\">Not attacked</h2>\n<p>Nothing is known of these:</p>\n<ul class=\"plain\">\n");
    for missed in &report.not_attacked {
        let (object, reason) = (text::line(&missed.object), text::line(&missed.reason));
        let _ = writeln!(page, "<li><code>{}</code>: {}</li>", Safe(&object), Safe(&reason));
    }
    page.push_str("</ul>\n");
}

fn inferred(page: &mut String, report: &Report) {
    if report.inferred.is_empty() {
        return;
    }
    page.push_str("<h2 id=\"inferred\">Worked out from the catalogue</h2>\n<dl>\n");
    for (name, inferred) in &report.inferred {
        let _ = writeln!(
            page,
            "<dt>{}</dt><dd><code>{}</code> <span class=\"quiet\">because {}</span></dd>",
            Safe(name),
            Safe(&standing::inferred_value(&inferred.value)),
            Safe(&inferred.because)
        );
    }
    page.push_str("</dl>\n");
}

fn pages(page: &mut String, report: &Report) {
    let used: BTreeSet<&str> = report.findings.iter().map(|finding| finding.rule.as_str()).collect();
    if used.is_empty() {
        return;
    }
    page.push_str("<h2 id=\"rules\">Rules</h2>\n");
    for id in used {
        // The name is within, as a link opens only what its goal is hidden in.
        let _ = write!(
            page,
            "<details class=\"rule\"><summary>{} <span class=\"quiet\">{}</span></summary>\n<div id=\"rule-{}\">\n",
            Safe(id),
            Safe(standing::title(id)),
            Safe(id)
        );
        if let Some(rule) = rules::by_id(id) {
            prose::write(page, rule.page);
        }
        page.push_str("</div></details>\n");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_mark_of_html_comes_through(raw in any::<String>()) {
            let safe = Safe(&raw).to_string();
            prop_assert!(!safe.contains(['<', '>', '"', '\'']));
            let read = safe.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
            prop_assert_eq!(read.replace("&amp;", "&"), text::visible(&raw));
        }
    }
}
