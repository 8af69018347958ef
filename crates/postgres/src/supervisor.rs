//! The thread that owns the server: it starts it, restarts it when it dies, and ends only after it. The server is told
//! to stop when this thread ends, so it is a thread of its own and none of a pool.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::{mpsc::UnboundedSender, oneshot, watch};

use crate::{
    Options, Progress, State,
    child::{Mailbox, Supervised, Wake},
    error::Error,
    launch::{Server, Started},
    lock::DataDirLock,
};

const BETWEEN_LOG_CHECKS: Duration = Duration::from_secs(10);
/// More failures than this within the window end the attempts.
const MOST_FAILURES: usize = 5;
const FAILURE_WINDOW: Duration = Duration::from_mins(2);

/// The ways out of the thread.
pub(crate) struct Reports {
    pub(crate) state: watch::Sender<State>,
    pub(crate) pid: Arc<AtomicU32>,
    pub(crate) progress: UnboundedSender<Progress>,
    pub(crate) started: oneshot::Sender<Result<Started, Error>>,
}

/// Runs a server from its start to its end; the body of the thread.
pub(crate) fn run(lock: DataDirLock, options: Options, mut mailbox: Mailbox, reports: Reports) {
    let Reports { state, pid, progress, started } = reports;
    let first = |mailbox: &mut Mailbox| -> Result<(Server, Supervised), Error> {
        let server = Server::prepare(&lock, options, mailbox, &progress)?;
        let _ = progress.send(Progress::Starting);
        let child = server.launch(mailbox, |seconds| {
            let _ = progress.send(Progress::Recovering { seconds });
        })?;
        Ok((server, child))
    };
    let (server, child) = match first(&mut mailbox) {
        Ok(both) => both,
        Err(error) => {
            drop(lock);
            state.send_replace(State::Stopped);
            let _ = started.send(Err(error));
            return;
        }
    };
    drop(progress);
    pid.store(child.id(), Ordering::Relaxed);
    state.send_replace(State::Ready);
    let _ = started.send(Ok(server.reached_by.clone()));
    let end = match server.supervise(child, &mut mailbox, &state, &pid) {
        Ok(()) | Err(Error::Cancelled) => State::Stopped,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "PostgreSQL is given up");
            State::Failed(Arc::new(error))
        }
    };
    // Whoever waits for the end may start anew.
    drop(lock);
    state.send_replace(end);
}

impl Server {
    /// Keeps the server running until a stop is asked for.
    fn supervise(
        &self,
        mut child: Supervised,
        mailbox: &mut Mailbox,
        state: &watch::Sender<State>,
        pid: &AtomicU32,
    ) -> Result<(), Error> {
        let mut failures = Failures::default();
        loop {
            match child.wait(mailbox, BETWEEN_LOG_CHECKS) {
                Wake::Stop => return self.stop(child, mailbox),
                Wake::Elapsed => self.bound_log(),
                Wake::Ended => {
                    let status = child.reap();
                    tracing::warn!(%status, "PostgreSQL has ended and is started again");
                    child = match self.restart(&mut failures, mailbox, state) {
                        Ok(child) => child,
                        Err(error) => {
                            mailbox.stop_is_known();
                            self.clear_away(mailbox)?;
                            return Err(error);
                        }
                    };
                    pid.store(child.id(), Ordering::Relaxed);
                    state.send_replace(State::Ready);
                }
            }
        }
    }

    fn restart(
        &self,
        failures: &mut Failures,
        mailbox: &mut Mailbox,
        state: &watch::Sender<State>,
    ) -> Result<Supervised, Error> {
        let mut last = None;
        loop {
            let attempt = failures.add(Instant::now());
            if attempt > MOST_FAILURES {
                return Err(match last {
                    Some(cause @ (Error::DiskFull { .. } | Error::PortInUse { .. })) => cause,
                    _ => Error::GaveUp { failures: attempt, tail: self.log.tail(0) },
                });
            }
            state.send_replace(State::Restarting { attempt });
            mailbox.pause(backoff(attempt))?;
            match self.launch(mailbox, |_| {}) {
                Ok(child) => return Ok(child),
                Err(error @ (Error::Cancelled | Error::Unkillable { .. } | Error::SingleUser { .. })) => {
                    return Err(error);
                }
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        attempt,
                        "PostgreSQL did not start"
                    );
                    last = Some(error);
                }
            }
        }
    }
}

/// The recent failures of the server.
#[derive(Debug, Default)]
struct Failures(VecDeque<Instant>);

impl Failures {
    /// Counts a failure and returns how many there were within the window.
    fn add(&mut self, now: Instant) -> usize {
        self.0.retain(|then| now.duration_since(*then) < FAILURE_WINDOW);
        self.0.push_back(now);
        self.0.len()
    }
}

/// Returns how long to wait before an attempt, counted from 1.
fn backoff(attempt: usize) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX).min(6);
    Duration::from_millis(100 << doublings).min(Duration::from_secs(5))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn attempts_are_spaced_and_never_far_apart(attempt in 1_usize..) {
            prop_assert!(backoff(attempt) >= Duration::from_millis(100));
            prop_assert!(backoff(attempt) <= Duration::from_secs(5));
            prop_assert!(backoff(attempt.saturating_add(1)) >= backoff(attempt));
        }

        #[test]
        fn only_recent_failures_count(gaps in proptest::collection::vec(0_u64..200, 1..50)) {
            let start = Instant::now();
            let mut failures = Failures::default();
            let mut times = Vec::new();
            let mut now = start;
            for gap in gaps {
                now += Duration::from_secs(gap);
                times.push(now);
                let recent = times.iter().filter(|then| now.duration_since(**then) < FAILURE_WINDOW).count();
                prop_assert_eq!(failures.add(now), recent);
            }
        }
    }
}
