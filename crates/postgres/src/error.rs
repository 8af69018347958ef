//! What can keep a server from running, each with what to do about it, since the reader is the founder at a terminal.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitStatus,
};

use crate::version::Version;

/// Tells why the embedded PostgreSQL does not run; `hint` tells what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No server is installed, or only too old ones.
    #[error("no PostgreSQL {} or newer was found on this machine ({})", Version::MINIMUM_MAJOR, list(.found))]
    NoServer {
        /// The servers that were found, all too old or not releases.
        found: Vec<Version>,
    },
    /// The directory that was named holds no usable server.
    #[error("{} holds no `postgres` and `initdb` that can be run", .dir.display())]
    NotABinDir {
        /// The directory that was named.
        dir: PathBuf,
    },
    /// The data was written by a major version that is not installed.
    #[error("the data in {} belongs to PostgreSQL {needed}, which is not there ({})", .cluster.display(), list(.found))]
    OtherMajor {
        /// The data directory of the server.
        cluster: PathBuf,
        /// The major version that wrote it.
        needed: u16,
        /// The servers that were found.
        found: Vec<Version>,
    },
    /// Running as root, and there is no user to run the server as.
    #[error(
        "PostgreSQL does not run as root, and there is neither a user `novelfoundry` nor a user `postgres`"
    )]
    NoAccount,
    /// The server's user cannot get through a directory on the way to a path.
    #[error("user `{account}` cannot pass through {} to reach {}", .component.display(), .path.display())]
    Unreachable {
        /// The user the server runs as.
        account: String,
        /// The directory that is closed.
        component: PathBuf,
        /// The path to be reached.
        path: PathBuf,
    },
    /// This process cannot write where it has to.
    #[error("{} cannot be written", .path.display())]
    Unwritable {
        /// The file or directory.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// Another process holds the lock of the data directory.
    #[error("{} is in use by another NovelFoundry{}", .data_dir.display(), process(*.pid))]
    InUse {
        /// The data directory.
        data_dir: PathBuf,
        /// The process that holds the lock, when it has said so.
        pid: Option<u32>,
    },
    /// An operator runs a single-user server on the data.
    #[error("a single-user PostgreSQL (process {pid}) is working on {}", .cluster.display())]
    SingleUser {
        /// The data directory of the server.
        cluster: PathBuf,
        /// The process.
        pid: u32,
    },
    /// A directory belongs to someone else.
    #[error("{} belongs to user id {owner}, not to `{account}`", .path.display())]
    WrongOwner {
        /// The directory.
        path: PathBuf,
        /// The user id that owns it.
        owner: u32,
        /// The user the server runs as.
        account: String,
    },
    /// The directory of the cluster holds something else.
    #[error("{} is neither empty nor the data of a PostgreSQL server", .path.display())]
    NotACluster {
        /// The directory.
        path: PathBuf,
    },
    /// A directory for the socket could have been prepared by someone else.
    #[error("{} is not a private directory of user `{account}`", .path.display())]
    UnsafeSocketDir {
        /// The directory.
        path: PathBuf,
        /// The user the server runs as.
        account: String,
    },
    /// No directory gives a socket a short enough path.
    #[error("no directory was found whose path is short enough for a Unix socket ({} bytes)", .limit)]
    SocketPathTooLong {
        /// The bytes a socket's path may have.
        limit: usize,
    },
    /// The server was asked to listen where it must not.
    #[error("the embedded PostgreSQL cannot listen on {listen}")]
    BadListen {
        /// The address that was asked for.
        listen: SocketAddr,
    },
    /// Someone else listens on the TCP port.
    #[error("{listen} is already in use")]
    PortInUse {
        /// The address that was asked for.
        listen: SocketAddr,
    },
    /// The administrator's password cannot be handed to `initdb`.
    #[error("the administrator's password is empty or not one line")]
    BadPassword,
    /// The disk is full.
    #[error("the disk that holds {} is full", .path.display())]
    DiskFull {
        /// The directory that was written to.
        path: PathBuf,
    },
    /// `initdb` failed.
    #[error("initdb failed ({status}){}", quoted(.tail))]
    Initdb {
        /// How it ended.
        status: ExitStatus,
        /// The last lines it wrote.
        tail: String,
    },
    /// The server ended before it was ready.
    #[error("the PostgreSQL server ended while starting ({status}){}", quoted(.tail))]
    Exited {
        /// How it ended.
        status: ExitStatus,
        /// The last lines of its log.
        tail: String,
    },
    /// The server is there but does not get ready.
    #[error("the PostgreSQL server was not ready after {seconds} seconds{}", quoted(.tail))]
    NotReady {
        /// How long it was waited for.
        seconds: u64,
        /// The last lines of its log.
        tail: String,
    },
    /// The server died so often that it is not started again.
    #[error("the PostgreSQL server failed {failures} times in a short time{}", quoted(.tail))]
    GaveUp {
        /// How often.
        failures: usize,
        /// The last lines of its log.
        tail: String,
    },
    /// A process does not end, not even when killed.
    #[error("PostgreSQL process {pid} does not end, not even by SIGKILL")]
    Unkillable {
        /// The process.
        pid: u32,
    },
    /// The start was called off.
    #[error("PostgreSQL was stopped before it was ready")]
    Cancelled,
    /// The supervising thread is gone.
    #[error("the thread that supervises PostgreSQL has ended unexpectedly")]
    SupervisorLost,
    /// A call to the operating system failed.
    #[error("cannot {action} {}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file, directory or program.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
}

impl Error {
    /// Sorts a refusal of the operating system into what the founder can act upon.
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::Unwritable { path, source }
            }
            _ => Self::Io { action, path, source },
        }
    }

    /// Tells in one or two sentences what to do next.
    pub fn hint(&self) -> String {
        let newest = Version::MINIMUM_MAJOR.max(17);
        match self {
            Self::NoServer { .. } => format!(
                "Install one (`apt install postgresql-{newest}` or `brew install postgresql@{newest}`), or set \
                 NOVELFOUNDRY_PG_BIN to the directory that holds its `postgres`."
            ),
            Self::NotABinDir { .. } => {
                "Set NOVELFOUNDRY_PG_BIN to a directory such as /usr/lib/postgresql/17/bin, or unset it.".to_owned()
            }
            Self::OtherMajor { needed, .. } => format!(
                "Install PostgreSQL {needed} beside the others (`apt install postgresql-{needed}` or `brew install \
                 postgresql@{needed}`), or set NOVELFOUNDRY_PG_BIN to the directory that holds it."
            ),
            Self::NoAccount => "Create one: `useradd --system --user-group --no-create-home --shell \
                                /usr/sbin/nologin novelfoundry`; or run NovelFoundry as an ordinary user."
                .to_owned(),
            Self::Unreachable { component, .. } => format!(
                "Use a data directory elsewhere, such as /var/lib/novelfoundry, or open the way: `chmod o+x {}`.",
                component.display()
            ),
            Self::Unwritable { path, .. } => {
                format!("Give this user the right to write {}, or choose another data directory.", path.display())
            }
            Self::InUse { pid: Some(pid), .. } => {
                format!("Stop it first (`kill {pid}`), or give this one a data directory of its own.")
            }
            Self::InUse { pid: None, .. } => "Stop it first, or give this one a data directory of its own.".to_owned(),
            Self::SingleUser { .. } => "Let it finish, then start again.".to_owned(),
            Self::WrongOwner { path, account, .. } => format!(
                "Start as the user who made it, or hand it over: `chown -R {account} {}`.",
                path.display()
            ),
            Self::NotACluster { path } => {
                format!("Move {} away, or choose another data directory.", path.display())
            }
            Self::UnsafeSocketDir { path, .. } => {
                format!("Find out who made {}, remove it, then start again.", path.display())
            }
            Self::SocketPathTooLong { .. } => "Choose a data directory with a shorter path.".to_owned(),
            Self::BadListen { .. } => {
                "Choose a loopback address with a port, such as 127.0.0.1:5432; the connection is not encrypted."
                    .to_owned()
            }
            Self::PortInUse { .. } => {
                "Choose another port, or none: the application itself uses a Unix socket.".to_owned()
            }
            Self::BadPassword => "Give a password of one line; a random one is best.".to_owned(),
            Self::DiskFull { .. } => {
                "Free some space and start again; what was committed is safe on the disk.".to_owned()
            }
            Self::Initdb { .. } => "Remove the cause named above and start again; nothing half-made is kept.".to_owned(),
            Self::Exited { .. } | Self::GaveUp { .. } | Self::NotReady { .. } => {
                "Read the last lines of postgres.log in the data directory, remove the cause and start again."
                    .to_owned()
            }
            Self::Unkillable { pid } => {
                format!("Process {pid} hangs in the kernel, often on a failing disk: look at `dmesg`.")
            }
            Self::Cancelled => "Start again.".to_owned(),
            Self::SupervisorLost => "Start again; if it comes back, report it with the log.".to_owned(),
            Self::Io { path, .. } => format!("Look at {} and start again.", path.display()),
        }
    }
}

fn list(found: &[Version]) -> String {
    if found.is_empty() {
        return "none is installed".to_owned();
    }
    let names: Vec<_> = found.iter().map(ToString::to_string).collect();
    format!("installed: {}", names.join(", "))
}

fn process(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}

fn quoted(tail: &str) -> String {
    if tail.is_empty() { String::new() } else { format!("; its last words:\n{tail}") }
}
