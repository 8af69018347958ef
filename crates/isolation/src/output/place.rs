//! Where a result is shown beside the code: services want a file and a line, and an object of a database has neither
//! unless its schema is read from files.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::{finding::Finding, rules};

/// A larger file is a dump with rows rather than a schema that somebody reads.
const LARGEST: u64 = 16 * 1024 * 1024;

/// What a statement makes that a finding can name.
const KINDS: [&str; 8] = ["table", "view", "function", "procedure", "sequence", "role", "user", "aggregate"];

/// What may stand between `create` and the name besides.
const FILLERS: [&str; 12] = [
    "or",
    "replace",
    "temp",
    "temporary",
    "unlogged",
    "global",
    "local",
    "recursive",
    "materialized",
    "foreign",
    "if",
    "not",
];

/// The files that results are shown beside, and the lines where objects are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    waivers: PathBuf,
    schema: Option<PathBuf>,
    lines: BTreeMap<String, (PathBuf, usize)>,
}

impl Places {
    /// Shows everything beside the file of waivers.
    pub fn beside(waivers: impl Into<PathBuf>) -> Self {
        Self { waivers: waivers.into(), schema: None, lines: BTreeMap::new() }
    }

    /// Shows objects where files of SQL make them, and others at the beginning of the last; a file that cannot be read
    /// has no lines, which is no reason to lose a report.
    #[must_use]
    pub fn and_sql(mut self, files: &[PathBuf]) -> Self {
        for path in files {
            let small = fs::metadata(path).is_ok_and(|metadata| metadata.len() <= LARGEST);
            let text = if small { fs::read(path).unwrap_or_default() } else { Vec::new() };
            for (number, line) in (1..).zip(String::from_utf8_lossy(&text).lines()) {
                if let Some(name) = made(line) {
                    self.lines.entry(name).or_insert_with(|| (path.clone(), number));
                }
            }
        }
        self.schema = files.last().cloned();
        self
    }

    /// Returns the file and line of a finding.
    pub(crate) fn of(&self, finding: &Finding) -> (&Path, usize) {
        if finding.rule == rules::UNUSED_WAIVER.id {
            return (&self.waivers, 1);
        }
        let object = finding.object.strip_prefix("role:").unwrap_or(&finding.object);
        let name = parts(object, false);
        // A line that names no schema may mean this one.
        let known = self.lines.get(&name.join(".")).or_else(|| self.lines.get(name.last()?));
        known.map_or((self.schema.as_ref().unwrap_or(&self.waivers), 1), |(path, line)| (path, *line))
    }
}

/// Returns the name of what a line makes.
fn made(line: &str) -> Option<String> {
    let mut rest = line.trim_start();
    let word =
        |text: &str| text.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default().to_lowercase();
    if word(rest) != "create" {
        return None;
    }
    rest = rest["create".len()..].trim_start();
    let mut kind = false;
    loop {
        let next = word(rest);
        let filler = FILLERS.contains(&next.as_str()) || (kind && next == "exists");
        if !filler && (kind || !KINDS.contains(&next.as_str())) {
            break;
        }
        kind |= !filler;
        rest = rest[next.len()..].trim_start();
    }
    let name = parts(rest, true).join(".");
    (kind && !name.is_empty()).then_some(name)
}

/// Returns the parts of the name that a text begins with, without quotes; what is not quoted is folded as the server
/// does, where that is asked for.
fn parts(text: &str, fold: bool) -> Vec<String> {
    let (mut parts, mut part) = (Vec::new(), String::new());
    let mut characters = text.chars().peekable();
    let mut quoted = false;
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                part.push('"');
            }
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(std::mem::take(&mut part)),
            '(' | ';' | ',' if !quoted => break,
            space if !quoted && space.is_whitespace() => break,
            other if fold && !quoted => part.extend(other.to_lowercase()),
            other => part.push(other),
        }
    }
    parts.push(part);
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn objects_are_found_where_they_are_made() {
        let directory = tempfile::tempdir().unwrap();
        let files = [directory.path().join("1.sql"), directory.path().join("2.sql")];
        fs::write(
            &files[0],
            "-- create table public.comment ();\n  CREATE TABLE IF NOT EXISTS Public.Invoices (\n);\ncreate table plain (id int);\n\
             create unlogged table app.\"Quo\"\"ted.x\"();\n",
        )
        .unwrap();
        fs::write(
            &files[1],
            "create policy p on plain;\ncreate or replace function app.pay(uuid) returns void;\ncreate role clerk;\n\
             create materialized view sums as\ncreate table plain (again int);",
        )
        .unwrap();
        let places = Places::beside("isolation.toml").and_sql(&files);
        let at = |rule, object: &str| {
            let finding = Finding::new(rule, object, None, "");
            let (path, line) = places.of(&finding);
            (path.file_name().unwrap().to_str().unwrap().to_owned(), line)
        };
        let found = |object| at(&rules::READS, object);
        assert_eq!(found("public.invoices"), ("1.sql".to_owned(), 2));
        assert_eq!(found("public.plain"), ("1.sql".to_owned(), 4));
        assert_eq!(found("app.\"Quo\"\"ted.x\""), ("1.sql".to_owned(), 5));
        assert_eq!(found("app.pay(uuid)"), ("2.sql".to_owned(), 2));
        assert_eq!(found("role:clerk"), ("2.sql".to_owned(), 3));
        assert_eq!(found("public.sums"), ("2.sql".to_owned(), 4));
        assert_eq!(found("public.comment"), ("2.sql".to_owned(), 1));
        assert_eq!(at(&rules::UNUSED_WAIVER, "public.plain"), ("isolation.toml".to_owned(), 1));
    }

    proptest! {
        #[test]
        fn any_line_is_read(line in any::<String>(), name in "[a-z\"._;( ]{0,12}") {
            made(&line);
            made(&format!("create table {line}"));
            parts(&name, true);
        }
    }
}
