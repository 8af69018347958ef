//! Asks the mail server whether it would take a message.

use std::sync::Arc;

use novelfoundry_core::{Clock, SystemClock};

use super::Finding;
use crate::{commands::mail, config::Config, output::Failure};

const PART: &str = "mail";

/// Connects and logs in where a server is configured. Nothing is sent.
pub(super) async fn look(config: &Config) -> Finding {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mailer = match mail::mailer(config, &config.embedded.data_dir, &clock) {
        Ok(mailer) => mailer,
        Err(failure) => return Finding::failure(PART, &failure),
    };
    let server =
        config.smtp.host.get().map(|host| format!("{} on port {}", host.as_str(), config.smtp.port.get()));
    match (mailer.check().await, server) {
        (Ok(true), Some(server)) => Finding::ok(PART, format!("{server} lets us in")),
        (Ok(_), _) => Finding::warn(
            PART,
            "no mail server is configured; each mail is a file in the outbox",
            "Set `smtp.host` and `smtp.from`, or look into `outbox` and hand the links on.",
        ),
        (Err(error), server) => {
            let server = server.unwrap_or_default();
            let failure = Failure::new(
                format!("{server} takes no mail"),
                "Correct the `smtp` settings; until then each mail is a file in the outbox.",
            )
            .because(error);
            Finding::failure(PART, &failure)
        }
    }
}
