//! Ways back in for a person who has lost the password: a link, good for an hour and once, that opens a session or sets
//! a new password.

use std::time::Duration;

use novelfoundry_core::{Secret, SessionId, UserId, report};
use novelfoundry_database::{
    DbError,
    issuer::{self as queries, Account, Challenge, Recovery, RecoveryKind},
};
use novelfoundry_mail::Message;
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::{
    AuthError, Inner, Issuer,
    answer::{BAD_VERIFIER, LINK_EXPIRED, NO_FLOW},
    email::Email,
    keys::later,
    link::{self, LinkToken},
    redirect::Redirect,
    refresh::RefreshToken,
    session,
};

/// How long a link is good for somebody who asks for it.
pub(super) const LINK_LIFETIME: Duration = Duration::from_hours(1);
/// How long the code is good that a link is changed for.
const CODE_LIFETIME: Duration = Duration::from_mins(5);

impl Issuer {
    /// Makes the mail that a person who has forgotten the password is sent; `None` where there is nobody to send it to.
    pub(super) async fn recovery_mail(
        self,
        email: Email,
        challenge: Option<Challenge>,
        redirect: Option<Redirect>,
    ) -> Option<Message> {
        match self.open_recovery(&email, challenge, LINK_LIFETIME).await {
            Ok(Some((account, token))) => {
                tracing::info!(user_id = %account.user_id(), "a link to a new password is sent");
                Some(self.letter(&account, &self.link(&token, redirect.as_ref())))
            }
            Ok(None) => {
                tracing::info!("a link to a new password is not sent: no open account has the address");
                None
            }
            Err(error) => {
                tracing::error!(error = report(&error), "a link to a new password cannot be made");
                None
            }
        }
    }

    pub(super) async fn open_recovery(
        &self,
        email: &Email,
        challenge: Option<Challenge>,
        lifetime: Duration,
    ) -> Result<Option<(Account, LinkToken)>, DbError> {
        let Inner { options, db, .. } = &*self.0;
        let (token, now) = (LinkToken::random(), options.clock.now());
        let normalised = email.normalised.expose();
        let ends = later(now, lifetime);
        let account = queries::open_recovery(db, normalised, token.hash(), challenge, now, ends).await?;
        Ok(account.map(|account| (account, token)))
    }

    /// Returns the link as it is mailed. Nothing in it but the page to return to is the client's.
    pub(super) fn link(&self, token: &LinkToken, redirect: Option<&Redirect>) -> Secret {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("token", token.expose()).append_pair("type", "recovery");
        if let Some(redirect) = redirect {
            query.append_pair("redirect_to", redirect.as_str());
        }
        Secret::new(format!("{}/verify?{}", self.0.options.issuer_url, query.finish()))
    }

    /// Returns the host that letters name.
    pub(super) fn place(&self) -> String {
        let url = Url::parse(&self.0.options.issuer_url).ok();
        url.as_ref().and_then(Url::host_str).unwrap_or("NovelFoundry").to_owned()
    }

    fn letter(&self, account: &Account, link: &Secret) -> Message {
        let place = self.place();
        let body = format!(
            "Somebody, you we hope, asked for a new password for {email} at {place}.\n\n\
             Follow this link within an hour; it works once:\n\n{link}\n\n\
             If it was not you, do nothing, and the password stays as it is.\n",
            email = account.email(),
            link = link.expose(),
        );
        Message { to: account.email().to_owned(), subject: format!("A new password for {place}"), body }
    }

    /// Reads a link while it is good.
    pub(super) async fn recovery(
        &self,
        token: &LinkToken,
        kind: RecoveryKind,
    ) -> Result<Option<Recovery>, DbError> {
        let Inner { options, db, .. } = &*self.0;
        queries::recovery(db, token.hash(), kind, options.clock.now()).await
    }

    /// Opens a session by a link.
    pub(super) async fn sign_in_by_link(&self, token: &LinkToken) -> Result<Value, AuthError> {
        let link = self.recovery(token, RecoveryKind::Link).await?.ok_or(LINK_EXPIRED)?;
        self.redeem(token, RecoveryKind::Link, &link.account).await?.ok_or(LINK_EXPIRED)
    }

    /// Opens a session by the code of a link, for the client that asked for the link.
    pub(super) async fn sign_in_by_code(
        &self,
        code: &LinkToken,
        verifier: &Secret,
    ) -> Result<Value, AuthError> {
        let found = self.recovery(code, RecoveryKind::Code).await?.ok_or(NO_FLOW)?;
        if !found.challenge.is_some_and(|challenge| link::is_met(&challenge, verifier.expose())) {
            return Err(BAD_VERIFIER);
        }
        self.redeem(code, RecoveryKind::Code, &found.account).await?.ok_or(NO_FLOW)
    }

    /// Changes a link for a code.
    pub(super) async fn exchange_link(&self, token: &LinkToken) -> Result<LinkToken, AuthError> {
        let Inner { options, db, .. } = &*self.0;
        let (code, now) = (LinkToken::random(), options.clock.now());
        let ends = later(now, CODE_LIFETIME);
        let person = queries::exchange_link(db, token.hash(), code.hash(), now, ends).await?;
        person.map(|_| code).ok_or(LINK_EXPIRED)
    }

    /// Sets a password by a link; all sessions of the person end, and none begins.
    pub(super) async fn recover_password(
        &self,
        token: &LinkToken,
        password: String,
    ) -> Result<UserId, AuthError> {
        let Inner { options, db, hasher, .. } = &*self.0;
        let hash = hasher.hash(password).await?;
        let person = queries::recover_password(db, token.hash(), &hash, options.clock.now()).await?;
        let user_id = person.ok_or(LINK_EXPIRED)?;
        tracing::info!(%user_id, "password set by a link; all sessions ended");
        Ok(user_id)
    }

    async fn redeem(
        &self,
        token: &LinkToken,
        kind: RecoveryKind,
        account: &Account,
    ) -> Result<Option<Value>, AuthError> {
        let Inner { options, db, .. } = &*self.0;
        self.provision(account).await?;
        let refresh = RefreshToken::random();
        let session_id = SessionId::from_uuid(options.ids.next());
        let now = options.clock.now();
        let person =
            queries::redeem_recovery(db, token.hash(), kind, session_id, refresh.hash(), now).await?;
        let Some(user_id) = person else { return Ok(None) };
        let Some(who) = queries::session_by_id(db, session_id, user_id).await? else { return Ok(None) };
        let access = self.access_token(&who, who.session.method.as_str()).await?;
        tracing::info!(%user_id, %session_id, "signed in by a link");
        Ok(Some(session::answer(&access, &refresh.to_text(), &who.account)))
    }
}
