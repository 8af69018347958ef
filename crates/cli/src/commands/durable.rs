//! Writes small files so that a crash at any moment leaves the old one or the new one, whole: a secret that is in use
//! and lost would lock the founder out of their own data.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

/// Puts `contents` in the place of `path`, readable by its owner only.
pub(crate) fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    prepare(path, contents)?.put()
}

/// A file that is written and durable, but not yet in its place; left there when dropped.
pub(crate) struct Prepared {
    temporary: PathBuf,
    path: PathBuf,
}

/// Writes what [`Prepared::put`] will put in the place of `path`.
pub(crate) fn prepare(path: &Path, contents: &[u8]) -> io::Result<Prepared> {
    let temporary = temporary(path)?;
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // What is already there, a link perhaps, is not written through.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let written = file.write_all(contents).and_then(|()| file.sync_all());
    if let Err(error) = written {
        // Nothing is left of a disk that was full.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    Ok(Prepared { temporary, path: path.to_owned() })
}

impl Prepared {
    /// Puts the file in its place.
    pub(crate) fn put(self) -> io::Result<()> {
        fs::rename(&self.temporary, &self.path)?;
        sync_parent(&self.path)
    }
}

/// Makes a directory that only its owner can enter, or closes the one that is there.
pub(crate) fn private_dir(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => sync_parent(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if !fs::symlink_metadata(path)?.is_dir() {
                return Err(error);
            }
            fs::set_permissions(path, Permissions::from_mode(0o700))
        }
        Err(error) => Err(error),
    }
}

fn temporary(path: &Path) -> io::Result<PathBuf> {
    let mut name = path.file_name().map(OsString::from).ok_or(io::ErrorKind::InvalidFilename)?;
    name.push(".new");
    Ok(path.with_file_name(name))
}

fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_only_its_owner_reads_it() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("secret");
        fs::write(root.path().join("secret.new"), "half of an earlier").unwrap();
        for contents in ["one", "two"] {
            write(&path, contents.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), contents);
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_in_the_way_is_replaced_and_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let elsewhere = root.path().join("elsewhere");
        fs::write(&elsewhere, "untouched").unwrap();
        for name in ["secret", "secret.new"] {
            std::os::unix::fs::symlink(&elsewhere, root.path().join(name)).unwrap();
        }
        write(&root.path().join("secret"), b"new").unwrap();
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "untouched");
        assert_eq!(fs::read_to_string(root.path().join("secret")).unwrap(), "new");
    }

    #[test]
    fn a_directory_is_closed_to_others_and_a_link_is_none() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("secrets");
        private_dir(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        private_dir(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        std::os::unix::fs::symlink(&path, root.path().join("link")).unwrap();
        assert!(private_dir(&root.path().join("link")).is_err());
    }
}
