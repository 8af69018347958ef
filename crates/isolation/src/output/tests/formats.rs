//! What each format looks like, and what none may show.

use insta::assert_snapshot;
use proptest::prelude::*;
use quick_xml::{Reader, events::Event};
use serde_json::Value;

use crate::{
    finding::Finding,
    output::{
        sample::{options, report, report_and_options},
        *,
    },
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
