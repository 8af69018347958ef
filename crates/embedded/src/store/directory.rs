//! File-system calls relative to an open directory. Nothing here follows a symbolic link or takes a path of more than
//! one name, so that no key can lead out of its bucket's directory.

use std::{fs::File, io, os::fd::OwnedFd};

use rustix::{
    fs::{AtFlags, Mode, OFlags},
    io::Errno,
};

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// `NONBLOCK` keeps a FIFO that does not belong here from holding the thread.
const READ: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);
const CREATE: OFlags =
    OFlags::RDWR.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens a directory in `at`, or returns `None` where there is none.
pub(crate) fn open(at: &OwnedFd, name: &str) -> io::Result<Option<OwnedFd>> {
    optional(rustix::fs::openat(at, name, DIRECTORY, Mode::empty()))
}

/// Opens a directory in `at`; where it is missing, makes it and waits until it is durable.
pub(crate) fn open_or_create(at: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    match rustix::fs::mkdirat(at, name, Mode::RWXU) {
        Ok(()) => {
            if let Err(error) = rustix::fs::fsync(at) {
                // A later writer must not take it for durable.
                let _ = remove(at, name);
                return Err(error.into());
            }
        }
        Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(rustix::fs::openat(at, name, DIRECTORY, Mode::empty())?)
}

/// Opens the directory that holds `directory`.
pub(crate) fn parent(directory: &OwnedFd) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(directory, "..", DIRECTORY, Mode::empty())?)
}

/// Opens a file for reading, or returns `None` where there is none.
pub(crate) fn read(at: &OwnedFd, name: &str) -> io::Result<Option<File>> {
    Ok(optional(rustix::fs::openat(at, name, READ, Mode::empty()))?.map(File::from))
}

/// Creates a new file that only this user may read and write.
pub(crate) fn create(at: &OwnedFd, name: &str) -> io::Result<File> {
    Ok(rustix::fs::openat(at, name, CREATE, Mode::RUSR | Mode::WUSR)?.into())
}

/// Renames a file, replacing what bears the new name.
pub(crate) fn rename(from: &OwnedFd, name: &str, to: &OwnedFd, new_name: &str) -> io::Result<()> {
    Ok(rustix::fs::renameat(from, name, to, new_name)?)
}

/// Removes a file; returns whether there was one.
pub(crate) fn unlink(at: &OwnedFd, name: &str) -> io::Result<bool> {
    Ok(optional(rustix::fs::unlinkat(at, name, AtFlags::empty()))?.is_some())
}

/// Removes a directory; returns whether it was empty.
pub(crate) fn remove(at: &OwnedFd, name: &str) -> io::Result<bool> {
    match rustix::fs::unlinkat(at, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Waits until the directory's entries are durable.
pub(crate) fn sync(directory: &OwnedFd) -> io::Result<()> {
    Ok(rustix::fs::fsync(directory)?)
}

/// Calls `each` with every name in the directory, in no order.
pub(crate) fn names(directory: &OwnedFd, mut each: impl FnMut(&[u8])) -> io::Result<()> {
    for entry in rustix::fs::Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            each(name);
        }
    }
    Ok(())
}

fn optional<T>(result: rustix::io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
