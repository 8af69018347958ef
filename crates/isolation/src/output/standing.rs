//! What a report amounts to: which findings fail, how many objects were reached, and the exit code.

use crate::{
    finding::{Finding, Kind, Level},
    report::Report,
};

use super::{Mode, Options, baseline, text};

/// Tells whether a finding makes the run fail.
pub fn fails(finding: &Finding, options: &Options) -> bool {
    finding.accepted.is_none() && finding.level >= options.fail_on
}

/// Returns how the run ends: 0 clean, 1 findings, 2 where nothing was proved or, if that is required, not all.
pub fn exit_code(report: &Report, options: &Options) -> u8 {
    if nothing_proved(report, options) || (options.require_complete && !report.not_attacked.is_empty()) {
        2
    } else {
        u8::from(report.findings.iter().any(|finding| fails(finding, options)))
    }
}

/// Tells whether an attack reached nothing, so that its silence means nothing.
pub(crate) fn nothing_proved(report: &Report, options: &Options) -> bool {
    options.mode == Mode::Attack && (report.attacks == 0 || report.objects == 0)
}

/// Returns the word for a finding: `leak`, `error`, `warning` or `info`.
pub(crate) fn word(finding: &Finding) -> &'static str {
    match (finding.kind, finding.level) {
        (Kind::Leak, Level::Error) => "leak",
        (_, Level::Error) => "error",
        (_, Level::Warning) => "warning",
        (_, Level::Info) => "info",
    }
}

/// How many findings of each sort a report has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) leaks: usize,
    pub(crate) errors: usize,
    pub(crate) warnings: usize,
    pub(crate) infos: usize,
    pub(crate) accepted: usize,
    /// Accepted by the baseline.
    pub(crate) known: usize,
    pub(crate) failing: usize,
}

impl Counts {
    /// Counts; what is accepted counts as that alone.
    pub(crate) fn of(report: &Report, options: &Options) -> Self {
        let mut counts = Self::default();
        for finding in &report.findings {
            let place = match (&finding.accepted, word(finding)) {
                (Some(_), _) if baseline::is_known(finding) => &mut counts.known,
                (Some(_), _) => &mut counts.accepted,
                (None, "leak") => &mut counts.leaks,
                (None, "error") => &mut counts.errors,
                (None, "warning") => &mut counts.warnings,
                (None, _) => &mut counts.infos,
            };
            *place += 1;
            counts.failing += usize::from(fails(finding, options));
        }
        counts
    }

    /// Returns the counts in words, such as `2 leaks, 1 warning, 1 accepted`.
    pub(crate) fn in_words(self) -> String {
        let named = [
            (self.leaks, text::count(self.leaks, "leak")),
            (self.errors, text::count(self.errors, "error")),
            (self.warnings, text::count(self.warnings, "warning")),
            (self.infos, format!("{} info", text::thousands(self.infos))),
            (self.accepted, format!("{} accepted", text::thousands(self.accepted))),
            (self.known, format!("{} known", text::thousands(self.known))),
        ];
        let some: Vec<String> =
            named.into_iter().filter(|(number, _)| *number > 0).map(|(_, words)| words).collect();
        if some.is_empty() { "no findings".to_owned() } else { some.join(", ") }
    }
}

/// Returns how many objects were reached and how many there are.
pub(crate) fn reach(report: &Report) -> (usize, usize) {
    (report.objects, report.objects + report.missed().len())
}

/// Returns the reach in words, such as `41 of 44 objects`.
pub(crate) fn reach_in_words(report: &Report) -> String {
    let (reached, all) = reach(report);
    format!("{} of {}", text::thousands(reached), text::count(all, "object"))
}

/// Returns what the run amounts to, in one sentence.
pub(crate) fn verdict(report: &Report, options: &Options) -> String {
    let counts = Counts::of(report, options);
    if nothing_proved(report, options) {
        "Nothing was proved: no attack reached an object.".to_owned()
    } else if counts.leaks > 0 {
        format!("Isolation does not hold: {} shown.", text::count(counts.leaks, "leak"))
    } else if counts.errors > 0 {
        format!("Isolation is broken in {}.", text::count(counts.errors, "place"))
    } else if options.mode == Mode::Attack && report.not_attacked.is_empty() {
        "Isolation held against every attack.".to_owned()
    } else if options.mode == Mode::Attack {
        "Isolation held where it was attacked.".to_owned()
    } else if counts.failing > 0 {
        format!("Isolation has {} ahead of it.", text::count(counts.warnings, "trap"))
    } else {
        "The catalogue shows nothing that breaks isolation.".to_owned()
    }
}

/// Returns where an effect was shown, such as `select in the tenant's context`.
pub(crate) fn circumstances(finding: &Finding) -> String {
    use crate::finding::TenantContext::{Empty, Tenant, Unset};
    let context = finding.tenant_context.map(|context| match context {
        Tenant => "in the tenant's context",
        Unset => "without a context",
        Empty => "in an emptied context",
    });
    [finding.verb.map(crate::finding::Verb::word), context]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ")
}

/// Returns what a rule is called in a few words; its id where it is none of ours.
pub(crate) fn title(rule: &str) -> &str {
    crate::rules::by_id(rule).map_or(rule, |rule| rule.title)
}

/// Returns what is said of a waiver, such as `Accepted until 2027-01-01: reason`.
pub(crate) fn acceptance(finding: &Finding) -> Option<String> {
    finding.accepted.as_ref().map(|accepted| {
        let until = accepted.until.as_ref().map_or_else(String::new, |day| format!(" until {day}"));
        format!("Accepted{until}: {}", accepted.reason)
    })
}

/// Returns how much was done, such as `41 of 44 objects, 1,234 attacks in 2.3 s`.
pub(crate) fn measure(report: &Report, options: &Options) -> String {
    let attacks = match options.mode {
        Mode::Check => String::new(),
        Mode::Attack => format!(", {}", text::count(report.attacks, "attack")),
    };
    format!("{}{attacks} in {:.1} s", reach_in_words(report), report.seconds)
}

/// Returns a value that was worked out as text: what is a text itself without quotes.
pub(crate) fn inferred_value(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(values) => values.iter().map(inferred_value).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
