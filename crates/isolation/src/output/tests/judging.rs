//! What fails, and what is accepted, known or not wanted.

use std::fs;

use insta::assert_snapshot;
use jiff::civil::{Date, date};
use serde_json::Value;

use crate::{
    finding::Finding,
    output::{
        sample::{NASTY, options, report, report_and_options, waiver},
        *,
    },
    rules,
};

fn settled(accept: Vec<Accept>, today: Date) -> Report {
    let mut report = report();
    settle(&mut report, &Options { today, accept, ..options() }).unwrap();
    report
}

fn of<'a>(report: &'a Report, rule: &str, object: &str) -> Option<&'a Finding> {
    report.findings.iter().find(|finding| finding.rule == rule && finding.object == object)
}

#[test]
fn a_waiver_holds_until_its_day() {
    let waivers = || vec![waiver("reads-foreign-rows", "public.invoices", Some("2027-01-01"))];
    for (today, holds) in [(date(2026, 12, 31), true), (date(2027, 1, 1), false), (date(2030, 1, 1), false)] {
        let report = settled(waivers(), today);
        let finding = of(&report, "reads-foreign-rows", "public.invoices").unwrap();
        assert_eq!(finding.accepted.is_some(), holds, "{today}");
        assert_eq!(fails(finding, &options()), !holds);
        assert_eq!(finding.evidence.contains("Its waiver ended on 2027-01-01: known <since> May"), !holds);
        assert!(of(&report, "unused-waiver", "public.invoices").is_none());
    }
}

#[test]
fn a_waiver_that_covers_nothing_is_found() {
    let today = options().today;
    let waivers = vec![
        waiver("reads-foreign-rows", "public.gone", Some("2026-01-01")),
        waiver("read-foreign-rows", "public.invoices", None),
        waiver("reads-foreign-rows", "public.remote", None),
        waiver("truncates", "public.day", Some("10:00:00")),
    ];
    let report = settled(waivers, today);
    let gone = of(&report, "unused-waiver", "public.gone").unwrap();
    assert!(gone.evidence.ends_with("It ended on 2026-01-01."), "{}", gone.evidence);
    let misspelt = of(&report, "unused-waiver", "public.invoices").unwrap();
    assert!(misspelt.evidence.contains("reads-foreign-rows is the nearest"), "{}", misspelt.evidence);
    assert!(of(&report, "unused-waiver", "public.day").unwrap().evidence.contains("no day"));
    assert!(
        of(&report, "unused-waiver", "public.remote").is_none(),
        "it was not attacked, so nothing is known"
    );
    assert!(of(&report, "reads-foreign-rows", "public.invoices").unwrap().accepted.is_none());
}

#[test]
fn a_waiver_of_a_rule_that_did_not_run_is_left_alone() {
    let accept = vec![waiver("truncates", "public.gone", None), waiver("statistics", "public.gone", None)];
    let mut found = report();
    found.findings.clear();
    let run = |options: Options| {
        let mut report = found.clone();
        settle(&mut report, &options).unwrap();
        report.findings.len()
    };
    assert_eq!(run(Options { accept: accept.clone(), ..options() }), 2);
    assert_eq!(run(Options { accept: accept.clone(), ran: |rule| rule.id != "truncates", ..options() }), 1);
    let selection = Selection::new(&[], &["truncates".to_owned()]).unwrap();
    assert_eq!(run(Options { accept: accept.clone(), selection, ..options() }), 1);
    let selection = Selection::new(&[], &["unused-waiver".to_owned()]).unwrap();
    assert_eq!(run(Options { accept, selection, ..options() }), 0);
}

#[test]
fn only_what_is_wanted_is_reported() {
    let selection = Selection::new(&["writes-foreign-rows".to_owned()], &[]).unwrap();
    let mut report = report();
    settle(&mut report, &Options { selection, ..options() }).unwrap();
    assert_eq!(report.findings.len(), 1);
    assert_eq!(report.findings[0].object, NASTY);
}

#[test]
fn findings_come_worst_first_then_by_object() {
    let report = settled(Vec::new(), options().today);
    let order: Vec<(&str, &str)> =
        report.findings.iter().map(|finding| (finding.object.as_str(), finding.rule.as_str())).collect();
    assert_eq!(
        order,
        [
            (NASTY, "writes-foreign-rows"),
            ("public.invoices", "reads-foreign-rows"),
            ("public.slugs", "existence-oracle"),
            ("public.plans", "unused-waiver"),
        ]
    );
}

#[test]
fn with_a_baseline_only_what_is_new_fails() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("baseline.json");
    let writing = Options {
        write_baseline: Some(path.clone()),
        accept: vec![waiver("existence-oracle", "public.slugs", None)],
        ..options()
    };
    let run = |options: &Options, report: Report| {
        let mut report = report;
        settle(&mut report, options).unwrap();
        write_to(&report, options, &mut Vec::new(), &mut Vec::new()).unwrap();
        (exit_code(&report, options), report)
    };
    assert_eq!(run(&writing, report()).0, 1, "writing a baseline is no excuse");
    let written = fs::read_to_string(&path).unwrap();
    assert_snapshot!(written);

    let waived = || vec![waiver("existence-oracle", "public.slugs", None)];
    let reading = Options { baseline: Some(path.clone()), accept: waived(), ..options() };
    assert_eq!(run(&reading, report()).0, 0);
    let mut more = report();
    more.findings.push(Finding::new(&rules::TRUNCATES, "public.invoices", None, ""));
    let (code, more) = run(&reading, more);
    assert_eq!(code, 1);
    let new: Vec<&Finding> = more.findings.iter().filter(|finding| fails(finding, &reading)).collect();
    assert_eq!(new.len(), 1);
    assert_eq!(new[0].rule, "truncates");
    // The waiver gone, its finding counts: the baseline did not take it in.
    assert_eq!(run(&Options { accept: Vec::new(), ..reading.clone() }, report()).0, 1);
    // Written anew on top of itself it stays as it is.
    run(&Options { write_baseline: Some(path.clone()), ..reading }, report());
    assert_eq!(fs::read_to_string(&path).unwrap(), written);
}

#[test]
fn what_is_no_baseline_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("baseline.json");
    let options = Options { baseline: Some(path.clone()), ..options() };
    assert!(matches!(settle(&mut report(), &options), Err(OutputError::Read { .. })));
    for text in ["", "{", "[]", "{\"version\":9,\"findings\":[]}", "{\"findings\":[]}"] {
        fs::write(&path, text).unwrap();
        assert!(matches!(settle(&mut report(), &options), Err(OutputError::Baseline { .. })), "{text:?}");
    }
}

#[test]
fn the_exit_code_tells_how_it_ended() {
    let (report, options) = report_and_options();
    assert_eq!(exit_code(&report, &options), 1);
    assert_eq!(exit_code(&report, &Options { require_complete: true, ..options.clone() }), 2);
    let nothing = Report { attacks: 0, ..report.clone() };
    assert_eq!(exit_code(&nothing, &options), 2);
    let mut warned = report.clone();
    warned.findings.retain(|finding| finding.level == Level::Warning);
    assert_eq!(exit_code(&warned, &options), 0);
    assert_eq!(exit_code(&warned, &Options { fail_on: Level::Warning, ..options.clone() }), 1);
    let checked = Options { mode: Mode::Check, ..options };
    assert_eq!(exit_code(&Report::default(), &checked), 0);
}

#[test]
fn a_run_that_proved_nothing_looks_like_none_in_every_format() {
    let options = options();
    let nothing = Report::default();
    assert!(terminal::render(&nothing, &options).contains("Nothing was proved"));
    assert!(github::annotations(&nothing, &options).starts_with("::error "));
    assert!(render(&nothing, &options, Format::Junit).unwrap().contains("failures=\"1\""));
    assert!(render(&nothing, &options, Format::Html).unwrap().contains("Nothing was proved"));
    assert!(render(&nothing, &options, Format::Markdown).unwrap().contains("Nothing was proved"));
    let sarif: Value = serde_json::from_str(&render(&nothing, &options, Format::Sarif).unwrap()).unwrap();
    assert_eq!(sarif["runs"][0]["invocations"][0]["executionSuccessful"], false);
}
