//! Sends the few short messages the service has to write: links that let a person in. By SMTP where a server is
//! configured, else into a directory, so that nothing needs a mail server to be tried out.
//!
//! Whoever asks for a message may be a stranger, and must not learn from the answer or its time whether one was sent.
//! So [`Mailer::post`] takes the making of a message along into the background.

mod error;
mod message;
mod outbox;
mod smtp;

use std::{path::PathBuf, sync::Arc, time::Duration};

use novelfoundry_core::{Clock, report};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use error::MailError;
pub use message::{Message, Sender, is_address};
pub use smtp::{Encryption, SmtpOptions};

use outbox::Outbox;
use smtp::Smtp;

/// How many posted messages may be under way or waiting.
const PLACES: usize = 256;
/// How many are spoken to the server at a time.
const CONNECTIONS: usize = 4;

/// What a mailer is set up with.
#[derive(Clone)]
pub struct MailOptions {
    /// Whom messages come from.
    pub from: Sender,
    /// The server, or none for the outbox.
    pub smtp: Option<SmtpOptions>,
    /// The directory of what no server takes; made with mode 0700.
    pub outbox: PathBuf,
    /// How long the server may take for one message, from the connection on.
    pub deadline: Duration,
    /// After which times a posted message is tried again where the failure may pass.
    pub retries: Vec<Duration>,
    /// The source of time.
    pub clock: Arc<dyn Clock>,
}

impl MailOptions {
    /// Sets everything to what suits most: half a minute a message, tried again after 10 seconds and after a minute.
    pub fn new(from: Sender, outbox: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        Self {
            from,
            smtp: None,
            outbox: outbox.into(),
            deadline: Duration::from_secs(30),
            retries: vec![Duration::from_secs(10), Duration::from_mins(1)],
            clock,
        }
    }
}

/// Where a message went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The server has taken it.
    Accepted,
    /// It lies in this file, since there is no server.
    Kept(PathBuf),
}

/// Sends messages; clones share everything.
#[derive(Clone)]
pub struct Mailer(Arc<Inner>);

struct Inner {
    from: Sender,
    smtp: Option<Smtp>,
    outbox: Outbox,
    retries: Vec<Duration>,
    clock: Arc<dyn Clock>,
    places: Arc<Semaphore>,
    connections: Semaphore,
    posted: TaskTracker,
    closing: CancellationToken,
}

impl Mailer {
    /// Sets up a mailer; the server is first spoken to with the first message.
    pub fn open(options: MailOptions) -> Result<Self, MailError> {
        let MailOptions { from, smtp, outbox, deadline, retries, clock } = options;
        let smtp = smtp.map(|options| Smtp::new(options, deadline)).transpose()?;
        Ok(Self(Arc::new(Inner {
            from,
            smtp,
            outbox: Outbox::new(outbox),
            retries,
            clock,
            places: Arc::new(Semaphore::new(PLACES)),
            connections: Semaphore::new(CONNECTIONS),
            posted: TaskTracker::new(),
            closing: CancellationToken::new(),
        })))
    }

    /// Makes the outbox and what leads to it, closes it to others where it is there, and sees that it can be written
    /// to. Without this the outbox is made with the first message, in a directory that must be there.
    pub fn make_outbox(&self) -> Result<(), MailError> {
        self.0.outbox.make()
    }

    /// Connects to the server and logs in, and sends nothing; false where no server is set.
    pub async fn check(&self) -> Result<bool, MailError> {
        match &self.0.smtp {
            Some(smtp) => smtp.check().await.map(|()| true),
            None => Ok(false),
        }
    }

    /// Sends a message and waits until the server or the disk has it.
    pub async fn send(&self, message: &Message) -> Result<Sent, MailError> {
        let letter = message.compose(&self.0.from, self.0.clock.now())?;
        self.dispatch(&letter).await
    }

    async fn dispatch(&self, letter: &lettre::Message) -> Result<Sent, MailError> {
        let Inner { smtp, outbox, clock, connections, .. } = &*self.0;
        if let Some(smtp) = smtp {
            // Never closed.
            let _connection = connections.acquire().await;
            smtp.send(letter).await?;
            tracing::info!("mail sent");
            return Ok(Sent::Accepted);
        }
        let path = outbox.keep(letter, clock.now()).await?;
        tracing::info!(file = %path.display(), "mail kept in the outbox, since no mail server is configured");
        Ok(Sent::Kept(path))
    }

    /// Makes a message and sends it, both in the background. What no server takes is kept in the outbox, and the log
    /// says so. The only failure is [`MailError::Busy`], which does not depend on the message.
    pub fn post(
        &self,
        message: impl Future<Output = Option<Message>> + Send + 'static,
    ) -> Result<(), MailError> {
        let place = Arc::clone(&self.0.places).try_acquire_owned().map_err(|_| MailError::Busy)?;
        let mailer = self.clone();
        self.0.posted.spawn(async move {
            let _place = place;
            if let Some(message) = message.await {
                mailer.deliver(&message).await;
            }
        });
        Ok(())
    }

    /// Waits for what was posted; what the server has not taken after `patience` goes to the outbox.
    pub async fn close(&self, patience: Duration) {
        let Inner { posted, closing, .. } = &*self.0;
        posted.close();
        if tokio::time::timeout(patience, posted.wait()).await.is_err() {
            closing.cancel();
            posted.wait().await;
        }
    }

    async fn deliver(&self, message: &Message) {
        let Inner { from, outbox, clock, closing, .. } = &*self.0;
        // Once: a server that took it without saying so in time is sent the same message again, which its identifier
        // tells whoever gets both.
        let letter = match message.compose(from, clock.now()) {
            Ok(letter) => letter,
            Err(error) => return lost(&error),
        };
        let failed = closing.run_until_cancelled(self.attempts(&letter)).await.unwrap_or_else(|| {
            tracing::warn!("mail was not sent before the program's end");
            true
        });
        if !failed {
            return;
        }
        match outbox.keep(&letter, clock.now()).await {
            Ok(path) => tracing::warn!(file = %path.display(), "the mail is kept in the outbox instead"),
            Err(error) => lost(&error),
        }
    }

    /// Tries until the message is sent or the failure is for good; true where a server would not have it.
    async fn attempts(&self, letter: &lettre::Message) -> bool {
        let mut waits = self.0.retries.iter();
        loop {
            let Err(error) = self.dispatch(letter).await else { return false };
            if !error.is_servers() {
                lost(&error);
                return false;
            }
            tracing::warn!(error = report(&error), "the mail server did not take a message");
            match waits.next() {
                Some(wait) if error.may_pass() => tokio::time::sleep(*wait).await,
                _ => return true,
            }
        }
    }
}

fn lost(error: &MailError) {
    tracing::error!(error = report(error), "a mail is lost");
}
