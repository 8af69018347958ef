//! What the operator does about accounts, whatever the people themselves may do.

use std::time::Duration;

use novelfoundry_core::{Secret, UserId, random_token};
use novelfoundry_database::issuer::{self as queries, Account};
use novelfoundry_mail::Message;
use serde_json::Map;

use super::{AccountError, Inner, Issuer, email::Email, recovery::LINK_LIFETIME};

/// How long somebody who is invited may take.
const INVITATION_LIFETIME: Duration = Duration::from_hours(7 * 24);
/// More than anybody guesses; nobody is told it.
const UNKNOWN_PASSWORD_BYTES: usize = 32;

impl Issuer {
    /// Lists accounts, the oldest first, from behind `after` on.
    pub async fn accounts(&self, after: Option<UserId>, limit: u16) -> Result<Vec<Account>, AccountError> {
        Ok(queries::accounts(&self.0.db, after, limit).await?)
    }

    /// Makes a link, good for an hour and once, by which its bearer sets a new password for the account.
    pub async fn recovery_link(&self, email: &str) -> Result<Secret, AccountError> {
        let email = Email::parse(email).ok_or(AccountError::Email)?;
        self.open_account_of(&email).await?;
        let (user_id, link) = self.operator_link(&email, LINK_LIFETIME).await?;
        tracing::info!(%user_id, "the operator made a link to a new password");
        Ok(link)
    }

    /// Makes an account with its workspace and a link, good for seven days and once, by which its bearer chooses the
    /// password. Until somebody has signed in it may be repeated, for another link.
    pub async fn invite(&self, email: &str) -> Result<Secret, AccountError> {
        let password = random_token(UNKNOWN_PASSWORD_BYTES);
        match self.create_account(email, password.expose(), Map::new()).await {
            Ok(_) | Err(AccountError::Exists) => {}
            Err(error) => return Err(error),
        }
        let email = Email::parse(email).ok_or(AccountError::Email)?;
        if self.open_account_of(&email).await?.last_sign_in_at().is_some() {
            return Err(AccountError::Exists);
        }
        let (user_id, link) = self.operator_link(&email, INVITATION_LIFETIME).await?;
        tracing::info!(%user_id, "the operator invited somebody");
        Ok(link)
    }

    /// Writes the mail that brings somebody the link of [`Issuer::invite`].
    pub fn invitation_letter(&self, email: &str, link: &Secret) -> Message {
        let place = self.place();
        let body = format!(
            "An account is made for you at {place}.\n\n\
             Follow this link within seven days to choose your password; it works once:\n\n{link}\n\n\
             If you expect no account, do nothing.\n",
            link = link.expose(),
        );
        Message { to: email.to_owned(), subject: format!("Your account at {place}"), body }
    }

    async fn open_account_of(&self, email: &Email) -> Result<Account, AccountError> {
        let normalised = email.normalised.expose();
        let account =
            queries::account_by_email(&self.0.db, normalised).await?.ok_or(AccountError::Unknown)?;
        if account.is_disabled() { Err(AccountError::Disabled) } else { Ok(account) }
    }

    async fn operator_link(
        &self,
        email: &Email,
        lifetime: Duration,
    ) -> Result<(UserId, Secret), AccountError> {
        let opened = self.open_recovery(email, None, lifetime).await?;
        let (account, token) = opened.ok_or(AccountError::Unknown)?;
        Ok((account.user_id(), self.link(&token, None)))
    }

    /// Shuts an account: its sessions end, and it is neither signed in to nor recovered until it is enabled. Access
    /// tokens already given stay good until they run out.
    pub async fn disable_account(&self, email: &str) -> Result<UserId, AccountError> {
        self.set_disabled(email, true).await
    }

    /// Opens a shut account again; its sessions stay ended.
    pub async fn enable_account(&self, email: &str) -> Result<UserId, AccountError> {
        self.set_disabled(email, false).await
    }

    async fn set_disabled(&self, email: &str, disabled: bool) -> Result<UserId, AccountError> {
        let Inner { options, db, .. } = &*self.0;
        let email = Email::parse(email).ok_or(AccountError::Email)?;
        let (normalised, now) = (email.normalised.expose(), options.clock.now());
        let person = queries::set_disabled(db, normalised, disabled, now).await?;
        let user_id = person.ok_or(AccountError::Unknown)?;
        if disabled {
            tracing::info!(%user_id, "the operator shut an account");
        } else {
            tracing::info!(%user_id, "the operator opened an account again");
        }
        Ok(user_id)
    }
}
