//! Remembers when a backup was last restored and looked at. Only a person can know that, so a person says it, by
//! `novelfoundry doctor --backup-verified`, and is asked again when it was long ago.

use std::{io, path::Path, time::Duration};

use jiff::Timestamp;

use super::{durable, failures};
use crate::output::Failure;

const FILE: &str = "backup-verified";
const DAY: Duration = Duration::from_hours(24);
/// After how many days a restored backup says little about those made since.
pub(crate) const GOOD_FOR_DAYS: u32 = 90;

/// What is known of the backups of an installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verified {
    /// None was ever restored.
    Never,
    /// One was, that many days ago.
    DaysAgo(u32),
}

/// Remembers that a backup was verified now.
pub(crate) fn remember(data_dir: &Path, now: Timestamp) -> Result<(), Failure> {
    let path = data_dir.join(FILE);
    durable::write(&path, format!("{now:.0}\n").as_bytes())
        .map_err(|error| failures::file("write", &path, error))
}

/// Reads what is remembered; what is no date, or one of the future, counts as nothing.
pub(crate) fn read(data_dir: &Path, now: Timestamp) -> Result<Verified, Failure> {
    let path = data_dir.join(FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if [io::ErrorKind::NotFound, io::ErrorKind::InvalidData].contains(&error.kind()) => {
            return Ok(Verified::Never);
        }
        Err(error) => return Err(failures::file("read", &path, error)),
    };
    let age = text.trim().parse().ok().and_then(|at| Duration::try_from(now.duration_since(at)).ok());
    let days = age.and_then(|age| u32::try_from(age.as_secs() / DAY.as_secs()).ok());
    Ok(days.map_or(Verified::Never, Verified::DaysAgo))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_remembered_and_garbage_is_none() {
        let root = tempfile::tempdir().unwrap();
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        assert_eq!(read(root.path(), now).unwrap(), Verified::Never);
        remember(root.path(), now).unwrap();
        let written = std::fs::read_to_string(root.path().join(FILE)).unwrap();
        assert_eq!(written, "2026-03-01T12:00:00Z\n");
        assert_eq!(read(root.path(), now).unwrap(), Verified::DaysAgo(0));
        assert_eq!(read(root.path(), now + DAY * 91).unwrap(), Verified::DaysAgo(91));
        assert_eq!(read(root.path(), now - DAY).unwrap(), Verified::Never);
        for garbage in [&b""[..], b"yesterday", b"\xff\xfe"] {
            std::fs::write(root.path().join(FILE), garbage).unwrap();
            assert_eq!(read(root.path(), now).unwrap(), Verified::Never);
        }
    }
}
