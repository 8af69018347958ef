//! Versions of PostgreSQL, because data written by one major version can be read by that one only.

use std::{fmt, str::FromStr};

/// A version of PostgreSQL, such as 15.20.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    major: u16,
    /// A release sorts above the betas and release candidates of its major version.
    release: bool,
    minor: u16,
}

/// Says that a text is not the version line of a PostgreSQL server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a version of PostgreSQL")]
pub struct VersionError;

impl Version {
    /// The oldest major version that is supported.
    pub const MINIMUM_MAJOR: u16 = 15;

    /// Returns the major version, which decides who can read a data directory.
    pub fn major(&self) -> u16 {
        self.major
    }

    /// Returns the minor version; 0 for a beta or a release candidate.
    pub fn minor(&self) -> u16 {
        self.minor
    }

    /// Tells a release from a development version, beta or release candidate.
    pub fn is_release(&self) -> bool {
        self.release
    }
}

impl FromStr for Version {
    type Err = VersionError;

    /// Reads what `postgres --version` prints: `postgres (PostgreSQL) 15.20 (Debian 15.20-1)`, `… 18beta2`, `… 19devel`.
    fn from_str(line: &str) -> Result<Self, VersionError> {
        let (_, rest) = line.split_once("(PostgreSQL) ").ok_or(VersionError)?;
        let word = rest.split_whitespace().next().ok_or(VersionError)?;
        let digits = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
        let (major, rest) = word.split_at(digits);
        let major = major.parse().map_err(|_| VersionError)?;
        match rest.strip_prefix('.') {
            Some(minor) => {
                let end = minor.find(|c: char| !c.is_ascii_digit()).unwrap_or(minor.len());
                let minor = minor[..end].parse().map_err(|_| VersionError)?;
                Ok(Self { major, release: true, minor })
            }
            None if ["devel", "alpha", "beta", "rc"].iter().any(|stage| rest.starts_with(stage)) => {
                Ok(Self { major, release: false, minor: 0 })
            }
            None => Err(VersionError),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.release {
            write!(f, "{}.{}", self.major, self.minor)
        } else {
            write!(f, "{} (not a release)", self.major)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn real_version_lines_are_read() {
        for (line, shown) in [
            ("postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)\n", "15.20"),
            ("postgres (PostgreSQL) 18.0", "18.0"),
            ("postgres (PostgreSQL) 19devel", "19 (not a release)"),
            ("postgres (PostgreSQL) 17rc1 (Homebrew)", "17 (not a release)"),
        ] {
            assert_eq!(line.parse::<Version>().unwrap().to_string(), shown);
        }
        for bad in
            ["", "postgres 15.2", "postgres (PostgreSQL) ", "postgres (PostgreSQL) 15", "x (PostgreSQL) .1"]
        {
            assert_eq!(bad.parse::<Version>(), Err(VersionError), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn versions_sort_by_number_and_releases_above_betas(a in (15_u16..99, 0_u16..99), b in (15_u16..99, 0_u16..99)) {
            let read = |(major, minor)| format!("postgres (PostgreSQL) {major}.{minor}").parse::<Version>().unwrap();
            prop_assert_eq!(read(a).cmp(&read(b)), a.cmp(&b));
            let beta: Version = format!("postgres (PostgreSQL) {}beta1", a.0).parse().unwrap();
            prop_assert!(beta < read(a));
        }

        #[test]
        fn any_text_is_answered(text in "\\PC*", tail in "\\PC{0,12}") {
            let _ = text.parse::<Version>();
            let _ = format!("postgres (PostgreSQL) {tail}").parse::<Version>();
        }
    }
}
