//! What handlers read from a request, with every fault of it answered in the issuer's own shape.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequest, FromRequestParts, Request},
    response::IntoResponse,
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header, request::Parts};
use serde::de::DeserializeOwned;

use super::super::{
    AuthError, Issuer,
    answer::{BAD_JSON, BAD_JWT, NO_AUTHORIZATION, NOT_JSON, TOO_LARGE},
    limit::network,
    token::{self, Bearer},
};

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The network a request comes from, admitted by the limit that holds for every request.
#[derive(Clone, Copy)]
pub(super) struct Client(pub(super) IpAddr);

impl FromRequestParts<Issuer> for Client {
    type Rejection = AuthError;

    async fn from_request_parts(parts: &mut Parts, issuer: &Issuer) -> Result<Self, AuthError> {
        // Whoever comes by a way without addresses shares one limit.
        let peer = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip());
        let network = network(forwarded_for(peer, &parts.headers, &issuer.0.options.trusted_proxies));
        issuer.0.limiters.requests_by_address.check(network)?;
        Ok(Self(network))
    }
}

/// Returns whom a request of `peer` is made for. Each proxy adds whom it serves at the end, so what stands before the
/// last address that is not a proxy's was written by nobody that can be believed.
fn forwarded_for(peer: IpAddr, headers: &HeaderMap, proxies: &[IpAddr]) -> IpAddr {
    let is_proxy =
        |address: IpAddr| proxies.iter().any(|proxy| proxy.to_canonical() == address.to_canonical());
    if !is_proxy(peer) {
        return peer;
    }
    for value in headers.get_all(FORWARDED_FOR).iter().rev() {
        let Ok(value) = value.to_str() else { return peer };
        for entry in value.rsplit(',') {
            match address(entry.trim()) {
                Some(address) if is_proxy(address) => {}
                Some(address) => return address,
                None => return peer,
            }
        }
    }
    peer
}

/// Reads an address; some proxies write the port too, or IPv6 in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// Whoever the bearer token names.
pub(super) struct Authenticated(pub(super) Bearer);

impl FromRequestParts<Issuer> for Authenticated {
    type Rejection = AuthError;

    async fn from_request_parts(parts: &mut Parts, issuer: &Issuer) -> Result<Self, AuthError> {
        let text = bearer(&parts.headers).ok_or(NO_AUTHORIZATION)?;
        let options = &issuer.0.options;
        let ring = issuer.0.keys.current().await;
        token::verify(text, &ring, options, options.clock.now()).map(Self).ok_or(BAD_JWT)
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// A JSON body. A page of another origin cannot send its content type without asking first.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Issuer> for Json<T> {
    type Rejection = AuthError;

    async fn from_request(request: Request, issuer: &Issuer) -> Result<Self, AuthError> {
        if !is_json(request.headers()) {
            return Err(NOT_JSON);
        }
        let body = Bytes::from_request(request, issuer).await.map_err(|rejection| {
            let too_large = rejection.into_response().status() == StatusCode::PAYLOAD_TOO_LARGE;
            if too_large { TOO_LARGE } else { BAD_JSON }
        })?;
        serde_json::from_slice(&body).map(Self).map_err(|_| BAD_JSON)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    is_of_type(headers, "application/json")
}

/// Tells whether the body is a form, which a page of any origin can send.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    is_of_type(headers, "application/x-www-form-urlencoded")
}

fn is_of_type(headers: &HeaderMap, media_type: &str) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case(media_type))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(peer: &str, values: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        let proxies = ["10.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
        forwarded_for(peer.parse().unwrap(), &headers, &proxies).to_string()
    }

    #[test]
    fn a_proxy_is_believed_and_nobody_else() {
        assert_eq!(of("10.0.0.1", &["1.1.1.1"]), "1.1.1.1");
        assert_eq!(of("::ffff:10.0.0.1", &["1.1.1.1"]), "1.1.1.1");
        assert_eq!(of("10.0.0.2", &["1.1.1.1"]), "10.0.0.2");
        // What the client itself sent stands on the left.
        assert_eq!(of("10.0.0.1", &["9.9.9.9, 1.1.1.1"]), "1.1.1.1");
        assert_eq!(of("::1", &["9.9.9.9", "1.1.1.1,10.0.0.1"]), "1.1.1.1");
        assert_eq!(of("10.0.0.1", &["nonsense, 1.1.1.1:443"]), "1.1.1.1");
        assert_eq!(of("10.0.0.1", &["[2001:db8::1]"]), "2001:db8::1");
        assert_eq!(of("10.0.0.1", &["[2001:db8::1]:443"]), "2001:db8::1");
    }

    #[test]
    fn garbage_counts_as_the_proxy() {
        for values in [&[][..], &[""], &["unknown"], &["1.1.1.1, "], &["1.1.1.1, x"], &["::1, 10.0.0.1"]] {
            assert_eq!(of("10.0.0.1", values), "10.0.0.1", "{values:?}");
        }
    }

    proptest! {
        #[test]
        fn no_client_chooses_its_address(sent in "[0-9a-f.:, ]{0,60}", client in any::<u32>()) {
            let client = Ipv4Addr::from_bits(client);
            prop_assume!(client != Ipv4Addr::new(10, 0, 0, 1));
            prop_assert_eq!(of("10.0.0.1", &[&sent, &client.to_string()]), client.to_string());
            prop_assert_eq!(of(&client.to_string(), &[&sent]), client.to_string());
        }
    }
}
