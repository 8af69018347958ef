//! What an issuer is set up with.

use std::{fmt, net::IpAddr, num::NonZeroU32, path::PathBuf, sync::Arc, time::Duration};

use http::HeaderValue;
use novelfoundry_core::{Clock, IdSource, SystemClock};
use novelfoundry_mail::Mailer;

use super::IssuerError;

/// How long caches may keep the key set.
pub(super) const JWKS_MAX_AGE: Duration = Duration::from_mins(10);
/// How old the keys in memory may get, so that a rotation by another process is noticed.
pub(super) const KEYS_MAX_AGE: Duration = Duration::from_mins(1);

/// Who may sign up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignUp {
    /// Anybody.
    #[default]
    Open,
    /// Whoever holds an open invitation to a workspace.
    Invite,
    /// Nobody; the operator creates accounts. Invitations are for those who have one.
    Closed,
}

/// A rate: `burst` requests at once, then one more every `period`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How many at once.
    pub burst: NonZeroU32,
    /// How long until one more is allowed; not zero.
    pub period: Duration,
}

impl SignUp {
    /// Tells whether a person may sign up; `is_invited` says that they hold an invitation that is good.
    pub(super) const fn admits(self, is_invited: bool) -> bool {
        match self {
            Self::Open => true,
            Self::Invite => is_invited,
            Self::Closed => false,
        }
    }
}

impl Limit {
    /// Allows `burst` requests at once, at least one, then one more every `period`.
    pub const fn new(burst: u32, period: Duration) -> Self {
        Self { burst: NonZeroU32::MIN.saturating_add(burst.saturating_sub(1)), period }
    }
}

/// How many requests are answered. An address is an IPv4 address or an IPv6 network of 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests of any kind of one address. Wide, because a client whose refresh is refused may sign its user out.
    pub requests_by_address: Limit,
    /// Sign-ups and sign-ins of one address.
    pub credentials_by_address: Limit,
    /// Sign-ups and sign-ins with one e-mail address, from anywhere.
    pub credentials_by_account: Limit,
    /// Requests for a link by one address.
    pub recoveries_by_address: Limit,
    /// Requests for a link to one e-mail address, from anywhere.
    pub recoveries_by_account: Limit,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_by_address: Limit::new(600, Duration::from_millis(100)),
            credentials_by_address: Limit::new(30, Duration::from_secs(2)),
            credentials_by_account: Limit::new(10, Duration::from_secs(6)),
            recoveries_by_address: Limit::new(10, Duration::from_mins(1)),
            recoveries_by_account: Limit::new(3, Duration::from_mins(5)),
        }
    }
}

/// What an issuer is set up with.
#[derive(Clone)]
pub struct IssuerOptions {
    /// The `iss` of its tokens: the public URL that ends in `/auth/v1`.
    pub issuer_url: String,
    /// The `aud` of its tokens.
    pub audience: String,
    /// The directory of the private keys; made with mode 0700 where it is missing. One issuer, one directory.
    pub keys_dir: PathBuf,
    /// Who may sign up.
    pub sign_up: SignUp,
    /// How long an access token is good; whole seconds.
    pub token_lifetime: Duration,
    /// How long after signing in a session ends for good; `None` for never.
    pub session_lifetime: Option<Duration>,
    /// How long a used refresh token still leads to the one that replaced it, for two tabs and lost answers. Later, its
    /// use is taken for theft and ends the session.
    pub reuse_grace: Duration,
    /// How long a new key is published before it signs: at least what caches of the key set keep, and a minute.
    pub key_overlap: Duration,
    /// What sends links; without it nobody is sent one.
    pub mailer: Option<Mailer>,
    /// The origins of pages that may call the issuer and be returned to, such as `https://app.example.com`.
    pub allowed_origins: Vec<HeaderValue>,
    /// The reverse proxies whose `X-Forwarded-For` is believed. Each must add the address it is called from at the end.
    pub trusted_proxies: Vec<IpAddr>,
    /// How many requests are answered.
    pub limits: Limits,
    /// How long a request may take, its body and its wait for a hash included.
    pub deadline: Duration,
    /// The source of time.
    pub clock: Arc<dyn Clock>,
    /// The source of ids.
    pub ids: IdSource,
}

impl IssuerOptions {
    /// Sets everything to what suits most: sign-up open, tokens of an hour, sessions without end.
    pub fn new(issuer_url: impl Into<String>, keys_dir: impl Into<PathBuf>) -> Self {
        Self {
            issuer_url: issuer_url.into(),
            audience: "authenticated".to_owned(),
            keys_dir: keys_dir.into(),
            sign_up: SignUp::Open,
            token_lifetime: Duration::from_hours(1),
            session_lifetime: None,
            reuse_grace: Duration::from_secs(10),
            key_overlap: Duration::from_mins(15),
            mailer: None,
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            limits: Limits::default(),
            deadline: Duration::from_secs(15),
            clock: Arc::new(SystemClock),
            ids: IdSource::default(),
        }
    }

    /// How long a key that no longer signs must verify: another process may sign with it until it notices.
    pub(super) fn verifiable(&self) -> Duration {
        self.token_lifetime + KEYS_MAX_AGE * 2
    }

    pub(super) fn check(&self) -> Result<(), IssuerError> {
        let day = Duration::from_hours(24);
        let limits = [
            self.limits.requests_by_address,
            self.limits.credentials_by_address,
            self.limits.credentials_by_account,
            self.limits.recoveries_by_address,
            self.limits.recoveries_by_account,
        ];
        let wrong = if self.issuer_url.is_empty() || self.audience.is_empty() {
            "issuer URL and audience are not empty"
        } else if !(Duration::from_mins(1)..=day).contains(&self.token_lifetime) {
            "the lifetime of a token is between a minute and a day"
        } else if self.session_lifetime.is_some_and(|lifetime| lifetime < self.token_lifetime) {
            "a session lives no shorter than a token"
        } else if self.reuse_grace > Duration::from_mins(1) {
            "the grace of a used refresh token is at most a minute"
        } else if !(JWKS_MAX_AGE + KEYS_MAX_AGE..=day * 30).contains(&self.key_overlap) {
            "the overlap of signing keys is between 11 minutes and 30 days"
        } else if limits.iter().any(|limit| limit.period.is_zero()) {
            "the period of a rate limit is not zero"
        } else {
            return Ok(());
        };
        Err(IssuerError::Option(wrong))
    }
}

impl fmt::Debug for IssuerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuerOptions")
            .field("issuer_url", &self.issuer_url)
            .field("keys_dir", &self.keys_dir)
            .field("sign_up", &self.sign_up)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_invitation_opens_what_is_not_open_and_nothing_what_is_closed() {
        let admitted = |mode: SignUp| [mode.admits(false), mode.admits(true)];
        assert_eq!(admitted(SignUp::Open), [true, true]);
        assert_eq!(admitted(SignUp::Invite), [false, true]);
        assert_eq!(admitted(SignUp::Closed), [false, false]);
    }
}
