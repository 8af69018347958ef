//! What a data directory remembers of its last run, in `state.json`: its addresses, which a restart keeps, and who
//! runs. It holds no secret, so that telling the addresses needs none.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

use super::{durable, failures};
use crate::output::Failure;

const FILE: &str = "state.json";

/// What is remembered of the last run. A field that comes later needs a default, for files without it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// The process, while it runs; a killed one leaves its id behind.
    pub(crate) pid: Option<u32>,
    /// The version of the program.
    pub(crate) version: String,
    /// The version of the database server.
    pub(crate) postgres_version: String,
    /// Where browsers reach the API.
    pub(crate) public_url: String,
    /// Where browsers reach the store.
    pub(crate) s3_public_url: String,
    /// Where the API listens.
    pub(crate) listen: SocketAddr,
    /// Where the store listens.
    pub(crate) s3_listen: SocketAddr,
    /// Where metrics are served.
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// The store's region.
    pub(crate) region: String,
    /// The store's bucket.
    pub(crate) bucket: String,
    /// The claim that tokens are for.
    pub(crate) audience: String,
    /// What the names of the database roles begin with.
    pub(crate) role_prefix: String,
    /// The directory of the database's socket.
    pub(crate) socket_dir: PathBuf,
    /// The database's port, a part of the socket's name.
    pub(crate) postgres_port: u16,
}

impl State {
    /// Reads what `data_dir` remembers; nothing before the first start, nor of a file that is not one of these.
    pub(crate) fn read(data_dir: &Path) -> Result<Option<Self>, Failure> {
        let path = data_dir.join(FILE);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failures::file("read", &path, error)),
        }
    }

    /// Remembers.
    pub(crate) fn write(&self, data_dir: &Path) -> Result<(), Failure> {
        let path = data_dir.join(FILE);
        serde_json::to_vec_pretty(self)
            .map_err(io::Error::from)
            .and_then(|bytes| durable::write(&path, &bytes))
            .map_err(|error| failures::file("write", &path, error))
    }

    /// Returns where browsers reach the API, unless that only followed from where it listened.
    pub(crate) fn named_public_url(&self) -> Option<String> {
        named(&self.public_url, self.listen)
    }

    /// Returns where browsers reach the store, unless that only followed from where it listened.
    pub(crate) fn named_s3_public_url(&self) -> Option<String> {
        named(&self.s3_public_url, self.s3_listen)
    }

    /// Tells whether the process that wrote this is still there. Another may have its id by now, so whoever must be sure
    /// asks the API too.
    pub(crate) fn process_lives(&self) -> bool {
        self.pid.is_some_and(lives)
    }
}

/// Tells whether there is such a process.
pub(crate) fn lives(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    // A process that may not be signalled is there.
    pid.is_some_and(|pid| !matches!(test_kill_process(pid), Err(rustix::io::Errno::SRCH)))
}

fn named(url: &str, listen: SocketAddr) -> Option<String> {
    (url != format!("http://{listen}")).then(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_garbage_is_nothing() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(State::read(root.path()).unwrap(), None);
        let mut state = State {
            pid: Some(std::process::id()),
            version: "1".to_owned(),
            postgres_version: "15.1".to_owned(),
            public_url: "http://127.0.0.1:1".to_owned(),
            s3_public_url: "http://127.0.0.1:2".to_owned(),
            listen: ([127, 0, 0, 1], 1).into(),
            s3_listen: ([127, 0, 0, 1], 2).into(),
            metrics_listen: None,
            region: "r".to_owned(),
            bucket: "b".to_owned(),
            audience: "a".to_owned(),
            role_prefix: "p".to_owned(),
            socket_dir: "/run".into(),
            postgres_port: 5432,
        };
        state.write(root.path()).unwrap();
        assert_eq!(State::read(root.path()).unwrap().as_ref(), Some(&state));
        assert!(state.process_lives());
        assert_eq!((state.named_public_url(), state.named_s3_public_url()), (None, None));
        state.public_url = "https://novels.example".to_owned();
        assert_eq!(state.named_public_url().as_deref(), Some("https://novels.example"));
        state.pid = None;
        assert!(!state.process_lives());
        std::fs::write(root.path().join(FILE), "{").unwrap();
        assert_eq!(State::read(root.path()).unwrap(), None);
    }
}
