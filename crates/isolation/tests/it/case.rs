//! A case of the corpus: a schema, what is wrong with it, and the smallest repair.

use std::path::Path;

use novelfoundry_isolation::config::Config;
use serde::Deserialize;

/// What has to be found.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expect {
    /// The object.
    pub(crate) object: String,
    /// The verb.
    pub(crate) verb: Option<String>,
    /// `leak` or `warning`.
    pub(crate) kind: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    why: String,
    class: String,
    isolation: Option<Config>,
    #[serde(default)]
    expect: Vec<Expect>,
    until: Option<u32>,
}

/// A case.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Its name.
    pub(crate) name: String,
    /// Why it is leaky, or is not.
    pub(crate) why: String,
    /// What sort of fault it is.
    pub(crate) class: String,
    /// What a user would have written.
    pub(crate) config: Config,
    /// What has to be found.
    pub(crate) expect: Vec<Expect>,
    /// The schema.
    pub(crate) schema: String,
    /// The repair.
    pub(crate) fix: String,
    /// The last version of PostgreSQL that it is true of, if there is one.
    pub(crate) until: Option<u32>,
}

/// Reads a case.
pub(crate) fn read(path: &Path) -> Result<Case, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let header: String =
        text.lines().filter_map(|line| line.strip_prefix("--: ")).collect::<Vec<_>>().join("\n");
    let header: Header = toml::from_str(&header).map_err(|error| format!("{}: {error}", path.display()))?;
    let body: Vec<&str> = text.lines().filter(|line| !line.starts_with("--:")).collect();
    let body = body.join("\n");
    let (schema, fix) = body.split_once("--- fix").unwrap_or((&body, ""));
    Ok(Case {
        name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        why: header.why,
        class: header.class,
        config: header.isolation.unwrap_or_default(),
        expect: header.expect,
        schema: schema.to_owned(),
        fix: fix.to_owned(),
        until: header.until,
    })
}
