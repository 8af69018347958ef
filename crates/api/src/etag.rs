//! Versions as entity tags, and `If-Match`.

use axum::extract::FromRequestParts;
use http::{HeaderValue, header, request::Parts};
use novelfoundry_core::ProblemCode;

use crate::{State, problem::Problem};

/// Writes a version as a strong entity tag.
pub(crate) fn etag(version: i32) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"0\""))
}

/// The version that a change is meant for; none where the client does not care.
pub(crate) struct IfMatch(pub(crate) Option<i32>);

impl FromRequestParts<State> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(header::IF_MATCH).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            if parts.headers.contains_key(header::IF_MATCH) {
                return Err(Problem::parameter(
                    "if-match",
                    "one entity tag, as the resource's `etag` gave it",
                ));
            }
            return Ok(Self(None));
        };
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(Self(None));
        }
        // A tag that was never ours matches nothing: the resource has changed, as far as the client can tell.
        text.strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'))
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0'))
            .and_then(|text| text.parse().ok())
            .map(|version| Self(Some(version)))
            .ok_or_else(|| Problem::new(ProblemCode::PreconditionFailed))
    }
}

/// Tells why a guarded change found no row: the resource is missing, or another version of it is there.
pub(crate) fn unchanged(exists: bool, missing: ProblemCode) -> Problem {
    Problem::new(if exists { ProblemCode::PreconditionFailed } else { missing })
}
