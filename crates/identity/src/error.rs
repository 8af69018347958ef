//! Why a token is refused: enough for a log line, never for its sender, who gets one answer for all of them.

use novelfoundry_core::ProblemCode;

/// Says why a token was not accepted; what the token says is never repeated, since it may be hostile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The token is not a signed JWT of the expected form and size.
    #[error("the token is not a well-formed signed JWT: {0}")]
    Malformed(&'static str),
    /// The header's algorithm is not the one of the key it names.
    #[error("the token's algorithm is not the one of its key")]
    WrongAlgorithm,
    /// The issuer publishes no key of that name.
    #[error("the token is signed by a key that the issuer does not publish")]
    UnknownKey,
    /// The signature does not fit the key.
    #[error("the token's signature is wrong")]
    WrongSignature,
    /// The token has run out.
    #[error("the token has expired")]
    Expired,
    /// The token is not valid yet, or says it was issued in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// The token comes from another issuer.
    #[error("the token is of another issuer")]
    WrongIssuer,
    /// The token is meant for someone else.
    #[error("the token is for another audience")]
    WrongAudience,
    /// A claim is missing or has a value that is not accepted.
    #[error("the claim {0} is missing or not acceptable")]
    Claim(&'static str),
    /// The token belongs to an API key or to an anonymous visitor, not to a signed-in person.
    #[error("the token is not a signed-in person's")]
    NotAPerson,
    /// The issuer's keys cannot be fetched, and the token's is not among those already known.
    #[error("the issuer's signing keys cannot be fetched")]
    KeysUnavailable,
}

impl VerifyError {
    /// Returns the problem to answer with: 503 when the keys cannot be had, 401 for the rest.
    pub const fn problem(self) -> ProblemCode {
        match self {
            Self::KeysUnavailable => ProblemCode::IssuerUnavailable,
            _ => ProblemCode::InvalidToken,
        }
    }
}

/// Says why a verifier cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Without an issuer or audience anyone's token would do.
    #[error("the issuer and the audience must not be empty")]
    Empty,
    /// Keys fetched in clear text could be anyone's.
    #[error("the key set's address must be https, or http on a loopback address")]
    InsecureUrl,
    /// A leeway makes up for clocks that differ, not for tokens that ran out.
    #[error("the leeway must be at most 60 seconds")]
    Leeway,
    /// The HTTP client cannot be built.
    #[error("the HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
}
