//! JSON bodies, read strictly: content type, size, shape, and no unknown field.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
};
use http::header;
use novelfoundry_core::ProblemCode;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::{State, problem::Problem};

/// The largest body read, in bytes.
pub(crate) const LIMIT: usize = 64 * 1024;

/// A body of the documented shape, with a digest of the request that an idempotency key is bound to.
pub(crate) struct Body<T> {
    pub(crate) value: T,
    pub(crate) hash: [u8; 32],
}

impl<T: DeserializeOwned> FromRequest<State> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &State) -> Result<Self, Problem> {
        let is_json = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.split(';').next())
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
        let digest = Sha256::new().chain_update(request.method().as_str()).chain_update(request.uri().path());
        let body = Bytes::from_request(request, state).await.map_err(|rejection| {
            if rejection.status() == http::StatusCode::PAYLOAD_TOO_LARGE {
                Problem::new(ProblemCode::BodyTooLarge)
            } else {
                Problem::new(ProblemCode::InvalidJson).with_detail("the body did not arrive whole")
            }
        })?;
        if !is_json {
            return Err(Problem::new(ProblemCode::UnsupportedMediaType));
        }
        // A derived structure would be read from a list too.
        if body.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| *byte != b'{') {
            let code = if serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_ok() {
                ProblemCode::InvalidField
            } else {
                ProblemCode::InvalidJson
            };
            return Err(Problem::new(code).with_detail("the body: a JSON object is expected"));
        }
        let value = serde_json::from_slice(&body).map_err(|error| {
            let code = if error.is_data() { ProblemCode::InvalidField } else { ProblemCode::InvalidJson };
            Problem::new(code).with_detail(printable(&error.to_string()))
        })?;
        Ok(Self { value, hash: digest.chain_update(b"\0").chain_update(&body).finalize().into() })
    }
}

/// The parser's message may repeat what the client sent: kept short and without control characters.
fn printable(message: &str) -> String {
    message.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// Checks a title: one to two hundred characters that are not all blank, none a control character.
pub(crate) fn title(text: String) -> Result<String, Problem> {
    text_field("title", text, 200)
}

/// Checks a line of text that a person wrote.
pub(crate) fn text_field(name: &str, text: String, most: usize) -> Result<String, Problem> {
    let length = text.chars().count();
    if length == 0 || length > most || text.trim().is_empty() || text.chars().any(char::is_control) {
        return Err(Problem::field(
            name,
            format_args!("1 to {most} characters, not all blank, without control characters"),
        ));
    }
    Ok(text)
}
