//! What the operator does about accounts, whatever the people themselves may do.

use novelfoundry_core::{Secret, UserId};
use novelfoundry_database::issuer::{self as queries, Account};

use super::{AccountError, Inner, Issuer, email::Email};

impl Issuer {
    /// Lists accounts, the oldest first, from behind `after` on.
    pub async fn accounts(&self, after: Option<UserId>, limit: u16) -> Result<Vec<Account>, AccountError> {
        Ok(queries::accounts(&self.0.db, after, limit).await?)
    }

    /// Makes a link, good for an hour and once, by which its bearer sets a new password for the account.
    pub async fn recovery_link(&self, email: &str) -> Result<Secret, AccountError> {
        let email = Email::parse(email).ok_or(AccountError::Email)?;
        let normalised = email.normalised.expose();
        let account =
            queries::account_by_email(&self.0.db, normalised).await?.ok_or(AccountError::Unknown)?;
        if account.is_disabled() {
            return Err(AccountError::Disabled);
        }
        let (account, token) = self.open_recovery(&email, None).await?.ok_or(AccountError::Unknown)?;
        tracing::info!(user_id = %account.user_id(), "the operator made a link to a new password");
        Ok(self.link(&token, None))
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
        tracing::info!(%user_id, disabled, "the operator shut or opened an account");
        Ok(user_id)
    }
}
