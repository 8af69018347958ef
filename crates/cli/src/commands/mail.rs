//! Sets the mailer up: a server where one is configured, else the outbox of the data directory.

use std::{path::Path, sync::Arc};

use novelfoundry_core::{Clock, Secret};
use novelfoundry_mail::{Encryption, MailOptions, Mailer, Sender, SmtpOptions};

use super::failures;
use crate::{
    config::{Config, SmtpTls},
    output::Failure,
};

/// Whom mail comes from that goes into the outbox.
const NOBODY: &str = "NovelFoundry <novelfoundry@localhost>";

/// Makes the mailer of an installation.
pub(crate) fn mailer(config: &Config, data_dir: &Path, clock: &Arc<dyn Clock>) -> Result<Mailer, Failure> {
    let settings = &config.smtp;
    let smtp = settings.host.get().map(|host| server(config, host.as_str())).transpose()?;
    let from = match (settings.from.get(), &smtp) {
        (Some(from), _) => from.clone(),
        (None, Some(_)) => settings.from.need()?.clone(),
        (None, None) => Sender::parse(NOBODY).ok_or_else(|| {
            Failure::new("The outbox has no sender", "Give `smtp.from`, and report this as a defect.")
        })?,
    };
    let mut options = MailOptions::new(from, data_dir.join("outbox"), Arc::clone(clock));
    options.smtp = smtp;
    Mailer::open(options).map_err(|error| {
        Failure::new("Mail cannot be sent as it is set up", "Correct the `smtp` settings.").because(error)
    })
}

/// Makes the outbox before there is mail for it, so that none is lost where it cannot be made, and none is kept in a
/// directory of another user's making.
pub(crate) fn make_outbox(mailer: &Mailer) -> Result<(), Failure> {
    mailer.make_outbox().map_err(|error| {
        Failure::new(
            "Mail that no server takes cannot be kept",
            "Make `embedded.data_dir` a directory that this user can write to, or name another one there.",
        )
        .because(error)
    })
}

fn server(config: &Config, host: &str) -> Result<SmtpOptions, Failure> {
    let settings = &config.smtp;
    let login = match (settings.username.get(), password(config)?) {
        (Some(user), Some(password)) => Some((user.as_str().to_owned(), password)),
        (None, None) => None,
        _ => {
            return Err(Failure::new(
                "The mail server's user and password are given only together",
                "Give `smtp.username` and `smtp.password` or `smtp.password_file`, or neither.",
            ));
        }
    };
    let encryption = match settings.tls {
        SmtpTls::StartTls => Encryption::StartTls,
        SmtpTls::Implicit => Encryption::Implicit,
        SmtpTls::None => Encryption::None,
    };
    let port = u16::try_from(settings.port.get()).unwrap_or(u16::MAX);
    Ok(SmtpOptions { host: host.to_owned(), port, encryption, login, root_certificate: None })
}

fn password(config: &Config) -> Result<Option<Secret>, Failure> {
    let settings = &config.smtp;
    match (settings.password.get(), settings.password_file.get()) {
        (Some(_), Some(_)) => Err(Failure::new(
            "The mail server's password is given twice",
            "Leave out `smtp.password` or `smtp.password_file`.",
        )),
        (password, None) => Ok(password.cloned()),
        (None, Some(path)) => {
            let text = std::fs::read_to_string(path).map_err(|error| failures::file("read", path, error))?;
            Ok(Some(Secret::new(text.trim_end_matches(['\r', '\n']))))
        }
    }
}
