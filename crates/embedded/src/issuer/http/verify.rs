//! `/verify`: where a mailed link leads, and where a client brings a token it found in one.
//!
//! Programs that check mail follow the links in it. So a GET changes nothing and only shows a page with a button; what
//! the button posts uses the link up. Supabase Auth redirects at the GET itself, which costs a click less and, with such
//! a program on the way, the link.

use axum::{
    extract::{FromRequest as _, Query, Request, State, rejection::QueryRejection},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use novelfoundry_core::Secret;
use novelfoundry_database::issuer::RecoveryKind;
use serde::Deserialize;
use url::form_urlencoded;

use super::{
    super::{
        AccountError, AuthError, Issuer,
        answer::{
            INVALID_FORM, INVALID_VERIFICATION, LINK_EXPIRED, LONG_PASSWORD, UNEXPECTED, WEAK_PASSWORD,
        },
        link::LinkToken,
        password,
        redirect::Redirect,
    },
    extract::{Client, Json, is_form},
    page,
};

/// The path below the issuer's.
pub(super) const PATH: &str = "/verify";
const RECOVERY: &str = "recovery";

/// What a link carries, and what the forms of its pages post.
#[derive(Default, Deserialize)]
pub(super) struct Link {
    token: Option<Secret>,
    r#type: Option<String>,
    redirect_to: Option<String>,
    #[serde(skip)]
    password: Option<Secret>,
}

#[derive(Deserialize)]
struct Body {
    r#type: Option<String>,
    token_hash: Option<Secret>,
}

/// Tells whether a browser asks for a person, who is to be answered by a page whatever goes wrong.
pub(super) fn is_for_people(request: &Request) -> bool {
    let is_shown = matches!(*request.method(), Method::GET | Method::HEAD);
    request.uri().path() == PATH && (is_shown || is_form(request.headers()))
}

/// `GET /verify`
pub(super) async fn show(
    State(issuer): State<Issuer>,
    _: Client,
    link: Result<Query<Link>, QueryRejection>,
) -> Result<Response, AuthError> {
    let Query(link) = link.map_err(|_| INVALID_FORM)?;
    issuer.show(&link).await
}

/// `POST /verify`: a form of this program's pages, or JSON.
pub(super) async fn handler(
    State(issuer): State<Issuer>,
    client: Client,
    request: Request,
) -> Result<Response, AuthError> {
    issuer.0.limiters.credentials_by_address.check(client.0)?;
    if is_form(request.headers()) {
        let body = Bytes::from_request(request, &issuer).await.map_err(|_| INVALID_FORM)?;
        return Box::pin(issuer.follow(form(&body))).await;
    }
    let Json(body) = Json::<Body>::from_request(request, &issuer).await?;
    if body.r#type.as_deref() != Some(RECOVERY) {
        return Err(INVALID_VERIFICATION);
    }
    let token = body.token_hash.ok_or(INVALID_VERIFICATION)?;
    let token = LinkToken::parse(token.expose()).ok_or(LINK_EXPIRED)?;
    Ok(axum::Json(issuer.sign_in_by_link(&token).await?).into_response())
}

/// Reads a form; the first of several fields of one name counts.
fn form(body: &[u8]) -> Link {
    let mut link = Link::default();
    for (name, value) in form_urlencoded::parse(body) {
        match name.as_ref() {
            "token" => _ = link.token.get_or_insert_with(|| Secret::new(value)),
            "type" => _ = link.r#type.get_or_insert_with(|| value.into_owned()),
            "redirect_to" => _ = link.redirect_to.get_or_insert_with(|| value.into_owned()),
            "password" => _ = link.password.get_or_insert_with(|| Secret::new(value)),
            _ => {}
        }
    }
    link
}

impl Issuer {
    fn read_link(&self, link: &Link) -> Result<(LinkToken, Option<Redirect>), AuthError> {
        if link.r#type.as_deref() != Some(RECOVERY) {
            return Err(INVALID_FORM);
        }
        let token = link.token.as_ref().and_then(|token| LinkToken::parse(token.expose()));
        let redirect = link.redirect_to.as_deref().and_then(|text| Redirect::parse(text, &self.0.options));
        Ok((token.ok_or(LINK_EXPIRED)?, redirect))
    }

    /// Shows the page that a link asks for.
    async fn show(&self, link: &Link) -> Result<Response, AuthError> {
        let (token, redirect) = self.read_link(link)?;
        let is_good = self.recovery(&token, RecoveryKind::Link).await?.is_some();
        Ok(match redirect {
            Some(redirect) if is_good => page::go_on(&token, &redirect),
            Some(redirect) => see_other(&redirect.with_error(&LINK_EXPIRED)),
            None if is_good => page::new_password(&token, None),
            None => return Err(LINK_EXPIRED),
        })
    }

    /// Uses a link up.
    async fn follow(&self, link: Link) -> Result<Response, AuthError> {
        let (token, redirect) = self.read_link(&link)?;
        let found = self.recovery(&token, RecoveryKind::Link).await?;
        if let Some(redirect) = redirect {
            let went = match found {
                Some(found) if found.challenge.is_some() => {
                    self.exchange_link(&token).await.map(|code| redirect.clone().with_code(code.expose()))
                }
                Some(_) => {
                    self.sign_in_by_link(&token).await.map(|session| redirect.clone().with_session(&session))
                }
                None => Err(LINK_EXPIRED),
            };
            return match went {
                Err(error) if error == LINK_EXPIRED => Ok(see_other(&redirect.with_error(&error))),
                went => went.map(|address| see_other(&address)),
            };
        }
        // Before the work of hashing.
        found.ok_or(LINK_EXPIRED)?;
        let password = link.password.ok_or(INVALID_FORM)?;
        match password::check(password.expose()) {
            Ok(()) => {}
            Err(AccountError::Password) if password.expose().len() > password::MAX_BYTES => {
                return Ok(page::new_password(&token, Some(&LONG_PASSWORD)));
            }
            Err(_) => return Ok(page::new_password(&token, Some(&WEAK_PASSWORD))),
        }
        self.recover_password(&token, password.expose().to_owned()).await?;
        Ok(page::done())
    }
}

fn see_other(address: &str) -> Response {
    let Ok(address) = HeaderValue::from_str(address) else { return UNEXPECTED.into_response() };
    (StatusCode::SEE_OTHER, [(header::LOCATION, address)]).into_response()
}
