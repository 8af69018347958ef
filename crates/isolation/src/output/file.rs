//! Where output goes. A file is there whole or as it was before: a run that is killed leaves no half of a baseline.

use std::{
    fs, io,
    io::Write,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    str::FromStr,
};

use super::OutputError;

/// A file, or standard output, written as `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// A file.
    File(PathBuf),
}

impl FromStr for Target {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "" => Err("give a file, or - for standard output"),
            "-" => Ok(Self::Stdout),
            path => Ok(Self::File(PathBuf::from(path))),
        }
    }
}

/// Writes a file whole. What is no regular file, such as a pipe, is written into; it cannot be replaced.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), OutputError> {
    let attempt = || {
        let replaceable = match fs::symlink_metadata(path) {
            Ok(metadata) => metadata.is_file(),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if !replaceable {
            return fs::write(path, text);
        }
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let mut draft = tempfile::Builder::new()
            .prefix(".isolation-")
            .permissions(fs::Permissions::from_mode(0o666))
            .tempfile_in(directory.unwrap_or(Path::new(".")))?;
        draft.write_all(text.as_bytes())?;
        draft.persist(path).map(drop).map_err(|error| error.error)
    };
    attempt().map_err(|source| OutputError::Write { path: path.display().to_string(), source })
}

/// Writes to one of the standard streams; a reader that has left is no failure, a full disk is.
pub(crate) fn to_stream(stream: &mut dyn Write, text: &str) -> Result<(), OutputError> {
    match stream.write_all(text.as_bytes()).and_then(|()| stream.flush()) {
        Err(source) if source.kind() != io::ErrorKind::BrokenPipe => {
            Err(OutputError::Write { path: "standard output".to_owned(), source })
        }
        _ => Ok(()),
    }
}
