//! Brings one server from its files to readiness and back down: everything between a directory and a socket that
//! accepts connections.

use std::{
    fs,
    net::SocketAddr,
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use tokio::sync::mpsc::UnboundedSender;

use crate::{
    Options, Progress,
    account::Account,
    binaries::Installation,
    child::{Mailbox, Supervised, Wake},
    cluster, config,
    error::Error,
    lock::DataDirLock,
    log::Log,
    pid_file::{PidFile, Status},
    reach, recover, socket,
    spawn::OnParentDeath,
    version::Version,
};

/// How long a server may take before it says that it is starting; from then on it may take what its recovery takes.
const READY_WITHIN: Duration = Duration::from_mins(1);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
/// How long shared memory may stay in use after the last process that was seen.
const MEMORY_FREE_WITHIN: Duration = Duration::from_secs(30);
/// How a server is stopped: in order, at once, by the kernel.
const STOP_STEPS: [(Signal, Duration); 3] = [
    (Signal::INT, Duration::from_secs(30)),
    (Signal::QUIT, Duration::from_secs(10)),
    (Signal::KILL, Duration::from_secs(10)),
];

/// What a started server is reached by.
#[derive(Clone, Debug)]
pub(crate) struct Started {
    pub(crate) version: Version,
    pub(crate) socket_dir: PathBuf,
    pub(crate) port: u16,
}

/// All that is needed to start the server again and again.
pub(crate) struct Server {
    installation: Installation,
    account: Account,
    data_dir: PathBuf,
    cluster: PathBuf,
    pub(crate) log: Log,
    listen: Option<SocketAddr>,
    settings: Vec<(String, String)>,
    disposable: bool,
    pub(crate) reached_by: Started,
}

impl Server {
    /// Finds or makes what a server needs: a user, a program, a cluster, a directory for its socket.
    pub(crate) fn prepare(
        lock: &DataDirLock,
        options: Options,
        mailbox: &mut Mailbox,
        progress: &UnboundedSender<Progress>,
    ) -> Result<Self, Error> {
        let Options { bin_dir, admin_password, listen, settings, disposable } = options;
        let data_dir = lock.data_dir();
        let cluster = data_dir.join("postgres");
        let port = listen.map_or(Ok(5432), |listen| {
            // A published port would need encryption, and `pg_hba.conf` would refuse its clients anyway.
            if listen.ip().is_loopback() && listen.port() != 0 {
                Ok(listen.port())
            } else {
                Err(Error::BadListen { listen })
            }
        })?;
        let account = Account::choose(&cluster)?;
        reach::check(data_dir, &account)?;
        cluster::clear_half_made(data_dir, mailbox)?;
        let major = cluster::major(&cluster)?;
        if major.is_some() {
            cluster::check_owner(&cluster, &account)?;
        }
        let installation = Installation::choose(bin_dir.as_deref(), &cluster, major, &account)?;
        let version = installation.version;
        let _ = progress.send(Progress::Found { version, bin_dir: installation.bin_dir.clone() });
        recover::evict(&cluster, mailbox, |pid| {
            let _ = progress.send(Progress::StoppingOrphan { pid });
        })?;
        if major.is_none() {
            let _ = progress.send(Progress::CreatingCluster);
            cluster::create(
                &cluster,
                &installation,
                &account,
                &admin_password,
                disposable.as_ref(),
                mailbox,
            )?;
        }
        let socket_dir = socket::prepare(data_dir, port, &account)?;
        let log = Log::new(data_dir.join("postgres.log"));
        let reached_by = Started { version, socket_dir, port };
        let data_dir = data_dir.to_owned();
        Ok(Self {
            installation,
            account,
            data_dir,
            cluster,
            log,
            listen,
            settings,
            disposable: disposable.is_some(),
            reached_by,
        })
    }

    /// Starts the server and waits until it accepts connections.
    pub(crate) fn launch(
        &self,
        mailbox: &mut Mailbox,
        mut recovering: impl FnMut(u64),
    ) -> Result<Supervised, Error> {
        let begun = Instant::now();
        loop {
            match self.launch_once(mailbox, &mut recovering) {
                // The last children of a dead server may be out of sight (another user's, in a container).
                Err(Error::Exited { tail, .. })
                    if tail.contains("pre-existing shared memory block")
                        && begun.elapsed() < MEMORY_FREE_WITHIN =>
                {
                    mailbox.pause(Duration::from_millis(500))?;
                }
                other => return other,
            }
        }
    }

    fn launch_once(
        &self,
        mailbox: &mut Mailbox,
        recovering: &mut impl FnMut(u64),
    ) -> Result<Supervised, Error> {
        recover::evict(&self.cluster, mailbox, |_| {})?;
        recover::clear(&self.cluster, &self.reached_by.socket_dir)?;
        // A cleaner of temporary files may have taken the directory since the last start.
        socket::prepare(&self.data_dir, self.reached_by.port, &self.account)?;
        self.bound_log();
        let output = self.log.open()?;
        let mark = self.log.mark();
        let Started { socket_dir, port, .. } = &self.reached_by;
        let mut command = Command::new(self.installation.program("postgres"));
        command
            .args(config::arguments(
                &self.cluster,
                socket_dir,
                self.listen,
                *port,
                &self.settings,
                self.disposable,
            ))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output);
        let child = Supervised::start(&mut command, &self.account, OnParentDeath::Interrupt, mailbox)?;
        self.wait_until_ready(child, mark, mailbox, recovering)
    }

    fn wait_until_ready(
        &self,
        child: Supervised,
        mark: u64,
        mailbox: &mut Mailbox,
        recovering: &mut impl FnMut(u64),
    ) -> Result<Supervised, Error> {
        let socket = socket::path_in(&self.reached_by.socket_dir, self.reached_by.port);
        let begun = Instant::now();
        let mut told = 0;
        loop {
            match child.wait(mailbox, BETWEEN_LOOKS) {
                Wake::Ended => return Err(self.explain(child.reap(), mark)),
                Wake::Stop => {
                    self.stop(child, mailbox)?;
                    return Err(Error::Cancelled);
                }
                Wake::Elapsed => {}
            }
            let file = PidFile::read(&self.cluster).filter(|file| file.pid.unsigned_abs() == child.id());
            let seconds = begun.elapsed().as_secs();
            let status = file.map(|file| file.status);
            if status == Some(Status::Ready) && UnixStream::connect(&socket).is_ok() {
                return Ok(child);
            }
            if status == Some(Status::Starting) {
                if seconds >= told + 5 {
                    told = seconds;
                    recovering(seconds);
                }
            } else if begun.elapsed() > READY_WITHIN {
                let tail = self.log.tail(mark);
                child.kill();
                recover::evict(&self.cluster, mailbox, |_| {})?;
                return Err(Error::NotReady { seconds, tail });
            }
        }
    }

    fn explain(&self, status: ExitStatus, mark: u64) -> Error {
        let tail = self.log.tail(mark);
        if cluster::disk_is_full(&tail) {
            return Error::DiskFull { path: self.data_dir.clone() };
        }
        if let Some(listen) = self.listen
            && tail
                .lines()
                .any(|line| line.contains("could not bind IPv") && line.contains("Address already in use"))
        {
            return Error::PortInUse { listen };
        }
        Error::Exited { status, tail }
    }

    /// Stops the server and leaves none of its processes behind.
    pub(crate) fn stop(&self, child: Supervised, mailbox: &mut Mailbox) -> Result<(), Error> {
        mailbox.stop_is_known();
        let pid = child.id();
        for (signal, patience) in STOP_STEPS {
            child.signal(signal);
            if child.ends_within(mailbox, patience) {
                child.reap();
                return self.clear_away(mailbox);
            }
            tracing::warn!(?signal, "PostgreSQL has not stopped in time");
        }
        Err(Error::Unkillable { pid })
    }

    /// Keeps the log small; a server is worth more than its log, so a failure is told and no more.
    pub(crate) fn bound_log(&self) {
        if let Err(error) = self.log.bound() {
            tracing::warn!(%error, "the log of PostgreSQL cannot be cut");
        }
    }

    /// Removes what a server that is gone has left: its children, its pid file and its socket.
    pub(crate) fn clear_away(&self, mailbox: &mut Mailbox) -> Result<(), Error> {
        recover::evict(&self.cluster, mailbox, |_| {})?;
        recover::clear(&self.cluster, &self.reached_by.socket_dir)?;
        // One below the directory for temporary files would be litter; it is made anew at the next start.
        let _ = fs::remove_dir(&self.reached_by.socket_dir);
        Ok(())
    }
}
