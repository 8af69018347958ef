//! Supervises a PostgreSQL server, installed on this machine, as a child of this process: so that one command gives a
//! real database, durable as any other, without a service to administer.
//!
//! In the data directory, `postgres` holds the cluster, `run` the Unix socket, `postgres.log` the log, and
//! `novelfoundry.lock` keeps a second process out. No SQL is spoken here.

mod account;
mod binaries;
mod child;
mod cluster;
mod config;
mod error;
mod files;
mod launch;
mod lock;
mod log;
mod pid_file;
mod processes;
mod reach;
mod recover;
mod socket;
mod spawn;
mod supervisor;
mod version;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use novelfoundry_core::Secret;
use tokio::sync::{mpsc::unbounded_channel, oneshot, watch};

pub use error::Error;
pub use lock::DataDirLock;
pub use version::{Version, VersionError};

use child::{Event, Mailbox};
use launch::Started;
use supervisor::Reports;

/// The superuser of a cluster made here; it has the administrator's password.
pub const ADMIN_USER: &str = cluster::ADMIN;

/// How long a handle that is dropped waits for its server to end.
const DROP_WAITS: Duration = Duration::from_secs(5);

/// What a server is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory that holds `postgres` and `initdb`; `None` looks in the usual places.
    pub bin_dir: Option<PathBuf>,
    /// The password of `ADMIN_USER`, one line; used when the cluster is made, not read afterwards.
    pub admin_password: Secret,
    /// A loopback address to listen on besides the Unix socket.
    pub listen: Option<SocketAddr>,
    /// Settings of the server by name; those that guard durability and access stay as they are.
    pub settings: Vec<(String, String)>,
    /// Given where the data need not outlive the server: nothing is then waited for on the disk.
    pub disposable: Option<Disposable>,
}

/// What is chosen for a cluster that is thrown away with its server.
#[derive(Clone, Debug)]
pub struct Disposable {
    /// The name of its superuser, in place of `ADMIN_USER`.
    pub superuser: String,
}

/// What a start is busy with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// The server to run was chosen.
    Found {
        /// Its version.
        version: Version,
        /// The directory of its programs.
        bin_dir: PathBuf,
    },
    /// A server that outlived its supervisor is stopped.
    StoppingOrphan {
        /// Its process.
        pid: u32,
    },
    /// The cluster is made, once for a data directory; takes some seconds.
    CreatingCluster,
    /// The server is starting.
    Starting,
    /// The server is recovering from a crash.
    Recovering {
        /// The seconds since its start.
        seconds: u64,
    },
}

/// What a server is doing.
#[derive(Clone, Debug)]
pub enum State {
    /// It is starting for the first time.
    Starting,
    /// It accepts connections.
    Ready,
    /// It died and is started again.
    Restarting {
        /// The recent failures, this one included.
        attempt: usize,
    },
    /// It was stopped.
    Stopped,
    /// It died and is not started again.
    Failed(Arc<Error>),
}

impl State {
    /// Tells whether this is the last state there will be.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Stopped | Self::Failed(_))
    }
}

/// A running server; it is stopped when this is dropped, better by `stop`.
#[derive(Debug)]
pub struct Server {
    supervision: Supervision,
    started: Started,
}

/// The hold on the supervising thread, which stops with it.
#[derive(Debug)]
struct Supervision {
    events: mpsc::Sender<Event>,
    state: watch::Receiver<State>,
    pid: Arc<AtomicU32>,
    /// Is closed by the end of the thread; nothing is ever sent.
    ended: Mutex<mpsc::Receiver<()>>,
}

/// Returns the directory of the programs that new data would be given: `explicit` where it holds a server, else that of
/// the newest server installed.
pub fn newest_bin_dir(explicit: Option<&Path>) -> Option<PathBuf> {
    binaries::newest(explicit).map(|installation| installation.bin_dir)
}

/// Starts the server of a data directory, whose cluster it makes when there is none.
///
/// A future that is dropped stops what it has begun.
pub async fn start(
    lock: DataDirLock,
    options: Options,
    progress: impl Fn(Progress) + Send,
) -> Result<Server, Error> {
    let (events, event_queue) = mpsc::channel();
    let (state_sender, state) = watch::channel(State::Starting);
    let (progress_sender, mut progress_queue) = unbounded_channel();
    let (started_sender, started) = oneshot::channel();
    let (alive, ended) = mpsc::channel();
    let pid = Arc::new(AtomicU32::new(0));
    let mailbox = Mailbox::new(event_queue, events.clone());
    let reports = Reports {
        state: state_sender,
        pid: Arc::clone(&pid),
        progress: progress_sender,
        started: started_sender,
    };
    let data_dir = lock.data_dir().to_owned();
    thread::Builder::new()
        .name("postgres".to_owned())
        .spawn(move || {
            let _alive: mpsc::Sender<()> = alive;
            supervisor::run(lock, options, mailbox, reports);
        })
        .map_err(|source| Error::io("start a thread for", &data_dir, source))?;
    let supervision = Supervision { events, state, pid, ended: Mutex::new(ended) };
    while let Some(step) = progress_queue.recv().await {
        progress(step);
    }
    let started = started.await.map_err(|_| Error::SupervisorLost)??;
    Ok(Server { supervision, started })
}

impl Server {
    /// Returns the version of the server.
    pub fn version(&self) -> &Version {
        &self.started.version
    }

    /// Returns the directory of the Unix socket, as a client takes it for its host.
    pub fn socket_dir(&self) -> &Path {
        &self.started.socket_dir
    }

    /// Returns the port, which is part of the socket's name too.
    pub fn port(&self) -> u16 {
        self.started.port
    }

    /// Returns the server's process at present; a restart changes it.
    pub fn pid(&self) -> u32 {
        self.supervision.pid.load(Ordering::Relaxed)
    }

    /// Returns the state as it changes.
    pub fn state(&self) -> watch::Receiver<State> {
        self.supervision.state.clone()
    }

    /// Stops the server: open sessions are ended, open transactions rolled back. Once it is stopped, nothing is left
    /// to do for another call. Fails only where a process cannot be killed.
    pub async fn stop(&self) -> Result<(), Error> {
        // The thread may have ended already.
        let _ = self.supervision.events.send(Event::Stop);
        let mut state = self.state();
        match state.wait_for(State::is_final).await.map(|end| end.clone()) {
            Ok(State::Failed(error)) => match *error {
                Error::Unkillable { pid } => Err(Error::Unkillable { pid }),
                _ => Ok(()),
            },
            Ok(_) => Ok(()),
            Err(_) => Err(Error::SupervisorLost),
        }
    }
}

impl Drop for Supervision {
    fn drop(&mut self) {
        let _ = self.events.send(Event::Stop);
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        // Where this is not long enough, the thread goes on, and the end of the process ends the server.
        let _ = ended.recv_timeout(DROP_WAITS);
    }
}
