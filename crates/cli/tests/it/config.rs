//! `novelfoundry config` through its real command line.

use std::{
    ffi::OsStr,
    fs,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

/// Returns the command in an empty environment and directory, to be given arguments.
fn novelfoundry(directory: &tempfile::TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_novelfoundry"));
    command.env_clear().current_dir(directory.path()).stdin(Stdio::null());
    command
}

fn run(args: &[&str], env: &[(&str, &str)], file: &str) -> Output {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("novelfoundry.toml"), file).unwrap();
    novelfoundry(&directory).args(args).envs(env.iter().copied()).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn show_prints_every_layer_to_standard_output_only() {
    let env =
        [("DATABASE_URL", "postgres://tenant:hunter2@db.example/app"), ("AWS_SECRET_ACCESS_KEY", "hunter3")];
    let file = "[s3]\nbucket = 'novels'\n";
    let shown = run(&["config", "show", "--listen", "127.0.0.1:1"], &env, file);
    assert!(shown.status.success() && shown.stderr.is_empty(), "{shown:?}");
    let table = text(&shown.stdout);
    let line = |key: &str| {
        let line = table.lines().find(|line| line.split(' ').next() == Some(key)).unwrap();
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).skip(1).collect::<Vec<_>>()
    };
    assert_eq!(line("listen"), ["127.0.0.1:1", "flag --listen"]);
    assert_eq!(
        line("database.url"),
        [
            "postgresql://tenant:[redacted]@db.example:5432/app?sslmode=verify-full",
            "environment DATABASE_URL"
        ]
    );
    assert_eq!(line("s3.secret_access_key"), ["[redacted]", "environment AWS_SECRET_ACCESS_KEY"]);
    assert_eq!(line("s3.bucket"), ["novels", "novelfoundry.toml:2"]);
    assert_eq!(line("database.owner_url"), ["-", "not set"]);
    assert!(!table.contains("hunter"), "{table}");
    assert!(!table.contains('\x1b'), "{table}");
}

#[test]
fn a_flag_is_good_before_and_after_the_command() {
    for args in [
        ["--log-level", "debug", "config", "show", "--json"],
        ["--json", "config", "show", "--log-level", "debug"],
    ] {
        let shown = run(&args, &[], "");
        let rows: Value = serde_json::from_slice(&shown.stdout).unwrap();
        let row = rows.as_array().unwrap().iter().find(|row| row["key"] == "log.level").unwrap();
        assert_eq!((&row["value"], &row["source"]), (&"debug".into(), &"flag --log-level".into()));
    }
}

#[test]
fn a_failure_has_three_parts_on_standard_error_and_exits_with_2() {
    let file = "[s3]\nbuckett = 'x'\n";
    let refused = run(&["config", "show"], &[], file);
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0));
    assert_eq!(
        text(&refused.stderr),
        "error: novelfoundry.toml:2: there is no setting `s3.buckett`\n  \
         next: Did you mean `s3.bucket`? `novelfoundry config schema` lists all keys.\n"
    );
    let refused = run(&["config", "show", "--json"], &[("NOVELFOUNDRY_LOG_FORMAT", "xml")], "");
    let error: Value = serde_json::from_slice(&refused.stderr).unwrap();
    assert_eq!(
        error["error"]["what"],
        "environment NOVELFOUNDRY_LOG_FORMAT: the value does not fit `log.format`"
    );
    assert_eq!(error["error"]["why"], "`xml` is not one of them");
    assert_eq!(error["error"]["exit"], 2);
}

#[test]
fn a_named_file_must_exist_and_is_called_by_its_name() {
    let missing = run(&["config", "show", "--config", "elsewhere.toml"], &[], "");
    assert_eq!(missing.status.code(), Some(2));
    assert!(
        text(&missing.stderr).starts_with("error: The configuration file elsewhere.toml could not be read\n")
    );

    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("etc")).unwrap();
    fs::write(directory.path().join("etc/nf.toml"), "log.level = 'trace'").unwrap();
    // The file beside it is not read when another is named.
    fs::write(directory.path().join("novelfoundry.toml"), "nonsense").unwrap();
    let shown =
        novelfoundry(&directory).args(["config", "show", "--config", "etc/nf.toml"]).output().unwrap();
    assert!(text(&shown.stdout).contains("etc/nf.toml:1"), "{shown:?}");
}

#[test]
fn a_secret_has_no_flag_and_is_not_repeated() {
    let refused = run(&["config", "show", "--s3-secret-access-key=hunter2"], &[], "");
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0));
    assert!(!text(&refused.stderr).contains("hunter2"), "{refused:?}");
}

#[test]
fn the_schema_is_printed_even_where_the_configuration_is_bad() {
    let printed = run(&["config", "schema"], &[("DATABASE_URL", "nonsense")], "nonsense");
    assert!(printed.status.success() && text(&printed.stdout).contains("\n#owner_url = "), "{printed:?}");
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_unicode_is_refused_instead_of_overlooked() {
    use std::os::unix::ffi::OsStrExt as _;
    let directory = tempfile::tempdir().unwrap();
    let value = OsStr::from_bytes(b"127.0.0.1:\xff");
    let refused =
        novelfoundry(&directory).args(["config", "show"]).env("NOVELFOUNDRY_LISTEN", value).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_failure_and_a_reader_that_left_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let refused = novelfoundry(&directory).args(["config", "show"]).stdout(full).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("could not be written"), "{refused:?}");

    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let done = novelfoundry(&directory).args(["config", "show"]).stdout(writer).output().unwrap();
    assert!(done.status.success() && done.stderr.is_empty(), "{done:?}");
}
