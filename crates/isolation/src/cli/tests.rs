//! What a command line means.

use std::{fs, path::PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Args, Command, CommandFactory as _, FromArgMatches, Parser};
use jiff::civil::date;

use super::*;
use crate::{
    config::Config,
    finding::Level,
    output::{Format, Mode, Options, Places, Target},
};

#[derive(Parser)]
#[command(name = "novelfoundry-isolation")]
enum Lean {
    Check(CheckArgs),
    Attack(AttackArgs),
    Init(InitArgs),
    Explain(ExplainArgs),
}

/// The flags that the whole product has for every command.
#[derive(Parser)]
struct Whole {
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    json: JsonFlag,
    #[arg(id = "database.url", long = "database-url", global = true)]
    url: Option<String>,
    #[command(subcommand)]
    command: Lean,
}

/// The product's `--json`, which gives way where a command's own takes a file.
struct JsonFlag(bool);

impl FromArgMatches for JsonFlag {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(matches.try_get_one::<bool>("json").is_ok_and(|json| json.copied().unwrap_or_default())))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for JsonFlag {
    fn augment_args(command: Command) -> Command {
        command.arg(Arg::new("json").long("json").global(true).action(ArgAction::SetTrue))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

const URL: &str = "postgresql://anna:hunter2@db.example.com:5433/app";

fn nothing(_: &str) -> Option<String> {
    None
}

fn check(flags: &[&str]) -> CheckArgs {
    match Lean::try_parse_from(["novelfoundry-isolation", "check"].iter().chain(flags)).unwrap() {
        Lean::Check(check) => check,
        _ => panic!("no check"),
    }
}

fn options(flags: &[&str]) -> Result<Options, ArgumentError> {
    let check = check(flags);
    let source = check.target.source(|_| Some(URL.to_owned())).unwrap();
    let config = Config::default();
    let setting =
        Setting { program: "novelfoundry", today: date(2026, 1, 2), source: &source, config: &config };
    check.options(setting, nothing)
}

#[test]
fn the_flags_are_sound_alone_and_beside_the_products_own() {
    Lean::command().debug_assert();
    Whole::command().debug_assert();
}

#[test]
fn beside_the_products_own_flags_the_nearer_ones_count() {
    let line = ["novelfoundry", "attack", "--json", "a.json", "--config", "c.toml", "--database-url", URL];
    let whole = Whole::try_parse_from(line).unwrap();
    assert!(!whole.json.0);
    assert_eq!(whole.config, Some(PathBuf::from("c.toml")));
    let Lean::Attack(attack) = whole.command else { panic!("no attack") };
    assert_eq!(attack.report.json, Some(Target::File(PathBuf::from("a.json"))));
    assert_eq!(attack.target.config, Some(PathBuf::from("c.toml")));
    assert_eq!(attack.target.database_url.as_deref(), Some(URL));
    assert_eq!(whole.url.as_deref(), Some(URL));
    let whole = Whole::try_parse_from(["novelfoundry", "explain", "--json", "truncates"]).unwrap();
    assert!(whole.json.0);
    assert!(matches!(whole.command, Lean::Explain(ExplainArgs { rule: Some(rule) }) if rule == "truncates"));
}

#[test]
fn the_target_is_a_flag_or_the_environment() {
    let env = |name: &str| (name == "DATABASE_URL").then(|| URL.to_owned());
    let source = check(&[]).target.source(env).unwrap();
    assert_eq!(source.to_string(), "app at db.example.com");
    assert!(!format!("{source:?}").contains("hunter2"));
    assert!(matches!(check(&[]).target.source(nothing), Err(ArgumentError::NoTarget)));
    assert!(matches!(check(&[]).target.source(|_| Some(String::new())), Err(ArgumentError::NoTarget)));
    let error = check(&["--database-url", "mysql://anna:hunter2@db/app"]).target.source(nothing).unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
    let both = check(&["--database-url", URL, "--sql", "x"]).target.source(nothing);
    assert!(matches!(both, Err(ArgumentError::TwoTargets)));
}

#[test]
fn sql_is_taken_by_name_and_goes_before_the_environment() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().display().to_string();
    let target = check(&["--sql", &root]).target;
    let env = |_: &str| Some(URL.to_owned());
    assert!(matches!(target.source(env), Err(ArgumentError::NoSql { .. })));
    for name in ["10_b.sql", "02_a.SQL", "notes.md"] {
        fs::write(directory.path().join(name), "").unwrap();
    }
    let Source::Sql { files, .. } = target.source(env).unwrap() else { panic!("no files") };
    assert_eq!(files, [directory.path().join("02_a.SQL"), directory.path().join("10_b.sql")]);
    let one = check(&["--sql", &files[0].display().to_string()]).target.source(env).unwrap();
    assert!(matches!(one, Source::Sql { files, .. } if files.len() == 1));
    assert!(matches!(check(&["--sql", "/nowhere"]).target.source(env), Err(ArgumentError::Read { .. })));
}

#[test]
fn flags_become_options() {
    let options = options(&[
        "--json",
        "-",
        "--html",
        "a.html",
        "--fail-on",
        "warning",
        "--only",
        "truncates,statistics",
        "--except",
        "statistics",
        "--evidence",
        "full",
        "--config",
        "conf/isolation.toml",
    ])
    .unwrap();
    assert_eq!(
        options.formats,
        [(Format::Json, Target::Stdout), (Format::Html, Target::File(PathBuf::from("a.html")))]
    );
    assert_eq!((options.mode, options.fail_on), (Mode::Check, Level::Warning));
    assert_eq!(options.places, Places::beside("conf/isolation.toml"));
    assert!(options.selection.wants("truncates") && !options.selection.wants("statistics"));
    assert_eq!(options.subject, "app at db.example.com");
}

#[test]
fn mistakes_are_told_before_anything_is_reached() {
    assert!(matches!(options(&["--json", "-", "--sarif", "-"]), Err(ArgumentError::TwoOnStdout)));
    let error = options(&["--only", "truncate"]).map(drop).unwrap_err();
    assert_eq!(error.to_string(), "no rule is called \"truncate\"; truncates is the nearest");
    for line in [
        &["attack", "--in-place", "--with-data"][..],
        &["attack", "--in-place", "--sql", "x"],
        &["attack", "--budget", "0"],
        &["check", "--fail-on", "info"],
        &["check", "--json", ""],
        &["init", "something"],
    ] {
        let line = ["novelfoundry-isolation"].iter().chain(line);
        assert!(Lean::try_parse_from(line.clone()).is_err(), "{:?}", line.collect::<Vec<_>>());
    }
}

#[test]
fn the_defaults_are_as_documented() {
    let Lean::Attack(attack) = Lean::try_parse_from(["x", "attack"]).unwrap() else { panic!("no attack") };
    assert_eq!((attack.seed, attack.budget, attack.require_complete), (1, None, false));
    assert_eq!(attack.report.fail_on, FailOn::Error);
    let Lean::Init(init) = Lean::try_parse_from(["x", "init"]).unwrap() else { panic!("no init") };
    assert_eq!(init.what, InitWhat::Isolation);
    assert_eq!(init.output, Target::File(PathBuf::from("isolation.toml")));
}

#[test]
fn the_help_is_as_before() {
    let mut help = String::new();
    for command in Lean::command().get_subcommands_mut() {
        help.push_str(&command.render_long_help().to_string());
        help.push('\n');
    }
    insta::assert_snapshot!(help);
}
