//! What the API asks an issuer that stands beside it.

use std::pin::Pin;

use novelfoundry_core::UserId;
use novelfoundry_database::DbError;
use novelfoundry_identity::VerifiedClaims;

/// An answer that is waited for.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, DbError>> + Send + 'a>>;

/// The accounts of the people who call, where this installation keeps them.
pub trait Accounts: Send + Sync {
    /// Erases a person's account: all sessions end, nothing of the credentials is left. Where there is none it does
    /// nothing.
    fn erase(&self, user: UserId) -> Answer<'_, ()>;

    /// Tells whether the session of a token lives and its account is open, now.
    fn is_signed_in<'a>(&'a self, claims: &'a VerifiedClaims) -> Answer<'a, bool>;
}
