//! The report for programs.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    finding::Finding,
    report::{Inferred, NotAttacked, Report},
};

use super::text;

/// The documented members: what the page for people needs besides is left out.
#[derive(Serialize)]
struct Document<'a> {
    findings: &'a [Finding],
    not_attacked: &'a [NotAttacked],
    attacks: usize,
    objects: usize,
    seconds: f64,
    inferred: &'a BTreeMap<String, Inferred>,
}

/// Writes the report as JSON.
pub(crate) fn render(report: &Report) -> Result<String, serde_json::Error> {
    let document = Document {
        findings: &report.findings,
        not_attacked: &report.not_attacked,
        attacks: report.attacks,
        objects: report.objects,
        seconds: report.seconds,
        inferred: &report.inferred,
    };
    serde_json::to_string_pretty(&document).map(|json| text::plain_json(&json) + "\n")
}
