//! The URLs among the settings. A database URL carries a password, so it is never shown or quoted whole; the others are
//! refused when they carry one.

use novelfoundry_database::{DatabaseUrl, UrlError};
use url::Url;

use super::setting::{Shape, Value};

/// An `http` or `https` URL, kept as it was written because issuers are compared byte by byte.
#[derive(Clone)]
pub(crate) struct HttpUrl(String);

impl HttpUrl {
    /// Returns the URL as it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for HttpUrl {
    const EXAMPLE: &'static str = "https://id.example.com/auth/v1";

    fn accepts() -> String {
        "an http:// or https:// URL without user, password and fragment".to_owned()
    }

    fn parse(text: &str) -> Result<Self, String> {
        http_url(text).map(|_| Self(text.to_owned()))
    }

    fn show(text: &str) -> String {
        text.split_once('?').map_or_else(|| text.to_owned(), |(start, _)| format!("{start}?[redacted]"))
    }
}

/// An `http` or `https` URL that paths are appended to.
#[derive(Clone)]
pub(crate) struct BaseUrl(Url);

impl BaseUrl {
    /// Returns the URL without a slash at its end.
    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// Returns the URL; its path is `/` where it has none.
    pub(crate) fn url(&self) -> &Url {
        &self.0
    }
}

impl Value for BaseUrl {
    const EXAMPLE: &'static str = "https://api.example.com";

    fn accepts() -> String {
        "an http:// or https:// URL, with a path if need be, but without user, password, query and fragment"
            .to_owned()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let url = http_url(text)?;
        if url.query().is_some() { Err("has a query".to_owned()) } else { Ok(Self(url)) }
    }
}

fn http_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "is not a URL".to_owned())?;
    let problem = if !["http", "https"].contains(&url.scheme()) || !text.contains("://") {
        "does not begin with http:// or https://"
    } else if !url.username().is_empty() || url.password().is_some() {
        "contains a user or a password"
    } else if url.fragment().is_some() {
        "has a fragment, `#`"
    } else {
        return Ok(url);
    };
    Err(problem.to_owned())
}

/// Web origins, written as browsers send them.
#[derive(Clone)]
pub(crate) struct Origins(pub(crate) Vec<String>);

impl Value for Origins {
    const SHAPE: Shape = Shape::List;
    const EXAMPLE: &'static str = "https://app.example.com,https://admin.example.com";

    fn accepts() -> String {
        "origins such as https://app.example.com, each without a path; outside the file, separated by commas"
            .to_owned()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let origins = text.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        origins.map(origin).collect::<Result<_, _>>().map(Self)
    }
}

fn origin(text: &str) -> Result<String, String> {
    if text == "*" {
        return Err("would let every site use a writer's session".to_owned());
    }
    let sent = origin_of(text).ok_or("contains what is not an origin")?;
    if sent == text { Ok(sent) } else { Err(format!("is not written as browsers send it, `{sent}`")) }
}

/// Returns the origin of a URL as browsers send it.
pub(super) fn origin_of(text: &str) -> Option<String> {
    Some(http_url(text).ok()?.origin().ascii_serialization())
}

/// Tells whether only this machine can reach the URL.
pub(crate) fn is_loopback(text: &str) -> bool {
    http_url(text).is_ok_and(|url| match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    })
}

impl Value for DatabaseUrl {
    const DISCREET: bool = true;
    const EXAMPLE: &'static str = "postgres://login:password@localhost:5432/novelfoundry";

    fn accepts() -> String {
        "a postgres:// or postgresql:// URL with special characters of its password percent-encoded"
            .to_owned()
    }

    fn parse(text: &str) -> Result<Self, String> {
        // What is left of a password that was not encoded would be read, and shown, as a host, a path or an option.
        let tail = text.split_once("://").and_then(|(_, rest)| rest.split_once(['/', '?']));
        if text.contains('#') || tail.is_some_and(|(_, tail)| tail.contains('@')) {
            return Err(
                "has `#`, or `@` after `/` or `?`; these are written %23, %40, %2F and %3F".to_owned()
            );
        }
        Self::parse(text).map_err(|error| match error {
            UrlError::UnknownOption(_) => {
                "has an option that is not understood; `&` is written %26".to_owned()
            }
            error => error.to_string(),
        })
    }

    fn show(text: &str) -> String {
        Self::parse(text).map_or_else(|_| "[redacted]".to_owned(), |url| url.redacted())
    }
}
