//! The written form of the table of settings: an annotated file to start from, and the page of documentation.

use std::fmt::Write as _;

use super::{
    setting::{Setting, Shape},
    table::{SECTIONS, SETTINGS},
};
use crate::output::Exit;

const INTRODUCTION: &str = "\
# Configuration

<!-- Written by `novelfoundry config schema --markdown > docs/CONFIGURATION.md`; edit the table of settings instead. -->

Every setting can be given in four places. The first that has it wins:

1. a flag, `--` and the key with dashes: `database.pool_size` is `--database-pool-size`. Secrets have no flag, because
   other users of a machine see its command lines; a database URL given as a flag should hold no password.
2. the environment, `NOVELFOUNDRY_` and the key in capitals: `NOVELFOUNDRY_DATABASE_POOL_SIZE`. Some settings have a second
   name, listed below. An empty variable counts as absent.
3. the file that `--config` names, else `novelfoundry.toml` in the directory where the command runs. A key that is not
   listed here is an error.
4. other settings it can be derived from, as said below, else the default.

`novelfoundry config show` prints each value with the place it came from, without secrets.
`novelfoundry config schema` prints a `novelfoundry.toml` to start from.
";

/// Returns an annotated `novelfoundry.toml` whose keys are all commented out.
pub(super) fn schema() -> String {
    let mut text = "# Settings of NovelFoundry. Remove the `#` before a key to set it.\n\
         # Flags and the environment are stronger than this file.\n"
        .to_owned();
    for (prefix, doc) in SECTIONS {
        let _ = writeln!(text, "\n# {}", doc.trim());
        if let Some(section) = prefix.strip_suffix('.') {
            let _ = writeln!(text, "[{section}]");
        }
        for setting in in_section(prefix) {
            let _ = writeln!(text, "\n# {}", setting.doc.trim());
            let _ = writeln!(text, "# Accepts {}.", (setting.accepts)());
            if let Some(derived) = setting.derived {
                let _ = writeln!(text, "# Derived from others where not set: {}.", derived.result);
            }
            let names = setting.env_names().collect::<Vec<_>>().join(", ");
            let _ = writeln!(text, "# Environment: {names}");
            let _ = writeln!(text, "#{} = {}", setting.split_key().1, literal(setting));
        }
    }
    text
}

/// Returns the page of documentation.
pub(super) fn markdown() -> String {
    let mut text = INTRODUCTION.to_owned();
    for (prefix, doc) in SECTIONS {
        let title =
            prefix.strip_suffix('.').map_or_else(|| "Top level".to_owned(), |name| format!("`[{name}]`"));
        let _ = writeln!(text, "\n## {title}\n\n{}\n", doc.trim());
        for setting in in_section(prefix) {
            let _ = writeln!(text, "- **`{}`**: {}", setting.key, setting.doc.trim());
            let _ = write!(text, "  Accepts {}.", (setting.accepts)());
            if let Some(derived) = setting.derived {
                let _ = write!(text, " Derived: {}.", derived.result);
            }
            if let Some(default) = setting.default {
                let _ = write!(text, " Default: `{default}`.");
            }
            if !setting.aliases.is_empty() {
                let _ = write!(text, " Also from `{}`.", setting.aliases.join("`, `"));
            }
            text.push('\n');
        }
    }
    text.push_str("\n## Exit codes\n\n| Code | Meaning |\n|---|---|\n");
    for (code, meaning) in Exit::ALL.map(Exit::row) {
        let _ = writeln!(text, "| {code} | {meaning} |");
    }
    text
}

fn in_section(prefix: &str) -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().copied().filter(move |setting| {
        setting.key.len() - setting.split_key().1.len() == prefix.len() && setting.key.starts_with(prefix)
    })
}

/// Returns the default, or else an example, as it is written in the file.
fn literal(setting: &Setting) -> String {
    let text = setting.default.unwrap_or(setting.example);
    match setting.shape {
        Shape::Text => format!("\"{text}\""),
        Shape::Integer => text.to_owned(),
        Shape::List => format!("[\"{}\"]", text.replace(',', "\", \"")),
    }
}
