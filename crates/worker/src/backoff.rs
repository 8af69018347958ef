//! How long to wait before another attempt. Randomness keeps those that failed together from coming back together.

use std::time::Duration;

/// Where a retried job's wait begins, and where it stops growing.
const JOB_BASE: Duration = Duration::from_secs(2);
const JOB_CAP: Duration = Duration::from_mins(5);

/// Returns a job's wait after its `attempts`-th attempt: anything up to 2 s doubled with each, 5 minutes at most
/// (full jitter).
pub(crate) fn job_retry(attempts: i32) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0);
    part(ceiling(JOB_BASE, JOB_CAP, doublings), fraction())
}

/// Varies a period by a fifth each way.
pub(crate) fn around(period: Duration) -> Duration {
    period.mul_f64(fraction().mul_add(0.4, 0.8))
}

/// Waits that double while something is out of reach, each drawn from the upper half of its range.
#[derive(Debug)]
pub(crate) struct Backoff {
    base: Duration,
    cap: Duration,
    failures: u32,
}

impl Backoff {
    pub(crate) const fn new(base: Duration, cap: Duration) -> Self {
        Self { base, cap, failures: 0 }
    }

    /// Counts a failure and returns the wait after it.
    pub(crate) fn next(&mut self) -> Duration {
        let half = ceiling(self.base, self.cap, self.failures) / 2;
        self.failures = self.failures.saturating_add(1);
        half + part(half, fraction())
    }

    /// Tells whether nothing failed since the beginning or the last reset.
    pub(crate) const fn is_reset(&self) -> bool {
        self.failures == 0
    }

    /// Begins anew, and tells whether there had been a failure.
    pub(crate) fn reset(&mut self) -> bool {
        std::mem::take(&mut self.failures) > 0
    }
}

fn ceiling(base: Duration, cap: Duration, doublings: u32) -> Duration {
    base.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(cap)
}

fn part(whole: Duration, fraction: f64) -> Duration {
    whole.mul_f64(fraction)
}

/// Returns a random number from 0 up to 1.
fn fraction() -> f64 {
    // Without randomness the waits merely march in step.
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    f64::from(random) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_job_waits_no_longer_than_its_ceiling(attempts in any::<i32>()) {
            let doublings = attempts.clamp(1, 30) - 1;
            let longest = JOB_CAP.min(Duration::from_secs(2 << doublings));
            prop_assert!(job_retry(attempts) <= longest);
        }

        #[test]
        fn ceilings_never_shrink(base in 1_u64..10_000, cap in 1_u64..1_000_000, doublings in 0_u32..100) {
            let (base, cap) = (Duration::from_millis(base), Duration::from_millis(cap));
            prop_assert!(ceiling(base, cap, doublings) <= ceiling(base, cap, doublings + 1));
            prop_assert!(ceiling(base, cap, doublings) <= cap);
        }

        #[test]
        fn an_outage_is_never_polled_without_a_wait(failures in 0_u32..200) {
            let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));
            backoff.failures = failures;
            let wait = backoff.next();
            prop_assert!(wait >= Duration::from_millis(50) && wait <= Duration::from_secs(10));
        }
    }

    #[test]
    fn a_period_varies_by_a_fifth() {
        let waits: Vec<_> = (0..200).map(|_| around(Duration::from_secs(10))).collect();
        assert!(waits.iter().all(|wait| (8.0..=12.0).contains(&wait.as_secs_f64())));
        assert!(waits.iter().max().unwrap().abs_diff(*waits.iter().min().unwrap()) > Duration::from_secs(1));
    }

    #[test]
    fn a_reset_tells_whether_there_was_an_outage() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(8));
        assert!(!backoff.reset());
        assert!(backoff.next() <= Duration::from_secs(1));
        assert!(backoff.next() >= Duration::from_secs(1));
        assert!(backoff.reset());
        assert!(backoff.next() <= Duration::from_secs(1));
    }
}
