//! The formats as a whole: what each looks like for a report full of hostile names, and what none may show.

use std::fs;

use insta::assert_snapshot;
use jiff::civil::{Date, date};
use proptest::prelude::*;
use quick_xml::{Reader, events::Event};
use serde_json::Value;

use super::{
    sample::{NASTY, options, report, report_and_options, waiver},
    *,
};
use crate::{
    finding::Finding,
    report::{Cell, Inferred, NotAttacked},
    rules,
};

const FORMATS: [Format; 5] = [Format::Json, Format::Sarif, Format::Html, Format::Markdown, Format::Junit];

fn rendered(format: Format) -> String {
    let (report, options) = report_and_options();
    render(&report, &options, format).unwrap()
}

fn assert_well_formed(xml: &str) {
    let mut reader = Reader::from_str(xml);
    loop {
        match reader.read_event().unwrap() {
            Event::Eof => break,
            Event::Start(start) | Event::Empty(start) => {
                start.attributes().for_each(|attribute| drop(attribute.unwrap()));
            }
            _ => {}
        }
    }
}

#[test]
fn json_is_as_documented() {
    let json = rendered(Format::Json);
    let value: Value = serde_json::from_str(&json).unwrap();
    let members: Vec<&String> = value.as_object().unwrap().keys().collect();
    assert_eq!(members.len(), 6, "{members:?}");
    for member in ["attacks", "findings", "inferred", "not_attacked", "objects", "seconds"] {
        assert!(!value[member].is_null(), "{member}");
    }
    assert_snapshot!(json);
}

#[test]
fn sarif_has_what_the_standard_and_services_require() {
    let sarif: Value = serde_json::from_str(&rendered(Format::Sarif)).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 4);
    let mut prints = Vec::new();
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(!rules[index]["help"]["text"].as_str().unwrap().is_empty());
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let location = &result["locations"][0];
        let waiver = result["ruleId"] == "unused-waiver";
        let file = if waiver { "isolation.toml" } else { "db/my%20schema.sql" };
        assert_eq!(location["physicalLocation"]["artifactLocation"]["uri"], file);
        assert_eq!(location["physicalLocation"]["region"]["startLine"], 1);
        assert!(location["logicalLocations"][0]["fullyQualifiedName"].is_string());
        prints.push(result["partialFingerprints"]["primaryLocationLineHash"].as_str().unwrap());
        assert!(result["suppressions"].is_array());
    }
    let suppressed: Vec<_> =
        results.iter().filter(|result| result["suppressions"] != Value::Array(Vec::new())).collect();
    assert_eq!(suppressed.len(), 1);
    assert_eq!(suppressed[0]["ruleId"], "existence-oracle");
    assert_eq!(suppressed[0]["suppressions"][0]["kind"], "external");
    prints.sort_unstable();
    prints.dedup();
    assert_eq!(prints.len(), 4, "services tell results apart by them");
}

#[test]
fn sarif_is_as_before() {
    let mut sarif: Value = serde_json::from_str(&rendered(Format::Sarif)).unwrap();
    for rule in sarif["runs"][0]["tool"]["driver"]["rules"].as_array_mut().unwrap() {
        rule["help"] = Value::from("the page");
    }
    assert_snapshot!(serde_json::to_string_pretty(&sarif).unwrap());
}

#[test]
fn html_loads_and_runs_nothing() {
    let html = rendered(Format::Html);
    for forbidden in ["<script", "http://", "https://", "url(", "@import", "src=", "javascript:", "<link"] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    assert_well_formed(&html.replace("<!doctype html>", ""));
    let ids: Vec<&str> = html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    for target in html.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert_eq!(ids.iter().filter(|id| **id == target).count(), 1, "{target}");
    }
}

#[test]
fn html_is_as_before() {
    let html = rendered(Format::Html);
    let body = &html[html.find("<main>").unwrap()..html.find("<h2 id=\"rules\">").unwrap()];
    assert_snapshot!(body);
}

#[test]
fn markdown_is_as_before() {
    assert_snapshot!(rendered(Format::Markdown));
}

#[test]
fn junit_is_as_before() {
    let junit = rendered(Format::Junit);
    assert_well_formed(&junit);
    assert_snapshot!(junit);
}

#[test]
fn the_terminal_is_as_before() {
    let (report, options) = report_and_options();
    let plain = terminal::render(&report, &options);
    assert!(!plain.contains('\u{1b}'));
    let colored = terminal::render(&report, &Options { color: true, ..options });
    assert!(colored.contains("\u{1b}[1;31m"));
    assert!(!colored.contains("\u{1b}[31m"), "a name must not colour");
    assert_snapshot!(plain);
}

#[test]
fn annotations_are_as_before() {
    let (report, options) = report_and_options();
    let annotations = github::annotations(&report, &options);
    assert_eq!(annotations.lines().count(), 3, "one line a finding that is not accepted");
    assert_snapshot!(annotations);
}

#[test]
fn a_clean_report_is_short() {
    let options = options();
    let clean = Report { attacks: 10, objects: 3, seconds: 0.5, ..Report::default() };
    assert_snapshot!(terminal::render(&clean, &options));
    let junit = render(&clean, &options, Format::Junit).unwrap();
    assert!(junit.contains("tests=\"1\" failures=\"0\""), "{junit}");
    assert_well_formed(&render(&clean, &options, Format::Html).unwrap().replace("<!doctype html>", ""));
    assert_eq!(exit_code(&clean, &options), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_things_are_called_every_format_holds(texts in prop::collection::vec(any::<String>(), 9)) {
        let options = options();
        let finding = Finding::new(&rules::READS, &texts[0], None, "")
            .evidence(&texts[1])
            .fix(&texts[2])
            .reproduce(&texts[3]);
        let mut report = Report { attacks: 1, objects: 1, findings: vec![finding], ..Report::default() };
        report.not_attacked.push(NotAttacked { object: texts[4].clone(), reason: texts[5].clone() });
        let inferred = Inferred { value: Value::from(texts[6].as_str()), because: texts[7].clone() };
        report.inferred.insert(texts[8].clone(), inferred);
        report.matrix.push(Cell {
            role: texts[6].clone(),
            object: texts[0].clone(),
            verb: texts[7].clone(),
            outcome: texts[8].clone(),
        });
        settle(&mut report, &options).unwrap();
        let html = render(&report, &options, Format::Html).unwrap();
        assert_well_formed(&html.replace("<!doctype html>", ""));
        assert_well_formed(&render(&report, &options, Format::Junit).unwrap());
        let json: Value = serde_json::from_str(&render(&report, &options, Format::Json).unwrap()).unwrap();
        prop_assert_eq!(json["findings"][0]["object"].as_str(), Some(texts[0].as_str()));
        let sarif: Result<Value, _> = serde_json::from_str(&render(&report, &options, Format::Sarif).unwrap());
        prop_assert!(sarif.is_ok());
        let terminal = terminal::render(&report, &options);
        prop_assert!(!terminal.contains(|c: char| c.is_control() && c != '\n'));
        prop_assert_eq!(github::annotations(&report, &options).lines().count(), 1);
        let known: Report = serde_json::from_value(json).unwrap();
        let again = baseline::write(&known).unwrap();
        baseline::apply(&mut report, &again).unwrap();
        prop_assert_eq!(exit_code(&report, &options), 0);
    }
}

#[test]
fn rows_are_shown_only_where_asked_for() {
    for (evidence, shown) in [(Evidence::Redacted, false), (Evidence::Full, true)] {
        let options = Options { evidence, ..options() };
        let mut report = report();
        settle(&mut report, &options).unwrap();
        for format in FORMATS {
            let text = render(&report, &options, format).unwrap();
            assert_eq!(text.contains("SECRET-ROW"), shown, "{format:?}");
        }
        let others = [terminal::render(&report, &options), github::annotations(&report, &options)];
        assert!(others.iter().all(|text| text.contains("SECRET-ROW") == shown));
    }
}

#[test]
fn an_unsettled_report_shows_no_rows_either() {
    for format in FORMATS {
        assert!(!render(&report(), &options(), format).unwrap().contains("SECRET-ROW"));
    }
}

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
fn the_terminal_leaves_out_what_is_known_and_floods_of_remarks() {
    let (mut report, options) = report_and_options();
    let template = report.findings.pop().unwrap();
    for number in 0..11 {
        let info = Finding { level: Level::Info, object: format!("public.t{number}"), ..template.clone() };
        report.findings.push(info);
    }
    let flooded = terminal::render(&report, &options);
    assert!(!flooded.contains("public.t1"), "{flooded}");
    assert!(flooded.contains("11 of level info are left out"), "{flooded}");
    report.findings.pop();
    assert!(terminal::render(&report, &options).contains("public.t1"));
    let baseline = baseline::write(&report).unwrap();
    baseline::apply(&mut report, &baseline).unwrap();
    let known = terminal::render(&report, &options);
    assert!(known.contains("1 accepted, 12 known"), "{known}");
    assert!(!known.contains("public.invoices"), "{known}");
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
