//! The report as SARIF 2.1.0. Services show a result only beside a line of a file, and a schema has none: each result
//! stands at the line that makes the object, or at the beginning of the file that describes it, and names the object besides.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    path::{Component, Path},
};

use serde_json::{Value, json};

use crate::{
    finding::{Finding, Level},
    report::Report,
    rules,
};

use super::{Options, standing, text};

/// Writes the report as SARIF.
pub(crate) fn render(report: &Report, options: &Options) -> Result<String, serde_json::Error> {
    let used: BTreeSet<&str> = report.findings.iter().map(|finding| finding.rule.as_str()).collect();
    let used: Vec<&str> = used.into_iter().collect();
    let results: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| {
            let index = used.binary_search(&finding.rule.as_str()).unwrap_or_default();
            result(finding, index, options)
        })
        .collect();
    let notes: Vec<Value> = report
        .not_attacked
        .iter()
        .map(|missed| {
            json!({
                "level": "warning",
                "message": { "text": message(&format!("{} was not attacked: {}", missed.object, missed.reason)) },
            })
        })
        .collect();
    let proved = !standing::nothing_proved(report, options);
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "novelfoundry-isolation",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": used.iter().map(|id| descriptor(id)).collect::<Vec<_>>(),
            }},
            // Services keep the two commands' results apart by it.
            "automationDetails": { "id": format!("isolation/{}/", options.mode.word()) },
            "columnKind": "unicodeCodePoints",
            "invocations": [{ "executionSuccessful": proved, "toolExecutionNotifications": notes }],
            "results": results,
            "properties": {
                "attacks": report.attacks,
                "objects": report.objects,
                "notAttacked": report.not_attacked.len(),
            },
        }],
    });
    serde_json::to_string_pretty(&document).map(|json| text::plain_json(&json) + "\n")
}

fn descriptor(id: &str) -> Value {
    let Some(rule) = rules::by_id(id) else {
        return json!({ "id": id, "shortDescription": { "text": id } });
    };
    let severity = match rule.level {
        Level::Error => "9.0",
        Level::Warning => "5.0",
        Level::Info => "1.0",
    };
    json!({
        "id": rule.id,
        "shortDescription": { "text": rule.title },
        "fullDescription": { "text": rule.title },
        "help": { "text": rule.page, "markdown": rule.page },
        "defaultConfiguration": { "level": level(rule.level) },
        "properties": { "tags": ["security", "tenant-isolation"], "security-severity": severity },
    })
}

fn result(finding: &Finding, index: usize, options: &Options) -> Value {
    let mut told = format!("{}: {}.", finding.object, standing::title(&finding.rule));
    let circumstances = standing::circumstances(finding);
    if !circumstances.is_empty() {
        let _ = write!(told, " Shown by {circumstances}.");
    }
    for (head, part) in [("", &finding.evidence), ("Repair: ", &finding.fix)] {
        if !part.is_empty() {
            let _ = write!(told, "\n{head}{part}");
        }
    }
    // Where one result of a run has suppressions, all must.
    let suppressions: Vec<Value> = finding
        .accepted
        .iter()
        .map(|accepted| json!({ "kind": "external", "justification": accepted.reason }))
        .collect();
    let (path, line) = options.places.of(finding);
    let (name, kind) = match finding.object.strip_prefix("role:") {
        Some(role) => (role, "resource"),
        None => (finding.object.as_str(), "object"),
    };
    json!({
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": level(finding.level),
        "message": { "text": message(&told) },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": artifact(path),
                "region": { "startLine": line },
            },
            "logicalLocations": [{ "name": name, "fullyQualifiedName": finding.object, "kind": kind }],
        }],
        // The first is what services compare; computed from the line it would be the same for all.
        "partialFingerprints": {
            "primaryLocationLineHash": format!("{}:1", finding.id),
            "isolationFinding/v1": finding.id,
        },
        "suppressions": suppressions,
        "properties": {
            "id": finding.id,
            "kind": finding.kind,
            "verb": finding.verb,
            "tenantContext": finding.tenant_context,
            "fix": finding.fix,
            "reproduce": finding.reproduce,
        },
    })
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Info => "note",
    }
}

/// Escapes what would be read as a link within a message.
fn message(raw: &str) -> String {
    text::visible(raw).replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]")
}

/// Writes a path as a URI: relative to the checkout where it is relative.
fn artifact(path: &Path) -> Value {
    let mut segments = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => segments.push(encode(&name.to_string_lossy())),
            Component::ParentDir => segments.push("..".to_owned()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    let uri = segments.join("/");
    if path.is_absolute() {
        json!({ "uri": format!("file:///{uri}") })
    } else {
        json!({ "uri": uri, "uriBaseId": "%SRCROOT%" })
    }
}

fn encode(segment: &str) -> String {
    let mut encoded = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_uri() {
        assert_eq!(artifact(Path::new("./db/my schema#1.sql"))["uri"], "db/my%20schema%231.sql");
        assert_eq!(artifact(Path::new("/srv/ä.sql")), json!({ "uri": "file:///srv/%C3%A4.sql" }));
    }

    #[test]
    fn a_name_is_no_link() {
        assert_eq!(message("a[b](c)\\"), "a\\[b\\](c)\\\\");
    }
}
