//! The directory of messages that no server takes: one file each, readable by its owner only, since a link in it lets
//! its bearer in.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use novelfoundry_core::random_token;

use crate::MailError;

/// A stranger who asks again and again fills no disk.
const MAX_FILES: usize = 10_000;

/// The directory.
#[derive(Clone)]
pub(crate) struct Outbox(PathBuf);

impl Outbox {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self(directory)
    }

    /// Writes a message into a new file and returns its path once it is durable.
    pub(crate) async fn keep(&self, letter: &lettre::Message, now: Timestamp) -> Result<PathBuf, MailError> {
        let (directory, bytes) = (self.0.clone(), letter.formatted());
        // Sorted by time, and like no other.
        let name = format!("{}-{}.eml", now.strftime("%Y%m%dT%H%M%SZ"), random_token(8).expose());
        let failed = |source| MailError::Outbox { path: self.0.clone(), source };
        let kept = tokio::task::spawn_blocking(move || write(&directory, &name, &bytes))
            .await
            .map_err(|error| failed(io::Error::other(error)))?;
        kept.map_err(failed)?.ok_or_else(|| MailError::Full(self.0.clone()))
    }
}

/// Writes the file whole or not at all; `None` where there are too many.
fn write(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<Option<PathBuf>> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Ok(()) => {
            let parent = directory.parent().filter(|parent| *parent != Path::new(""));
            sync(parent.unwrap_or(Path::new(".")))?;
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    if fs::read_dir(directory)?.count() >= MAX_FILES {
        return Ok(None);
    }
    let path = directory.join(name);
    let unfinished = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    let done =
        file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&unfinished, &path));
    if let Err(error) = done {
        // Nothing is left of a disk that was full.
        let _ = fs::remove_file(&unfinished);
        return Err(error);
    }
    sync(directory)?;
    Ok(Some(path))
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
