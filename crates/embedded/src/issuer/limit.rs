//! Rate limits in memory that does not grow: every key falls into one of a fixed number of buckets, by a hash that
//! nobody outside can foresee.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    net::{IpAddr, Ipv6Addr},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use governor::{
    DefaultKeyedRateLimiter, Quota,
    clock::{Clock, DefaultClock},
};

use super::{Limit, Limits};

/// A bucket's number: 65,536 of them, at most a few megabytes.
type Bucket = u16;

/// Buckets that are full again are dropped once in so many checks.
const SWEEP_EVERY: u32 = 4096;

/// The limits of one kind of request.
pub(super) struct Limiter {
    buckets: DefaultKeyedRateLimiter<Bucket>,
    seed: RandomState,
    checks: AtomicU32,
}

/// Says that a limit is reached, and when to come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limited {
    /// Whole seconds, at least one.
    pub(super) retry_after: u64,
}

impl Limiter {
    fn new(limit: Limit) -> Self {
        let quota = Quota::with_period(limit.period)
            .unwrap_or_else(|| Quota::per_second(limit.burst))
            .allow_burst(limit.burst);
        Self {
            buckets: DefaultKeyedRateLimiter::keyed(quota),
            seed: RandomState::new(),
            checks: AtomicU32::new(0),
        }
    }

    /// Counts a request of `key`.
    pub(super) fn check(&self, key: impl Hash) -> Result<(), Limited> {
        if self.checks.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.buckets.retain_recent();
            self.buckets.shrink_to_fit();
        }
        let [low, high, ..] = self.seed.hash_one(key).to_le_bytes();
        self.buckets.check_key(&Bucket::from_le_bytes([low, high])).map_err(|not_until| {
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            Limited { retry_after: whole_seconds(wait) }
        })
    }
}

fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// All limits of an issuer.
pub(super) struct Limiters {
    pub(super) requests_by_address: Limiter,
    pub(super) credentials_by_address: Limiter,
    pub(super) credentials_by_account: Limiter,
    pub(super) recoveries_by_address: Limiter,
    pub(super) recoveries_by_account: Limiter,
}

impl Limiters {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            requests_by_address: Limiter::new(limits.requests_by_address),
            credentials_by_address: Limiter::new(limits.credentials_by_address),
            credentials_by_account: Limiter::new(limits.credentials_by_account),
            recoveries_by_address: Limiter::new(limits.recoveries_by_address),
            recoveries_by_account: Limiter::new(limits.recoveries_by_account),
        }
    }
}

/// Returns what an address is limited by: one customer has a whole IPv6 network of 64 bits.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_burst_is_allowed_and_then_one_more_a_period() {
        let limiter = Limiter::new(Limit::new(3, Duration::from_secs(90)));
        for _ in 0..3 {
            assert_eq!(limiter.check("anna"), Ok(()));
        }
        let refusal = limiter.check("anna").unwrap_err();
        assert!((80..=90).contains(&refusal.retry_after), "{refusal:?}");
    }

    #[test]
    fn time_brings_requests_back() {
        let limiter = Limiter::new(Limit::new(1, Duration::from_millis(30)));
        limiter.check(1).unwrap();
        let started = Instant::now();
        while limiter.check(1).is_err() {
            assert!(started.elapsed() < Duration::from_secs(10), "never allowed again");
            std::thread::yield_now();
        }
        assert!(started.elapsed() > Duration::from_millis(10));
    }

    #[test]
    fn memory_stays_bounded_whoever_calls() {
        let limiter = Limiter::new(Limit::new(2, Duration::from_hours(1)));
        for key in 0..400_000_u32 {
            // The answer may be either: buckets are shared.
            let _ = limiter.check(key);
        }
        assert!(limiter.buckets.len() <= usize::from(Bucket::MAX) + 1);
    }

    proptest! {
        #[test]
        fn an_ipv6_customer_is_one_however_many_addresses(network_bits in any::<u64>(), one in any::<u64>(), other in any::<u64>()) {
            let address = |host: u64| IpAddr::V6(Ipv6Addr::from_bits(u128::from(network_bits) << 64 | u128::from(host)));
            prop_assume!(network_bits != 0);
            prop_assert_eq!(network(address(one)), network(address(other)));
        }

        #[test]
        fn ipv4_counts_whole_also_where_mapped(bits in any::<u32>()) {
            let v4 = std::net::Ipv4Addr::from_bits(bits);
            prop_assert_eq!(network(IpAddr::V4(v4)), IpAddr::V4(v4));
            prop_assert_eq!(network(IpAddr::V6(v4.to_ipv6_mapped())), IpAddr::V4(v4));
        }
    }
}
