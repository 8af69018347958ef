//! How slow a client may be. A patience that each byte renews is no bound: a byte now and then holds a connection for
//! ever. Here waiting uses the patience up, and only bytes in number earn it back.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

/// How slow a client may be with a body or an answer.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How long the server waits, in all, for a client that moves nothing.
    pub patience: Duration,
    /// How many bytes earn one second of waiting back; on average, no client may be slower.
    pub bytes_per_second: u32,
}

/// What is left of the patience with one client.
#[derive(Debug)]
struct Credit {
    pace: Pace,
    left: Duration,
    /// Since when the server has been waiting.
    since: Option<Instant>,
}

impl Credit {
    fn new(pace: Pace) -> Self {
        Self { pace, left: pace.patience, since: None }
    }

    /// Begins to wait, and returns until when; `None` where the wait has begun already.
    fn wait(&mut self, now: Instant) -> Option<Instant> {
        if self.since.is_some() {
            return None;
        }
        self.since = Some(now);
        Some(now + self.left)
    }

    /// Ends a wait; the time that the server itself took since costs the client nothing.
    fn moved(&mut self, bytes: usize, now: Instant) {
        if let Some(since) = self.since.take() {
            self.left = self.left.saturating_sub(now.saturating_duration_since(since));
        }
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let earned = bytes.saturating_mul(1_000_000_000) / u64::from(self.pace.bytes_per_second.max(1));
        self.left = self.left.saturating_add(Duration::from_nanos(earned)).min(self.pace.patience);
    }
}

/// Holds one client to a pace.
#[derive(Debug)]
pub struct Meter {
    credit: Credit,
    timer: Pin<Box<Sleep>>,
}

impl Meter {
    /// Begins with the whole patience; must be called inside a runtime.
    pub fn new(pace: Pace) -> Self {
        Self { credit: Credit::new(pace), timer: Box::pin(tokio::time::sleep(pace.patience)) }
    }

    /// Counts bytes that the client sent or took in, which ends a wait.
    pub fn moved(&mut self, bytes: usize) {
        self.credit.moved(bytes, Instant::now());
    }

    /// Waits for the client; ready once the patience is used up.
    pub fn poll_exhausted(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(deadline) = self.credit.wait(Instant::now()) {
            self.timer.as_mut().reset(deadline);
        }
        self.timer.as_mut().poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { patience: Duration::from_secs(30), bytes_per_second: 1024 };

    /// Lets a client move so many bytes each time it has kept the server waiting so long; returns when it is let go,
    /// or `None` where it moves them all.
    fn let_go(pace: Pace, every: Duration, bytes: usize, all: usize) -> Option<Duration> {
        let begun = Instant::now();
        let (mut credit, mut now) = (Credit::new(pace), begun);
        for _ in 0..all.div_ceil(bytes) {
            let deadline = credit.wait(now).unwrap();
            assert_eq!(credit.wait(now), None, "a wait is not begun twice");
            now += every;
            if deadline < now {
                return Some(deadline - begun);
            }
            credit.moved(bytes, now);
        }
        None
    }

    #[test]
    fn slow_lines_pass_and_trickles_do_not() {
        let (second, mb) = (Duration::from_secs(1), 1_000_000);
        assert_eq!(let_go(PACE, second, 30_000, 100 * mb), None, "a mobile line");
        assert_eq!(let_go(PACE, second / 20, 1_500, 100 * mb), None, "the same in packets");
        assert_eq!(let_go(PACE, 29 * second, 30_000, mb), None, "a line that is mostly dead");
        assert_eq!(let_go(PACE, second, 1024, mb), None, "just fast enough");
        assert!(let_go(PACE, 3 * second, 1, 100 * mb).unwrap() < 31 * second, "a byte every three seconds");
        assert!(let_go(PACE, second, 900, 100 * mb).unwrap() < 300 * second, "a little too slow");
        assert_eq!(let_go(PACE, 31 * second, mb, 2 * mb), Some(30 * second), "silence");
    }

    #[test]
    fn time_between_waits_is_the_server_s() {
        let mut now = Instant::now();
        let mut credit = Credit::new(PACE);
        for _ in 0..100 {
            now += Duration::from_mins(1);
            assert_eq!(credit.wait(now), Some(now + PACE.patience));
            credit.moved(1, now);
        }
    }

    #[test]
    fn no_number_overflows() {
        let none = Pace { patience: Duration::MAX, bytes_per_second: 0 };
        let mut credit = Credit::new(none);
        credit.moved(usize::MAX, Instant::now());
        assert_eq!(credit.left, Duration::MAX);
    }
}
