//! `isolation.toml`: what cannot be worked out from the catalogue, or should be fixed, and the waivers.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// One statement or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Statements {
    /// One.
    One(String),
    /// Several, sent one after the other.
    Many(Vec<String>),
}

impl Statements {
    /// Returns them in order.
    pub fn list(&self) -> Vec<String> {
        match self {
            Self::One(statement) => vec![statement.clone()],
            Self::Many(statements) => statements.clone(),
        }
    }
}

/// A platform whose roles, claims and helper functions are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Supabase: `authenticated`, `auth.uid()`, `auth.jwt()`.
    Supabase,
    /// `PostgREST`: `request.jwt.claims`.
    Postgrest,
}

/// A waiver of one finding, or of several of one rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accept {
    /// The rule's id.
    pub rule: String,
    /// The object, as in the finding.
    pub object: String,
    /// Why it is accepted.
    pub reason: String,
    /// The day from which it counts again.
    pub until: Option<toml::value::Datetime>,
}

/// The file; everything in it may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The role that the application acts as.
    pub app_role: Option<String>,
    /// The column that holds the tenant.
    pub tenant_column: Option<String>,
    /// Two tenants that exist, attacker first.
    pub tenants: Option<Vec<String>>,
    /// What opens a tenant's context: statements with `{tenant}` and `{principal}`.
    pub context: Option<Statements>,
    /// Who acts for each tenant; fills `{principal}`.
    pub principals: Option<Vec<String>>,
    /// The platform.
    pub preset: Option<Preset>,
    /// The waivers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accept: Vec<Accept>,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{path} cannot be read")]
    Read {
        /// The file.
        path: String,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// It is no such file.
    #[error("{path} is not understood: {message}")]
    Parse {
        /// The file.
        path: String,
        /// Where and why.
        message: String,
    },
}

impl Config {
    /// Reads a text.
    pub fn parse(text: &str, path: &str) -> Result<Self, ConfigError> {
        let parsed: Result<Self, _> = toml::from_str(text);
        let config = parsed
            .map_err(|error| ConfigError::Parse { path: path.to_owned(), message: error.to_string() })?;
        if config.tenants.as_ref().is_some_and(|tenants| tenants.len() != 2 || tenants[0] == tenants[1]) {
            let message = "`tenants` names two different tenants".to_owned();
            return Err(ConfigError::Parse { path: path.to_owned(), message });
        }
        Ok(config)
    }

    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: shown.clone(), source })?;
        Self::parse(&text, &shown)
    }
}
