//! Reading `novelfoundry.toml`. Nothing in it is ignored: a key that is not in the table is an error that names the
//! nearest one. The parser's own report would quote the line, which may hold a secret, so only its message is kept.

use std::{collections::BTreeMap, fs, io, path::Path};

use toml::de::{DeTable, DeValue};

use super::{
    setting::{Found, Setting, Shape, Source},
    table::{SECTIONS, SETTINGS},
};
use crate::output::Failure;

/// What a file sets, by key.
pub(super) type Values = BTreeMap<&'static str, Found>;

/// Reads the file at `path`, called `name` in messages; returns nothing where it does not exist and need not.
pub(super) fn read(path: &Path, name: &str, must_exist: bool) -> Result<Option<Values>, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => parse(&text, name).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => Ok(None),
        Err(error) => {
            let next = "Check the path and that this user may read the file; `novelfoundry config schema` prints one.";
            Err(Failure::new(format!("The configuration file {name} could not be read"), next).because(error))
        }
    }
}

/// Reads the text of a file called `name`.
pub(super) fn parse(text: &str, name: &str) -> Result<Values, Failure> {
    let reader = Reader { text, name };
    let document = DeTable::parse(text).map_err(|error| {
        let line = reader.line(error.span().map_or(0, |span| span.start));
        let next = "Correct the line; `novelfoundry config schema` prints a file to compare with.";
        Failure::new(format!("{name}:{line} is not valid TOML"), next).because(error.message().to_owned())
    })?;
    let mut values = Values::new();
    reader.table("", document.get_ref(), &mut values)?;
    Ok(values)
}

struct Reader<'a> {
    text: &'a str,
    name: &'a str,
}

impl Reader<'_> {
    fn line(&self, offset: usize) -> usize {
        self.text.get(..offset).unwrap_or(self.text).matches('\n').count() + 1
    }

    fn table(&self, prefix: &str, table: &DeTable<'_>, values: &mut Values) -> Result<(), Failure> {
        for (key, value) in table {
            let line = self.line(key.span().start);
            let at = format!("{}:{line}", self.name);
            let key = format!("{prefix}{}", key.get_ref());
            let is_section = SECTIONS.iter().any(|(prefix, _)| prefix.strip_suffix('.') == Some(&key));
            match (SETTINGS.iter().find(|setting| setting.key == key), value.get_ref()) {
                (Some(setting), value) => {
                    let text = text_of(setting, value, &at)?;
                    values.insert(
                        setting.key,
                        Found { text, source: Source::File(self.name.to_owned(), line) },
                    );
                }
                (None, DeValue::Table(inner)) if is_section => {
                    self.table(&format!("{key}."), inner, values)?;
                }
                (None, _) if is_section => {
                    let next =
                        format!("Write `[{key}]` on a line of its own and the section's keys below it.");
                    return Err(Failure::new(format!("{at}: `{key}` is a section, not a key"), next));
                }
                (None, _) => return Err(unknown(&key, &at)),
            }
        }
        Ok(())
    }
}

/// Returns the value as it would stand in the environment, if it has the setting's shape.
fn text_of(setting: &Setting, value: &DeValue<'_>, at: &str) -> Result<String, Failure> {
    let text = match (setting.shape, value) {
        (Shape::Text, DeValue::String(text)) => Some(text.to_string()),
        (Shape::Integer, DeValue::Integer(number)) => {
            i128::from_str_radix(number.as_str(), number.radix()).ok().map(|number| number.to_string())
        }
        (Shape::List, DeValue::Array(items)) => {
            let items = items.iter().map(|item| item.get_ref().as_str());
            items.collect::<Option<Vec<_>>>().map(|items| items.join(","))
        }
        _ => None,
    };
    text.ok_or_else(|| {
        let wanted = match setting.shape {
            Shape::Text => "a text in quotes",
            Shape::Integer => "a whole number without quotes",
            Shape::List => "a list of texts in brackets",
        };
        let found = value.type_str();
        Failure::new(format!("{at}: the value does not fit `{}`", setting.key), format!("Write {wanted}."))
            .because(format!("it is of the type {found}"))
    })
}

fn unknown(key: &str, at: &str) -> Failure {
    let sections = SECTIONS.iter().filter_map(|(prefix, _)| prefix.strip_suffix('.'));
    let next = match nearest(key, SETTINGS.iter().map(|setting| setting.key).chain(sections)) {
        Some(known) => format!("Did you mean `{known}`? `novelfoundry config schema` lists all keys."),
        None => "Remove it; `novelfoundry config schema` lists all keys.".to_owned(),
    };
    Failure::new(format!("{at}: there is no setting `{}`", key.escape_debug()), next)
}

/// Returns the candidate that is most like `text`, by the whole name or, less so, by its last part, if any is much like it.
pub(super) fn nearest<'a>(text: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    fn last(name: &str) -> &str {
        name.rsplit('.').next().unwrap_or(name)
    }
    let likeness = |name| {
        let whole = strsim::jaro_winkler(text, name);
        // A key in the wrong section is more likely than one with another name.
        whole.max(strsim::jaro_winkler(last(text), last(name)) * 0.98)
    };
    candidates
        .map(|name| (likeness(name), name))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}
