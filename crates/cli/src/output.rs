//! What the command line says and how it ends. Data goes to standard output and everything else to standard error,
//! so that a pipe carries only data; every failure has the same three parts and an exit code from one table.

use std::{
    error::Error,
    fmt,
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

/// How a command ended, as the exit code that scripts test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The command did what it was asked.
    Done,
    /// The command ran and found something that needs attention.
    Findings,
    /// The command line or a setting is wrong, or this machine lacks something the command needs.
    CouldNotRun,
    /// A service the command needs could not be reached.
    Unavailable,
    /// Going on would have been unsafe.
    Refused,
    /// The command was told to stop before it was done.
    Interrupted,
}

impl Exit {
    /// The table of exit codes, as it is documented.
    pub(crate) const ALL: [Self; 6] =
        [Self::Done, Self::Findings, Self::CouldNotRun, Self::Unavailable, Self::Refused, Self::Interrupted];

    /// Returns the number and its meaning.
    pub(crate) const fn row(self) -> (u8, &'static str) {
        match self {
            Self::Done => (0, "The command did what it was asked."),
            Self::Findings => (1, "The command ran to its end and found something that needs attention."),
            Self::CouldNotRun => (
                2,
                "The command line or a setting is wrong, or this machine lacks something the command needs.",
            ),
            Self::Unavailable => (3, "The database, the object store or the issuer could not be reached."),
            Self::Refused => (4, "The command refused because going on would have been unsafe."),
            Self::Interrupted => (130, "The command was told to stop before it was done."),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.row().0)
    }
}

/// Why a command stopped: what went wrong, why, and what to do next.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    why: Option<Box<dyn Error + Send + Sync>>,
    next: String,
    exit: Exit,
}

impl Failure {
    /// Describes a failure that ends with [`Exit::CouldNotRun`]; `next` is a sentence that says what to do.
    pub(crate) fn new(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { what: what.into(), why: None, next: next.into(), exit: Exit::CouldNotRun }
    }

    /// Adds the cause, an error or a text.
    pub(crate) fn because(mut self, why: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// Ends the command with another exit code.
    pub(crate) fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// Returns what went wrong with why, and what to do next.
    pub(crate) fn in_words(&self) -> (String, String) {
        let why = self.causes().map_or_else(String::new, |why| format!(": {why}"));
        (format!("{}{why}", self.what), self.next.clone())
    }

    /// Returns the cause and its own causes, outermost first, as one line.
    fn causes(&self) -> Option<String> {
        let mut cause: &dyn Error = self.why.as_deref()?;
        let mut line = cause.to_string();
        while let Some(deeper) = cause.source() {
            line = format!("{line}: {deeper}");
            cause = deeper;
        }
        Some(line)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.why.as_deref().map(|why| why as _)
    }
}

/// The command's two streams.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    /// Whether a program reads the data.
    pub(crate) json: bool,
    interactive: bool,
    color: bool,
}

impl Output {
    /// Looks at the terminal and at `NO_COLOR`; a dumb terminal counts as none.
    pub(crate) fn new(json: bool, env: impl Fn(&str) -> Option<String>) -> Self {
        let interactive = io::stderr().is_terminal() && env("TERM").is_none_or(|term| term != "dumb");
        let color = interactive && env("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { json, interactive, color }
    }

    /// Writes data and a line end to standard output; a reader that has left is no failure, a full disk is.
    #[expect(clippy::unused_self, reason = "holding the streams is what entitles to write")]
    pub(crate) fn data(self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match writeln!(out, "{}", text.trim_end_matches('\n')).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(
                "The result could not be written to standard output",
                "Check where the output is redirected to, and whether that disk is full.",
            )
            .because(error)),
            _ => Ok(()),
        }
    }

    /// Writes a value as indented JSON to standard output.
    pub(crate) fn data_json(self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).map_err(|error| {
            Failure::new("The result could not be written as JSON", "Report this as a defect.").because(error)
        })?;
        self.data(&text)
    }

    /// Says a line on standard error.
    #[expect(clippy::unused_self, reason = "holding the streams is what entitles to write")]
    pub(crate) fn say(self, line: &str) {
        // Nobody is left to be told that standard error is gone.
        let _ = writeln!(io::stderr(), "{line}");
    }

    /// Starts to tell the steps of something that takes a while.
    pub(crate) fn progress(self) -> Progress {
        Progress { output: self, current: None }
    }

    /// Reports a failure on standard error, as one line of JSON where a program reads, and returns its exit code.
    pub(crate) fn failure(self, failure: &Failure) -> ExitCode {
        let why = failure.causes();
        if self.json {
            let (what, next, exit) = (&failure.what, &failure.next, failure.exit.row().0);
            self.say(
                &serde_json::json!({ "error": { "what": what, "why": why, "next": next, "exit": exit } })
                    .to_string(),
            );
        } else {
            let (on, off) = if self.color { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
            self.say(&format!("{on}error:{off} {}", failure.what));
            if let Some(why) = why {
                self.say(&format!("  why:  {why}"));
            }
            self.say(&format!("  next: {}", failure.next));
        }
        failure.exit.into()
    }
}

/// The steps of something that takes a while: a spinner on a terminal, plain lines elsewhere.
#[derive(Debug)]
pub(crate) struct Progress {
    output: Output,
    current: Option<(String, ProgressBar)>,
}

impl Progress {
    /// Ends the step before and begins one, named like `starting PostgreSQL`.
    pub(crate) fn step(&mut self, name: &str) {
        self.end_step();
        if !self.output.interactive {
            return self.output.say(name);
        }
        let color = if self.output.color { ":.cyan" } else { "" };
        let style = ProgressStyle::with_template(&format!("{{spinner{color}}} {{msg}}"));
        let bar = ProgressBar::new_spinner().with_message(name.to_owned());
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.enable_steady_tick(Duration::from_millis(100));
        self.current = Some((name.to_owned(), bar));
    }

    /// Says a line without tearing the spinner.
    pub(crate) fn say(&self, line: &str) {
        match &self.current {
            Some((_, bar)) => bar.suspend(|| self.output.say(line)),
            None => self.output.say(line),
        }
    }

    /// Ends the last step well; dropping instead leaves it unconfirmed.
    pub(crate) fn finish(mut self) {
        self.end_step();
    }

    fn end_step(&mut self) {
        if let Some((name, bar)) = self.current.take() {
            bar.finish_and_clear();
            self.output.say(&format!("✓ {name}"));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((_, bar)) = self.current.take() {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_once_each_from_the_outermost_inwards() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] io::Error);
        let failure = Failure::new("what", "next").because(Outer(io::Error::other("inner")));
        assert_eq!(failure.causes().as_deref(), Some("outer: inner"));
        assert_eq!(failure.to_string(), "what");
        assert_eq!(failure.source().map(ToString::to_string).as_deref(), Some("outer"));
    }

    #[test]
    fn exit_codes_count_up_from_zero_and_end_with_the_shells() {
        assert_eq!(Exit::ALL.map(|exit| exit.row().0), [0, 1, 2, 3, 4, 130]);
    }
}
