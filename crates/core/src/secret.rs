//! Secrets that do not print themselves.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A text that is kept out of logs: `Debug` shows `[redacted]` and there is no `Display`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the secret itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Makes a token of `bytes` random bytes as lower-case hexadecimal.
///
/// # Panics
/// Where the operating system gives no randomness.
pub fn random_token(bytes: usize) -> Secret {
    let mut random = vec![0_u8; bytes];
    #[expect(clippy::expect_used, reason = "without randomness no secret can be made")]
    getrandom::fill(&mut random).expect("the operating system gives random bytes");
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    Secret(random.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect())
}
