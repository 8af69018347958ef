//! Signs people up and in and issues their JWTs, so that one machine needs no identity service. It speaks the part of
//! Supabase Auth's REST that the unmodified `@supabase/supabase-js` uses, so that moving to Supabase changes a URL.
//!
//! Which workspace a token names is not decided here: that is the database's access-token hook, as on Supabase.
//! As there (with addresses confirmed automatically), signing up with an address that has an account says so; signing in
//! tells an unknown address from a wrong password neither by its answer nor by its time, and asking for a link to a new
//! password tells nothing at all.

mod answer;
mod email;
mod error;
mod http;
mod keys;
mod limit;
mod link;
mod operator;
mod options;
mod password;
mod provision;
mod recovery;
mod redirect;
mod refresh;
mod session;
mod token;

use std::{sync::Arc, time::Duration};

use novelfoundry_core::{SessionId, TenantId, UserId, report};
use novelfoundry_database::{
    ControlDb, DbError, IssuerDb, TenantDb,
    issuer::{self as queries, Account, NewAccount},
};
use serde_json::{Map, Value};

pub use error::{AccountError, IssuerError, KeyFileError};
pub use options::{IssuerOptions, Limit, Limits, SignUp};

use answer::AuthError;
use email::Email;
use keys::Keyring;
use limit::Limiters;
use password::Hasher;

/// The issuer; clones share everything.
#[derive(Clone)]
pub struct Issuer(Arc<Inner>);

struct Inner {
    options: IssuerOptions,
    db: IssuerDb,
    control: ControlDb,
    tenant: TenantDb,
    keys: Keyring,
    hasher: Hasher,
    limiters: Limiters,
}

/// An account that was created, with its workspace.
#[derive(Clone, Copy, Debug)]
pub struct CreatedAccount {
    /// The person.
    pub user_id: UserId,
    /// Their first workspace.
    pub tenant_id: TenantId,
    /// Whether it is made; else it is with their first sign-in.
    pub is_provisioned: bool,
}

impl Issuer {
    /// Opens the issuer and makes a signing key where there is none.
    pub async fn open(
        options: IssuerOptions,
        db: IssuerDb,
        control: ControlDb,
        tenant: TenantDb,
    ) -> Result<Self, IssuerError> {
        options.check()?;
        let keys = Keyring::open(&options, db.clone()).await?;
        let hasher = Hasher::new().await?;
        let limiters = Limiters::new(&options.limits);
        Ok(Self(Arc::new(Inner { options, db, control, tenant, keys, hasher, limiters })))
    }

    /// Returns the routes, all below `/auth/v1`. Serve them with connect info: the address of the peer is what requests
    /// are limited by, unless it is one of [`IssuerOptions::trusted_proxies`].
    pub fn router(&self) -> axum::Router {
        http::router(self)
    }

    /// Creates an account with its workspace, whatever the sign-up mode is. Once there is an account it does not fail:
    /// repeated, it would find one that exists, with a password that nobody was told.
    pub async fn create_account(
        &self,
        email: &str,
        password: &str,
        user_metadata: Map<String, Value>,
    ) -> Result<CreatedAccount, AccountError> {
        let email = Email::parse(email).ok_or(AccountError::Email)?;
        let account = self.register(email, password.to_owned(), user_metadata).await?;
        let provisioned = self.provision(&account).await;
        if let Err(error) = &provisioned {
            tracing::warn!(
                error = report(error),
                "the workspace of a new account waits for the first sign-in"
            );
        }
        Ok(CreatedAccount {
            user_id: account.user_id(),
            tenant_id: account.first_tenant_id(),
            is_provisioned: provisioned.is_ok(),
        })
    }

    /// Erases a person's account: the sessions end, credentials and address are forgotten. Access tokens already given stay
    /// good until they run out. Does nothing where there is no account, so that it may be repeated.
    pub async fn erase_account(&self, user: UserId) -> Result<(), DbError> {
        queries::erase_account(&self.0.db, user).await?;
        tracing::info!(user_id = %user, "account erased");
        Ok(())
    }

    /// Tells whether a session lives and its account is open.
    pub async fn is_signed_in(&self, user: UserId, session: SessionId) -> Result<bool, DbError> {
        let found = queries::session_by_id(&self.0.db, session, user).await?;
        Ok(found.is_some_and(|signed_in| !signed_in.account.is_disabled()))
    }

    /// Publishes a new signing key, which signs once every cache of the key set has it; the present one then verifies
    /// until its last token has run out. Returns false, and changes nothing, while an earlier rotation is under way.
    pub async fn rotate_keys(&self) -> Result<bool, IssuerError> {
        self.0.keys.rotate(Duration::ZERO).await
    }

    /// Does the same, but only where the key that signs was made `age` ago or earlier. The age is kept with the key in
    /// the database, so that calling this now and then is a schedule that restarts do not disturb.
    pub async fn rotate_keys_older_than(&self, age: Duration) -> Result<bool, IssuerError> {
        self.0.keys.rotate(age).await
    }

    async fn open_account(
        &self,
        email: Email,
        password: String,
        user_metadata: Map<String, Value>,
    ) -> Result<Account, AccountError> {
        let account = self.register(email, password, user_metadata).await?;
        self.provision(&account).await?;
        Ok(account)
    }

    async fn register(
        &self,
        email: Email,
        password: String,
        user_metadata: Map<String, Value>,
    ) -> Result<Account, AccountError> {
        password::check(&password)?;
        provision::check_metadata(&user_metadata)?;
        let Inner { options, db, .. } = &*self.0;
        let new = NewAccount {
            user_id: UserId::from_uuid(options.ids.next()),
            email: email.typed,
            email_normalised: email.normalised,
            password_hash: self.0.hasher.hash(password).await?,
            user_metadata: Value::Object(user_metadata),
            first_tenant_id: TenantId::from_uuid(options.ids.next()),
            created_at: options.clock.now(),
        };
        let account = queries::open_account(db, new).await?.ok_or(AccountError::Exists)?;
        tracing::info!(user_id = %account.user_id(), "account created");
        Ok(account)
    }
}
