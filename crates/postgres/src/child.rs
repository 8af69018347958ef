//! A child process and the events around it, in one queue: so the supervising thread sleeps until something happens,
//! and a stop is heard at every step.

use std::{
    io,
    os::unix::process::ExitStatusExt,
    process::{Child, Command, ExitStatus},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid},
};

use crate::{
    account::Account,
    error::Error,
    spawn::{OnParentDeath, spawn},
};

/// What the supervising thread is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Stop the server, or the attempt to start it.
    Stop,
    /// The child with this number has ended; it is not reaped yet.
    Ended(u64),
}

/// The queue of the supervising thread.
pub(crate) struct Mailbox {
    events: Receiver<Event>,
    sender: Sender<Event>,
    stop: bool,
    stop_is_known: bool,
    ended: u64,
    spawned: u64,
}

/// Why a wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// The child has ended.
    Ended,
    /// A stop was asked for; it is told once.
    Stop,
    /// The time is up.
    Elapsed,
}

impl Mailbox {
    pub(crate) fn new(events: Receiver<Event>, sender: Sender<Event>) -> Self {
        Self { events, sender, stop: false, stop_is_known: false, ended: 0, spawned: 0 }
    }

    /// Sleeps; fails when a stop is asked for, or was, and is not known to be under way.
    pub(crate) fn pause(&mut self, time: Duration) -> Result<(), Error> {
        let until = Instant::now() + time;
        while self.stop_is_known || !self.stop {
            if self.wait(u64::MAX, until) == Wake::Elapsed {
                return Ok(());
            }
        }
        Err(Error::Cancelled)
    }

    /// Says that the stop is under way, so that what it takes is not called off by itself.
    pub(crate) fn stop_is_known(&mut self) {
        self.stop_is_known = true;
    }

    fn wait(&mut self, child: u64, until: Instant) -> Wake {
        loop {
            if self.ended >= child {
                return Wake::Ended;
            }
            match self.events.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Event::Stop) if !self.stop => {
                    self.stop = true;
                    return Wake::Stop;
                }
                Ok(Event::Stop) => {}
                Ok(Event::Ended(number)) => self.ended = self.ended.max(number),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Wake::Elapsed,
            }
        }
    }
}

/// A child that is not reaped before it is asked about, so that its pid stays its own.
pub(crate) struct Supervised {
    child: Child,
    pid: Pid,
    number: u64,
}

impl Supervised {
    /// Starts a program that lives no longer than the calling thread.
    pub(crate) fn start(
        command: &mut Command,
        account: &Account,
        on_parent_death: OnParentDeath,
        mailbox: &mut Mailbox,
    ) -> Result<Self, Error> {
        let program = command.get_program().to_owned();
        let failed = |source| Error::io("run", program.as_ref(), source);
        let mut child = spawn(command, account, on_parent_death).map_err(failed)?;
        mailbox.spawned += 1;
        let number = mailbox.spawned;
        let pid = Pid::from_child(&child);
        let sender = mailbox.sender.clone();
        let watch = move || {
            // Waits without reaping: that is left to the thread that sends the signals.
            let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while matches!(waitid(WaitId::Pid(pid), ended), Err(Errno::INTR)) {}
            let _ = sender.send(Event::Ended(number));
        };
        if let Err(source) = thread::Builder::new().name("postgres-exit".to_owned()).spawn(watch) {
            let _ = child.kill();
            let _ = child.wait();
            return Err(failed(source));
        }
        Ok(Self { child, pid, number })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the child to end or for a stop.
    pub(crate) fn wait(&self, mailbox: &mut Mailbox, time: Duration) -> Wake {
        mailbox.wait(self.number, Instant::now() + time)
    }

    /// Sends a signal to the child alone.
    pub(crate) fn signal(&self, signal: Signal) {
        // It may have ended, but it is not reaped, so the pid is no stranger's.
        let _ = kill_process(self.pid, signal);
    }

    /// Kills the child and all of its session, and reaps it.
    pub(crate) fn kill(mut self) {
        let _ = kill_process_group(self.pid, Signal::KILL);
        let _ = self.child.wait();
    }

    /// Waits until the child ends, whatever is asked for in the meantime; `false` when the time is up.
    pub(crate) fn ends_within(&self, mailbox: &mut Mailbox, time: Duration) -> bool {
        let until = Instant::now() + time;
        loop {
            match mailbox.wait(self.number, until) {
                Wake::Ended => return true,
                Wake::Stop => {}
                Wake::Elapsed => return false,
            }
        }
    }

    /// Reaps a child that has ended.
    pub(crate) fn reap(mut self) -> ExitStatus {
        self.child.wait().unwrap_or_else(|error: io::Error| {
            // Only where someone else reaps this process's children.
            tracing::warn!(%error, "the exit status of a child was lost");
            ExitStatus::from_raw(0)
        })
    }
}
