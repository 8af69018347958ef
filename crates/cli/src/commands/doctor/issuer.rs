//! The issuer of tokens: its published keys, since a token can be verified by nothing else.

use std::time::Duration;

use novelfoundry_core::report;
use novelfoundry_identity::usable_keys;

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
    match usable_keys(&body) {
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
