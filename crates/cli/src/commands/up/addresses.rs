//! Which addresses an installation has. What is given counts; else a data directory keeps the ones it had, so that a
//! restart changes none, and tokens, which name the public one, stay good; else the defaults. Port 0 is any free one, and kept from then on.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;
use url::Url;

use crate::{
    commands::{
        Context,
        listeners::{listen, reachable},
        state::State,
        telemetry,
    },
    config::{BaseUrl, Optional, is_loopback},
    output::{Exit, Failure},
};

/// The listeners, bound but not served yet, and how clients reach them.
pub(super) struct Addresses {
    pub(super) api: TcpListener,
    /// Serves this process, for the issuer's keys, where the API's own listener is on no loopback address.
    pub(super) internal: Option<TcpListener>,
    pub(super) s3: TcpListener,
    pub(super) metrics: Option<TcpListener>,
    pub(super) listen: SocketAddr,
    pub(super) s3_listen: SocketAddr,
    pub(super) metrics_listen: Option<SocketAddr>,
    /// Where clients reach the API, without a slash at the end.
    pub(super) public_url: String,
    /// Where clients reach the store.
    pub(super) s3_public_url: String,
    /// Where this process reaches the API.
    pub(super) local_url: String,
    /// Where this process reaches the store.
    pub(super) s3_local_url: String,
    pub(super) allowed_origins: Vec<String>,
}

impl Addresses {
    /// Binds the listeners.
    pub(super) async fn take(context: &Context, last: Option<&State>) -> Result<Self, Failure> {
        let loaded = &context.loaded;
        let config = &loaded.config;
        let kept = |key: &str, configured: SocketAddr, last: Option<SocketAddr>| {
            if loaded.is_given(key) { configured } else { last.unwrap_or(configured) }
        };
        let last_api = last.map(|last| last.listen);
        let wanted = kept("listen", config.server.listen, last_api);
        let api = listen("listen", wanted, last_api).await?;
        let last_s3 = last.map(|last| last.s3_listen);
        // A new address of the API moves the store along, unless it has one of its own.
        let follows = loaded.is_given("listen") && wanted.port() != 0 && last_api != Some(wanted);
        let s3_wanted = if follows {
            config.embedded.s3_listen
        } else {
            kept("embedded.s3_listen", config.embedded.s3_listen, last_s3)
        };
        let s3 = listen("s3-listen", s3_wanted, last_s3).await?;
        let metrics = telemetry::listener(context, last.and_then(|last| last.metrics_listen)).await?;

        let (listen, s3_listen) = (local(&api)?, local(&s3)?);
        let internal = if listen.ip().is_loopback() || listen.ip().is_unspecified() {
            None
        } else {
            Some(self::listen("listen", (Ipv4Addr::LOCALHOST, 0).into(), None).await?)
        };
        let public = |key, given: &Optional<BaseUrl>, listen: SocketAddr, last: Option<String>| {
            if loaded.is_given(key) {
                return given.need().map(|url| url.as_str().to_owned());
            }
            if let Some(last) = last {
                return Ok(last);
            }
            if !listen.ip().is_unspecified() {
                return Ok(format!("http://{listen}"));
            }
            Err(Failure::new(
                format!("`{key}` is needed where {listen}, every address of this machine, is listened on"),
                format!("Say where browsers reach it: --{} http://HOST:PORT.", key.replace(['.', '_'], "-")),
            ))
        };
        let public_url =
            public("public_url", &config.server.public_url, listen, last.and_then(State::named_public_url))?;
        let last_s3_url = last.and_then(State::named_s3_public_url);
        let s3_public_url = public("s3.public_url", &config.s3.public_url, s3_listen, last_s3_url)?;
        let allowed_origins = match config.server.allowed_origins.get() {
            Some(origins) if loaded.is_given("allowed_origins") => origins.0.clone(),
            _ => Url::parse(&public_url).map(|url| url.origin().ascii_serialization()).into_iter().collect(),
        };
        let local_url = match &internal {
            Some(internal) => format!("http://{}", local(internal)?),
            None => format!("http://{}", reachable(listen)),
        };
        Ok(Self {
            metrics_listen: metrics.as_ref().map(local).transpose()?,
            api,
            internal,
            s3,
            metrics,
            listen,
            s3_listen,
            public_url,
            s3_public_url,
            local_url,
            s3_local_url: format!("http://{}", reachable(s3_listen)),
            allowed_origins,
        })
    }

    /// Refuses what must not be shown to others: an account whose password lies in a file.
    pub(super) fn refuse_unless_loopback(&self) -> Result<(), Failure> {
        if self.are_loopback() {
            return Ok(());
        }
        Err(Failure::new(
            format!("--demo is for this machine only, and {} can be reached from others", self.public_url),
            "Leave out --demo, or listen on 127.0.0.1.",
        )
        .exit(Exit::Refused))
    }

    /// Tells whether a reverse proxy stands in front, as far as that can be seen: nobody here speaks TLS, and others do
    /// not reach loopback.
    pub(super) fn are_behind_a_proxy(&self) -> bool {
        !is_loopback(&self.public_url)
            && (self.public_url.starts_with("https:") || self.listen.ip().is_loopback())
    }

    /// Tells whether only this machine can reach any of it, be it through a proxy.
    pub(super) fn are_loopback(&self) -> bool {
        self.listen.ip().is_loopback()
            && self.s3_listen.ip().is_loopback()
            && is_loopback(&self.public_url)
            && is_loopback(&self.s3_public_url)
    }
}

fn local(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    listener.local_addr().map_err(|error| {
        Failure::new("A listener has no address", "Start again; if it comes back, report it.").because(error)
    })
}
