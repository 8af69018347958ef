//! Where the binary learns what to talk to. A founder must be able to tell which of several places a value came from,
//! and a misspelt key must not be silently ignored.
//!
//! The layers are few and the demands on messages are many (line numbers, nearest keys, secrets kept out of parser
//! reports, derived values with their origin), so this is a loader of its own over `toml`; figment knows neither lines
//! nor derivation, and its error would have had to be taken apart.

mod command;
mod document;
mod file;
mod flags;
mod setting;
mod table;
#[cfg(test)]
mod tests;
mod urls;
mod values;

use std::{collections::BTreeMap, path::Path};

pub(crate) use self::{
    command::ConfigCommand,
    flags::GlobalArgs,
    setting::{Optional, Value},
    table::{Config, Log as LogSettings},
    urls::{BaseUrl, is_loopback},
    values::{LogFormat, LogLevel, Signup, SmtpTls},
};
use self::{
    setting::{Found, Setting, Source},
    table::SETTINGS,
};
use crate::output::Failure;

/// The name of the file that is read where no other is named.
const FILE_NAME: &str = "novelfoundry.toml";

/// The configuration together with where each value came from.
pub(crate) struct Loaded {
    /// The configuration.
    pub(crate) config: Config,
    /// What was found, by key.
    found: BTreeMap<&'static str, Found>,
}

impl Loaded {
    /// Tells whether somebody gave the setting, as against what follows from others and defaults.
    pub(crate) fn is_given(&self, key: &str) -> bool {
        let given = |found: &Found| !matches!(found.source, Source::Derived(_) | Source::Default);
        self.found.get(key).is_some_and(given)
    }
}

impl Config {
    /// Collects the settings from flags, environment, file, derivation and defaults, in this order of strength.
    ///
    /// An empty variable of the environment counts as absent. `directory` is where relative names of files start.
    pub(crate) fn load(
        flags: &GlobalArgs,
        env: impl Fn(&str) -> Option<String>,
        directory: &Path,
    ) -> Result<Loaded, Failure> {
        let file = match &flags.config {
            Some(path) => file::read(&directory.join(path), &path.display().to_string(), true)?,
            None => file::read(&directory.join(FILE_NAME), FILE_NAME, false)?,
        };
        let layers = Layers { flags: &flags.settings.0, env: &env, file: file.unwrap_or_default() };
        let found: BTreeMap<_, _> =
            SETTINGS.iter().filter_map(|setting| Some((setting.key, layers.find(setting)?))).collect();
        Ok(Loaded { config: Self::build(|setting| found.get(setting.key).cloned())?, found })
    }
}

/// Reads a variable of the process's environment; what is not Unicode in it becomes visible instead of vanishing.
pub(crate) fn process_environment(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

struct Layers<'a> {
    flags: &'a BTreeMap<&'static str, String>,
    env: &'a dyn Fn(&str) -> Option<String>,
    file: file::Values,
}

impl Layers<'_> {
    fn find(&self, setting: &Setting) -> Option<Found> {
        let flag = || {
            let text = self.flags.get(setting.key)?.clone();
            Some(Found { text, source: Source::Flag(setting.flag()?) })
        };
        let environment = || {
            setting.env_names().find_map(|name| {
                let text = (self.env)(&name).filter(|text| !text.is_empty())?;
                Some(Found { text, source: Source::Environment(name) })
            })
        };
        let default = || Some(Found { text: setting.default?.to_owned(), source: Source::Default });
        flag()
            .or_else(environment)
            .or_else(|| self.file.get(setting.key).cloned())
            .or_else(|| self.derive(setting))
            .or_else(default)
    }

    fn derive(&self, setting: &Setting) -> Option<Found> {
        let derivation = setting.derived?;
        let mut texts = Vec::new();
        let mut names = Vec::new();
        for key in derivation.from {
            let found = self.find(SETTINGS.iter().find(|setting| setting.key == *key)?)?;
            texts.push(found.text);
            names.push(match found.source {
                Source::Environment(name) => name,
                _ => (*key).to_owned(),
            });
        }
        Some(Found { text: (derivation.compute)(&texts)?, source: Source::Derived(names) })
    }
}
