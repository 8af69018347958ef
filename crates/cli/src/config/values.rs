//! The types of settings other than URLs, each with its bounds, so that a bad value is refused before anything starts.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use novelfoundry_core::Secret;
use novelfoundry_database::{RoleNames, Statements};
use novelfoundry_mail::Sender;

use super::{
    file::nearest,
    setting::{Shape, Value},
};

impl Value for SocketAddr {
    const EXAMPLE: &'static str = "127.0.0.1:8787";

    fn accepts() -> String {
        "an IP address and a port, such as 127.0.0.1:8787 or [::1]:8787".to_owned()
    }

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "is not an IP address and a port".to_owned())
    }
}

/// An address to listen on, unless it is `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListenOrOff(pub(crate) Option<SocketAddr>);

impl Value for ListenOrOff {
    const EXAMPLE: &'static str = "127.0.0.1:9464";

    fn accepts() -> String {
        format!("`off`, or {}", SocketAddr::accepts())
    }

    fn parse(text: &str) -> Result<Self, String> {
        if text == "off" {
            Ok(Self(None))
        } else {
            <SocketAddr as Value>::parse(text).map(|it| Self(Some(it)))
        }
    }
}

/// Addresses of reverse proxies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proxies(pub(crate) Vec<IpAddr>);

impl Value for Proxies {
    const SHAPE: Shape = Shape::List;
    const EXAMPLE: &'static str = "127.0.0.1,10.0.0.7";

    fn accepts() -> String {
        "IP addresses without ports; outside the file, separated by commas".to_owned()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let addresses = text.split(',').map(str::trim).filter(|address| !address.is_empty());
        let addresses = addresses.map(str::parse).collect::<Result<_, _>>();
        addresses.map(Self).map_err(|_| "contains what is not an IP address".to_owned())
    }
}

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whole<const MIN: u32, const MAX: u32>(u32);

impl<const MIN: u32, const MAX: u32> Whole<MIN, MAX> {
    /// Returns the number.
    pub(crate) fn get(self) -> u32 {
        self.0
    }

    /// Returns the number as that many seconds.
    pub(crate) fn seconds(self) -> Duration {
        Duration::from_secs(self.0.into())
    }
}

impl<const MIN: u32, const MAX: u32> Value for Whole<MIN, MAX> {
    const SHAPE: Shape = Shape::Integer;
    const EXAMPLE: &'static str = "1";

    fn accepts() -> String {
        format!("a whole number from {MIN} to {MAX}")
    }

    fn parse(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(number) if (MIN..=MAX).contains(&number) => Ok(Self(number)),
            _ => Err(format!("is not a whole number from {MIN} to {MAX}")),
        }
    }
}

impl Value for Secret {
    const SECRET: bool = true;
    const EXAMPLE: &'static str = "...";

    fn accepts() -> String {
        "a text, which is kept out of every output".to_owned()
    }

    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self::new(text))
    }
}

impl Value for Sender {
    const EXAMPLE: &'static str = "NovelFoundry <mail@example.com>";

    fn accepts() -> String {
        "an e-mail address, alone or as `Name <mail@example.com>`".to_owned()
    }

    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| "is not an e-mail address".to_owned())
    }
}

impl Value for PathBuf {
    const EXAMPLE: &'static str = "/usr/lib/postgresql/17/bin";

    fn accepts() -> String {
        "a path; a relative one starts where the command runs".to_owned()
    }

    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self::from(text))
    }
}

/// Declares a type for names: a text of some characters only.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $example:literal, $accepts:literal, $test:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(crate) struct $name(String);

        impl $name {
            /// Returns the text.
            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Value for $name {
            const EXAMPLE: &'static str = $example;

            fn accepts() -> String {
                $accepts.to_owned()
            }

            fn parse(text: &str) -> Result<Self, String> {
                let test: fn(&str) -> bool = $test;
                if test(text) { Ok(Self(text.to_owned())) } else { Err(format!("is not {}", $accepts)) }
            }
        }
    )+};
}

names! {
    /// A name given by another system.
    Word, "name", "a text without spaces", |text| !text.contains(char::is_whitespace);
    /// The name of a bucket.
    Bucket, "novelfoundry", "3 to 63 letters, digits, `.`, `-` or `_`, with a letter or digit first and last", |text| {
        let (first, last) = (text.chars().next(), text.chars().last());
        (3..=63).contains(&text.len())
            && [first, last].into_iter().flatten().all(|c| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
    };
}

/// The beginning of the names of database roles.
#[derive(Clone)]
pub(crate) struct RolePrefix {
    text: String,
    names: RoleNames,
}

impl RolePrefix {
    /// Returns the text.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the names of the roles.
    pub(crate) fn names(&self) -> &RoleNames {
        &self.names
    }
}

impl Value for RolePrefix {
    const EXAMPLE: &'static str = "novelfoundry";

    fn accepts() -> String {
        "1 to 40 lower-case letters, digits or `_`, with a letter first, but not with `pg_`".to_owned()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let names = RoleNames::with_prefix(text).ok_or_else(|| format!("is not {}", Self::accepts()))?;
        Ok(Self { text: text.to_owned(), names })
    }
}

/// Names the variants of a type by words.
macro_rules! words {
    ($name:ident { $($variant:ident $word:literal,)+ }) => {
        impl Value for $name {
            const EXAMPLE: &'static str = [$($word,)+][0];

            fn accepts() -> String {
                format!("one of {}", [$($word,)+].join(", "))
            }

            fn parse(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(match nearest(text, [$($word,)+].into_iter()) {
                        Some(word) => format!("is not one of them; did you mean `{word}`?"),
                        None => "is not one of them".to_owned(),
                    }),
                }
            }
        }
    };
}

/// Declares a type for a choice between words.
macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident $word:literal,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name { $($(#[$variant_doc])* $variant,)+ }

        words! { $name { $($variant $word,)+ } }
    )+};
}

words! { Statements { Named "named", Typed "typed", } }

choices! {
    /// How the connection to the mail server is encrypted.
    SmtpTls {
        /// By STARTTLS.
        StartTls "starttls",
        /// From the first byte.
        Implicit "implicit",
        /// Not at all.
        None "none",
    }
    /// Who may sign up with the embedded issuer.
    Signup {
        /// Everybody.
        Open "open",
        /// Who holds an invitation.
        Invite "invite",
        /// Nobody.
        Closed "closed",
    }
    /// How log lines look.
    LogFormat {
        /// Text on a terminal, JSON elsewhere.
        Auto "auto",
        /// Text.
        Text "text",
        /// One JSON object a line.
        Json "json",
    }
    /// From which severity on lines are logged.
    LogLevel {
        /// Failures.
        Error "error",
        /// And what may become one.
        Warn "warn",
        /// And what happens.
        Info "info",
        /// And how.
        Debug "debug",
        /// And every detail.
        Trace "trace",
    }
}
