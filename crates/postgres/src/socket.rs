//! The directory of the server's Unix socket: private to the server's user, and with a path short enough for the
//! kernel, which a data directory's own path need not be.

use std::{
    env, fs,
    fs::{DirBuilder, OpenOptions, Permissions},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    },
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{account::Account, error::Error, reach};

/// The bytes that a socket's path may have.
pub(crate) const PATH_LIMIT: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// Returns the path of the socket in `directory`, whose name PostgreSQL derives from the port.
pub(crate) fn path_in(directory: &Path, port: u16) -> PathBuf {
    directory.join(format!(".s.PGSQL.{port}"))
}

/// Makes the socket's directory: `run` in the data directory, or where its path is too long one below the system's
/// directory for temporary files.
pub(crate) fn prepare(data_dir: &Path, port: u16, account: &Account) -> Result<PathBuf, Error> {
    let own = data_dir.join("run");
    if fits(&own, port) {
        private_dir(&own, account, Parent::Ours)?;
        return Ok(own);
    }
    let name = temporary_name(data_dir, account.uid);
    for parent in [env::temp_dir(), PathBuf::from("/tmp")] {
        let Ok(parent) = parent.canonicalize() else { continue };
        let directory = parent.join(&name);
        if fits(&directory, port) && reach::check(&parent, account).is_ok() {
            private_dir(&directory, account, Parent::Shared)?;
            return Ok(directory);
        }
    }
    Err(Error::SocketPathTooLong { limit: PATH_LIMIT })
}

/// Removes the sockets and their locks from the directory of a server that is proven to be gone.
pub(crate) fn clear(directory: &Path) -> Result<(), Error> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(Error::io("list", directory, source)),
    };
    for entry in entries.filter_map(Result::ok) {
        if entry.file_name().as_bytes().starts_with(b".s.PGSQL.") {
            match fs::remove_file(entry.path()) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::io("remove", &entry.path(), source));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Clients take a comma in a host for a list of hosts, and have to be given the path as text.
fn fits(directory: &Path, port: u16) -> bool {
    // The lock file beside the socket has no such limit.
    let socket = path_in(directory, port);
    socket.as_os_str().len() <= PATH_LIMIT && socket.to_str().is_some_and(|path| !path.contains(','))
}

/// Says whose the directory above is, and so who could have made the one in question.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parent {
    Ours,
    Shared,
}

/// Makes a directory of mode 0700 that belongs to `account`, or checks that it is one.
fn private_dir(path: &Path, account: &Account, parent: Parent) -> Result<(), Error> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
            return Err(Error::io("make", path, source));
        }
        _ => {}
    }
    let unsafe_dir = || Error::UnsafeSocketDir { path: path.to_owned(), account: account.name.clone() };
    // All checks go through one handle, so that nothing can be swapped between check and use.
    let directory =
        OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW).open(path).map_err(
            |source| match source.raw_os_error() {
                Some(libc::ENOTDIR | libc::ELOOP | libc::EACCES) => unsafe_dir(),
                _ => Error::io("open", path, source),
            },
        )?;
    let metadata = directory.metadata().map_err(|source| Error::io("look at", path, source))?;
    let me = rustix::process::geteuid().as_raw();
    let ours =
        metadata.uid() == account.uid || metadata.uid() == me || (parent == Parent::Ours && account.switch);
    let private = metadata.permissions().mode() & 0o777 == 0o700;
    if !ours || (!private && parent == Parent::Shared) {
        return Err(unsafe_dir());
    }
    if !private {
        directory
            .set_permissions(Permissions::from_mode(0o700))
            .map_err(|source| Error::io("close", path, source))?;
    }
    if metadata.uid() != account.uid {
        fchown(&directory, Some(account.uid), Some(account.gid))
            .map_err(|source| Error::io("hand over", path, source))?;
    }
    Ok(())
}

/// Two data directories never share a name; the path itself would be too long.
fn temporary_name(data_dir: &Path, uid: u32) -> String {
    let digest = Sha256::new()
        .chain_update(uid.to_be_bytes())
        .chain_update(data_dir.as_os_str().as_bytes())
        .finalize();
    format!("novelfoundry-{}", hex::encode(&digest[..8]))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;

    use super::*;

    fn myself() -> Account {
        Account {
            name: "me".to_owned(),
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            groups: Vec::new(),
            switch: false,
        }
    }

    #[test]
    fn what_someone_else_could_have_made_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("run");
        private_dir(&path, &myself(), Parent::Shared).unwrap();
        private_dir(&path, &myself(), Parent::Shared).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o750)).unwrap();
        let refused = |path: &Path| {
            matches!(private_dir(path, &myself(), Parent::Shared), Err(Error::UnsafeSocketDir { .. }))
        };
        assert!(refused(&path), "open to others");
        private_dir(&path, &myself(), Parent::Ours).unwrap();
        assert_eq!(
            path.metadata().unwrap().mode() & 0o777,
            0o700,
            "in a directory of ours it is closed again"
        );

        let link = root.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(refused(&link), "a link");
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(refused(&file), "a file");
        if myself().uid == 0 {
            fchown(fs::File::open(&path).unwrap(), Some(12345), None).unwrap();
            assert!(refused(&path), "a stranger's");
        } else {
            eprintln!("skipped: only root can give a directory to a stranger");
        }
    }

    #[test]
    fn only_sockets_and_their_locks_are_cleared() {
        let root = tempfile::tempdir().unwrap();
        for name in [".s.PGSQL.5432", ".s.PGSQL.5432.lock", "mine"] {
            fs::write(root.path().join(name), "").unwrap();
        }
        clear(root.path()).unwrap();
        let left: Vec<_> =
            fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["mine"]);
        clear(&root.path().join("missing")).unwrap();
    }

    proptest! {
        #[test]
        fn a_directory_is_never_too_long_to_bind(length in 1_usize..200, port in 1_u16..) {
            let directory = PathBuf::from(format!("/{}", "d".repeat(length)));
            let socket = path_in(&directory, port);
            prop_assert_eq!(fits(&directory, port), socket.as_os_str().len() <= PATH_LIMIT);
            let bindable = std::os::unix::net::SocketAddr::from_pathname(&socket).is_ok();
            prop_assert!(bindable || !fits(&directory, port));
            prop_assert!(fits(&PathBuf::from("/tmp").join(temporary_name(&directory, 1)), port));
        }
    }
}
