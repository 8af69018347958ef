//! The conversation with the mail server: one connection a message, ended by a deadline.

use std::{net::IpAddr, time::Duration};

use lettre::transport::smtp::{
    Error,
    authentication::{Credentials, Mechanism},
    client::{AsyncSmtpConnection, Certificate, TlsParameters},
    extension::ClientId,
};
use novelfoundry_core::Secret;

use crate::MailError;

/// How long the server may take to say goodbye to a message it has taken.
const GOODBYE: Duration = Duration::from_secs(1);

/// The cause where lettre's would repeat what the server said.
const GARBLED: &str = "it gave no answer that can be read";

/// How the connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// By STARTTLS; a server that does not offer it is told nothing.
    StartTls,
    /// From the first byte.
    Implicit,
    /// Not at all; to this machine only.
    None,
}

/// The server and how to get in.
#[derive(Clone, Debug)]
pub struct SmtpOptions {
    /// Its name, which its certificate must have, or its address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub encryption: Encryption,
    /// The user and the password, where the server wants them.
    pub login: Option<(String, Secret)>,
    /// A certificate in PEM that is trusted besides the system's.
    pub root_certificate: Option<Vec<u8>>,
}

pub(crate) struct Smtp {
    host: String,
    port: u16,
    encryption: Encryption,
    tls: Option<TlsParameters>,
    credentials: Option<Credentials>,
    deadline: Duration,
}

impl Smtp {
    /// Reads the system's certificates, once.
    pub(crate) fn new(options: SmtpOptions, deadline: Duration) -> Result<Self, MailError> {
        let SmtpOptions { host, port, encryption, login, root_certificate } = options;
        let tls = if encryption == Encryption::None {
            if !is_loopback(&host) {
                return Err(MailError::Option("mail goes unencrypted to this machine only"));
            }
            None
        } else {
            let mut builder = TlsParameters::builder(host.clone());
            if let Some(pem) = root_certificate {
                let certificate = Certificate::from_pem(&pem)
                    .map_err(|_| MailError::Option("the root certificate cannot be read"))?;
                builder = builder.add_root_certificate(certificate);
            }
            Some(builder.build().map_err(|error| MailError::Encryption(error.into()))?)
        };
        let credentials = login.map(|(user, password)| Credentials::new(user, password.expose().to_owned()));
        Ok(Self { host, port, encryption, tls, credentials, deadline })
    }

    pub(crate) async fn send(&self, letter: &lettre::Message) -> Result<(), MailError> {
        let conversation = tokio::time::timeout(self.deadline, self.converse(letter)).await;
        let mut connection = conversation.map_err(|_| MailError::TimedOut(self.deadline))??;
        // The message is the server's by now, whatever becomes of the connection.
        let _ = tokio::time::timeout(GOODBYE, connection.abort()).await;
        Ok(())
    }

    /// Connects and logs in, and sends nothing.
    pub(crate) async fn check(&self) -> Result<(), MailError> {
        let greeted = tokio::time::timeout(self.deadline, self.greet()).await;
        let mut connection = greeted.map_err(|_| MailError::TimedOut(self.deadline))??;
        let _ = tokio::time::timeout(GOODBYE, connection.abort()).await;
        Ok(())
    }

    async fn converse(&self, letter: &lettre::Message) -> Result<AsyncSmtpConnection, MailError> {
        let mut connection = self.greet().await?;
        connection.send(letter.envelope(), &letter.formatted()).await.map_err(failed)?;
        Ok(connection)
    }

    async fn greet(&self) -> Result<AsyncSmtpConnection, MailError> {
        let hello = ClientId::default();
        let implicit = self.tls.clone().filter(|_| self.encryption == Encryption::Implicit);
        let server = (self.host.as_str(), self.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, Some(self.deadline), &hello, implicit, None)
                .await
                .map_err(failed)?;
        if let Some(tls) = self.tls.clone().filter(|_| self.encryption == Encryption::StartTls) {
            connection.starttls(tls, &hello).await.map_err(|error| match error.status() {
                Some(code) => MailError::Encryption(format!("code {code}").into()),
                None if error.is_response() => MailError::Encryption(GARBLED.into()),
                None => MailError::Encryption(error.into()),
            })?;
        }
        if let Some(credentials) = &self.credentials {
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            connection.auth(&mechanisms, credentials).await.map_err(|error| match error.status() {
                // A client's error is a server that offers no way to log in.
                None if !error.is_client() => failed(error),
                status => MailError::Login(status.map(u16::from)),
            })?;
        }
        Ok(connection)
    }
}

/// Leaves out what the server said besides its code.
fn failed(error: Error) -> MailError {
    match error.status().map(u16::from) {
        Some(code) if error.is_transient() => MailError::Later(code),
        Some(code) => MailError::Refused(code),
        None if error.is_response() => MailError::Unreachable(GARBLED.into()),
        None if error.is_client() => MailError::Incapable,
        None if is_of_tls(&error) => MailError::Encryption(error.into()),
        None => MailError::Unreachable(error.into()),
    }
}

/// Looks for the complaint about a certificate, which comes as a failed connection.
fn is_of_tls(error: &Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        let kind = deeper.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        if kind == Some(std::io::ErrorKind::InvalidData) {
            return true;
        }
        cause = deeper.source();
    }
    error.is_tls()
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
