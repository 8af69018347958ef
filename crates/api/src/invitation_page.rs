//! The page that an invitation's link leads to, for people whose product has none of its own: it signs a person in or
//! up with the embedded issuer and accepts. Where another issuer is used, it shows the token to hand on.
//!
//! The token stands in the address behind `#`, which browsers send nowhere. So the page needs a script: one, which the
//! policy names by its digest. It calls this origin only, by relative addresses that hold below a proxy's base path.

use std::sync::LazyLock;

use axum::{
    Router,
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::StatusCode;
use sha2::{Digest, Sha256};

const SCRIPT: &str = include_str!("invitation_page/page.js");
const STYLE: &str = include_str!("invitation_page/page.css");

static POLICY: LazyLock<String> = LazyLock::new(|| {
    let digest = |text: &str| STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; form-action 'none'; \
         frame-ancestors 'none'; base-uri 'none'",
        digest(SCRIPT),
        digest(STYLE)
    )
});

/// Where people sign in who follow an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignIn {
    /// With an issuer of its own, in an application that this program does not know.
    Elsewhere,
    /// With the embedded issuer, below `/auth/v1` of the API's own address.
    Here {
        /// Whether who is invited may make an account.
        sign_up: bool,
    },
}

const ELSEWHERE: &str = "<p>Sign in to the application you are invited to. Where it asks for an invitation, give it \
    this one:</p><p><label for=\"token\">Invitation</label><input id=\"token\" readonly></p>\
    <p>Applications join by <code>POST /v1/invitations/accept</code>.</p>";

const FIELDS: &str = "<form id=\"form\"><label for=\"email\">E-mail</label><input id=\"email\" type=\"email\" required \
    autocomplete=\"username\"><label for=\"password\">Password</label><input id=\"password\" type=\"password\" required \
    autocomplete=\"current-password\"><p id=\"alert\" role=\"alert\"></p><button value=\"in\">Sign in and join</button>";

const SIGN_UP: &str = "<button value=\"up\" class=\"second\">Make an account and join</button>";

const FORGOT: &str =
    "<button type=\"button\" id=\"forgot\" class=\"link\">Forgot the password?</button></form>";

const FOR_NEW: &str =
    "<p>No account yet? Fill in the same two fields, with a password of at least 8 characters.</p>";

const NO_SIGN_UP: &str = "<p>No account yet? Ask whoever runs this service for one.</p>";

pub(crate) fn router<S: Clone + Send + Sync + 'static>(sign_in: SignIn) -> Router<S> {
    Router::new().route("/invitation", get(async move || page(sign_in)))
}

fn page(sign_in: SignIn) -> Response {
    let main = match sign_in {
        SignIn::Elsewhere => ELSEWHERE.to_owned(),
        SignIn::Here { sign_up } => {
            let (hint, up) = if sign_up { (FOR_NEW, SIGN_UP) } else { (NO_SIGN_UP, "") };
            format!("<p>Sign in, and you are a member of the workspace.</p>{hint}{FIELDS}{up}{FORGOT}")
        }
    };
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><title>Invitation</title><style>{STYLE}</style></head><body>\
         <main><h1 id=\"title\">You are invited to a workspace</h1><div id=\"main\">{main}</div>\
         <p id=\"status\" role=\"status\"></p><noscript><p>This page needs JavaScript.</p></noscript></main>\
         <script>{SCRIPT}</script></body></html>"
    );
    novelfoundry_http::page(StatusCode::OK, &POLICY, html).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_script_or_style_ends_its_element() {
        for text in [SCRIPT, STYLE] {
            let text = text.to_ascii_lowercase();
            for end in ["</", "<!--", "<script"] {
                assert!(!text.contains(end), "{end}");
            }
        }
    }
}
