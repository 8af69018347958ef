//! GitHub Actions: annotations among the output, and a summary of the step. What is printed there is searched for
//! commands, so that a table's name could give one; nothing of ours may be taken for one but what we mean as such.

use std::{
    fmt::Write as _,
    fs::OpenOptions,
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    path::PathBuf,
};

use sha2::{Digest, Sha256};

use crate::{finding::Level, report::Report};

use super::{Options, OutputError, markdown, standing, text};

/// How large the summary of a step may be; GitHub drops a larger one whole.
const SUMMARY_LIMIT: usize = 1024 * 1024;

/// A step of GitHub Actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Github {
    summary: Option<PathBuf>,
}

impl Github {
    /// Looks whether the run is such a step.
    pub fn from_env(env: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let summary = env("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()).map(PathBuf::from);
        (env("GITHUB_ACTIONS").as_deref() == Some("true")).then_some(Self { summary })
    }

    /// Adds the report to the step's summary, so much of it as has room.
    pub(crate) fn summarise(&self, report: &Report, options: &Options) -> Result<(), OutputError> {
        let Some(path) = &self.summary else { return Ok(()) };
        let attempt = || {
            let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
            let size = file.metadata()?.len();
            let mut separator = "";
            if size > 0 {
                let mut last = [0];
                file.seek(SeekFrom::End(-1))?;
                file.read_exact(&mut last)?;
                separator = if last == *b"\n" { "\n" } else { "\n\n" };
            }
            let used = usize::try_from(size).unwrap_or(SUMMARY_LIMIT) + separator.len();
            let markdown = markdown::render_within(report, options, SUMMARY_LIMIT.saturating_sub(used));
            file.write_all(format!("{separator}{markdown}").as_bytes())
        };
        attempt().map_err(|source| OutputError::Write { path: path.display().to_string(), source })
    }
}

/// Lets a text pass without commands in it being heard; no text can hold the token made from itself.
pub(crate) fn guard(words: &str) -> String {
    let token = hex::encode(Sha256::digest(words));
    let end = if words.is_empty() || words.ends_with('\n') { "" } else { "\n" };
    format!("::stop-commands::{token}\n{words}{end}::{token}::\n")
}

/// Writes one annotation a finding that is not accepted.
pub(crate) fn annotations(report: &Report, options: &Options) -> String {
    let mut commands = String::new();
    for finding in report.findings.iter().filter(|finding| finding.accepted.is_none()) {
        let command = match finding.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Info => "notice",
        };
        let (path, line) = options.places.of(finding);
        let title = format!("{}: {}", finding.rule, finding.object);
        let mut message = format!("{}.", standing::title(&finding.rule));
        for (head, part) in [("", &finding.evidence), ("Repair: ", &finding.fix)] {
            if !part.is_empty() {
                let _ = write!(message, "\n{head}{part}");
            }
        }
        let _ = writeln!(
            commands,
            "::{command} file={},line={line},title={}::{}",
            property(&path.display().to_string()),
            property(&text::line(&title)),
            data(&text::visible(&message))
        );
    }
    if standing::nothing_proved(report, options) {
        let _ = writeln!(commands, "::error title=isolation::{}", data(&standing::verdict(report, options)));
    }
    commands
}

/// Escapes the text of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes the value of a command's property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the runner does with a value, the other way round.
    fn heard(text: &str) -> String {
        text.replace("%3A", ":")
            .replace("%2C", ",")
            .replace("%0D", "\r")
            .replace("%0A", "\n")
            .replace("%25", "%")
    }

    proptest! {
        #[test]
        fn a_property_ends_where_it_should(text in any::<String>()) {
            let escaped = property(&text);
            prop_assert!(!escaped.contains([':', ',', '\r', '\n']));
            prop_assert_eq!(heard(&escaped), text);
        }

        #[test]
        fn a_message_is_one_line(text in any::<String>()) {
            let escaped = data(&text);
            prop_assert!(!escaped.contains(['\r', '\n']));
        }
    }

    #[test]
    fn the_environment_tells_whether_there_is_a_step() {
        let env = |value: &'static str| {
            move |name: &str| match name {
                "GITHUB_ACTIONS" => Some(value.to_owned()),
                "GITHUB_STEP_SUMMARY" => Some("/tmp/summary".to_owned()),
                _ => None,
            }
        };
        let step = Github { summary: Some(PathBuf::from("/tmp/summary")) };
        assert_eq!(Github::from_env(env("true")), Some(step));
        assert_eq!(Github::from_env(env("")), None);
        assert_eq!(Github::from_env(|_| None), None);
    }

    #[test]
    fn commands_within_a_text_are_not_heard() {
        let guarded = guard("::error::a table's name");
        let (first, rest) = guarded.split_once('\n').unwrap();
        let token = first.strip_prefix("::stop-commands::").unwrap();
        assert_eq!(rest, format!("::error::a table's name\n::{token}::\n"));
    }
}
