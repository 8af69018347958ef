//! Where a PostgreSQL server is and how its link is protected: a checked URL, and TLS that is verified off loopback. It
//! sends no statement, so that those who judge a database and those who use it can both stand on it.

mod tls;
mod url;

use std::time::Duration;

use novelfoundry_core::Secret;
use tokio_postgres::{Config, config};

pub use tls::{Cause, connector};
pub use url::{DatabaseUrl, SslMode, UrlError};

/// How long reaching one address may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Writes a URL as the driver's configuration; `application` shows in `pg_stat_activity`.
pub fn config(url: &DatabaseUrl, application: &str) -> Config {
    let mut config = Config::new();
    config
        .user(&url.user)
        .host(&url.host)
        .port(url.port)
        .dbname(&url.database)
        .application_name(application)
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_user_timeout(Duration::from_secs(30))
        .keepalives_idle(Duration::from_mins(1))
        .ssl_mode(match url.ssl_mode {
            SslMode::Disable => config::SslMode::Disable,
            SslMode::Require | SslMode::VerifyFull => config::SslMode::Require,
        });
    if let Some(password) = url.password.as_ref().map(Secret::expose) {
        config.password(password);
    }
    config
}
