//! The issuer of tokens: its published keys, since a token can be verified by nothing else.

use std::time::Duration;

use novelfoundry_core::report;
use serde_json::Value;

use super::Finding;
use crate::config::Config;

const PART: &str = "issuer";
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks at the issuer's keys.
pub(super) async fn look(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err(failure) = config.auth.issuer.need() {
        findings.push(Finding::failure(PART, &failure));
    }
    match config.auth.jwks_url.need() {
        Ok(url) => findings.push(keys(url.as_str()).await),
        Err(failure) => findings.push(Finding::failure("issuer's keys", &failure)),
    }
    findings
}

async fn keys(url: &str) -> Finding {
    let part = "issuer's keys";
    let fetched = async {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .build()?;
        let response = client.get(url).send().await?;
        let status = response.status();
        Ok::<_, reqwest::Error>((status, response.bytes().await?))
    };
    let (status, body) = match fetched.await {
        Ok(fetched) => fetched,
        Err(error) => {
            let next = "Look whether the issuer runs and `auth.jwks_url` is its address.";
            return Finding::fail(part, report(&error), next);
        }
    };
    if !status.is_success() {
        return Finding::fail(part, format!("{url} answered {status}"), "Correct `auth.jwks_url`.");
    }
    match usable(&body) {
        None => Finding::fail(part, format!("{url} is not a key set"), "Correct `auth.jwks_url`."),
        Some(0) => Finding::fail(
            part,
            format!("{url} has no ES256 or RS256 key, so no token can be verified"),
            "Switch the issuer to asymmetric signing keys (on Supabase: Project Settings, JWT Keys).",
        ),
        Some(1) => Finding::ok(part, "1 usable key"),
        Some(count) => Finding::ok(part, format!("{count} usable keys")),
    }
}

/// Counts the keys that can verify a token here; `None` where it is not a key set.
fn usable(document: &[u8]) -> Option<usize> {
    let document: Value = serde_json::from_slice(document).ok()?;
    let keys = document.get("keys")?.as_array()?;
    let text = |key: &Value, name: &str| key.get(name).and_then(Value::as_str).map(str::to_owned);
    let fits = |key: &&Value| {
        let kind = text(key, "kty");
        let asymmetric = match kind.as_deref() {
            Some("EC") => text(key, "crv").as_deref() == Some("P-256"),
            Some("RSA") => true,
            _ => false,
        };
        asymmetric
            && text(key, "kid").is_some()
            && text(key, "use").is_none_or(|usage| usage == "sig")
            && key.get("d").is_none()
    };
    Some(keys.iter().filter(fits).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_that_verify_count() {
        let set = |keys: Value| serde_json::json!({ "keys": keys }).to_string();
        let good = serde_json::json!({ "kty": "EC", "crv": "P-256", "kid": "a", "use": "sig" });
        let shared = serde_json::json!({ "kty": "oct", "kid": "b" });
        assert_eq!(usable(set(serde_json::json!([good, shared])).as_bytes()), Some(1));
        assert_eq!(usable(set(serde_json::json!([shared])).as_bytes()), Some(0));
        assert_eq!(usable(b"{}"), None);
        assert_eq!(usable(b"<html>"), None);
    }
}
