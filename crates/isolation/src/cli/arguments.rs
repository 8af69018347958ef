//! The flags themselves. `--config`, `--database-url` and `--json` are flags of the whole product too: they carry its ids
//! and, the last apart, its types, so that the nearer one counts. What holds a password has no `Debug`.

use std::{io::IsTerminal as _, path::PathBuf};

use clap::{Args, ValueEnum};
use jiff::civil::Date;

use crate::{
    config::Config,
    finding::{Kind, Level},
    output::{Evidence, Format, Github, Mode, Options, Selection, Target, UnknownRule, explain},
};

use super::target::{ArgumentError, Source, places};

/// Which database, and what is known of it.
#[derive(Args, Clone)]
pub struct TargetArgs {
    /// The database, as `postgresql://login@host/database` [env: `DATABASE_URL`]
    #[arg(id = "database.url", long = "database-url", value_name = "URL")]
    pub database_url: Option<String>,
    /// Takes the schema from a file of SQL, or from a directory's *.sql by name, in place of a database
    #[arg(long, value_name = "FILE|DIR")]
    pub sql: Option<PathBuf>,
    /// Reads what is known from FILE instead of ./isolation.toml
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// What becomes of the report.
#[derive(Args, Clone)]
#[command(next_help_heading = "Report (FILE may be - for standard output)")]
pub struct ReportArgs {
    /// Writes the report as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<Target>,
    /// Writes the report as SARIF 2.1.0, which code hosts show beside the code
    #[arg(long, value_name = "FILE")]
    pub sarif: Option<Target>,
    /// Writes the report as one HTML page: what was tried, each finding with evidence, repair and script
    #[arg(long, value_name = "FILE")]
    pub html: Option<Target>,
    /// Writes the report as Markdown
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<Target>,
    /// Writes the report as XML of `JUnit`, which services show as tests
    #[arg(long, value_name = "FILE")]
    pub junit: Option<Target>,
    /// Writes repairs, and a psql script a leak that shows it, into DIR; nothing is applied
    #[arg(long, value_name = "DIR")]
    pub save: Option<PathBuf>,
    /// The least level that fails, with exit code 1
    #[arg(long, value_enum, default_value = "error", value_name = "LEVEL")]
    pub fail_on: FailOn,
    /// Reports these rules only
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Leaves these rules out
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    pub except: Vec<String>,
    /// Fails on findings only that FILE does not hold
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Writes what is found to FILE, for --baseline; the exit code stays what it is
    #[arg(long, value_name = "FILE")]
    pub write_baseline: Option<PathBuf>,
    /// Whether evidence may quote rows
    #[arg(long, value_enum, default_value = "redacted", value_name = "HOW")]
    pub evidence: Evidence,
}

/// The least level that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// What breaks isolation.
    Error,
    /// Traps too, which are one step away.
    Warning,
}

/// Reads the catalogue and reports what breaks isolation, what is a trap, and what would break on Citus
///
/// It sends one read-only transaction, which is fit for production and for a replica, and needs no right on any row.
/// Exits with 0 when clean, 1 on findings, 2 when it could not run.
#[derive(Args, Clone)]
pub struct CheckArgs {
    /// Which database.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Prints the SQL that makes a role which may do this and nothing more
    #[arg(long)]
    pub print_role: bool,
    /// What becomes of the report.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// Acts as the app's own role in a scratch copy and really tries to get at another tenant's rows
///
/// It copies the structure, seeds two tenants, and attacks one from the other; the source is only read, or with --in-place
/// attacked itself by what leaves nothing behind. Exits with 0
/// when isolation held, 1 when it did not, 2 when it could not run or nothing was proved.
#[derive(Args, Clone)]
pub struct AttackArgs {
    /// Which database.
    #[command(flatten)]
    pub target: TargetArgs,
    /// The app's own login: names its role, and with --in-place logs in by it
    #[arg(long, value_name = "URL")]
    pub app_url: Option<String>,
    /// Copies the rows as well, not the structure alone
    #[arg(long, conflicts_with = "sql")]
    pub with_data: bool,
    /// Attacks the database itself, not a copy: rolled back, held to rows of its own, fit for production
    #[arg(long, conflicts_with_all = ["sql", "with_data"])]
    pub in_place: bool,
    /// What chance starts from: the same seed gives the same report
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// Ends after so many seconds; what is left counts as not attacked
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub budget: Option<u64>,
    /// Exits with 2 when anything could not be attacked
    #[arg(long)]
    pub require_complete: bool,
    /// What becomes of the report.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// What can be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum InitWhat {
    /// `isolation.toml`.
    #[default]
    Isolation,
}

/// Writes a commented isolation.toml of what the catalogue tells
#[derive(Args, Clone)]
pub struct InitArgs {
    /// What to write
    #[arg(value_enum, default_value = "isolation")]
    pub what: InitWhat,
    /// The database, as `postgresql://login@host/database` [env: `DATABASE_URL`]
    #[arg(id = "database.url", long = "database-url", value_name = "URL")]
    pub database_url: Option<String>,
    /// Takes the schema from a file of SQL, or from a directory's *.sql by name, in place of a database
    #[arg(long, value_name = "FILE|DIR")]
    pub sql: Option<PathBuf>,
    /// Writes to FILE; - is standard output
    #[arg(long, value_name = "FILE", default_value = "isolation.toml")]
    pub output: Target,
    /// Replaces the file when it exists
    #[arg(long)]
    pub force: bool,
}

/// Prints the page of a rule: why it matters, a bad and a good example, the repair
#[derive(Args, Clone)]
pub struct ExplainArgs {
    /// The rule; without one, all are listed
    #[arg(value_name = "RULE")]
    pub rule: Option<String>,
}

/// What the options of a report depend on besides the flags.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// The program's name.
    pub program: &'a str,
    /// The day.
    pub today: Date,
    /// What was judged.
    pub source: &'a Source,
    /// The file of waivers, as read.
    pub config: &'a Config,
}

impl ExplainArgs {
    /// Returns what is printed.
    pub fn page(&self) -> Result<String, UnknownRule> {
        explain(self.rule.as_deref())
    }
}

impl CheckArgs {
    /// Returns what becomes of the report.
    pub fn options(
        &self,
        setting: Setting<'_>,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Options, ArgumentError> {
        self.report.options(Mode::Check, &self.target, setting, env)
    }
}

impl AttackArgs {
    /// Returns what becomes of the report.
    pub fn options(
        &self,
        setting: Setting<'_>,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Options, ArgumentError> {
        let options = self.report.options(Mode::Attack, &self.target, setting, env)?;
        Ok(Options { require_complete: self.require_complete, ..options })
    }
}

impl ReportArgs {
    /// Returns the formats and where they go.
    pub fn formats(&self) -> Vec<(Format, Target)> {
        let given = [
            (Format::Json, &self.json),
            (Format::Sarif, &self.sarif),
            (Format::Html, &self.html),
            (Format::Markdown, &self.markdown),
            (Format::Junit, &self.junit),
        ];
        given.into_iter().filter_map(|(format, target)| Some((format, target.clone()?))).collect()
    }

    fn options(
        &self,
        mode: Mode,
        target: &TargetArgs,
        setting: Setting<'_>,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Options, ArgumentError> {
        let formats = self.formats();
        let on_stdout = formats.iter().filter(|(_, target)| *target == Target::Stdout).count();
        if on_stdout > 1 {
            return Err(ArgumentError::TwoOnStdout);
        }
        // The text for a person goes where no format goes.
        let terminal =
            if on_stdout == 0 { std::io::stdout().is_terminal() } else { std::io::stderr().is_terminal() };
        let plain = env("NO_COLOR").is_some_and(|value| !value.is_empty())
            || env("TERM").is_some_and(|term| term == "dumb");
        Ok(Options {
            program: setting.program.to_owned(),
            mode,
            today: setting.today,
            accept: setting.config.accept.clone(),
            selection: Selection::new(&self.only, &self.except)?,
            ran: match mode {
                Mode::Check => |rule| rule.kind != Kind::Leak,
                Mode::Attack => |rule| rule.kind == Kind::Leak,
            },
            baseline: self.baseline.clone(),
            write_baseline: self.write_baseline.clone(),
            fail_on: match self.fail_on {
                FailOn::Error => Level::Error,
                FailOn::Warning => Level::Warning,
            },
            require_complete: false,
            evidence: self.evidence,
            formats,
            save: self.save.clone(),
            subject: setting.source.to_string(),
            places: places(target, setting.source),
            color: terminal && !plain,
            github: Github::from_env(env),
        })
    }
}
