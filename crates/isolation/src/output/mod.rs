//! From a report to whoever reads it: a person at a terminal, a program, a service that shows results beside the code.
//! [`settle`] makes of what was found what is to be reported: filtered, waived, without the rows' own text, in order.
//! Every format is one file here and writes a settled report, which it does not change.

pub mod accept;
pub mod baseline;
mod explain;
mod file;
mod github;
mod html;
mod json;
mod junit;
mod markdown;
mod place;
mod sarif;
mod save;
mod select;
mod standing;
mod terminal;
mod text;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

use std::{
    io::{self, Write},
    path::PathBuf,
};

use jiff::civil::Date;

use crate::{config::Accept, finding::Level, report::Report, rules::Rule};

pub use explain::explain;
pub use file::Target;
pub use github::Github;
pub use place::Places;
pub use save::fixes;
pub use select::{Selection, UnknownRule};
pub use standing::{exit_code, fails};

/// What a report is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON, for programs.
    Json,
    /// SARIF 2.1.0, for services that show results beside the code.
    Sarif,
    /// One page.
    Html,
    /// GitHub's Markdown.
    Markdown,
    /// The XML of `JUnit`, for services that show tests.
    Junit,
}

impl Format {
    /// Returns the format's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Sarif => "SARIF",
            Self::Html => "HTML",
            Self::Markdown => "Markdown",
            Self::Junit => "JUnit",
        }
    }
}

/// Which of the two sorts of run a report comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The catalogue was read.
    Check,
    /// Attacks ran.
    Attack,
}

impl Mode {
    /// Returns the command's name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Attack => "attack",
        }
    }
}

/// How much of the rows' text evidence may quote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Evidence {
    /// None of it.
    #[default]
    Redacted,
    /// What was seen, as it was seen.
    Full,
}

/// What becomes of a report.
#[derive(Clone, Debug)]
pub struct Options {
    /// The program's name, for the commands that are proposed next.
    pub program: String,
    /// The sort of run.
    pub mode: Mode,
    /// The day, by which waivers end.
    pub today: Date,
    /// The waivers.
    pub accept: Vec<Accept>,
    /// The rules that are wanted.
    pub selection: Selection,
    /// Tells of a rule whether this run could have found it; a waiver of another is not called unused.
    pub ran: fn(&Rule) -> bool,
    /// The baseline to compare with.
    pub baseline: Option<PathBuf>,
    /// Where to write a baseline.
    pub write_baseline: Option<PathBuf>,
    /// The least level that fails.
    pub fail_on: Level,
    /// Whether what could not be attacked ends the run as incomplete.
    pub require_complete: bool,
    /// How much evidence may quote.
    pub evidence: Evidence,
    /// The formats and where they go; the text for a person comes beside them.
    pub formats: Vec<(Format, Target)>,
    /// The directory for scripts that show and repair.
    pub save: Option<PathBuf>,
    /// What was judged, named without a password, such as `app at db.example.com`.
    pub subject: String,
    /// The files that results are shown beside.
    pub places: Places,
    /// Whether the text for a person may be coloured.
    pub color: bool,
    /// Set where the run is a step of GitHub Actions.
    pub github: Option<Github>,
}

/// Why a report was not written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// A file cannot be written.
    #[error("{path} cannot be written")]
    Write {
        /// The file.
        path: String,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The baseline cannot be read.
    #[error("the baseline {path} cannot be read")]
    Read {
        /// The file.
        path: String,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The baseline is none.
    #[error("the baseline {path} cannot be used")]
    Baseline {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: baseline::BaselineError,
    },
    /// Two formats would run into each other.
    #[error("only one format can go to standard output")]
    TwoOnStdout,
    /// The report cannot be written as JSON.
    #[error("the report cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// Makes of what was found what is to be reported; to be called once, before [`write_all`] and [`exit_code`].
pub fn settle(report: &mut Report, options: &Options) -> Result<(), OutputError> {
    for finding in &mut report.findings {
        let full = finding.evidence_full.take();
        if let (Evidence::Full, Some(full)) = (options.evidence, full) {
            finding.evidence = full;
        }
    }
    let ran = |rule: &Rule| (options.ran)(rule) && options.selection.wants(rule.id);
    accept::apply(report, &options.accept, options.today, ran);
    report.findings.retain(|finding| options.selection.wants(&finding.rule));
    if let Some(path) = &options.baseline {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| OutputError::Read { path: shown.clone(), source })?;
        baseline::apply(report, &text).map_err(|source| OutputError::Baseline { path: shown, source })?;
    }
    report.findings.sort_by(|one, other| {
        (other.level, other.kind).cmp(&(one.level, one.kind)).then_with(|| {
            (&one.object, &one.rule, one.verb, &one.id).cmp(&(
                &other.object,
                &other.rule,
                other.verb,
                &other.id,
            ))
        })
    });
    report.not_attacked.sort();
    report.not_attacked.dedup();
    Ok(())
}

/// Writes a settled report in every form that was asked for. Standard output carries the text for a person, or the one
/// format that goes there; the text then goes to standard error. Where something cannot be written the rest still is.
pub fn write_all(report: &Report, options: &Options) -> Result<(), OutputError> {
    write_to(report, options, &mut io::stdout().lock(), &mut io::stderr().lock())
}

fn write_to<'a>(
    report: &Report,
    options: &Options,
    stdout: &'a mut dyn Write,
    stderr: &'a mut dyn Write,
) -> Result<(), OutputError> {
    let on_stdout = options.formats.iter().filter(|(_, target)| *target == Target::Stdout).count();
    if on_stdout > 1 {
        return Err(OutputError::TwoOnStdout);
    }
    // One full disk must not cost the rest of what was found.
    let mut first = Ok(());
    let mut note = |done: Result<(), OutputError>| {
        if first.is_ok() {
            first = done;
        }
    };
    if let Some(path) = &options.write_baseline {
        note(baseline::write(report).map_err(OutputError::from).and_then(|text| file::write(path, &text)));
    }
    if let Some(directory) = &options.save {
        note(save::write(report, options, directory));
    }
    for (format, target) in &options.formats {
        note(render(report, options, *format).and_then(|text| match target {
            Target::Stdout => file::to_stream(stdout, &text),
            Target::File(path) => file::write(path, &text),
        }));
    }
    let talk = if on_stdout == 0 { stdout } else { stderr };
    let words = terminal::render(report, options);
    match &options.github {
        None => note(file::to_stream(talk, &words)),
        Some(github) => {
            note(file::to_stream(talk, &github::guard(&words)));
            note(file::to_stream(talk, &github::annotations(report, options)));
            note(github.summarise(report, options));
        }
    }
    first
}

/// Writes a settled report in one format.
pub fn render(report: &Report, options: &Options, format: Format) -> Result<String, OutputError> {
    Ok(match format {
        Format::Json => json::render(report)?,
        Format::Sarif => sarif::render(report, options)?,
        Format::Html => html::render(report, options),
        Format::Markdown => markdown::render(report, options),
        Format::Junit => junit::render(report, options),
    })
}
