//! What can go wrong with a message. No text of the server's is repeated: it may name the recipient.

use std::{error::Error, io, path::PathBuf, time::Duration};

/// Why a message was not sent, or a mailer not set up.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// A setting has a value that is not accepted.
    #[error("the mail settings do not fit: {0}")]
    Option(&'static str),
    /// The message cannot be written down.
    #[error("the message cannot be sent: {0}")]
    Message(&'static str),
    /// The server was not reached, or left.
    #[error("the mail server cannot be reached")]
    Unreachable(#[source] Cause),
    /// The server does not encrypt, or not as somebody who may be trusted.
    #[error("the connection to the mail server cannot be encrypted")]
    Encryption(#[source] Cause),
    /// The server does not let this user in.
    #[error("the mail server refuses the login{}", code(*.0))]
    Login(Option<u16>),
    /// The server refuses the message for good.
    #[error("the mail server refuses the message with code {0}")]
    Refused(u16),
    /// The server may take the message later.
    #[error("the mail server puts the message off with code {0}")]
    Later(u16),
    /// The server lacks the extensions that an address needs (SMTPUTF8, 8BITMIME).
    #[error("the mail server takes no address with letters outside ASCII")]
    Incapable,
    /// The server took too long.
    #[error("the mail server took longer than {0:?}")]
    TimedOut(Duration),
    /// The message cannot be kept.
    #[error("cannot write into the outbox {path}", path = path.display())]
    Outbox {
        /// The directory.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The outbox holds so many messages that nobody seems to read them.
    #[error("the outbox {path} is full; remove what is not needed", path = .0.display())]
    Full(PathBuf),
    /// Too many messages are under way.
    #[error("too many messages are under way")]
    Busy,
}

/// The underlying error of any kind.
pub(crate) type Cause = Box<dyn Error + Send + Sync>;

fn code(code: Option<u16>) -> String {
    code.map_or_else(String::new, |code| format!(" with code {code}"))
}

impl MailError {
    /// Tells whether it is the server that did not take the message.
    pub(crate) fn is_servers(&self) -> bool {
        match self {
            Self::Unreachable(_)
            | Self::Encryption(_)
            | Self::Login(_)
            | Self::Refused(_)
            | Self::Later(_)
            | Self::Incapable
            | Self::TimedOut(_) => true,
            Self::Option(_) | Self::Message(_) | Self::Outbox { .. } | Self::Full(_) | Self::Busy => false,
        }
    }

    /// Tells whether the same message may be taken later.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Later(_) | Self::TimedOut(_))
    }
}
