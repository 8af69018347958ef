//! The secrets of a data directory. There are no default ones: each is made at the first start and kept in
//! `secrets/`, a directory of mode 0700 with files of mode 0600.
//!
//! ```text
//! secrets/postgres-admin       password of the database's superuser
//! secrets/postgres-tenant      passwords of the runtime logins
//! secrets/postgres-control
//! secrets/postgres-issuer
//! secrets/s3-credentials       access key of the object store, in the form of ~/.aws/credentials
//! secrets/demo-password        of the demo account, where there is one
//! secrets/issuer/              private signing keys
//! ```

use std::{
    io,
    path::{Path, PathBuf},
};

use novelfoundry_core::{Secret, random_token};
use novelfoundry_database::Passwords;
use novelfoundry_embedded::store::Credentials;

use super::{durable, failures};
use crate::output::{Exit, Failure};

const ADMIN: &str = "postgres-admin";
const DEMO: &str = "demo-password";

/// The secrets of a data directory.
pub(crate) struct Secrets {
    directory: PathBuf,
    /// Of the database's superuser.
    pub(crate) admin: Secret,
    /// Of the runtime logins.
    pub(crate) passwords: Passwords,
    /// Of the object store.
    pub(crate) s3: Credentials,
}

impl Secrets {
    /// Reads the secrets and makes those that are missing. The lock of the data directory is held.
    pub(crate) fn open_or_make(data_dir: &Path) -> Result<Self, Failure> {
        let directory = data_dir.join("secrets");
        durable::private_dir(&directory).map_err(|error| failures::file("make", &directory, error))?;
        // A new password would not open a cluster that was made with another.
        if data_dir.join("postgres").exists() && read(&directory.join(ADMIN))?.is_none() {
            return Err(Failure::new(
                format!("{} is missing, and the database was made with it", directory.join(ADMIN).display()),
                "Bring it back from a backup of the data directory; without it, start with another one.",
            )
            .exit(Exit::Refused));
        }
        Self::collect(directory, |path, make| {
            if let Some(text) = read(path)? {
                return Ok(text);
            }
            let text = make();
            durable::write(path, text.as_bytes()).map_err(|error| failures::file("write", path, error))?;
            Ok(text)
        })
    }

    /// Reads the secrets, all of which were made before.
    pub(crate) fn open(data_dir: &Path) -> Result<Self, Failure> {
        Self::collect(data_dir.join("secrets"), |path, _| {
            read(path)?.ok_or_else(|| failures::file("read", path, io::ErrorKind::NotFound.into()))
        })
    }

    fn collect(
        directory: PathBuf,
        get: impl Fn(&Path, &dyn Fn() -> String) -> Result<String, Failure>,
    ) -> Result<Self, Failure> {
        let password = |name: &str| {
            let text = get(&directory.join(name), &|| format!("{}\n", random_token(24).expose()))?;
            Ok(Secret::new(text.trim()))
        };
        let admin = password(ADMIN)?;
        let passwords = Passwords {
            tenant: password("postgres-tenant")?,
            control: password("postgres-control")?,
            issuer: password("postgres-issuer")?,
        };
        let path = directory.join(S3_FILE);
        let s3 = parse_credentials(&get(&path, &new_credentials)?).ok_or_else(|| {
            Failure::new(
                format!("{} holds no access key", path.display()),
                "Remove the file for a new key, or bring it back from a backup.",
            )
        })?;
        Ok(Self { directory, admin, passwords, s3 })
    }

    /// Returns the file of the object store's access key.
    pub(crate) fn s3_file(&self) -> PathBuf {
        self.directory.join(S3_FILE)
    }

    /// Returns the directory of the signing keys.
    pub(crate) fn issuer_keys(&self) -> PathBuf {
        self.directory.join("issuer")
    }

    /// Returns the file of the demo account's password.
    pub(crate) fn demo_file(&self) -> PathBuf {
        self.directory.join(DEMO)
    }

    /// Returns the demo account's password, which is made at the first call, and whether it was made by this one.
    pub(crate) fn demo_password(&self) -> Result<(Secret, bool), Failure> {
        let path = self.demo_file();
        if let Some(text) = read(&path)? {
            return Ok((Secret::new(text.trim()), false));
        }
        let password = random_token(12);
        durable::write(&path, format!("{}\n", password.expose()).as_bytes())
            .map_err(|error| failures::file("write", &path, error))?;
        Ok((password, true))
    }
}

const S3_FILE: &str = "s3-credentials";

fn new_credentials() -> String {
    // S3's clients expect an id of twenty capitals and digits.
    let id = format!("NF{}", random_token(9).expose().to_uppercase());
    let secret = random_token(32);
    format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = {}\n", secret.expose())
}

fn parse_credentials(text: &str) -> Option<Credentials> {
    let value = |name: &str| {
        text.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == name && !value.trim().is_empty()).then(|| value.trim().to_owned())
        })
    };
    Some(Credentials {
        access_key_id: value("aws_access_key_id")?,
        secret_access_key: Secret::new(value("aws_secret_access_key")?),
    })
}

/// Reads a file that may not be there; an empty one is what a full disk left of another program's attempt.
fn read(path: &Path) -> Result<Option<String>, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) if !text.trim().is_empty() => Ok(Some(text)),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failures::file("read", path, error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn secrets_are_made_once_differ_and_are_closed_to_others() {
        let root = tempfile::tempdir().unwrap();
        let made = Secrets::open_or_make(root.path()).unwrap();
        let again = Secrets::open_or_make(root.path()).unwrap();
        let read = Secrets::open(root.path()).unwrap();
        for other in [&again, &read] {
            assert_eq!(made.admin, other.admin);
            assert_eq!(made.passwords.issuer, other.passwords.issuer);
            assert_eq!(made.s3.secret_access_key, other.s3.secret_access_key);
        }
        assert_ne!(made.admin, made.passwords.tenant);
        assert_ne!(made.passwords.tenant, made.passwords.control);
        assert_eq!((made.s3.access_key_id.len(), made.admin.expose().len()), (20, 48));
        let bits = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(bits(&root.path().join("secrets")), 0o700);
        for entry in std::fs::read_dir(root.path().join("secrets")).unwrap() {
            assert_eq!(bits(&entry.unwrap().path()), 0o600);
        }
        let (password, new) = made.demo_password().unwrap();
        assert_eq!((made.demo_password().unwrap(), new), ((password, false), true));
    }

    #[test]
    fn the_superusers_password_is_not_made_anew_for_a_database_that_has_one() {
        let root = tempfile::tempdir().unwrap();
        Secrets::open_or_make(root.path()).unwrap();
        std::fs::create_dir(root.path().join("postgres")).unwrap();
        Secrets::open_or_make(root.path()).unwrap();
        std::fs::remove_file(root.path().join("secrets/postgres-admin")).unwrap();
        assert!(Secrets::open_or_make(root.path()).is_err());
        assert!(Secrets::open(root.path()).is_err());
    }
}
