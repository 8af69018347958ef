//! A small report whose names are as bad as names can be.

use std::{collections::BTreeMap, path::PathBuf};

use jiff::civil::date;
use serde_json::json;

use crate::{
    config::Accept,
    finding::{Finding, Level, TenantContext, Verb},
    report::{Cell, Inferred, NotAttacked, Report},
    rules,
};

use super::{Evidence, Mode, Options, Places, Selection, settle};

pub(crate) const NASTY: &str =
    "public.\"quo\"\"ted\"\n::error::]]><script>alert('%0A')</script>|`&amp;\u{1b}[31m\u{202e}";

pub(crate) fn waiver(rule: &str, object: &str, until: Option<&str>) -> Accept {
    let until = until.map(|until| until.parse().unwrap());
    Accept { rule: rule.to_owned(), object: object.to_owned(), reason: "known <since> May".to_owned(), until }
}

pub(crate) fn options() -> Options {
    Options {
        program: "novelfoundry-isolation".to_owned(),
        mode: Mode::Attack,
        today: date(2026, 11, 23),
        accept: Vec::new(),
        selection: Selection::default(),
        ran: |_| true,
        baseline: None,
        write_baseline: None,
        fail_on: Level::Error,
        require_complete: false,
        evidence: Evidence::Redacted,
        formats: Vec::new(),
        save: None,
        subject: "app at db.example.com".to_owned(),
        places: Places::beside("isolation.toml").and_sql(&[PathBuf::from("db/my schema.sql")]),
        color: false,
        github: None,
    }
}

/// Returns what an attack has found, not yet settled.
pub(crate) fn report() -> Report {
    let cell = |object: &str, verb: &str, outcome: &str| Cell {
        role: "app_user".to_owned(),
        object: object.to_owned(),
        verb: verb.to_owned(),
        outcome: outcome.to_owned(),
    };
    let findings = vec![
        Finding::new(&rules::UNUSED_WAIVER, "public.plans", None, "")
            .evidence("A trap of the level warning.")
            .fix("-- decide"),
        Finding::new(&rules::EXISTENCE, "public.slugs", Some(Verb::Existence), "")
            .in_context(TenantContext::Tenant)
            .evidence("23505 for a value that the other tenant has, success for one that nobody has")
            .fix("alter table public.slugs drop constraint slugs_slug_key;\nalter table public.slugs add unique (tenant_id, slug);")
            .reproduce("begin;\ninsert into public.slugs values ('x');\nrollback;"),
        Finding::new(&rules::WRITES, NASTY, Some(Verb::Update), "")
            .in_context(TenantContext::Empty)
            .evidence("1 row of the other tenant changed: `a|b` [x](y) 50% #1 @anna\nsecond line ]]>")
            .evidence_full("1 row of the other tenant changed: SECRET-ROW <b>")
            .fix("alter table public.\"quo\"\"ted\" force row level security")
            .reproduce("-- ``` ]]>\nupdate public.\"quo\"\"ted\" set x = 'a::b';"),
        Finding::new(&rules::READS, "public.invoices", Some(Verb::Select), "")
            .in_context(TenantContext::Tenant)
            .evidence("1 row of the other tenant among 3")
            .evidence_full("1 row of the other tenant among 3: SECRET-ROW")
            .fix("alter table public.invoices enable row level security;")
            .reproduce("begin;\nselect * from public.invoices;\nrollback;"),
    ];
    let missed =
        |object: &str, reason: &str| NotAttacked { object: object.to_owned(), reason: reason.to_owned() };
    Report {
        findings,
        not_attacked: vec![
            missed("public.remote", "a foreign table, whose server is not reached from a copy"),
            missed("public.<odd>", "no row could be made:\nnull value in column \"x\""),
        ],
        attacks: 1234,
        objects: 41,
        seconds: 2.345,
        inferred: BTreeMap::from([
            (
                "tenant_column".to_owned(),
                Inferred { value: json!("tenant_id"), because: "12 of 14 policies compare it".to_owned() },
            ),
            (
                "tenants".to_owned(),
                Inferred { value: json!(["1", "2"]), because: "seeded in the copy".to_owned() },
            ),
        ]),
        matrix: vec![
            cell("public.invoices", "select", "leaks"),
            cell("public.invoices", "insert", "denied"),
            cell("public.invoices", "update", "holds"),
            cell(NASTY, "update", "leaks"),
            cell(NASTY, "select", "holds"),
            cell("public.slugs", "existence", "leaks"),
            cell("public.remote", "select", "not attacked"),
            cell("public.projects", "select", "holds"),
        ],
    }
}

/// Returns a settled report with a waiver that covers a finding, and its options.
pub(crate) fn report_and_options() -> (Report, Options) {
    let mut options = options();
    options.accept = vec![waiver("existence-oracle", "public.slugs", Some("2027-01-01"))];
    let mut report = report();
    settle(&mut report, &options).unwrap();
    (report, options)
}
