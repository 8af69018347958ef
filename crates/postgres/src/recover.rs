//! Puts a data directory in order after a crash of either party: first nobody may work on it, then what a dead server
//! left can go. All of it happens under the lock of the data directory.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::{
    child::Mailbox,
    error::Error,
    pid_file::PidFile,
    processes::{ServerProcess, servers_in, signal},
    socket,
};

/// How a server is asked to go, and how long it may take: in order, at once, by the kernel.
///
/// An orphan is usually already on its way, since its parent's death told it to stop.
const STEPS: [(Signal, Duration); 3] = [
    (Signal::INT, Duration::from_secs(30)),
    (Signal::QUIT, Duration::from_secs(10)),
    (Signal::KILL, Duration::from_secs(10)),
];
/// How long the children of a dead server, who notice by themselves, are left alone.
const CHILDREN_NOTICE: Duration = Duration::from_secs(3);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// Stops every server that works on `cluster` and waits until its last process is gone.
pub(crate) fn evict(cluster: &Path, mailbox: &mut Mailbox, mut found: impl FnMut(u32)) -> Result<(), Error> {
    let present = servers_in(cluster);
    let Some(first) = present.first() else { return Ok(()) };
    let pid_file = PidFile::read(cluster);
    if let Some(operator) =
        present.iter().find(|process| pid_file.is_some_and(|file| file.pid == -raw(**process)))
    {
        return Err(Error::SingleUser { cluster: cluster.to_owned(), pid: id(*operator) });
    }
    found(id(*present.iter().find(|process| process.leader).unwrap_or(first)));
    if present.iter().all(|process| !process.leader) && gone_within(cluster, CHILDREN_NOTICE, mailbox)? {
        return Ok(());
    }
    for (step, patience) in STEPS {
        let present = servers_in(cluster);
        let leaderless = present.iter().all(|process| !process.leader);
        // The server itself passes a stop on to its children; only SIGKILL it cannot.
        for process in present.iter().filter(|process| process.leader || leaderless || step == Signal::KILL) {
            signal(*process, cluster, step);
        }
        // Children without their server have no work to finish.
        let patience = if leaderless && step != Signal::KILL { Duration::from_secs(1) } else { patience };
        if gone_within(cluster, patience, mailbox)? {
            return Ok(());
        }
    }
    match servers_in(cluster).first() {
        Some(process) => Err(Error::Unkillable { pid: id(*process) }),
        None => Ok(()),
    }
}

/// Removes the pid file, the socket and its lock. Call it only after `evict`: PostgreSQL itself takes a zombie or a
/// stranger with the same pid for a running server and would not start.
pub(crate) fn clear(cluster: &Path, socket_dir: &Path) -> Result<(), Error> {
    PidFile::remove(cluster)?;
    socket::clear(socket_dir)
}

fn gone_within(cluster: &Path, patience: Duration, mailbox: &mut Mailbox) -> Result<bool, Error> {
    let until = Instant::now() + patience;
    loop {
        if servers_in(cluster).is_empty() {
            return Ok(true);
        }
        if Instant::now() >= until {
            return Ok(false);
        }
        mailbox.pause(BETWEEN_LOOKS)?;
    }
}

fn raw(process: ServerProcess) -> i32 {
    process.pid.as_raw_nonzero().get()
}

fn id(process: ServerProcess) -> u32 {
    raw(process).unsigned_abs()
}
