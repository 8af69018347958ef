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

/// The network a request comes from, admitted by the limit that holds for every request.
#[derive(Clone, Copy)]
pub(super) struct Client(pub(super) IpAddr);

impl FromRequestParts<Issuer> for Client {
    type Rejection = AuthError;

    async fn from_request_parts(parts: &mut Parts, issuer: &Issuer) -> Result<Self, AuthError> {
        // Whoever comes by a way without addresses shares one limit.
        let address = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip());
        let network = network(address);
        issuer.0.limiters.requests_by_address.check(network)?;
        Ok(Self(network))
    }
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
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}
