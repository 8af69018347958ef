//! What is written where.

use std::fs;

use insta::assert_snapshot;

use crate::output::{sample::report_and_options, *};

#[test]
fn several_formats_go_each_to_their_place() {
    let directory = tempfile::tempdir().unwrap();
    let summary = directory.path().join("summary.md");
    fs::write(&summary, "before").unwrap();
    let github = {
        let summary = summary.display().to_string();
        Github::from_env(|name| match name {
            "GITHUB_ACTIONS" => Some("true".to_owned()),
            "GITHUB_STEP_SUMMARY" => Some(summary.clone()),
            _ => None,
        })
    };
    let file = |name: &str| Target::File(directory.path().join(name));
    let formats = vec![
        (Format::Sarif, file("a.sarif")),
        (Format::Json, Target::Stdout),
        (Format::Html, file("a.html")),
        (Format::Markdown, file("a.md")),
        (Format::Junit, file("a.xml")),
    ];
    let (report, plain) = report_and_options();
    let options = Options { formats, github, ..plain };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    write_to(&report, &options, &mut out, &mut err).unwrap();
    let (out, err) = (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap());
    assert_eq!(out, render(&report, &options, Format::Json).unwrap(), "nothing stands beside the data");
    assert!(err.starts_with("::stop-commands::"));
    assert!(
        err.contains("\n::error file=db/my schema.sql,line=1,title=reads-foreign-rows%3A public.invoices::")
    );
    for (name, format) in [
        ("a.sarif", Format::Sarif),
        ("a.html", Format::Html),
        ("a.md", Format::Markdown),
        ("a.xml", Format::Junit),
    ] {
        assert_eq!(
            fs::read_to_string(directory.path().join(name)).unwrap(),
            render(&report, &options, format).unwrap()
        );
    }
    let markdown = render(&report, &options, Format::Markdown).unwrap();
    assert_eq!(fs::read_to_string(&summary).unwrap(), format!("before\n\n{markdown}"));

    let twice = vec![(Format::Json, Target::Stdout), (Format::Sarif, Target::Stdout)];
    let options = Options { formats: twice, github: None, ..options };
    let refused = write_to(&report, &options, &mut Vec::new(), &mut Vec::new());
    assert!(matches!(refused, Err(OutputError::TwoOnStdout)));
}

#[test]
fn a_file_that_cannot_be_written_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let formats = vec![(Format::Json, Target::File(directory.path().join("missing/a.json")))];
    let (report, plain) = report_and_options();
    let mut out = Vec::new();
    let refused = write_to(&report, &Options { formats, ..plain }, &mut out, &mut Vec::new());
    assert!(matches!(refused, Err(OutputError::Write { .. })));
    assert!(
        String::from_utf8(out).unwrap().contains("Isolation does not hold"),
        "the rest is told all the same"
    );
}

#[test]
fn saved_scripts_show_and_repair() {
    let directory = tempfile::tempdir().unwrap();
    let (report, plain) = report_and_options();
    let options = Options { save: Some(directory.path().join("leaks")), ..plain };
    let saved = options.save.clone().unwrap();
    fs::create_dir(&saved).unwrap();
    fs::write(saved.join("old.sql"), "-- Tenant isolation: of a run before").unwrap();
    fs::write(saved.join("mine.sql"), "select 1;").unwrap();
    write_to(&report, &options, &mut Vec::new(), &mut Vec::new()).unwrap();
    let mut names: Vec<String> = fs::read_dir(&saved)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_snapshot!(names.join("\n"));
    let leak = names.iter().find(|name| name.contains("writes-foreign-rows")).unwrap();
    assert_snapshot!(fs::read_to_string(saved.join(leak)).unwrap());
    assert_snapshot!(fs::read_to_string(saved.join("fixes.sql")).unwrap());
    assert_snapshot!(fs::read_to_string(saved.join("README.md")).unwrap());
}
