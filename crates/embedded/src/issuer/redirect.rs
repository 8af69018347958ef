//! Where a person goes after a link: to a page of an allowed origin and nowhere else, since the session goes along.

use serde_json::Value;
use url::{Url, form_urlencoded};

use super::{AuthError, IssuerOptions};

/// It is a part of the link, and some programs cut long links.
const MAX_BYTES: usize = 600;

/// An address that may be gone to.
#[derive(Clone, Debug)]
pub(super) struct Redirect(Url);

impl Redirect {
    /// Reads an address; `None` where its origin is neither allowed nor the issuer's own.
    pub(super) fn parse(text: &str, options: &IssuerOptions) -> Option<Self> {
        if text.len() > MAX_BYTES {
            return None;
        }
        let url = Url::parse(text).ok()?;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
            && url.as_str().len() <= MAX_BYTES;
        let origin = url.origin();
        let own = Url::parse(&options.issuer_url).is_ok_and(|own| own.origin() == origin);
        let text = origin.ascii_serialization();
        let allowed =
            own || options.allowed_origins.iter().any(|allowed| allowed.as_bytes() == text.as_bytes());
        (plain && allowed).then_some(Self(url))
    }

    pub(super) fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Returns the origin, as browsers write it.
    pub(super) fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// Returns the address with a session behind it, where only the page sees it.
    pub(super) fn with_session(self, session: &Value) -> String {
        let text = |name: &str| match &session[name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let names = ["access_token", "expires_at", "expires_in", "refresh_token", "token_type"];
        let pairs: Vec<_> = names.iter().map(|name| (*name, text(name))).collect();
        self.with_fragment(
            pairs.iter().map(|(name, value)| (*name, value.as_str())).chain([("type", "recovery")]),
        )
    }

    /// Returns the address with a code that its client can change for a session.
    pub(super) fn with_code(mut self, code: &str) -> String {
        self.0.query_pairs_mut().append_pair("code", code);
        self.0.into()
    }

    /// Returns the address with a refusal.
    pub(super) fn with_error(self, error: &AuthError) -> String {
        self.with_fragment([
            ("error", "access_denied"),
            ("error_code", error.code()),
            ("error_description", error.message()),
        ])
    }

    fn with_fragment<'a>(mut self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
        let fragment = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        self.0.set_fragment(Some(&fragment));
        self.0.into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn options() -> IssuerOptions {
        let mut options = IssuerOptions::new("https://novels.example.com/auth/v1", "/nowhere");
        options.allowed_origins = vec!["https://app.example.com".parse().unwrap()];
        options
    }

    #[test]
    fn only_pages_of_known_origins_are_gone_to() {
        let options = options();
        let read = |text: &str| Redirect::parse(text, &options).map(|it| it.as_str().to_owned());
        for good in [
            "https://app.example.com/",
            "https://app.example.com/a?b=c#d",
            "https://novels.example.com/x",
            "HTTPS://APP.example.com:443/x",
        ] {
            assert!(read(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "/",
            "//app.example.com/",
            "http://app.example.com/",
            "https://app.example.com:444/",
            "https://app.example.com.evil.example/",
            "https://app.example.com@evil.example/",
            "https://anna@app.example.com/",
            "https://evil.example/#https://app.example.com/",
            "javascript:alert(1)//https://app.example.com",
            "data:text/html,x",
            "null",
            &format!("https://app.example.com/{}", "a".repeat(600)),
            &format!("https://app.example.com/{}", "ä".repeat(250)),
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_goes_along_is_written_as_the_client_reads_it() {
        let redirect = || Redirect::parse("https://app.example.com/new?a=b#old", &options()).unwrap();
        let session = json!({
            "access_token": "a.b-c_d", "expires_at": 7, "expires_in": 6, "refresh_token": "ef", "token_type": "bearer",
            "user": {"email": "anna@example.com"},
        });
        assert_eq!(
            redirect().with_session(&session),
            "https://app.example.com/new?a=b#access_token=a.b-c_d&expires_at=7&expires_in=6&refresh_token=ef\
             &token_type=bearer&type=recovery"
        );
        assert_eq!(redirect().with_code("12"), "https://app.example.com/new?a=b&code=12#old");
        assert_eq!(
            redirect().with_error(&super::super::answer::LINK_EXPIRED),
            "https://app.example.com/new?a=b#error=access_denied&error_code=otp_expired\
             &error_description=Email+link+is+invalid+or+has+expired"
        );
    }

    proptest! {
        #[test]
        fn nothing_leads_elsewhere(text in "https?:[/\\\\]{0,3}[a-z.@:\\\\/#?%0-9\t\n]{0,30}(app\\.example\\.com)?.{0,20}") {
            if let Some(redirect) = Redirect::parse(&text, &options()) {
                prop_assert!(["https://app.example.com", "https://novels.example.com"].contains(&redirect.origin().as_str()));
                let sent = redirect.with_code("1");
                prop_assert!(http::HeaderValue::from_str(&sent).is_ok(), "{}", sent);
            }
        }
    }
}
