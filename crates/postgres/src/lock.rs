//! One process a data directory. The kernel drops the lock with its holder, however that ends, so it is never stale;
//! PostgreSQL's own pid file is, after a crash.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::error::Error;

const FILE: &str = "novelfoundry.lock";

/// The exclusive right to a data directory; clones share it, and it ends with the last of them or with the process.
#[derive(Clone, Debug)]
pub struct DataDirLock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    data_dir: PathBuf,
    file: File,
}

impl DataDirLock {
    /// Takes the lock of `data_dir`, which is made when missing; fails at once when another process has it.
    ///
    /// Root makes it mode 0711, so that the server's user can pass through; anyone else 0700.
    pub fn acquire(data_dir: &Path) -> Result<Self, Error> {
        // A refusal names the place in full, wherever the program was called.
        let data_dir =
            &std::path::absolute(data_dir).map_err(|source| Error::io("find", data_dir, source))?;
        make(data_dir)?;
        let data_dir = data_dir.canonicalize().map_err(|source| Error::io("find", data_dir, source))?;
        let path = data_dir.join(FILE);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&path)
            .map_err(|source| match source.kind() {
                // The directory is what the founder can open up.
                io::ErrorKind::PermissionDenied => Error::io("open", &data_dir, source),
                _ => Error::io("open", &path, source),
            })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::InUse { data_dir, pid: holder(&mut file) }),
            Err(TryLockError::Error(source)) => return Err(Error::io("lock", &path, source)),
        }
        // On a full disk the lock still holds; only the message of a second start would be poorer.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self(Arc::new(Inner { data_dir, file })))
    }

    /// Returns the process that holds the lock of `data_dir`, as far as it says so. It looks without locking, so that it is
    /// in nobody's way; a killed process stays named, and is for the caller to look for.
    pub fn holder(data_dir: &Path) -> Option<u32> {
        holder(
            &mut OpenOptions::new()
                .read(true)
                .custom_flags(libc::O_NOFOLLOW)
                .open(data_dir.join(FILE))
                .ok()?,
        )
    }

    /// Returns the data directory as an absolute path without symbolic links.
    pub fn data_dir(&self) -> &Path {
        &self.0.data_dir
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Else a second start could blame a process that has let go.
        let _ = self.file.set_len(0);
    }
}

/// Makes the directory and what leads to it; the mode is set apart, since the umask may be stricter.
fn make(data_dir: &Path) -> Result<(), Error> {
    if data_dir.is_dir() {
        return Ok(());
    }
    let mut missing: Vec<_> =
        data_dir.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
    let last = missing.first().copied();
    while let Some(directory) = missing.pop() {
        let mode = match last == Some(directory) {
            true if rustix::process::geteuid().is_root() => 0o711,
            true => 0o700,
            false => 0o755,
        };
        match DirBuilder::new().mode(0o700).create(directory) {
            Ok(()) => fs::set_permissions(directory, Permissions::from_mode(mode))
                .map_err(|source| Error::io("open up", directory, source))?,
            Err(source) if source.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => {}
            Err(source) if source.kind() == io::ErrorKind::PermissionDenied => {
                return Err(Error::io("make", directory.parent().unwrap_or(directory), source));
            }
            Err(source) => return Err(Error::io("make", directory, source)),
        }
    }
    Ok(())
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_names_the_first_and_clones_share() {
        let root = tempfile::tempdir().unwrap();
        let data_dir = root.path().join("a/b/data");
        let lock = DataDirLock::acquire(&data_dir).unwrap();
        let clone = lock.clone();
        drop(lock);
        let error = DataDirLock::acquire(&data_dir).unwrap_err();
        let pid = std::process::id();
        assert!(matches!(error, Error::InUse { pid: Some(p), .. } if p == pid));
        assert!(error.to_string().contains(&pid.to_string()));
        assert_eq!(DataDirLock::holder(&data_dir), Some(pid));
        drop(clone);
        assert_eq!(DataDirLock::holder(&data_dir), None);
        DataDirLock::acquire(&data_dir).unwrap();
    }

    #[test]
    fn a_refusal_names_the_place_in_full() {
        // Below a file nothing can be made, whoever asks.
        let Err(error) = DataDirLock::acquire(Path::new("Cargo.toml/data")) else {
            panic!("made below a file")
        };
        let here = std::env::current_dir().unwrap();
        assert!(error.to_string().contains(&*here.to_string_lossy()), "{error}");
    }

    #[test]
    fn one_directory_has_one_lock_whatever_it_is_called() {
        let root = tempfile::tempdir().unwrap();
        let data_dir = root.path().join("data");
        let _lock = DataDirLock::acquire(&data_dir).unwrap();
        let other = root.path().join("other");
        std::os::unix::fs::symlink(&data_dir, &other).unwrap();
        assert!(matches!(DataDirLock::acquire(&other), Err(Error::InUse { .. })));
    }

    #[test]
    fn garbage_in_the_lock_file_is_no_process() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(FILE), [0xff; 100]).unwrap();
        let lock = DataDirLock::acquire(root.path()).unwrap();
        fs::write(root.path().join(FILE), [0xff; 100]).unwrap();
        assert!(matches!(DataDirLock::acquire(root.path()), Err(Error::InUse { pid: None, .. })));
        drop(lock);
    }

    #[test]
    fn a_lock_file_that_leads_elsewhere_is_refused() {
        let root = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/hostname", root.path().join(FILE)).unwrap();
        assert!(DataDirLock::acquire(root.path()).is_err());
    }
}
