//! The server's log: one private file that outlives this process and that stays small. The server's own collector
//! would miss what a server says before it has read its configuration, and bounds files by time only.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use crate::error::Error;

/// The size from which the log is cut.
const MOST_BYTES: u64 = 8 << 20;
/// What is kept of a log that is cut, in a file beside it.
const KEPT_BYTES: u64 = 1 << 20;
/// What an error message quotes at most.
const QUOTED_BYTES: u64 = 16 << 10;
const QUOTED_LINES: usize = 12;

/// A log file.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    path: PathBuf,
}

impl Log {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Opens the log for a child to write to; every write goes to the end, wherever that is by then.
    pub(crate) fn open(&self) -> Result<File, Error> {
        open(&self.path, OpenOptions::new().append(true).create(true))
            .map_err(|source| Error::io("open", &self.path, source))
    }

    /// Returns the present length, to tell later what was written since.
    pub(crate) fn mark(&self) -> u64 {
        self.path.metadata().map_or(0, |metadata| metadata.len())
    }

    /// Returns the last lines written since `mark`.
    pub(crate) fn tail(&self, mark: u64) -> String {
        let bytes = self.last_bytes(mark, QUOTED_BYTES).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(QUOTED_LINES)..].join("\n")
    }

    /// Cuts a log that has grown too long, keeping its end beside it.
    ///
    /// What is written between the copy and the cut is lost; a log may lose lines, the disk may not fill.
    pub(crate) fn bound(&self) -> io::Result<()> {
        if self.mark() <= MOST_BYTES {
            return Ok(());
        }
        let mut kept = self.path.clone().into_os_string();
        kept.push(".1");
        let copied = self.last_bytes(0, KEPT_BYTES).and_then(|bytes| {
            let mut copy =
                open(Path::new(&kept), OpenOptions::new().write(true).create(true).truncate(true))?;
            io::Write::write_all(&mut copy, &bytes)
        });
        open(&self.path, OpenOptions::new().write(true))?.set_len(0)?;
        copied
    }

    fn last_bytes(&self, mark: u64, most: u64) -> io::Result<Vec<u8>> {
        let mut file = open(&self.path, OpenOptions::new().read(true))?;
        let length = file.metadata()?.len();
        // A log shorter than the mark was cut since: all of it is new.
        let start = if mark <= length { mark } else { 0 };
        file.seek(SeekFrom::Start(start.max(length.saturating_sub(most))))?;
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn the_log_stays_small_and_its_writer_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let log = Log::new(directory.path().join("postgres.log"));
        let mut writer = log.open().unwrap();
        let line = vec![b'x'; 1 << 16];
        while log.mark() <= MOST_BYTES {
            writer.write_all(&line).unwrap();
        }
        writer.write_all(b"\nthe end\n").unwrap();
        log.bound().unwrap();
        assert_eq!(log.mark(), 0);
        let kept = directory.path().join("postgres.log.1");
        assert!(fs::read(&kept).unwrap().ends_with(b"\nthe end\n"));
        assert_eq!(kept.metadata().unwrap().len(), KEPT_BYTES);
        assert_eq!(kept.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        writer.write_all(b"a new day\n").unwrap();
        assert_eq!(log.tail(MOST_BYTES), "a new day");
        assert_eq!(log.mark(), 10, "the writer appends at the new end and leaves no hole");
    }

    #[test]
    fn the_tail_is_what_came_since_the_mark() {
        let directory = tempfile::tempdir().unwrap();
        let log = Log::new(directory.path().join("postgres.log"));
        assert_eq!(log.tail(0), "");
        let mut writer = log.open().unwrap();
        writeln!(writer, "old").unwrap();
        let mark = log.mark();
        for number in 0..100 {
            writeln!(writer, "line {number}\n").unwrap();
        }
        let tail = log.tail(mark);
        assert_eq!(tail.lines().count(), QUOTED_LINES);
        assert!(tail.ends_with("line 99") && !tail.contains("old"));
    }
}
