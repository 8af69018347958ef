//! Reads `postmaster.pid`, in which a server says who and how far it is. It can be stale, half-written or garbage.

use std::{fs, io, path::Path};

use super::{error::Error, files::read_small};

const FILE: &str = "postmaster.pid";

/// What a server says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PidFile {
    /// The process; negative for a single-user server.
    pub(crate) pid: i32,
    pub(crate) status: Status,
}

/// How far a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// It has said nothing yet.
    Unknown,
    /// It is starting, or recovering from a crash.
    Starting,
    /// It accepts connections.
    Ready,
    /// It is shutting down.
    Stopping,
}

impl PidFile {
    /// Reads the file of a cluster; `None` when there is none or it names no process.
    pub(crate) fn read(cluster: &Path) -> Option<Self> {
        Self::parse(&read_small(&cluster.join(FILE)).ok()?)
    }

    /// Takes the process from line 1 and the status from line 8.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut lines = bytes.split(|byte| *byte == b'\n');
        let pid = std::str::from_utf8(lines.next()?).ok()?.trim().parse().ok().filter(|pid| *pid != 0)?;
        let status = match lines.nth(6).map(<[u8]>::trim_ascii) {
            Some(b"ready") => Status::Ready,
            Some(b"starting" | b"standby") => Status::Starting,
            Some(b"stopping") => Status::Stopping,
            _ => Status::Unknown,
        };
        Some(Self { pid, status })
    }

    /// Removes the file of a cluster that is proven to have no process.
    pub(crate) fn remove(cluster: &Path) -> Result<(), Error> {
        let path = cluster.join(FILE);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(Error::io("remove", &path, source))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REAL: &str = "4711\n/d/postgres\n1790000000\n5432\n/d/run\n\n  5432001    98310\n";

    #[test]
    fn a_real_file_is_read() {
        for (line, status) in [
            ("ready   \n", Status::Ready),
            ("starting\n", Status::Starting),
            ("standby \n", Status::Starting),
            ("stopping\n", Status::Stopping),
            ("read", Status::Unknown),
            ("", Status::Unknown),
        ] {
            assert_eq!(
                PidFile::parse(format!("{REAL}{line}").as_bytes()),
                Some(PidFile { pid: 4711, status })
            );
        }
        assert_eq!(PidFile::parse(b"-12\n").map(|file| file.pid), Some(-12));
    }

    #[test]
    fn a_pipe_or_a_link_in_its_place_is_not_read() {
        let cluster = tempfile::tempdir().unwrap();
        assert_eq!(PidFile::read(cluster.path()), None);
        let elsewhere = cluster.path().join("elsewhere");
        fs::write(&elsewhere, REAL).unwrap();
        std::os::unix::fs::symlink(&elsewhere, cluster.path().join(FILE)).unwrap();
        assert_eq!(PidFile::read(cluster.path()), None);
        PidFile::remove(cluster.path()).unwrap();
        PidFile::remove(cluster.path()).unwrap();
        assert!(elsewhere.exists());
        let made = std::process::Command::new("mkfifo").arg(cluster.path().join(FILE)).status().unwrap();
        assert!(made.success());
        assert_eq!(PidFile::read(cluster.path()), None);
    }

    proptest! {
        #[test]
        fn a_file_cut_short_is_never_ready(cut in 0..REAL.len() + 5) {
            let whole = format!("{REAL}ready   \n");
            let read = PidFile::parse(&whole.as_bytes()[..cut]);
            prop_assert!(read.is_none_or(|file| file.status != Status::Ready) || cut >= REAL.len() + 5);
        }

        #[test]
        fn garbage_is_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = PidFile::parse(&bytes);
        }
    }
}
