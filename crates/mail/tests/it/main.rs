//! The mailer against a mail server of the tests' own, spoken to over a loopback socket, and the outbox.

// Tells clippy, too, that all of this is a test.
#![cfg(test)]

mod outbox;
mod peer;
mod smtp;
mod tls;

use std::{path::Path, sync::Arc, time::Duration};

use jiff::Timestamp;
use novelfoundry_core::ManualClock;
use novelfoundry_mail::{Encryption, MailOptions, Message, Sender, SmtpOptions};

fn message() -> Message {
    Message {
        to: "anna@example.com".to_owned(),
        subject: "Hello".to_owned(),
        body: "One\n.\n.two\nQUIT\n".to_owned(),
    }
}

fn options(outbox: &Path) -> MailOptions {
    let clock = ManualClock::new(Timestamp::from_second(1_790_000_000).unwrap());
    let from = Sender::parse("Novels <novels@example.com>").unwrap();
    let mut options = MailOptions::new(from, outbox, Arc::new(clock));
    options.retries = vec![Duration::from_millis(1); 2];
    options
}

fn smtp(port: u16, encryption: Encryption) -> SmtpOptions {
    SmtpOptions { host: "localhost".to_owned(), port, encryption, login: None, root_certificate: None }
}

/// Returns the messages in the outbox, the oldest first.
fn kept(outbox: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(outbox) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
}
