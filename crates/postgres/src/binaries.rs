//! Finds the servers installed on this machine and chooses the one that fits the data.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{account::Account, error::Error, reach, version::Version};

/// An installed server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Installation {
    pub(crate) bin_dir: PathBuf,
    pub(crate) version: Version,
}

impl Installation {
    /// Chooses the server for a cluster: the one in `explicit` when given, else of those installed the newest for new
    /// data and the newest of the same major version for data that is there.
    pub(crate) fn choose(
        explicit: Option<&Path>,
        cluster: &Path,
        needed: Option<u16>,
        account: &Account,
    ) -> Result<Self, Error> {
        let installed = match explicit {
            Some(dir) => {
                if dir.is_dir() {
                    reach::check(dir, account)?;
                }
                vec![probe(dir).ok_or_else(|| Error::NotABinDir { dir: dir.to_owned() })?]
            }
            None => all_installed(),
        };
        let chosen = select(&installed, needed, explicit.is_some())
            .cloned()
            .ok_or_else(|| refuse(&installed, cluster, needed))?;
        reach::check(&chosen.bin_dir, account)?;
        Ok(chosen)
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.bin_dir.join(name)
    }
}

/// Returns the server that new data would be given.
pub(crate) fn newest(explicit: Option<&Path>) -> Option<Installation> {
    match explicit {
        Some(dir) => probe(dir),
        None => select(&all_installed(), None, false).cloned(),
    }
}

fn all_installed() -> Vec<Installation> {
    known_places().iter().filter_map(|dir| probe(dir)).collect()
}

fn refuse(installed: &[Installation], cluster: &Path, needed: Option<u16>) -> Error {
    let mut found: Vec<_> = installed.iter().map(|installation| installation.version).collect();
    found.sort_unstable();
    found.dedup();
    match needed {
        Some(needed) => Error::OtherMajor { cluster: cluster.to_owned(), needed, found },
        None => Error::NoServer { found },
    }
}

/// Data made by a beta cannot be read by the release, so one is taken only where it was asked for.
fn select(installed: &[Installation], needed: Option<u16>, explicit: bool) -> Option<&Installation> {
    installed
        .iter()
        .filter(|installation| installation.version.major() >= Version::MINIMUM_MAJOR)
        .filter(|installation| needed.is_none_or(|major| installation.version.major() == major))
        .filter(|installation| explicit || installation.version.is_release())
        // Of equals the last counts: a package's own directory goes before the search path.
        .rev()
        .max_by_key(|installation| installation.version)
}

/// Lists the directories where packages put servers, then the search path.
fn known_places() -> Vec<PathBuf> {
    let mut places = Vec::new();
    for (parent, prefix, inside) in [
        ("/usr/lib/postgresql", "", "bin"),
        ("/opt/homebrew/opt", "postgresql", "bin"),
        ("/usr/local/opt", "postgresql", "bin"),
        ("/usr", "pgsql-", "bin"),
    ] {
        let entries = fs::read_dir(parent).into_iter().flatten().filter_map(Result::ok);
        let fitting = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
        places.extend(fitting.map(|entry| entry.path().join(inside)));
    }
    if let Some(path) = env::var_os("PATH") {
        places.extend(env::split_paths(&path).filter(|place| place.is_absolute()));
    }
    places
}

fn probe(dir: &Path) -> Option<Installation> {
    let server = dir.join("postgres");
    if !dir.join("initdb").is_file() || !server.is_file() {
        return None;
    }
    let bin_dir = dir.canonicalize().ok()?;
    let output = Command::new(server)
        .arg("--version")
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let version = String::from_utf8_lossy(&output.stdout).parse().ok()?;
    output.status.success().then_some(Installation { bin_dir, version })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn installation(version: &str) -> Installation {
        let version = format!("postgres (PostgreSQL) {version}").parse().unwrap();
        Installation { bin_dir: PathBuf::from(format!("/{version}")), version }
    }

    #[test]
    fn new_data_gets_the_newest_release_and_old_data_its_own() {
        let installed: Vec<_> = ["14.9", "15.3", "15.20", "17.2", "18beta1"].map(installation).into();
        let chosen =
            |needed, explicit| select(&installed, needed, explicit).map(|chosen| chosen.version.to_string());
        assert_eq!(chosen(None, false).as_deref(), Some("17.2"));
        assert_eq!(chosen(Some(15), false).as_deref(), Some("15.20"));
        assert_eq!(chosen(Some(16), false), None);
        assert_eq!(chosen(Some(14), false), None);
        assert_eq!(chosen(Some(18), false), None);
        assert_eq!(chosen(Some(18), true).as_deref(), Some("18 (not a release)"));
    }

    #[test]
    fn of_equal_versions_the_first_place_counts() {
        let mut installed = [installation("17.2"), installation("17.2")];
        installed[1].bin_dir = PathBuf::from("/search/path");
        assert_eq!(select(&installed, None, false), Some(&installed[0]));
    }

    #[test]
    fn a_refusal_says_what_is_there_and_what_to_install() {
        let installed: Vec<_> = ["17.2", "15.3"].map(installation).into();
        let error = refuse(&installed, Path::new("/d"), Some(16));
        let said = format!("{error} {}", error.hint());
        for word in ["16", "15.3, 17.2", "postgresql-16", "NOVELFOUNDRY_PG_BIN"] {
            assert!(said.contains(word), "{word}: {said}");
        }
    }

    #[test]
    fn what_is_no_server_is_not_run() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(probe(dir.path()), None);
        fs::write(dir.path().join("initdb"), "").unwrap();
        fs::write(dir.path().join("postgres"), "").unwrap();
        assert_eq!(probe(dir.path()), None);
    }

    proptest! {
        #[test]
        fn what_is_chosen_can_read_the_data(majors in proptest::collection::vec(10_u16..20, 0..6), needed in 10_u16..20) {
            let installed: Vec<_> = majors.iter().map(|major| installation(&format!("{major}.1"))).collect();
            let chosen = select(&installed, Some(needed), false).map(|chosen| chosen.version.major());
            let there = majors.contains(&needed) && needed >= Version::MINIMUM_MAJOR;
            prop_assert_eq!(chosen, there.then_some(needed));
        }
    }
}
