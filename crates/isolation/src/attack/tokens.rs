//! Words that only the victim's rows say: where one of them is seen, something of the victim was shown.

use std::collections::HashSet;

use regex_lite::Regex;

use super::{links::owned_by, seed::Seeds, stage::Stage};
use crate::{
    catalog::Catalog,
    session::{Answer, Heard, Refusal, SessionError},
};

/// The words.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    exact: HashSet<String>,
    long: Vec<String>,
    markers: Vec<String>,
}

/// Rows looked at in one table.
const ROWS: usize = 300;

impl Tokens {
    /// Gathers what the victim's and the neighbours' rows say and no others'.
    pub(super) async fn gather(stage: &mut Stage, _seeds: &Seeds) -> Result<Self, SessionError> {
        let mut theirs: HashSet<String> = HashSet::new();
        let mut others: HashSet<String> = HashSet::new();
        let tenants: Vec<String> = stage.foreign_ids().into_iter().map(ToOwned::to_owned).collect();
        let persons: Vec<String> = stage.foreign_persons().into_iter().map(ToOwned::to_owned).collect();
        for relation in stage.targets() {
            if !relation.is_table() || relation.partition {
                continue;
            }
            let (ids, people): (Vec<&str>, Vec<&str>) =
                (tenants.iter().map(String::as_str).collect(), persons.iter().map(String::as_str).collect());
            let condition =
                owned_by(&stage.catalog, &stage.links, relation.oid, "t", &ids, &people).or_else(|| {
                    let rows = stage.provenance.get(&relation.oid)?;
                    let rows: Vec<String> = rows.iter().map(|row| crate::session::literal(row)).collect();
                    Some(format!("t::text in ({})", rows.join(", ")))
                });
            let condition = condition.unwrap_or_else(|| "false".to_owned());
            for (own, set) in [(true, &mut theirs), (false, &mut others)] {
                let condition = if own { condition.clone() } else { format!("({condition}) is not true") };
                let query = format!("select * from {} t where {condition} limit {ROWS}", relation.quoted());
                let answer = stage.used.run(&query).await?;
                for row in answer.rows {
                    for (name, cell) in answer.columns.iter().zip(row) {
                        // A state or a kind is a word of the schema's, whoever's row it stands in.
                        let of_schema = relation.column_named(name).is_some_and(|column| {
                            !super::values::labels(&stage.catalog, &relation, column).is_empty()
                        });
                        if let (Some(cell), false) = (cell, of_schema) {
                            set.insert(cell);
                        }
                    }
                }
            }
        }
        let mut exact: HashSet<String> = theirs
            .into_iter()
            .filter(|text| {
                text.chars().count() >= 5 && text.chars().any(char::is_alphanumeric) && !others.contains(text)
            })
            .collect();
        for known in tenants.iter().chain(&persons) {
            exact.remove(known);
        }
        let words = schema_words(&stage.catalog);
        exact.retain(|text| !words.contains(text));
        let mut long: Vec<String> = exact
            .iter()
            .filter(|text| text.len() >= 8 && text.len() < 400 && !is_time(text))
            .cloned()
            .collect();
        long.sort();
        let markers = std::iter::once(&stage.victim)
            .chain(&stage.neighbours)
            .map(|tenant| tenant.marker.clone())
            .collect();
        Ok(Self { exact, long, markers })
    }

    /// Takes what a tenant's rows say and another's do not, for rows that are all known.
    pub(super) fn of_rows<'a>(
        theirs: impl Iterator<Item = &'a str>,
        others: &HashSet<&str>,
        marker: String,
    ) -> Self {
        let said =
            theirs.filter(|text| text.chars().count() >= 5 && !others.contains(text) && !is_time(text));
        let exact: HashSet<String> = said.map(ToOwned::to_owned).collect();
        let mut long: Vec<String> =
            exact.iter().filter(|text| text.len() >= 8 && text.len() < 400).cloned().collect();
        long.sort();
        Self { exact, long, markers: vec![marker] }
    }

    /// Tells what of the victim a text says, apart from what the asker said first.
    pub(super) fn in_text(&self, text: &str, asked: &str) -> Option<String> {
        if let Some(bytes) = text.strip_prefix("\\x").and_then(|digits| hex::decode(digits).ok()) {
            let decoded = String::from_utf8_lossy(&bytes).into_owned();
            if !decoded.is_empty() && !decoded.starts_with("\\x") {
                return self.in_text(&decoded, asked);
            }
        }
        // A message says where it comes from behind what it says, and quotes what it is about.
        let parts = text.lines().chain(text.split('"').skip(1).step_by(2));
        if let Some(part) = parts.into_iter().find(|part| self.exact.contains(*part) && !says(asked, part)) {
            return Some(part.to_owned());
        }
        let lower = text.to_lowercase();
        let asked_lower = asked.to_lowercase();
        for marker in &self.markers {
            for (at, _) in lower.match_indices(marker.as_str()) {
                let word: String = lower[at..].chars().take_while(char::is_ascii_alphanumeric).collect();
                if !asked_lower.contains(&word) {
                    return Some(word);
                }
            }
        }
        self.long.iter().find(|token| text.contains(token.as_str()) && !says(asked, token)).cloned()
    }

    /// Tells whether a word is one that was planted.
    pub(super) fn is_marked(&self, word: &str) -> bool {
        let lower = word.to_lowercase();
        self.markers.iter().any(|marker| lower.contains(marker.as_str()))
    }

    /// Tells what of the victim an answer says.
    pub(super) fn in_answer(&self, answer: &Answer, asked: &str) -> Option<String> {
        answer.rows.iter().flatten().flatten().find_map(|cell| self.in_text(cell, asked))
    }

    /// Tells what of the victim a refusal says.
    pub(super) fn in_refusal(&self, refusal: &Refusal, asked: &str) -> Option<String> {
        [&refusal.message, &refusal.rest].into_iter().find_map(|text| self.in_text(text, asked))
    }

    /// Tells what of the victim was heard.
    pub(super) fn in_heard(&self, heard: &[Heard], asked: &str) -> Option<String> {
        heard.iter().find_map(|said| self.in_text(said.text(), asked))
    }
}

/// Tells whether statements say a text, as it is or as a literal of it is written.
fn says(statements: &str, text: &str) -> bool {
    // What a schema folds to one case was not told for that.
    if statements.to_lowercase().contains(&text.to_lowercase()) {
        return true;
    }
    let written = || text.replace('\'', "''").replace('\\', "\\\\");
    text.contains(['\'', '\\']) && statements.contains(&written())
}

/// Returns the words in quotes that the schema itself says, in functions, views and defaults.
fn schema_words(catalog: &Catalog) -> HashSet<String> {
    let Ok(pattern) = Regex::new(r"'([^']*)'") else { return HashSet::new() };
    let mut texts: Vec<&str> = catalog.functions.iter().map(|function| function.source.as_str()).collect();
    for relation in &catalog.relations {
        texts.extend(relation.definition.as_deref());
        texts.extend(relation.columns.iter().filter_map(|column| column.default.as_deref()));
    }
    let words =
        texts.into_iter().flat_map(|text| pattern.captures_iter(text).map(|found| found[1].to_owned()));
    words.collect()
}

/// Times are made at the same moment for everybody.
fn is_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 10 && bytes[4] == b'-' && bytes[7] == b'-' && bytes[..4].iter().all(u8::is_ascii_digit)
}
