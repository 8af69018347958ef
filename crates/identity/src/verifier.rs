//! The one gate of the application plane: a token goes in, verified claims come out or a reason does.

use std::{borrow::Cow, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::SignedDuration;
use jsonwebtoken::Algorithm;
use novelfoundry_core::Clock;
use serde::{Deserialize, de::IgnoredAny};
use url::{Host, Url};

use crate::{
    ConfigError, VerifiedClaims, VerifyError,
    cache::KeyCache,
    claims::{self, Expected},
    jwks::MAX_KID_BYTES,
    strict::Object,
};

const MAX_TOKEN_BYTES: usize = 8 * 1024;
const MAX_LEEWAY: SignedDuration = SignedDuration::from_secs(60);

/// What a verifier is set up with.
#[derive(Clone)]
pub struct VerifierOptions {
    /// The exact `iss` of acceptable tokens.
    pub issuer: String,
    /// The exact `aud` of acceptable tokens; `authenticated` for Supabase Auth.
    pub audience: String,
    /// Where the issuer publishes its keys: https, or http on a loopback address.
    pub jwks_url: Url,
    /// The source of time.
    pub clock: Arc<dyn Clock>,
    /// How far the issuer's clock may be off; a few seconds, at most 60.
    pub leeway: Duration,
}

/// Verifies the tokens of one issuer; clones share its cached keys.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    expected: Expected,
    clock: Arc<dyn Clock>,
    keys: Arc<KeyCache>,
}

/// The header's members that are heeded. Those that bring a key along (`jku`, `jwk`, `x5u`, `x5c`) are not read.
#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow)]
    kid: Option<Cow<'a, str>>,
    crit: Option<IgnoredAny>,
}

impl Verifier {
    /// Sets up a verifier; the keys are fetched when the first token comes.
    pub fn new(options: VerifierOptions) -> Result<Self, ConfigError> {
        let VerifierOptions { issuer, audience, jwks_url, clock, leeway } = options;
        if issuer.is_empty() || audience.is_empty() {
            return Err(ConfigError::Empty);
        }
        if !trustworthy(&jwks_url) {
            return Err(ConfigError::InsecureUrl);
        }
        let leeway = SignedDuration::try_from(leeway).map_err(|_| ConfigError::Leeway)?;
        if leeway > MAX_LEEWAY {
            return Err(ConfigError::Leeway);
        }
        let keys = KeyCache::new(jwks_url, Arc::clone(&clock))?;
        Ok(Self(Arc::new(Inner { expected: Expected { issuer, audience, leeway }, clock, keys })))
    }

    /// Verifies a token in compact form, without the `Bearer` before it.
    ///
    /// Waits only where the token names a key not seen before, at most for one fetch of the key set.
    pub async fn verify(&self, token: &str) -> Result<VerifiedClaims, VerifyError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(VerifyError::Malformed("its size"));
        }
        let (message, signature) = token.rsplit_once('.').ok_or(VerifyError::Malformed("its parts"))?;
        let (header, payload) = message.split_once('.').ok_or(VerifyError::Malformed("its parts"))?;

        let header = decode(header, "the header")?;
        let Object(header) = serde_json::from_slice::<Object<Header<'_>>>(&header)
            .map_err(|_| VerifyError::Malformed("the header"))?;
        if header.crit.is_some() {
            return Err(VerifyError::Malformed("an extension it calls critical"));
        }
        let algorithm = match header.alg.as_ref() {
            "ES256" => Algorithm::ES256,
            "RS256" => Algorithm::RS256,
            _ => return Err(VerifyError::WrongAlgorithm),
        };
        let kid = header.kid.ok_or(VerifyError::Malformed("its key's name"))?;
        if !(1..=MAX_KID_BYTES).contains(&kid.len()) {
            return Err(VerifyError::Malformed("its key's name"));
        }
        // Read before a key is asked for: garbage must not make the issuer work.
        let payload = decode(payload, "the payload")?;

        let key = self.0.keys.find(&kid).await?;
        if key.algorithm != algorithm {
            return Err(VerifyError::WrongAlgorithm);
        }
        if !key.signatures.are_right(token, message, signature, &key.key, key.algorithm) {
            return Err(VerifyError::WrongSignature);
        }
        claims::check(&payload, &self.0.expected, self.0.clock.now())
    }
}

/// Decodes unpadded base64url; stray bits at the end are refused, so that a token has one spelling.
fn decode(part: &str, what: &'static str) -> Result<Vec<u8>, VerifyError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| VerifyError::Malformed(what))
}

fn trustworthy(url: &Url) -> bool {
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => true,
        ("http", Some(Host::Domain(name))) => name == "localhost",
        ("http", Some(Host::Ipv4(address))) => address.is_loopback(),
        ("http", Some(Host::Ipv6(address))) => address.is_loopback(),
        _ => false,
    }
}
