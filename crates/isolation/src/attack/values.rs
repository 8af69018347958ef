//! Values for the columns of any table: unmistakable where the type has room for it, and others to choose from where a
//! check wants something else.

use regex_lite::Regex;
use sha2::{Digest, Sha256};

use crate::catalog::{Catalog, Column, Relation};

/// Makes values that tell whose they are.
#[derive(Clone, Debug)]
pub(super) struct Maker {
    /// The beginning of every text that is made for this tenant; letters and digits.
    pub(super) marker: String,
    /// Tells apart the numbers of different tenants.
    pub(super) block: u32,
    counter: u32,
}

impl Maker {
    /// Makes one for a tenant.
    pub(super) fn new(marker: String, block: u32) -> Self {
        Self { marker, block, counter: 0 }
    }

    fn next(&mut self) -> u32 {
        self.counter += 1;
        // The end of a short text has to tell tenants apart too.
        self.block * 100 + self.counter
    }

    /// Returns the candidates for a column, best first, as text that its type reads.
    pub(super) fn candidates(
        &mut self,
        catalog: &Catalog,
        relation: &Relation,
        column: &Column,
    ) -> Vec<String> {
        let number = self.next();
        let mut candidates = literals_in_checks(catalog, relation, column);
        let enumerated = !candidates.is_empty() && is_enumerated(catalog, relation, column);
        let mut patterned = patterns_in_checks(catalog, relation, column)
            .into_iter()
            .filter_map(|pattern| super::pattern::example(&pattern, &self.wish(number)))
            .collect::<Vec<_>>();
        let made = self.of_type(catalog, column.type_oid, &column.type_name, &column.name, number);
        if enumerated {
            candidates.extend(made);
        } else {
            let mut all = Vec::new();
            // What holds a mark whole is better than what fits a pattern.
            all.extend(made.iter().take(3).cloned());
            all.append(&mut patterned);
            all.extend(made.into_iter().skip(3));
            all.append(&mut candidates);
            candidates = all;
        }
        let mut seen = Vec::new();
        candidates.retain(|candidate| {
            let new = !seen.contains(candidate);
            seen.push(candidate.clone());
            new
        });
        candidates
    }

    fn of_type(&self, catalog: &Catalog, oid: u32, written: &str, name: &str, number: u32) -> Vec<String> {
        let Some(info) = catalog.base_type(oid) else { return Vec::new() };
        let limit = length(written);
        let own = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        match (info.kind.as_str(), info.category.as_str(), info.name.as_str()) {
            ("e", _, _) => info.labels.clone(),
            (_, "A", _) => {
                let inner = self.of_type(catalog, info.base, "", name, number);
                inner.into_iter().map(|value| format!("{{\"{}\"}}", value.replace(['\\', '"'], ""))).collect()
            }
            ("r", _, _) => self.ranges(info.name.as_str(), number),
            (_, _, "uuid") => vec![self.uuid(number)],
            (_, "S", _) | (_, _, "ltree" | "hstore") => self.texts(name, limit, number),
            (_, "B", _) => own(&["false", "true"]),
            (_, "N", "int2") => own(&[
                &format!("{}", 20_000 + self.block * 100 + number % 100),
                "1",
                "2",
                "3",
                "5",
                "10",
                "50",
                "100",
                "2026",
                "0",
            ]),
            (_, "N", "oid" | "regclass" | "regproc" | "regtype" | "regrole") => own(&["0"]),
            (_, "N", "int4" | "int8") => {
                let big = format!("{}", 70_000_000 + self.block * 1_000_000 + number * 7);
                own(&[&big, "1", "2", "3", "5", "10", "18", "50", "100", "1000", "2026", "0", "-1"])
            }
            (_, "N", "money") => own(&["12.34", "1"]),
            (_, "N", _) => {
                let big = 7_000_000 + self.block * 100_000 + number * 7;
                let big = match whole_digits(written) {
                    Some(digits) if digits < 8 => format!("{}.25", big % 10_u32.pow(digits)),
                    _ => format!("{big}.25"),
                };
                own(&[&big, "7.25", "10", "1", "0.5", "50", "100", "1000", "0"])
            }
            (_, "D", "date") => self.days(number),
            (_, "D", "time" | "timetz") => own(&["09:00", "17:00", "12:30"]),
            (_, "D", _) => self.days(number).into_iter().map(|day| format!("{day} 10:00+00")).collect(),
            (_, "T", _) => own(&["1 day", "1 hour", "30 days"]),
            (_, "I", "cidr") => vec![format!("10.{}.{}.0/24", self.block % 200, number % 250)],
            (_, "I", _) => vec![format!("10.{}.{}.{}", self.block % 200, number / 250, number % 250)],
            (_, "U", "json" | "jsonb") => {
                let token = self.token(number);
                vec![
                    format!("{{\"note\": \"{token}\"}}"),
                    format!("[\"{token}\"]"),
                    format!("\"{token}\""),
                    "{}".into(),
                ]
            }
            (_, "U", "bytea") => {
                let token = self.token(number);
                let digest = hex::encode(Sha256::digest(&token));
                // Digests and keys have lengths of their own.
                let mut values = vec![format!("\\x{}", hex::encode(&token))];
                values.extend([64, 32, 40].map(|length| format!("\\x{}", &digest[..length])));
                values.push(format!("\\x{digest}{digest}"));
                values
            }
            (_, "U", "xml") => vec![format!("<a>{}</a>", self.token(number))],
            (_, "U", "tsvector" | "tsquery") => vec![self.token(number)],
            (_, "U", "macaddr") => vec![format!("08:00:2b:01:{:02x}:{:02x}", self.block % 256, number % 256)],
            (_, "V", _) => vec!["1".repeat(limit.unwrap_or(8).max(1))],
            (_, "G", "point") => own(&["(1,2)"]),
            (_, "G", "box") => own(&["(1,1),(0,0)"]),
            (_, "G", "circle") => own(&["<(0,0),1>"]),
            _ => Vec::new(),
        }
    }

    /// What a pattern's free places are filled with, the most telling at the end.
    fn wish(&self, number: u32) -> String {
        let letter = |step: u32| {
            char::from(b'a' + u8::try_from((self.block * step + number * 3) % 26).unwrap_or_default())
        };
        let digits = (self.block * 7_919 + number * 31) % 10_000;
        format!("{}{}{}{digits:04}", self.token(number), letter(5), letter(11))
    }

    fn token(&self, number: u32) -> String {
        format!("{}{number:03}", self.marker)
    }

    /// Makes a uuid that is this tenant's alone.
    pub(super) fn uuid(&self, number: u32) -> String {
        let digest = Sha256::digest(format!("{}{number}", self.marker));
        let text = hex::encode(&digest[..16]);
        format!("{}-{}-4{}-a{}-{}", &text[..8], &text[8..12], &text[13..16], &text[17..20], &text[20..32])
    }

    fn days(&self, number: u32) -> Vec<String> {
        let day = |offset: u32| {
            format!("20{:02}-{:02}-{:02}", 26 + offset, 1 + (number + self.block) % 12, 1 + number % 28)
        };
        vec![
            day(0),
            day(1),
            day(4),
            "2026-03-01".into(),
            "2024-01-15".into(),
            "1990-06-15".into(),
            "2026-01-01".into(),
            "2026-12-31".into(),
        ]
    }

    fn ranges(&self, name: &str, number: u32) -> Vec<String> {
        let shift = number + self.block * 40;
        match name {
            "daterange" => vec![format!("[20{:02}-01-01,20{:02}-01-05)", 26 + shift % 70, 26 + shift % 70)],
            "tsrange" | "tstzrange" => {
                vec![format!(
                    "[20{:02}-{:02}-01 10:00,20{:02}-{:02}-01 11:00)",
                    26 + shift % 60,
                    1 + shift % 12,
                    26 + shift % 60,
                    1 + shift % 12
                )]
            }
            _ => vec![format!("[{},{})", 70_000_000 + shift * 10, 70_000_005 + shift * 10), "[1,5)".into()],
        }
    }

    fn texts(&self, name: &str, limit: Option<usize>, number: u32) -> Vec<String> {
        let token = self.token(number);
        let digits =
            format!("{:010}", 7_000_000_000_u64 + u64::from(self.block) * 1_000_000 + u64::from(number));
        let hash = hex::encode(Sha256::digest(&token));
        let short: String = token.chars().rev().take(4).collect::<String>();
        let mut texts = vec![
            token.clone(),
            format!("{token}@example.com"),
            format!("https://example.com/{token}"),
            token.to_ascii_uppercase(),
            format!("/{token}"),
            format!("{token}.example.com"),
            format!("{}-{}", &token[..token.len() / 2], &token[token.len() / 2..]),
            format!("Z{token} Zq"),
            format!("+{digits}"),
            digits.clone(),
            hash.clone(),
            hash[..32].to_owned(),
            hash[..40].to_owned(),
            self.uuid(number),
            format!("AB-{:04}", (self.block * 131 + number) % 10_000),
            format!("AB{:04}", (self.block * 131 + number) % 10_000),
            format!("{:06}", (self.block * 13_131 + number) % 1_000_000),
            short,
            "#a1b2c3".into(),
            "2026-03-01".into(),
            "12:30".into(),
            "1.2.3".into(),
            "en".into(),
            "EUR".into(),
            "DE".into(),
            "A".into(),
            "a".into(),
            "1".into(),
            String::new(),
        ];
        let lower = name.to_ascii_lowercase();
        if lower.contains("mail") {
            texts.swap(0, 1);
        }
        if let Some(limit) = limit {
            for text in &mut texts {
                if text.chars().count() > limit {
                    // The end tells more than the beginning, which all texts of a tenant share.
                    let skip = text.chars().count() - limit;
                    *text = text.chars().skip(skip).collect();
                }
            }
        }
        texts
    }
}

/// Returns the n of `varchar(n)`.
fn length(written: &str) -> Option<usize> {
    let start = written.find('(')? + 1;
    written[start..].split([')', ',']).next()?.parse().ok()
}

/// Returns how many digits `numeric(p,s)` has room for before the point.
fn whole_digits(written: &str) -> Option<u32> {
    let (_, inside) = written.split_once('(')?;
    let mut parts = inside.trim_end_matches(')').split(',');
    let precision: u32 = parts.next()?.trim().parse().ok()?;
    let scale: u32 = parts.next().map_or(Some(0), |scale| scale.trim().parse().ok())?;
    precision.checked_sub(scale)
}

/// Returns the checks that speak of a column, those of its domain with the column in place of VALUE.
pub(super) fn checks_of(catalog: &Catalog, relation: &Relation, column: &Column) -> Vec<String> {
    let mut checks: Vec<String> = catalog
        .constraints_of(relation.oid)
        .filter(|constraint| constraint.kind == "c" && constraint.columns.contains(&column.number))
        .filter_map(|constraint| constraint.expression.clone())
        .collect();
    checks.extend(domain_checks(catalog, column));
    checks
}

/// Returns the checks of a column's domain, over the column.
pub(super) fn domain_checks(catalog: &Catalog, column: &Column) -> Vec<String> {
    let mut checks = Vec::new();
    let mut oid = column.type_oid;
    while let Some(info) = catalog.types.get(&oid).filter(|info| info.kind == "d") {
        let name = crate::session::identifier(&column.name);
        if let Ok(pattern) = Regex::new(r"\bVALUE\b") {
            checks.extend(
                info.checks.iter().map(|check| pattern.replace_all(check, name.as_str()).into_owned()),
            );
        }
        oid = info.base;
    }
    checks
}

fn literals_in_checks(catalog: &Catalog, relation: &Relation, column: &Column) -> Vec<String> {
    let mut found = Vec::new();
    let Ok(texts) = Regex::new(r"'((?:[^']|'')*)'") else { return found };
    let Ok(numbers) = Regex::new(r"(?:^|[^\w.'])(-?\d+(?:\.\d+)?)") else { return found };
    let numeric = catalog.base_type(column.type_oid).is_some_and(|info| info.category == "N");
    for check in checks_of(catalog, relation, column) {
        if numeric {
            for number in numbers.captures_iter(&check) {
                let text = number[1].to_owned();
                if let Ok(value) = text.parse::<i64>() {
                    found.extend([value.saturating_add(1).to_string(), value.saturating_sub(1).to_string()]);
                }
                found.push(text);
            }
        } else if catalog.base_type(column.type_oid).is_some_and(|info| info.category == "S") {
            let text = texts.captures_iter(&check).map(|literal| literal[1].replace("''", "'"));
            found.extend(text.filter(|literal| !literal.contains(['^', '$', '\\', '%', '*', '+', '['])));
            // An array literal holds the list that ANY compares with.
            let listed: Vec<String> = found.iter().filter(|text| text.starts_with('{')).cloned().collect();
            for list in listed {
                found.extend(
                    list.trim_matches(['{', '}']).split(',').map(|item| item.trim_matches('"').to_owned()),
                );
            }
        }
    }
    found
}

/// Returns the regular expressions that a column is matched with.
fn patterns_in_checks(catalog: &Catalog, relation: &Relation, column: &Column) -> Vec<String> {
    let Ok(matched) = Regex::new(r"(?:~\*?|SIMILAR TO|similar_to_escape\()\s*'((?:[^']|'')*)'") else {
        return Vec::new();
    };
    let Ok(alike) = Regex::new(r"~~\*?\s*'((?:[^']|'')*)'") else { return Vec::new() };
    let mut patterns = Vec::new();
    for check in checks_of(catalog, relation, column) {
        patterns.extend(matched.captures_iter(&check).map(|found| found[1].replace("''", "'")));
        for found in alike.captures_iter(&check) {
            let mut pattern = String::from("^");
            for c in found[1].replace("''", "'").chars() {
                match c {
                    '%' => pattern.push_str("[a-z0-9]{4,8}"),
                    '_' => pattern.push_str("[a-z0-9]"),
                    c if c.is_alphanumeric() => pattern.push(c),
                    c => pattern.extend(['\\', c]),
                }
            }
            pattern.push('$');
            patterns.push(pattern);
        }
    }
    patterns
}

/// Returns values of a partitioned table's key column that some partition takes.
pub(super) fn partition_values(catalog: &Catalog, relation: &Relation, column: &Column) -> Vec<String> {
    let named = relation.partition_key.as_deref().is_some_and(|key| {
        key.split_once('(').is_some_and(|(_, list)| {
            list.split([',', ')']).next().is_some_and(|first| first.trim().trim_matches('"') == column.name)
        })
    });
    if !named {
        return Vec::new();
    }
    let Ok(ranged) = Regex::new(r"FROM \('?([^',)]+)'?") else { return Vec::new() };
    let Ok(listed) = Regex::new(r"IN \((.*)\)") else { return Vec::new() };
    let mut values = Vec::new();
    for partition in catalog.relations.iter().filter(|partition| partition.parents.contains(&relation.oid)) {
        let Some(bound) = &partition.bound else { continue };
        if bound == "DEFAULT" {
            // What the others have no place for.
            let category = catalog.base_type(column.type_oid).map_or("", |info| info.category.as_str());
            let left: &[&str] = match category {
                "N" => &["9876", "98765432"],
                "D" => &["2098-01-01"],
                "S" => &["zz", "ZZ", "zqz", "other"],
                _ => &[],
            };
            values.extend(left.iter().map(|value| (*value).to_owned()));
        }
        if let Some(found) = ranged.captures(bound)
            && &found[1] != "MINVALUE"
        {
            values.push(found[1].to_owned());
        }
        if let Some(found) = listed.captures(bound)
            && let Some(first) = found[1].split(',').next()
        {
            values.push(first.trim().trim_matches('\'').to_owned());
        }
    }
    values
}

fn is_enumerated(catalog: &Catalog, relation: &Relation, column: &Column) -> bool {
    let text = catalog.base_type(column.type_oid).is_some_and(|info| info.category == "S");
    text && checks_of(catalog, relation, column)
        .iter()
        .any(|check| check.contains("ANY (") || check.contains(" = '") || check.contains("= ANY"))
}

/// Returns the values that an enumerated column may have, by its type or its check.
pub(super) fn labels(catalog: &Catalog, relation: &Relation, column: &Column) -> Vec<String> {
    match catalog.base_type(column.type_oid) {
        Some(info) if info.kind == "e" => info.labels.clone(),
        _ if is_enumerated(catalog, relation, column) => literals_in_checks(catalog, relation, column),
        _ => Vec::new(),
    }
}
