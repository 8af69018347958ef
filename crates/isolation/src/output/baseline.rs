//! A baseline: the findings that are known already, so that only new ones fail. It is a file to be read and kept in
//! version control: one finding a line, in an order that does not depend on the run.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    finding::{Acceptance, Finding},
    report::Report,
};

use super::text;

/// The reason that a known finding carries.
const KNOWN: &str = "it is in the baseline";

/// The form of the file that is written.
const VERSION: u32 = 1;

/// Why a baseline cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// It is no baseline.
    #[error("is no baseline")]
    Parse(#[from] serde_json::Error),
    /// It comes from another release.
    #[error("has version {0}, and only version {VERSION} is understood; write it anew by --write-baseline")]
    Version(u32),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    findings: Vec<Known>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Known {
    rule: String,
    object: String,
    id: String,
}

/// Writes what a report holds: all that no waiver covers, also what a baseline before covers.
pub fn write(report: &Report) -> Result<String, serde_json::Error> {
    let known: BTreeSet<Known> = report
        .findings
        .iter()
        .filter(|finding| finding.accepted.is_none() || is_known(finding))
        .map(|finding| Known {
            rule: finding.rule.clone(),
            object: finding.object.clone(),
            id: finding.id.clone(),
        })
        .collect();
    let lines: Result<Vec<String>, _> = known.iter().map(serde_json::to_string).collect();
    let lines: Vec<String> =
        lines?.into_iter().map(|line| format!("    {}", text::plain_json(&line))).collect();
    let findings = if lines.is_empty() { "[]".to_owned() } else { format!("[\n{}\n  ]", lines.join(",\n")) };
    Ok(format!("{{\n  \"version\": {VERSION},\n  \"findings\": {findings}\n}}\n"))
}

/// Tells whether a finding is accepted because a baseline has it.
pub fn is_known(finding: &Finding) -> bool {
    finding.accepted.as_ref().is_some_and(|accepted| accepted.reason == KNOWN)
}

/// Marks the findings whose ids a baseline has.
pub fn apply(report: &mut Report, text: &str) -> Result<(), BaselineError> {
    let file: File = serde_json::from_str(text)?;
    if file.version != VERSION {
        return Err(BaselineError::Version(file.version));
    }
    let ids: BTreeSet<&str> = file.findings.iter().map(|known| known.id.as_str()).collect();
    for finding in &mut report.findings {
        if finding.accepted.is_none() && ids.contains(finding.id.as_str()) {
            finding.accepted = Some(Acceptance { reason: KNOWN.to_owned(), until: None });
        }
    }
    Ok(())
}
