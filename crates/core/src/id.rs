//! Typed ids. All are `UUIDv7` made by the application: sortable by creation within a process and never guessed by
//! a database sequence, which a sharded cluster could not share.

use std::{
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Clock, SystemClock};

/// Says that a text is not an id; the text itself is not repeated, since it may be hostile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a UUID in its canonical form of 36 characters")]
pub struct IdError;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID that is known to name such a thing.
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// Returns the UUID.
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0.hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                canonical(text).map(Self)
            }
        }
    )+};
}

ids! {
    /// Names a workspace, the unit of isolation.
    TenantId,
    /// Names a person; the `sub` of a token.
    UserId,
    /// Names one signed-in session of a person; the `session_id` of a token.
    SessionId,
    /// Names a project of a workspace.
    ProjectId,
    /// Names a manuscript of a project.
    ManuscriptId,
    /// Names one uploaded file of a manuscript.
    RevisionId,
    /// Names an analysis of a revision.
    AnalysisId,
    /// Names an invitation to a workspace.
    InvitationId,
    /// Names a job; an analysis's job has the analysis's id.
    JobId,
}

impl From<AnalysisId> for JobId {
    fn from(id: AnalysisId) -> Self {
        Self(id.0)
    }
}

/// Reads only the lower- or upper-case hyphenated form: one thing has one address.
fn canonical(text: &str) -> Result<Uuid, IdError> {
    if text.len() != 36 {
        return Err(IdError);
    }
    Uuid::try_parse(text).map_err(|_| IdError)
}

/// Makes `UUIDv7` ids that rise strictly within the process, also when the clock steps back.
#[derive(Clone)]
pub struct IdSource {
    clock: Arc<dyn Clock>,
    last: Arc<Mutex<Last>>,
}

struct Last {
    millis: u64,
    counter: u32,
}

/// 12 bits of `rand_a` and the top 14 of `rand_b` count within a millisecond; the other 48 bits stay random.
const COUNTER_BITS: u32 = 26;

impl IdSource {
    /// Makes a source that reads `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, last: Arc::new(Mutex::new(Last { millis: 0, counter: 0 })) }
    }

    /// Returns the next id.
    ///
    /// # Panics
    /// Where the operating system gives no randomness: no secret could be made there either.
    pub fn next(&self) -> Uuid {
        let mut random = [0_u8; 10];
        #[expect(clippy::expect_used, reason = "without randomness nothing here is safe to run")]
        getrandom::fill(&mut random).expect("the operating system gives random bytes");
        let now = u64::try_from(self.clock.now().as_millisecond()).unwrap_or(0);
        let (millis, counter) = {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            if now > last.millis {
                // A random start below a quarter of the range leaves room to count up.
                let start = u32::from_be_bytes([0, random[0], random[1], random[2]]);
                *last = Last { millis: now, counter: start };
            } else {
                last.counter += 1;
                if last.counter >> COUNTER_BITS != 0 {
                    *last = Last { millis: last.millis + 1, counter: 0 };
                }
            }
            (last.millis, last.counter)
        };
        let rand_a = u128::from(counter >> 14);
        let rand_b_high = u128::from(counter & 0x3fff);
        let tail = random[4..].iter().fold(0_u128, |n, byte| (n << 8) | u128::from(*byte));
        let bits = (u128::from(millis) & 0xffff_ffff_ffff) << 80
            | 0x7 << 76
            | rand_a << 64
            | 0b10 << 62
            | rand_b_high << 48
            | tail;
        Uuid::from_u128(bits)
    }
}

impl Default for IdSource {
    fn default() -> Self {
        Self::new(Arc::new(SystemClock))
    }
}

impl fmt::Debug for IdSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdSource")
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::ManualClock;

    proptest! {
        #[test]
        fn ids_rise_whatever_the_clock_does(steps in proptest::collection::vec(-5_000_i64..5_000, 1..200)) {
            let clock = ManualClock::new(Timestamp::from_second(1_790_000_000).unwrap());
            let ids = IdSource::new(Arc::new(clock.clone()));
            let mut last = ids.next();
            for step in steps {
                clock.advance(step);
                let next = ids.next();
                prop_assert!(next > last);
                prop_assert_eq!(next.get_version_num(), 7);
                prop_assert_eq!(next.get_variant(), uuid::Variant::RFC4122);
                last = next;
            }
        }
    }

    #[test]
    fn ids_rise_within_one_millisecond_past_the_counter_s_start() {
        let clock = ManualClock::new(Timestamp::from_second(1_790_000_000).unwrap());
        let ids = IdSource::new(Arc::new(clock));
        let made: Vec<_> = (0..100_000).map(|_| ids.next()).collect();
        assert!(made.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn only_the_canonical_form_is_an_id() {
        let id = "0190b3f8-1c2d-7a3b-8c4d-5e6f70819293";
        assert_eq!(id.parse::<TenantId>().unwrap().to_string(), id);
        for bad in ["", "0190b3f81c2d7a3b8c4d5e6f70819293", "{0190b3f8-1c2d-7a3b-8c4d-5e6f7081929}", "x"] {
            assert_eq!(bad.parse::<TenantId>(), Err(IdError), "{bad}");
        }
    }
}
