//! Makes the cluster, PostgreSQL's word for the directory of one server's data, all or nothing: it is made beside its
//! place and renamed.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use novelfoundry_core::Secret;

use crate::{
    Disposable,
    account::Account,
    binaries::Installation,
    child::{Mailbox, Supervised, Wake},
    error::Error,
    files::read_small,
    log::Log,
    recover,
    spawn::OnParentDeath,
};

/// The superuser of a new cluster.
pub(crate) const ADMIN: &str = "novelfoundry_admin";

/// Returns the major version that wrote the cluster; `None` where there is none yet.
pub(crate) fn major(cluster: &Path) -> Result<Option<u16>, Error> {
    let path = cluster.join("PG_VERSION");
    match read_small(&path) {
        Ok(bytes) => match String::from_utf8_lossy(&bytes).trim().parse() {
            Ok(major) => Ok(Some(major)),
            Err(_) => Err(Error::NotACluster { path: cluster.to_owned() }),
        },
        Err(source) if source.kind() == io::ErrorKind::NotFound => match fs::read_dir(cluster) {
            Ok(mut entries) => match entries.next() {
                None => Ok(None),
                Some(_) => Err(Error::NotACluster { path: cluster.to_owned() }),
            },
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::io("list", cluster, source)),
        },
        Err(source) if source.kind() == io::ErrorKind::NotADirectory => {
            Err(Error::NotACluster { path: cluster.to_owned() })
        }
        Err(source) => Err(Error::io("read", &path, source)),
    }
}

/// Checks that a cluster belongs to the user who is to run it.
pub(crate) fn check_owner(cluster: &Path, account: &Account) -> Result<(), Error> {
    let metadata = cluster.symlink_metadata().map_err(|source| Error::io("look at", cluster, source))?;
    if metadata.uid() == account.uid {
        return Ok(());
    }
    Err(Error::WrongOwner { path: cluster.to_owned(), owner: metadata.uid(), account: account.name.clone() })
}

/// Makes a cluster at `cluster`, which is missing or empty.
pub(crate) fn create(
    cluster: &Path,
    installation: &Installation,
    account: &Account,
    password: &Secret,
    disposable: Option<&Disposable>,
    mailbox: &mut Mailbox,
) -> Result<(), Error> {
    let data_dir = cluster.parent().unwrap_or(cluster);
    if password.expose().is_empty() || password.expose().contains(['\n', '\r', '\0']) {
        return Err(Error::BadPassword);
    }
    let workshop = Workshop::open(data_dir, account, mailbox)?;
    let result = workshop.initdb(installation, account, password, disposable, mailbox).and_then(|()| {
        fs::rename(&workshop.cluster, cluster)
            .map_err(|source| Error::io("rename", &workshop.cluster, source))?;
        File::open(data_dir)
            .and_then(|directory| directory.sync_all())
            .map_err(|source| Error::io("write", data_dir, source))
    });
    let removed = workshop.remove(mailbox);
    result.and(removed)
}

/// Removes what an `initdb` that was killed has left.
pub(crate) fn clear_half_made(data_dir: &Path, mailbox: &mut Mailbox) -> Result<(), Error> {
    Workshop::at(data_dir).remove(mailbox)
}

/// A directory of this process in which the server's user owns only what it has to, so that it cannot make a
/// privileged parent write elsewhere.
struct Workshop {
    root: PathBuf,
    cluster: PathBuf,
    password: PathBuf,
    log: Log,
}

impl Workshop {
    fn at(data_dir: &Path) -> Self {
        let root = data_dir.join("postgres.initdb");
        let log = Log::new(root.join("log"));
        Self { cluster: root.join("cluster"), password: root.join("password"), root, log }
    }

    fn open(data_dir: &Path, account: &Account, mailbox: &mut Mailbox) -> Result<Self, Error> {
        let workshop = Self::at(data_dir);
        workshop.remove(mailbox)?;
        let make = |path: &Path| {
            DirBuilder::new().mode(0o700).create(path).map_err(|source| Error::io("make", path, source))
        };
        make(&workshop.root)?;
        make(&workshop.cluster)?;
        if account.switch {
            hand_over(&workshop.cluster, account)?;
            fs::set_permissions(&workshop.root, Permissions::from_mode(0o711))
                .map_err(|source| Error::io("open up", &workshop.root, source))?;
        }
        Ok(workshop)
    }

    fn initdb(
        &self,
        installation: &Installation,
        account: &Account,
        password: &Secret,
        disposable: Option<&Disposable>,
        mailbox: &mut Mailbox,
    ) -> Result<(), Error> {
        self.write_password(password, account)?;
        let mut command = Command::new(installation.program("initdb"));
        command
            .arg("-D")
            .arg(&self.cluster)
            .arg("--pwfile")
            .arg(&self.password)
            .args(["--username", disposable.map_or(ADMIN, |cluster| &cluster.superuser)])
            .args(["--auth-local=scram-sha-256", "--auth-host=scram-sha-256"])
            .arg(if disposable.is_some() { "--no-sync" } else { "--data-checksums" })
            .args(["--no-instructions", "--encoding=UTF8", "--text-search-config=simple"])
            .args(locale_arguments(installation.version.major()))
            .stdin(Stdio::null())
            .stdout(self.log.open()?)
            .stderr(self.log.open()?);
        let child = Supervised::start(&mut command, account, OnParentDeath::Kill, mailbox)?;
        let status = loop {
            match child.wait(mailbox, Duration::from_hours(1)) {
                Wake::Ended => break child.reap(),
                Wake::Elapsed => {}
                Wake::Stop => {
                    mailbox.stop_is_known();
                    child.kill();
                    return Err(Error::Cancelled);
                }
            }
        };
        if status.success() {
            return Ok(());
        }
        let tail = self.log.tail(0);
        if disk_is_full(&tail) {
            return Err(Error::DiskFull { path: self.root.parent().unwrap_or(&self.root).to_owned() });
        }
        Err(Error::Initdb { status, tail })
    }

    fn write_password(&self, password: &Secret, account: &Account) -> Result<(), Error> {
        let failed = |source| Error::io("write", &self.password, source);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.password)
            .map_err(failed)?;
        writeln!(file, "{}", password.expose()).map_err(failed)?;
        if account.switch {
            fchown(&file, Some(account.uid), Some(account.gid)).map_err(failed)?;
        }
        Ok(())
    }

    fn remove(&self, mailbox: &mut Mailbox) -> Result<(), Error> {
        // A killed initdb leaves a server of one user for a moment, which would write on while it is removed.
        recover::evict(&self.cluster, mailbox, |_| {})?;
        match fs::remove_dir_all(&self.root) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(Error::io("remove", &self.root, source))
            }
            _ => Ok(()),
        }
    }
}

/// Tells from a program's last words that the disk is full.
pub(crate) fn disk_is_full(words: &str) -> bool {
    // The last page that fits in part is reported by its length alone.
    ["No space left on device", "Disk quota exceeded", "\": wrote only "]
        .iter()
        .any(|sign| words.contains(sign))
}

fn hand_over(directory: &Path, account: &Account) -> Result<(), Error> {
    File::open(directory)
        .and_then(|directory| fchown(directory, Some(account.uid), Some(account.gid)))
        .map_err(|source| Error::io("hand over", directory, source))
}

/// Sorts text by code point and knows the letters of all scripts, wherever that is to be had: from PostgreSQL 17 on
/// it is built in, before that it is a locale of the system.
fn locale_arguments(major: u16) -> &'static [&'static str] {
    if major >= 17 {
        &["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    } else if system_has_c_utf8() {
        &["--locale=C.UTF-8"]
    } else {
        &["--locale=C"]
    }
}

fn system_has_c_utf8() -> bool {
    let listed = Command::new("locale").arg("-a").stdin(Stdio::null()).stderr(Stdio::null()).output();
    listed.is_ok_and(|listed| {
        let names = String::from_utf8_lossy(&listed.stdout).to_ascii_lowercase();
        names.lines().any(|name| name == "c.utf8" || name == "c.utf-8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_nothing_or_a_cluster_is_taken_for_one() {
        let root = tempfile::tempdir().unwrap();
        let cluster = root.path().join("postgres");
        assert_eq!(major(&cluster).unwrap(), None);
        fs::create_dir(&cluster).unwrap();
        assert_eq!(major(&cluster).unwrap(), None);
        fs::write(cluster.join("PG_VERSION"), "15\n").unwrap();
        assert_eq!(major(&cluster).unwrap(), Some(15));
        fs::write(cluster.join("PG_VERSION"), "").unwrap();
        assert!(matches!(major(&cluster), Err(Error::NotACluster { .. })));
        fs::rename(cluster.join("PG_VERSION"), cluster.join("photo.jpg")).unwrap();
        assert!(matches!(major(&cluster), Err(Error::NotACluster { .. })));
        fs::remove_dir_all(&cluster).unwrap();
        fs::write(&cluster, "").unwrap();
        assert!(matches!(major(&cluster), Err(Error::NotACluster { .. })));
    }
}
