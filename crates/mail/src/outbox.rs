//! The directory of messages that no server takes: one file each, readable by its owner only, since a link in it lets
//! its bearer in.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
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

    /// Makes the directory, and what leads to it, and sees that a file can be written there.
    pub(crate) fn make(&self) -> Result<(), MailError> {
        let failed = |source| MailError::Outbox { path: self.0.clone(), source };
        if let Some(parent) = self.0.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(failed)?;
        }
        private(&self.0).and_then(|()| probe(&self.0)).map_err(failed)
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
    private(directory)?;
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

/// Makes a directory that only its owner can enter, or closes the one that is there.
fn private(directory: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Ok(()) => {
            let parent = directory.parent().filter(|parent| *parent != Path::new(""));
            return sync(parent.unwrap_or(Path::new(".")));
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    // What is no directory stays as it is, also what a link leads to.
    let flags = libc::O_NOFOLLOW | libc::O_DIRECTORY;
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(directory)?;
    if opened.metadata()?.permissions().mode() & 0o077 != 0 {
        opened.set_permissions(Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Writes a file and removes it, as a message's would be written.
fn probe(directory: &Path) -> io::Result<()> {
    let path = directory.join(format!("{}.new", random_token(8).expose()));
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    fs::remove_file(path)
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
