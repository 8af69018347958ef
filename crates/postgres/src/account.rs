//! The user the server runs as: PostgreSQL refuses root, and a user shared with others (`nobody`) protects nothing.

use std::{
    os::unix::fs::MetadataExt,
    path::Path,
    process::{Command, Stdio},
};

use crate::error::Error;

/// The users that root may run the server as, the preferred one first.
const CANDIDATES: [&str; 2] = ["novelfoundry", "postgres"];

/// A user with the groups that a process of theirs has.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// The name, for messages.
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// The supplementary groups.
    pub(crate) groups: Vec<u32>,
    /// Says that this process is root and its children have to become that user.
    pub(crate) switch: bool,
}

impl Account {
    /// Chooses the user: oneself, or as root one of the candidates; who already owns `cluster` goes first.
    pub(crate) fn choose(cluster: &Path) -> Result<Self, Error> {
        let uid = rustix::process::geteuid().as_raw();
        if uid != 0 {
            let groups = rustix::process::getgroups().unwrap_or_default();
            return Ok(Self {
                name: id(&["-un"]).unwrap_or_else(|| uid.to_string()),
                uid,
                gid: rustix::process::getegid().as_raw(),
                groups: groups.into_iter().map(rustix::process::Gid::as_raw).collect(),
                switch: false,
            });
        }
        let mut found: Vec<_> = CANDIDATES.into_iter().filter_map(look_up).collect();
        let owner = cluster.symlink_metadata().ok().map(|cluster| cluster.uid());
        let chosen = found.iter().position(|account| Some(account.uid) == owner).unwrap_or(0);
        if found.is_empty() { Err(Error::NoAccount) } else { Ok(found.swap_remove(chosen)) }
    }
}

/// Asks `id`, which knows every source of users that the system is configured for.
fn look_up(name: &str) -> Option<Account> {
    let uid = id(&["-u", name])?.parse().ok()?;
    let gid = id(&["-g", name])?.parse().ok()?;
    let groups = id(&["-G", name])?.split_whitespace().filter_map(|group| group.parse().ok()).collect();
    (uid != 0).then(|| Account { name: name.to_owned(), uid, gid, groups, switch: true })
}

fn id(arguments: &[&str]) -> Option<String> {
    let output =
        Command::new("id").args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_user_and_root_are_no_accounts() {
        assert!(look_up("no-such-user-here").is_none());
        assert!(look_up("root").is_none());
    }

    #[test]
    fn the_server_never_runs_as_root_or_nobody() {
        match Account::choose(Path::new("/nonexistent")) {
            Ok(account) if account.switch => assert!(CANDIDATES.contains(&account.name.as_str())),
            Ok(account) => assert_eq!(account.uid, rustix::process::geteuid().as_raw()),
            Err(error) => assert!(matches!(error, Error::NoAccount)),
        }
    }
}
