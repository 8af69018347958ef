//! The rules' pages, which are part of the program: no network is needed to understand a finding.

use std::fmt::Write as _;

use crate::rules;

use super::select::{UnknownRule, rule};

/// Returns the page of a rule, or the list of all where none is named.
pub fn explain(name: Option<&str>) -> Result<String, UnknownRule> {
    if let Some(name) = name {
        return rule(name).map(|rule| format!("{}\n", rule.page.trim_end()));
    }
    let width = rules::ALL.iter().map(|rule| rule.id.len()).max().unwrap_or_default();
    let mut list = String::new();
    for rule in rules::ALL {
        let level = match (rule.kind, rule.level) {
            (crate::finding::Kind::Leak, _) => "leak",
            (_, crate::finding::Level::Error) => "error",
            (_, crate::finding::Level::Warning) => "warning",
            (_, crate::finding::Level::Info) => "info",
        };
        let _ = writeln!(list, "{:width$}  {level:7}  {}", rule.id, rule.title);
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_page_and_a_line() {
        let list = explain(None).unwrap();
        for rule in rules::ALL {
            assert!(list.contains(rule.id));
            assert!(explain(Some(rule.id)).unwrap().starts_with("# "), "{}", rule.id);
        }
        assert!(explain(Some("truncate")).unwrap_err().to_string().contains("truncates"));
    }
}
