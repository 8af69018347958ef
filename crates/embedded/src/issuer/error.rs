//! What can go wrong with an issuer, apart from single requests.

use std::{io, path::PathBuf};

use novelfoundry_database::DbError;

/// Why an issuer could not be opened, or its keys not be rotated.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// An option has a value that is not accepted; the text says which ones are.
    #[error("the issuer's options do not fit: {0}")]
    Option(&'static str),
    /// A private key could not be kept.
    #[error("the issuer's private keys cannot be used")]
    Keys(#[from] KeyFileError),
    /// The database did not answer, or not as expected.
    #[error("the issuer's database cannot be used")]
    Database(#[from] DbError),
    /// Another process changed the keys again and again meanwhile.
    #[error(
        "the signing keys keep changing; is another issuer using this database with another directory of keys?"
    )]
    Contended,
    /// Passwords cannot be hashed.
    #[error("passwords cannot be hashed")]
    Hashing,
}

/// Why a private key could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// A file or directory could not be used.
    #[error("cannot {action} {path}", path = path.display())]
    Io {
        /// What was tried, a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Others may read a private key.
    #[error("{path} is open to others (mode {mode:o}); run: chmod go= {path}", path = path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// No key could be made.
    #[error("cannot make a signing key")]
    Generate,
}

/// Why an account could not be created or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The address is not one.
    #[error("the e-mail address is not valid")]
    Email,
    /// The password is too short or too long.
    #[error("the password must have at least 8 characters and at most 1024 bytes")]
    Password,
    /// The metadata is too large or holds what the database cannot keep.
    #[error(
        "the metadata must be an object of at most 4096 bytes of JSON, numbers written out, without NUL characters"
    )]
    Metadata,
    /// The address has an account.
    #[error("an account with this e-mail address exists")]
    Exists,
    /// The address has no account.
    #[error("no account has this e-mail address")]
    Unknown,
    /// The account is shut.
    #[error("the account is disabled")]
    Disabled,
    /// Too many passwords are being hashed.
    #[error("too many accounts are being created or signed in to")]
    Busy,
    /// The password could not be hashed.
    #[error("the password could not be hashed")]
    Hashing,
    /// The database did not answer, or not as expected.
    #[error("the issuer's database cannot be used")]
    Database(#[from] DbError),
}
