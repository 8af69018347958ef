//! Work that holds a thread: waited for only so long, told when nobody waits any more, and contained when it panics. Work
//! that does not look keeps its thread until it ends.

use std::time::Duration;

use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;

/// Says why the work has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BlockingError {
    /// It panicked.
    #[error("the text work panicked")]
    Panicked,
    /// It did not end in time.
    #[error("the text work took too long")]
    TimedOut,
}

/// What the work sees of those who wait for it.
pub(crate) struct Handle {
    cancelled: CancellationToken,
    percent: watch::Sender<i32>,
}

impl Handle {
    /// Tells whether the result is no longer wanted.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.is_cancelled()
    }

    /// Shows how far the work is.
    pub(crate) fn show(&self, percent: i32) {
        self.percent.send_replace(percent);
    }
}

/// Runs work on a thread of its own and returns its result, and what it shows meanwhile. Where the future is dropped
/// or `limit` passes, the work is told to stop, and its thread ends when it listens.
pub(crate) fn run<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce(&Handle) -> T + Send + 'static,
) -> (watch::Receiver<i32>, impl Future<Output = Result<T, BlockingError>>) {
    let cancelled = CancellationToken::new();
    let (percent, shown) = watch::channel(0);
    let handle = Handle { cancelled: cancelled.clone(), percent };
    let task = tokio::task::spawn_blocking(move || work(&handle));
    let guard = cancelled.drop_guard();
    let ended = async move {
        let _guard = guard;
        match timeout(limit, task).await {
            Ok(joined) => joined.map_err(|_| BlockingError::Panicked),
            Err(_) => Err(BlockingError::TimedOut),
        }
    };
    (shown, ended)
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    /// Goes on until nobody waits, and then says so.
    fn endless(ended: mpsc::Sender<()>) -> impl FnOnce(&Handle) + Send {
        move |handle| {
            while !handle.is_cancelled() {
                thread::yield_now();
            }
            ended.send(()).unwrap();
        }
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_the_next_work_runs() {
        let (_, ended) = run(LONG, |_| -> u32 { panic!("on purpose") });
        assert_eq!(ended.await, Err(BlockingError::Panicked));
        let (_, ended) = run(LONG, |_| 7);
        assert_eq!(ended.await, Ok(7));
    }

    #[tokio::test]
    async fn work_over_time_is_given_up_and_stops() {
        let (sender, receiver) = mpsc::channel();
        let (_, ended) = run(Duration::from_millis(20), endless(sender));
        assert_eq!(ended.await, Err(BlockingError::TimedOut));
        receiver.recv_timeout(LONG).unwrap();
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_stops() {
        let (sender, receiver) = mpsc::channel();
        let (_, ended) = run(LONG, endless(sender));
        drop(ended);
        receiver.recv_timeout(LONG).unwrap();
    }

    #[tokio::test]
    async fn progress_is_seen_while_the_work_goes_on() {
        let (sender, receiver) = mpsc::channel::<()>();
        let (mut shown, ended) = run(LONG, move |handle| {
            handle.show(40);
            receiver.recv_timeout(LONG).unwrap();
        });
        shown.changed().await.unwrap();
        assert_eq!(*shown.borrow(), 40);
        sender.send(()).unwrap();
        ended.await.unwrap();
    }
}
