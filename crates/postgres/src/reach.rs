//! Finds the directory that keeps the server's user from its files, since all the server itself would say is
//! "permission denied".

use std::{
    os::unix::fs::MetadataExt,
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    account::Account,
    error::Error,
    spawn::{OnParentDeath, spawn},
};

/// Checks that `account` can pass through every directory from the root to `path`, itself included; names the first
/// that it cannot.
pub(crate) fn check(path: &Path, account: &Account) -> Result<(), Error> {
    let real = path.canonicalize().map_err(|source| Error::io("find", path, source))?;
    let mut components: Vec<_> = real.ancestors().collect();
    components.reverse();
    for component in components {
        let metadata = component.metadata().map_err(|source| Error::io("look at", component, source))?;
        // Access lists may grant what the mode denies, so a denial is tried out.
        if !may_search(metadata.mode(), metadata.uid(), metadata.gid(), account)
            && !can_search(component, account)
        {
            return Err(Error::Unreachable {
                account: account.name.clone(),
                component: component.to_owned(),
                path: real.clone(),
            });
        }
    }
    Ok(())
}

/// Applies the rule of POSIX: the first class that fits decides alone, even where a later one would grant more.
fn may_search(mode: u32, owner: u32, group: u32, account: &Account) -> bool {
    let shift = if account.uid == owner {
        6
    } else if account.gid == group || account.groups.contains(&group) {
        3
    } else {
        0
    };
    (mode >> shift) & 0o1 != 0
}

fn can_search(directory: &Path, account: &Account) -> bool {
    let mut test = Command::new("test");
    test.arg("-x").arg(directory).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    spawn(&mut test, account, OnParentDeath::Kill)
        .and_then(|mut child| child.wait())
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt,
    };

    use super::*;

    fn account(uid: u32, gid: u32, groups: &[u32]) -> Account {
        Account { name: "somebody".to_owned(), uid, gid, groups: groups.to_vec(), switch: false }
    }

    #[test]
    fn the_first_class_that_fits_decides() {
        let me = account(7, 70, &[71]);
        assert!(may_search(0o100, 7, 0, &me));
        assert!(!may_search(0o077, 7, 70, &me), "an owner without the bit is out, whatever the group may do");
        assert!(may_search(0o010, 1, 70, &me));
        assert!(may_search(0o010, 1, 71, &me), "a supplementary group counts");
        assert!(!may_search(0o001, 1, 71, &me));
        assert!(may_search(0o001, 1, 1, &me));
        assert!(!may_search(0o776, 1, 1, &me));
    }

    #[test]
    fn the_closed_directory_is_named() {
        let Ok(account) = Account::choose(Path::new("/nonexistent")) else {
            eprintln!("skipped: there is no user to run a server as");
            return;
        };
        if !account.switch {
            eprintln!("skipped: only root can look into a directory that is closed to the server");
            return;
        }
        let root = tempfile::tempdir_in("/tmp").unwrap();
        fs::set_permissions(root.path(), Permissions::from_mode(0o755)).unwrap();
        let closed = root.path().join("closed");
        let inner = closed.join("inner");
        fs::create_dir_all(&inner).unwrap();
        check(&inner, &account).unwrap();
        fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
        let error = check(&inner, &account).unwrap_err();
        assert!(matches!(&error, Error::Unreachable { component, .. } if *component == closed), "{error}");
        assert!(error.hint().contains(&closed.display().to_string()));
    }
}
