//! The report for whoever ran the command: short, worst first, one line of evidence and one of repair a finding.

use std::fmt::Write as _;

use crate::{finding::Finding, report::Report};

use super::{Options, Target, baseline, standing, text};

/// How long a line of evidence or repair may get.
const LINE: usize = 160;

/// How many findings of level info are shown; where there are more, the other formats have them.
const INFOS: usize = 10;

/// How many objects that were not attacked are named; the other formats name all.
const MISSED: usize = 12;

struct Ink(bool);

impl Ink {
    fn paint(&self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    fn dim(&self, text: &str) -> String {
        self.paint("2", text)
    }

    fn level(&self, finding: &Finding, text: &str) -> String {
        match (&finding.accepted, standing::word(finding)) {
            (Some(_), _) => self.dim(text),
            (None, "leak" | "error") => self.paint("1;31", text),
            (None, "warning") => self.paint("1;33", text),
            (None, _) => self.paint("36", text),
        }
    }
}

/// Writes the report as text.
pub(crate) fn render(report: &Report, options: &Options) -> String {
    let ink = Ink(options.color);
    let mut words = String::new();
    inferred(&mut words, report, &ink);
    findings(&mut words, report, &ink);
    missed(&mut words, report, &ink);
    summary(&mut words, report, options, &ink);
    next(&mut words, report, options, &ink);
    words
}

fn inferred(words: &mut String, report: &Report, ink: &Ink) {
    if report.inferred.is_empty() {
        return;
    }
    let _ = writeln!(words, "{}", ink.bold("Worked out from the catalogue"));
    let named: Vec<_> = report.inferred.iter().map(|(name, inferred)| (text::line(name), inferred)).collect();
    let width = named.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    for (name, inferred) in named {
        let value = text::line(&standing::inferred_value(&inferred.value));
        let because = text::line(&inferred.because);
        let _ = writeln!(words, "  {name:width$}  {value}  {}", ink.dim(&format!("({because})")));
    }
    words.push('\n');
}

/// Tells whether a finding is worth a reader's time here: not what the baseline has, and not a flood of remarks.
fn shown(finding: &Finding, infos: usize) -> bool {
    !baseline::is_known(finding) && (infos <= INFOS || standing::word(finding) != "info")
}

/// Writes the findings by object, the object with the worst first.
fn findings(words: &mut String, report: &Report, ink: &Ink) {
    let infos = report.findings.iter().filter(|finding| standing::word(finding) == "info").count();
    let told: Vec<&Finding> = report.findings.iter().filter(|finding| shown(finding, infos)).collect();
    let mut objects: Vec<&str> = Vec::new();
    for finding in &told {
        if !objects.contains(&finding.object.as_str()) {
            objects.push(&finding.object);
        }
    }
    for object in objects {
        let _ = writeln!(words, "{}", ink.bold(&text::line(object)));
        for finding in told.iter().filter(|finding| finding.object == object) {
            one(words, finding, ink);
        }
        words.push('\n');
    }
    if infos > INFOS {
        let _ = writeln!(
            words,
            "{} of level info are left out here; --json or --html FILE has them\n",
            text::thousands(infos)
        );
    }
}

fn one(words: &mut String, finding: &Finding, ink: &Ink) {
    let word = ink.level(finding, &format!("{:7}", standing::word(finding)));
    let circumstances = standing::circumstances(finding);
    let circumstances = if circumstances.is_empty() { circumstances } else { format!(" · {circumstances}") };
    let rule = ink.bold(&text::line(&finding.rule));
    let _ = writeln!(words, "  {word} {rule}{circumstances}  {}", ink.dim(&text::line(&finding.id)));
    let evidence = if finding.evidence.is_empty() {
        standing::title(&finding.rule).to_owned()
    } else {
        text::cut(&text::line(&finding.evidence), LINE)
    };
    let _ = writeln!(words, "          {evidence}");
    if let Some(accepted) = standing::acceptance(finding) {
        let _ = writeln!(words, "          {}", ink.dim(&text::line(&accepted)));
    } else if !finding.fix.is_empty() {
        let fix = text::cut(&text::first_statement(&finding.fix), LINE);
        let _ = writeln!(words, "          {} {fix}", ink.dim("fix:"));
    }
}

fn missed(words: &mut String, report: &Report, ink: &Ink) {
    if report.not_attacked.is_empty() {
        return;
    }
    let _ = writeln!(words, "{}", ink.bold("Not attacked"));
    for missed in report.not_attacked.iter().take(MISSED) {
        let reason = text::cut(&text::line(&missed.reason), LINE);
        let _ = writeln!(words, "  {}: {reason}", text::line(&missed.object));
    }
    if let Some(more) = report.not_attacked.len().checked_sub(MISSED).filter(|more| *more > 0) {
        let _ = writeln!(words, "  and {} more; --json or --html FILE names all", text::thousands(more));
    }
    words.push('\n');
}

fn summary(words: &mut String, report: &Report, options: &Options, ink: &Ink) {
    let counts = standing::Counts::of(report, options);
    let _ = writeln!(words, "{}", ink.bold(&standing::verdict(report, options)));
    let _ = writeln!(words, "{}; {}", counts.in_words(), standing::measure(report, options));
    let open = counts.leaks + counts.errors + counts.warnings + counts.infos;
    if open > 0 && counts.failing == 0 && counts.warnings > 0 {
        let _ =
            writeln!(words, "{}", ink.dim("Warnings do not fail the run unless --fail-on warning is given."));
    }
    if options.require_complete && !report.not_attacked.is_empty() {
        words.push_str("The run counts as incomplete, by --require-complete.\n");
    }
}

fn next(words: &mut String, report: &Report, options: &Options, ink: &Ink) {
    let mut lines: Vec<String> = Vec::new();
    for (format, target) in &options.formats {
        if let Target::File(path) = target {
            lines.push(format!("{}: {}", format.name(), text::line(&path.display().to_string())));
        }
    }
    if let Some(path) = &options.write_baseline {
        lines.push(format!("Baseline: {}", text::line(&path.display().to_string())));
    }
    let (program, mode) = (&options.program, options.mode.word());
    let open = report.findings.iter().find(|finding| finding.accepted.is_none());
    if let Some(finding) = open {
        lines.push(format!("Why it matters:   {program} explain {}", text::line(&finding.rule)));
    }
    if let Some(directory) = &options.save {
        lines.push(format!("Scripts: {}", text::line(&directory.join("README.md").display().to_string())));
    } else if open.is_some() {
        lines.push(format!("Scripts to see and repair it:   {program} {mode} … --save DIR"));
    }
    if !lines.is_empty() {
        words.push('\n');
    }
    for line in lines {
        let _ = writeln!(words, "{}", ink.dim(&line));
    }
}
