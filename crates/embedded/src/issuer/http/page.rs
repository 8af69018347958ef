//! The pages behind a mailed link, for people whose product has no page of its own for a new password. They run no
//! script and load nothing, and no other page can frame them or learn their address, which holds the token.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

use super::super::{AuthError, answer::LINK_EXPIRED, link::LinkToken, redirect::Redirect};

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:26rem;margin:10vh auto;padding:0 1rem;\
    color:#1c1c1c;background:#fbfaf7}h1{font-size:1.4rem}label,input,button{display:block;width:100%;\
    box-sizing:border-box;font:inherit}input{padding:.5rem;margin:.25rem 0 1rem;border:1px solid #767676}\
    button{padding:.6rem;border:0;background:#1d4f4a;color:#fff;cursor:pointer}[role=alert]{color:#a11}";

static STYLE_HASH: LazyLock<String> = LazyLock::new(|| BASE64_STANDARD.encode(Sha256::digest(STYLE)));

/// Asks for a new password, again where the last one was refused.
pub(super) fn new_password(token: &LinkToken, refusal: Option<&AuthError>) -> Response {
    let alert = refusal.map_or_else(String::new, |refusal| {
        format!("<p role=\"alert\" id=\"refusal\">{}</p>", escape(refusal.message()))
    });
    let main = format!(
        "{alert}<form method=\"post\" action=\"verify\">{fields}\
         <label for=\"password\">New password, at least 8 characters</label>\
         <input id=\"password\" name=\"password\" type=\"password\" required minlength=\"8\" \
         autocomplete=\"new-password\" autofocus><button>Set the password</button></form>\
         <p>You are then signed out wherever you were signed in.</p>",
        fields = fields(token, None),
    );
    let status = refusal.map_or(StatusCode::OK, AuthError::status);
    page(status, "Choose a new password", &main, None)
}

/// Asks for the click that leads back to the product.
pub(super) fn go_on(token: &LinkToken, redirect: &Redirect) -> Response {
    let origin = redirect.origin();
    let main = format!(
        "<form method=\"post\" action=\"verify\">{}<button>Go on</button></form>\
         <p>You go on to {} and are signed in there.</p>",
        fields(token, Some(redirect)),
        escape(&origin),
    );
    page(StatusCode::OK, "Choose a new password", &main, Some(&origin))
}

/// Says that the password is set.
pub(super) fn done() -> Response {
    page(StatusCode::OK, "The new password is set", "<p>Sign in with it. You can close this page.</p>", None)
}

/// Says why not.
pub(super) fn refusal(error: &AuthError) -> Response {
    let (title, main) = if *error == LINK_EXPIRED {
        let text = "<p>It works once and for a limited time. Ask for another one where you sign in.</p>";
        ("This link is used up or too old", text.to_owned())
    } else {
        ("That did not work", format!("<p>{}</p>", escape(error.message())))
    };
    let mut response = page(error.status(), title, &main, None);
    if let Some(seconds) = error.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn fields(token: &LinkToken, redirect: Option<&Redirect>) -> String {
    let hidden = |name, value| format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(value));
    let redirect = redirect.map(|redirect| hidden("redirect_to", redirect.as_str())).unwrap_or_default();
    format!("{}{}{redirect}", hidden("token", token.expose()), hidden("type", "recovery"))
}

/// Writes a page; its form may lead to `origin` too.
fn page(status: StatusCode, title: &str, main: &str, origin: Option<&str>) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><main><h1>{title}</h1>{main}</main></body></html>"
    );
    // Browsers hold where a form's answer redirects to against the policy as well.
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; form-action 'self' {}; frame-ancestors 'none'; base-uri 'none'",
        *STYLE_HASH,
        origin.unwrap_or_default(),
    );
    novelfoundry_http::page(status, &policy, html).into_response()
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_leaves_its_place(text in any::<String>()) {
            let escaped = escape(&text);
            prop_assert!(!escaped.contains(['<', '>', '"', '\'']));
            let back = escaped.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"")
                .replace("&#39;", "'").replace("&amp;", "&");
            prop_assert_eq!(back, text);
        }
    }
}
