//! Reads a PostgreSQL URL with every option checked: the driver refuses `sslmode=verify-full` and would let a
//! misspelt option through to the server.

use std::{net::IpAddr, path::PathBuf};

use novelfoundry_core::Secret;
use url::Url;

/// How the connection to the server is protected, as libpq names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    /// In the clear: only over a Unix socket, loopback or a private link.
    Disable,
    /// Encrypted; the server's certificate is not looked at.
    Require,
    /// Encrypted; certificate and host name are verified.
    VerifyFull,
}

/// A checked `postgresql://` URL.
#[derive(Clone)]
pub struct DatabaseUrl {
    /// The login.
    pub user: String,
    /// Its password.
    pub password: Option<Secret>,
    /// A host name, an address, or the directory of a Unix socket.
    pub host: String,
    /// The TCP port, also part of a Unix socket's name.
    pub port: u16,
    /// The database.
    pub database: String,
    /// How the link is protected.
    pub ssl_mode: SslMode,
    /// A PEM file of trusted roots, in place of the system's.
    pub ssl_root_cert: Option<PathBuf>,
}

/// Why a text is not a usable database URL; the text is not repeated, since it holds a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is no URL of PostgreSQL.
    #[error("is not a URL like postgresql://login:password@host:5432/database")]
    Malformed,
    /// It names no login.
    #[error("names no login (postgresql://login:password@host/database)")]
    NoUser,
    /// It names no host.
    #[error("names no host (postgresql://login@host/database, or ?host=/directory/of/the/socket)")]
    NoHost,
    /// It has an option that is not understood.
    #[error(
        "has the option {0:?}, which is not understood; host, port, user, password, dbname, sslmode, sslrootcert, application_name and connect_timeout are"
    )]
    UnknownOption(String),
    /// It has an option with a value that is not accepted.
    #[error("has a value for {0} that is not accepted; {1}")]
    BadOption(&'static str, &'static str),
}

impl DatabaseUrl {
    /// Reads a URL.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let url = Url::parse(&with_host(text)).map_err(|_| UrlError::Malformed)?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(UrlError::Malformed);
        }
        let decode = |part: &str| {
            url::form_urlencoded::parse(
                format!("x={}", part.replace('+', "%2B").replace('&', "%26")).as_bytes(),
            )
            .next()
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
        };
        let mut user = decode(url.username());
        let mut password = url.password().map(decode);
        let mut host = url.host_str().map(|host| decode(host.trim_matches(['[', ']']))).unwrap_or_default();
        if host == NO_HOST {
            host.clear();
        }
        let mut port = url.port();
        let mut database = decode(url.path().trim_start_matches('/'));
        let mut ssl_mode = None;
        let mut ssl_root_cert = None;
        let options = url.query().unwrap_or_default().split('&').filter(|option| !option.is_empty());
        for option in options {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let (name, value) = (decode(name), decode(value));
            match name.as_str() {
                "host" => host = value,
                "port" => {
                    let number =
                        value.parse().map_err(|_| UrlError::BadOption("port", "a number up to 65535 is"))?;
                    port = Some(number);
                }
                "user" => user = value,
                "password" => password = Some(value),
                "dbname" => database = value,
                "sslmode" => ssl_mode = Some(ssl_mode_of(&value)?),
                "sslrootcert" if value == "system" => {}
                "sslrootcert" => ssl_root_cert = Some(PathBuf::from(value)),
                "application_name" | "connect_timeout" => {}
                other => return Err(UrlError::UnknownOption(other.chars().take(40).collect())),
            }
        }
        if user.is_empty() {
            return Err(UrlError::NoUser);
        }
        if host.is_empty() {
            return Err(UrlError::NoHost);
        }
        if database.is_empty() {
            database.clone_from(&user);
        }
        let local = is_local(&host);
        Ok(Self {
            user,
            password: password.map(Secret::new),
            host,
            port: port.unwrap_or(5432),
            database,
            ssl_mode: ssl_mode.unwrap_or(if local { SslMode::Disable } else { SslMode::VerifyFull }),
            ssl_root_cert,
        })
    }

    /// Tells whether the host is a directory of Unix sockets.
    pub fn is_socket(&self) -> bool {
        self.host.starts_with('/')
    }

    /// Returns the URL of the same database for another role.
    #[must_use]
    pub fn with_login(&self, role: &str, password: Secret) -> Self {
        Self { user: self.login(role), password: Some(password), ..self.clone() }
    }

    /// Writes a role as this host wants it: Supabase's pooler tells projects apart by `role.project`.
    pub fn login(&self, role: &str) -> String {
        match self.user.split_once('.') {
            Some((_, project)) if self.host.ends_with(".pooler.supabase.com") => format!("{role}.{project}"),
            _ => role.to_owned(),
        }
    }

    /// Writes the URL with its password, for a file or a person entitled to it.
    pub fn expose(&self) -> String {
        self.write(self.password.as_ref().map(Secret::expose))
    }

    /// Writes the URL without its password.
    pub fn redacted(&self) -> String {
        self.write(self.password.as_ref().map(|_| "[redacted]"))
    }

    fn write(&self, password: Option<&str>) -> String {
        let encode = |part: &str| {
            url::form_urlencoded::byte_serialize(part.as_bytes()).collect::<String>().replace('+', "%20")
        };
        let password = password.map(|secret| match secret {
            "[redacted]" => ":[redacted]".to_owned(),
            secret => format!(":{}", encode(secret)),
        });
        let login = format!("{}{}", encode(&self.user), password.unwrap_or_default());
        let database = encode(&self.database);
        let mut text = if self.is_socket() {
            format!(
                "postgresql://{login}@/{database}?host={}&port={}",
                encode(&self.host).replace("%2F", "/"),
                self.port
            )
        } else {
            let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
            let mode = match self.ssl_mode {
                SslMode::Disable => "disable",
                SslMode::Require => "require",
                SslMode::VerifyFull => "verify-full",
            };
            format!("postgresql://{login}@{host}:{}/{database}?sslmode={mode}", self.port)
        };
        if let Some(path) = &self.ssl_root_cert {
            text.push_str("&sslrootcert=");
            text.push_str(&encode(&path.to_string_lossy()).replace("%2F", "/"));
        }
        text
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.redacted())
    }
}

/// Stands where the URL has a login but no host, which only PostgreSQL's URLs may.
const NO_HOST: &str = "socket.invalid";

fn with_host(text: &str) -> String {
    let start = text.find("://").map_or(text.len(), |scheme| scheme + 3);
    let end = start + text[start..].find(['/', '?', '#']).unwrap_or(text.len() - start);
    match &text[start..end] {
        authority if authority.is_empty() || authority.ends_with('@') => {
            format!("{}{NO_HOST}{}", &text[..end], &text[end..])
        }
        _ => text.to_owned(),
    }
}

fn is_local(host: &str) -> bool {
    host.starts_with('/') || host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn ssl_mode_of(value: &str) -> Result<SslMode, UrlError> {
    match value {
        "disable" => Ok(SslMode::Disable),
        "require" => Ok(SslMode::Require),
        "verify-full" => Ok(SslMode::VerifyFull),
        _ => Err(UrlError::BadOption(
            "sslmode",
            "disable, require and verify-full are (allow and prefer could fall back to clear text; verify-ca skips the host name)",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_url_needs_no_authority() {
        let url = DatabaseUrl::parse("postgresql://nf:p%40ss%2Fw+d&e@/db?host=/tmp/a+b&port=6000").unwrap();
        assert_eq!((url.user.as_str(), url.host.as_str(), url.port), ("nf", "/tmp/a+b", 6000));
        assert_eq!(url.password.as_ref().map(Secret::expose), Some("p@ss/w+d&e"));
        assert_eq!(url.ssl_mode, SslMode::Disable);
        let again = DatabaseUrl::parse(&url.expose()).unwrap();
        assert_eq!(again.expose(), url.expose());
        assert!(!format!("{url:?}").contains("p%40ss"));
    }

    #[test]
    fn tls_is_verified_unless_the_host_is_local_or_the_url_says_otherwise() {
        let mode = |text| DatabaseUrl::parse(text).unwrap().ssl_mode;
        assert_eq!(mode("postgres://u@db.example.com/d"), SslMode::VerifyFull);
        assert_eq!(mode("postgres://u@127.0.0.1/d"), SslMode::Disable);
        assert_eq!(mode("postgres://u@[::1]:5433/d"), SslMode::Disable);
        assert_eq!(mode("postgres://u@db.example.com/d?sslmode=require"), SslMode::Require);
    }

    #[test]
    fn unknown_options_and_weak_modes_are_refused() {
        for bad in [
            "mysql://u@h/d",
            "postgres://h/d",
            "postgres://u@h/d?sslmod=require",
            "postgres://u@h/d?sslmode=prefer",
            "",
            "postgres://u@h/d?port=99999",
        ] {
            assert!(DatabaseUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
