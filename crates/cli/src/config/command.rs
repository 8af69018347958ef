//! `novelfoundry config`: what the settings are, and what they could be.

use serde::Serialize;

use super::{Loaded, document, table::SETTINGS};
use crate::output::{Failure, Output};

/// Shows the settings or describes them.
#[derive(clap::Subcommand)]
pub(crate) enum ConfigCommand {
    /// Shows each setting with its value and where it came from, secrets redacted
    Show,
    /// Prints a novelfoundry.toml that describes every setting
    Schema {
        /// Prints the page of documentation instead
        #[arg(long)]
        markdown: bool,
    },
}

impl ConfigCommand {
    /// Runs the command; `load` is called only where values are needed, so that a bad one does not hide the schema.
    pub(crate) fn run(
        &self,
        output: Output,
        load: impl FnOnce() -> Result<Loaded, Failure>,
    ) -> Result<(), Failure> {
        match self {
            Self::Show if output.json => output.data_json(&load()?.rows()),
            Self::Show => output.data(&table(&load()?.rows())),
            Self::Schema { markdown: false } => output.data(&document::schema()),
            Self::Schema { markdown: true } => output.data(&document::markdown()),
        }
    }
}

/// One line of `config show`.
#[derive(Serialize)]
pub(super) struct Row {
    key: &'static str,
    value: Option<String>,
    source: String,
    secret: bool,
}

impl Loaded {
    /// Returns every setting as it may be shown.
    pub(super) fn rows(&self) -> Vec<Row> {
        let row = |setting: &&'static super::Setting| {
            let found = self.found.get(setting.key);
            Row {
                key: setting.key,
                value: found.map(|found| (setting.show)(&found.text)),
                source: found.map_or_else(|| "not set".to_owned(), |found| found.source.to_string()),
                secret: setting.secret,
            }
        };
        SETTINGS.iter().map(row).collect()
    }
}

/// Lays rows out in columns.
pub(super) fn table(rows: &[Row]) -> String {
    let value = |row: &Row| row.value.clone().unwrap_or_else(|| "-".to_owned());
    let key_width = rows.iter().map(|row| row.key.len()).max().unwrap_or(0);
    let value_width = rows.iter().map(|row| value(row).chars().count()).max().unwrap_or(0);
    let lines =
        rows.iter().map(|row| format!("{:key_width$}  {:value_width$}  {}", row.key, value(row), row.source));
    lines.collect::<Vec<_>>().join("\n")
}
