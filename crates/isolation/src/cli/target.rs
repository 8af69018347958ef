//! What is judged: a database or files of SQL, and the file that says what is known of it.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use novelfoundry_connection::{DatabaseUrl, UrlError};

use crate::{
    config::{Config, ConfigError},
    output::{Places, UnknownRule},
};

use super::arguments::{AttackArgs, InitArgs, TargetArgs};

/// The file that is read where none is named.
pub const DEFAULT_CONFIG: &str = "isolation.toml";

/// Why the arguments cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum ArgumentError {
    /// Nothing says what to judge.
    #[error("no database is named; give --database-url, DATABASE_URL or --sql")]
    NoTarget,
    /// A URL is none.
    #[error("{0} {1}")]
    Url(&'static str, UrlError),
    /// A path holds no SQL.
    #[error("{path} holds no file of SQL")]
    NoSql {
        /// The path.
        path: String,
    },
    /// A path cannot be read.
    #[error("{path} cannot be read")]
    Read {
        /// The path.
        path: String,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// Both were named, and each is a whole answer.
    #[error("--database-url and --sql exclude each other")]
    TwoTargets,
    /// A rule is none.
    #[error(transparent)]
    Rule(#[from] UnknownRule),
    /// Two formats would run into each other.
    #[error("only one format can go to standard output")]
    TwoOnStdout,
}

/// What is judged.
#[derive(Clone)]
pub enum Source {
    /// A database.
    Database(DatabaseUrl),
    /// Files of SQL, in the order in which they run.
    Sql {
        /// What was named.
        root: PathBuf,
        /// The files.
        files: Vec<PathBuf>,
    },
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({self})")
    }
}

impl fmt::Display for Source {
    /// Names it without its login, for a report may travel.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(url) => write!(f, "{} at {}", url.database, url.host),
            Self::Sql { root, .. } => write!(f, "{}", root.display()),
        }
    }
}

impl TargetArgs {
    /// Returns what is judged; what a flag says goes before the environment.
    pub fn source(&self, env: impl Fn(&str) -> Option<String>) -> Result<Source, ArgumentError> {
        source(self.database_url.as_deref(), self.sql.as_deref(), env)
    }
}

impl InitArgs {
    /// Returns what is looked at; what a flag says goes before the environment.
    pub fn source(&self, env: impl Fn(&str) -> Option<String>) -> Result<Source, ArgumentError> {
        source(self.database_url.as_deref(), self.sql.as_deref(), env)
    }
}

impl AttackArgs {
    /// Returns what is attacked; in place the app's own login is enough.
    pub fn source(&self, env: impl Fn(&str) -> Option<String>) -> Result<Source, ArgumentError> {
        match (self.target.source(env), self.app_login()?) {
            (Err(ArgumentError::NoTarget), Some(app)) if self.in_place => Ok(Source::Database(app)),
            (source, _) => source,
        }
    }

    /// Returns the login of the app, where it is given.
    pub fn app_login(&self) -> Result<Option<DatabaseUrl>, ArgumentError> {
        self.app_url.as_deref().map(|url| parse("--app-url", url)).transpose()
    }
}

/// Reads the file that was named, or the one that lies in the working directory; what does not exist says nothing.
pub fn load_config(named: Option<&Path>) -> Result<Config, ConfigError> {
    match named {
        Some(path) => Config::read(path),
        None if Path::new(DEFAULT_CONFIG).exists() => Config::read(Path::new(DEFAULT_CONFIG)),
        None => Ok(Config::default()),
    }
}

fn source(
    url: Option<&str>,
    sql: Option<&Path>,
    env: impl Fn(&str) -> Option<String>,
) -> Result<Source, ArgumentError> {
    match (url, sql) {
        (Some(_), Some(_)) => Err(ArgumentError::TwoTargets),
        (Some(url), None) => parse("--database-url", url).map(Source::Database),
        (None, Some(root)) => sql_files(root).map(|files| Source::Sql { root: root.to_owned(), files }),
        (None, None) => {
            let url = env("DATABASE_URL").filter(|url| !url.trim().is_empty());
            parse("DATABASE_URL", &url.ok_or(ArgumentError::NoTarget)?).map(Source::Database)
        }
    }
}

fn parse(name: &'static str, url: &str) -> Result<DatabaseUrl, ArgumentError> {
    DatabaseUrl::parse(url.trim()).map_err(|error| ArgumentError::Url(name, error))
}

/// Lists a file, or a directory's files of SQL by name, as tools that migrate do.
fn sql_files(root: &Path) -> Result<Vec<PathBuf>, ArgumentError> {
    let failed = |source| ArgumentError::Read { path: root.display().to_string(), source };
    if !fs::metadata(root).map_err(failed)?.is_dir() {
        return Ok(vec![root.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(root).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("sql")) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(ArgumentError::NoSql { path: root.display().to_string() });
    }
    Ok(files)
}

/// Returns the files that results are shown beside: the schema's, and the one with the waivers.
pub(super) fn places(target: &TargetArgs, source: &Source) -> Places {
    let waivers = Places::beside(target.config.as_deref().unwrap_or(Path::new(DEFAULT_CONFIG)));
    match source {
        Source::Sql { files, .. } => waivers.and_sql(files),
        Source::Database(_) => waivers,
    }
}
