//! What every setting has in common: its names, where its value came from, and how a text becomes a typed value.

use std::fmt;

use crate::output::Failure;

/// How a value is written in the file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `"text"`.
    Text,
    /// `12`.
    Integer,
    /// `["a", "b"]`; separated by commas elsewhere.
    List,
}

/// A type that a setting can have.
pub(crate) trait Value: Sized {
    /// How it is written in the file.
    const SHAPE: Shape = Shape::Text;
    /// Whether the whole value is a secret: never shown, and no flag, since others see a command line.
    const SECRET: bool = false;
    /// Whether a refused value must not be quoted, as a part of it may be a secret.
    const DISCREET: bool = Self::SECRET;
    /// A value that is accepted, for the documentation.
    const EXAMPLE: &'static str;

    /// Says what is accepted, to stand after "Give".
    fn accepts() -> String;

    /// Reads a text; the error continues a sentence whose subject is the value, and does not repeat it.
    fn parse(text: &str) -> Result<Self, String>;

    /// Returns an accepted text as it may be shown.
    fn show(text: &str) -> String {
        if Self::SECRET { "[redacted]".to_owned() } else { text.to_owned() }
    }
}

/// The computation of a setting from others.
#[derive(Clone, Copy)]
pub(crate) struct Derivation {
    /// The keys it starts from; all must have a value.
    pub(crate) from: &'static [&'static str],
    /// What comes out, for the documentation.
    pub(crate) result: &'static str,
    /// Computes it from their values, in the same order.
    pub(crate) compute: fn(&[String]) -> Option<String>,
}

/// One row of the table of settings.
pub(crate) struct Setting {
    /// The dotted key in the file.
    pub(crate) key: &'static str,
    /// Sentences that say what it is for.
    pub(crate) doc: &'static str,
    /// Names in the environment besides [`Setting::env_names`]' first.
    pub(crate) aliases: &'static [&'static str],
    /// The value where nothing else gives one.
    pub(crate) default: Option<&'static str>,
    /// How it follows from other settings.
    pub(crate) derived: Option<Derivation>,
    /// [`Value::SHAPE`].
    pub(crate) shape: Shape,
    /// [`Value::SECRET`].
    pub(crate) secret: bool,
    /// [`Value::EXAMPLE`].
    pub(crate) example: &'static str,
    /// [`Value::accepts`].
    pub(crate) accepts: fn() -> String,
    /// [`Value::show`].
    pub(crate) show: fn(&str) -> String,
}

impl Setting {
    /// Returns the names in the environment, the strongest first.
    pub(crate) fn env_names(&self) -> impl Iterator<Item = String> {
        let own = format!("NOVELFOUNDRY_{}", self.key.replace('.', "_").to_uppercase());
        std::iter::once(own).chain(self.aliases.iter().map(|name| (*name).to_owned()))
    }

    /// Returns the flag without its dashes; a secret has none.
    pub(crate) fn flag(&self) -> Option<String> {
        (!self.secret).then(|| self.key.replace(['.', '_'], "-"))
    }

    /// Returns the section of the file, empty for the top, and the key within it.
    pub(crate) fn split_key(&self) -> (&'static str, &'static str) {
        self.key.split_once('.').unwrap_or(("", self.key))
    }
}

/// Where a value came from.
#[derive(Clone)]
pub(crate) enum Source {
    /// A flag, named without dashes.
    Flag(String),
    /// A variable of the environment.
    Environment(String),
    /// A line of the configuration file.
    File(String, usize),
    /// Other settings, by the names they were set by.
    Derived(Vec<String>),
    /// The table.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "flag --{name}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::File(name, line) => write!(f, "{name}:{line}"),
            Self::Derived(names) if names.is_empty() => f.write_str("derived"),
            Self::Derived(names) => write!(f, "derived from {}", names.join(" and ")),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A setting as it was found.
#[derive(Clone)]
pub(crate) struct Found {
    /// The text as it was given.
    pub(crate) text: String,
    /// Where it was given.
    pub(crate) source: Source,
}

/// A setting that may be left out, until a command needs it.
#[derive(Clone)]
pub(crate) struct Optional<T> {
    value: Option<T>,
    setting: &'static Setting,
}

impl<T> Optional<T> {
    /// Returns the value where there is one.
    pub(crate) fn get(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// Gives it a value, as if it had been configured.
    pub(crate) fn set(&mut self, value: T) {
        self.value = Some(value);
    }

    /// Returns the value, or a failure that says how to set it.
    pub(crate) fn need(&self) -> Result<&T, Failure> {
        self.value.as_ref().ok_or_else(|| missing(self.setting))
    }
}

/// A field of the typed configuration: a [`Value`], or an [`Optional`] one.
pub(crate) trait Field: Sized {
    /// The type of the value itself.
    type Value: Value;

    /// Makes the field from what was found.
    fn build(setting: &'static Setting, found: Option<&Found>) -> Result<Self, Failure>;
}

impl<T: Value> Field for T {
    type Value = T;

    fn build(setting: &'static Setting, found: Option<&Found>) -> Result<Self, Failure> {
        found.map_or_else(|| Err(missing(setting)), |found| accept(setting, found))
    }
}

impl<T: Value> Field for Optional<T> {
    type Value = T;

    fn build(setting: &'static Setting, found: Option<&Found>) -> Result<Self, Failure> {
        Ok(Self { value: found.map(|found| accept(setting, found)).transpose()?, setting })
    }
}

fn missing(setting: &Setting) -> Failure {
    let mut ways = vec![format!("`{}` in novelfoundry.toml", setting.key)];
    ways.extend(setting.env_names().last());
    ways.extend(setting.flag().map(|flag| format!("--{flag}")));
    let next = format!("Set it by {}: {}.", ways.join(" or "), (setting.accepts)());
    Failure::new(format!("`{}` is needed here and is not set", setting.key), next)
}

fn accept<T: Value>(setting: &Setting, found: &Found) -> Result<T, Failure> {
    let text = &found.text;
    let read = if text.is_empty() && T::SHAPE != Shape::List {
        Err("is empty".to_owned())
    } else if text.chars().any(char::is_control) {
        Err("contains a line break or another control character".to_owned())
    } else {
        T::parse(text)
    };
    read.map_err(|problem| {
        let quotable = !T::DISCREET && text.len() <= 100 && !text.contains(['@', '?']);
        let value = if quotable { format!("`{}`", text.escape_debug()) } else { "the value".to_owned() };
        let remedy = match (&found.source, setting.default) {
            (Source::Derived(_), _) => {
                format!("Correct what it is derived from, or set `{}` itself", setting.key)
            }
            (_, Some(default)) => format!("Give {}, or leave it out for `{default}`", (setting.accepts)()),
            (_, None) => format!("Give {}", (setting.accepts)()),
        };
        Failure::new(
            format!("{}: the value does not fit `{}`", found.source, setting.key),
            format!("{remedy}."),
        )
        .because(format!("{value} {problem}"))
    })
}
