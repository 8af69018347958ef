//! The flags that every command takes. Those of the settings follow from the table.

use std::{collections::BTreeMap, path::PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use super::table::SETTINGS;

/// The flags of every command, to be flattened into the program's own.
#[derive(Args)]
pub(crate) struct GlobalArgs {
    /// Reads settings from FILE instead of ./novelfoundry.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Whether data is printed as JSON.
    #[command(flatten)]
    pub(crate) json: JsonFlag,
    /// The settings that were given as flags.
    #[command(flatten)]
    pub(crate) settings: SettingFlags,
}

#[cfg(test)]
impl GlobalArgs {
    /// Returns what no flag at all gives.
    pub(crate) fn none() -> Self {
        Self { config: None, json: JsonFlag(false), settings: SettingFlags::default() }
    }
}

/// `--json`, which gives way where a command has one of its own that takes a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JsonFlag(pub(crate) bool);

impl FromArgMatches for JsonFlag {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(matches.try_get_one::<bool>("json").is_ok_and(|json| json.copied().unwrap_or_default())))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for JsonFlag {
    fn augment_args(command: Command) -> Command {
        let flag = Arg::new("json").long("json").action(ArgAction::SetTrue);
        command.arg(flag.global(true).help("Prints data as JSON, for programs"))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// The settings that were given as flags, by key.
#[derive(Clone, Default)]
pub(crate) struct SettingFlags(pub(super) BTreeMap<&'static str, String>);

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = SETTINGS.iter().filter(|setting| setting.flag().is_some()).filter_map(|setting| {
            matches.get_one::<String>(setting.key).map(|text| (setting.key, text.clone()))
        });
        Ok(Self(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.extend(Self::from_arg_matches(matches)?.0);
        Ok(())
    }
}

impl Args for SettingFlags {
    /// Adds the flags; the short help leaves most out, for there are many. Those of `up` also go without the name of
    /// their section.
    fn augment_args(command: Command) -> Command {
        command.args(SETTINGS.iter().filter_map(|setting| {
            let flag = setting.flag()?;
            let default =
                setting.default.map_or_else(String::new, |default| format!(" [default: {default}]"));
            let flag = Arg::new(setting.key)
                .long(flag)
                .value_name("VALUE")
                .help(format!("{}{default}", setting.doc.trim()))
                .help_heading("Settings (also from the environment and novelfoundry.toml)");
            let flag = match setting.split_key() {
                ("embedded", name) => flag.visible_alias(name.replace('_', "-")),
                _ => flag,
            };
            let frequent = matches!(setting.key, "listen" | "embedded.data_dir");
            Some(flag.global(true).hide_short_help(!frequent))
        }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
