//! Credentials, sessions and public keys of the embedded issuer. Every moment is the caller's, whose clock is also the
//! tokens'.

mod accounts;
mod keys;
mod recovery;
mod sessions;

pub use accounts::{
    accounts, erase_account, invitation_is_open, replace_user_metadata, set_disabled, set_password,
    user_metadata,
};
pub use keys::{
    KeyState, SigningKey, advance_signing_keys, insert_next_key, replace_signing_key, signing_keys,
};
pub use recovery::{
    Challenge, Recovery, RecoveryKind, exchange_link, open_recovery, recover_password, recovery,
    redeem_recovery,
};
pub use sessions::{
    Method, Rotation, Scope, Session, SignedIn, Successor, open_session, rotate, session_by_id,
    session_by_refresh_token, sign_out,
};

use jiff::Timestamp;
use novelfoundry_core::{Secret, TenantId, UserId};
use serde_json::Value;
use tokio_postgres::Row;

use crate::{
    DbError, IssuerDb, NewWorkspace,
    queries::memberships,
    query::{FromRow, Query, get, one, optional, parameters, query},
};

/// A person who signs in by password. Only the issuer's database makes one.
#[derive(Clone, Debug)]
pub struct Account {
    user_id: UserId,
    email: Secret,
    password_hash: Secret,
    user_metadata: Value,
    first_tenant_id: TenantId,
    is_provisioned: bool,
    is_disabled: bool,
    created_at: Timestamp,
    last_sign_in_at: Option<Timestamp>,
}

impl Account {
    /// Returns the person.
    pub fn user_id(&self) -> UserId {
        self.user_id
    }

    /// Returns the address as it was typed.
    pub fn email(&self) -> &str {
        self.email.expose()
    }

    /// Returns the hash of the password, in PHC form.
    pub fn password_hash(&self) -> &Secret {
        &self.password_hash
    }

    /// Returns what the person says of themselves, an object.
    pub fn user_metadata(&self) -> &Value {
        &self.user_metadata
    }

    /// Returns the account as it is with other metadata.
    #[must_use]
    pub fn with_user_metadata(self, user_metadata: Value) -> Self {
        Self { user_metadata, ..self }
    }

    /// Returns the workspace that is made with the account.
    pub fn first_tenant_id(&self) -> TenantId {
        self.first_tenant_id
    }

    /// Tells whether that workspace was made.
    pub fn is_provisioned(&self) -> bool {
        self.is_provisioned
    }

    /// Tells whether the operator has shut the account.
    pub fn is_disabled(&self) -> bool {
        self.is_disabled
    }

    /// Returns when the account was created.
    pub fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// Returns when the person last signed in.
    pub fn last_sign_in_at(&self) -> Option<Timestamp> {
        self.last_sign_in_at
    }
}

impl FromRow for Account {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            user_id: UserId::from_uuid(get(row, "user_id")?),
            email: Secret::new(get::<String>(row, "email")?),
            password_hash: Secret::new(get::<String>(row, "password_hash")?),
            user_metadata: get(row, "user_metadata")?,
            first_tenant_id: TenantId::from_uuid(get(row, "first_tenant_id")?),
            is_provisioned: get(row, "is_provisioned")?,
            is_disabled: get(row, "is_disabled")?,
            created_at: get(row, "created_at")?,
            last_sign_in_at: get(row, "last_sign_in_at")?,
        })
    }
}

impl NewWorkspace {
    /// Plans the workspace that is made with an account, the same at every call.
    pub fn for_account(account: &Account) -> Self {
        Self {
            tenant_id: account.first_tenant_id,
            user_id: account.user_id,
            email: memberships::address(Some(account.email())),
            token_issued_at: None,
        }
    }
}

/// An account to be opened.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// The person's id, new.
    pub user_id: UserId,
    /// The address as it was typed.
    pub email: Secret,
    /// The form of the address that no two accounts share.
    pub email_normalised: Secret,
    /// The hash of the password, in PHC form.
    pub password_hash: Secret,
    /// What the person says of themselves, an object.
    pub user_metadata: Value,
    /// The id of the workspace that will be made with the account, new.
    pub first_tenant_id: TenantId,
    /// The present moment.
    pub created_at: Timestamp,
}

static OPEN_ACCOUNT: Query = query!(
    "issuer.open_account",
    [UUID, TEXT, TEXT, TEXT, JSONB, UUID, TIMESTAMPTZ],
    "insert into issuer.accounts
       (user_id, email, email_normalised, password_hash, user_metadata, first_tenant_id, created_at)
     values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (email_normalised) do nothing
     returning user_id, email, password_hash, user_metadata, first_tenant_id,
               provisioned_at is not null as is_provisioned, disabled_at is not null as is_disabled,
               created_at, last_sign_in_at"
);

/// Opens an account; `None` where the address has one.
pub async fn open_account(db: &IssuerDb, new: NewAccount) -> Result<Option<Account>, DbError> {
    let values = parameters![
        new.user_id.as_uuid(),
        new.email.expose().to_owned(),
        new.email_normalised.expose().to_owned(),
        new.password_hash.expose().to_owned(),
        new.user_metadata,
        new.first_tenant_id.as_uuid(),
        new.created_at,
    ];
    optional(&db.query(&OPEN_ACCOUNT, values).await?)
}

static ACCOUNT_BY_EMAIL: Query = query!(
    "issuer.account_by_email",
    [TEXT],
    "select user_id, email, password_hash, user_metadata, first_tenant_id,
            provisioned_at is not null as is_provisioned, disabled_at is not null as is_disabled,
            created_at, last_sign_in_at
       from issuer.accounts
      where email_normalised = $1"
);

/// Reads the account of a normalised address.
pub async fn account_by_email(db: &IssuerDb, normalised: &str) -> Result<Option<Account>, DbError> {
    optional(&db.query(&ACCOUNT_BY_EMAIL, parameters![normalised.to_owned()]).await?)
}

static MARK_PROVISIONED: Query = query!(
    "issuer.mark_provisioned",
    [UUID, TIMESTAMPTZ],
    "update issuer.accounts
        set provisioned_at = $2
      where user_id = $1 and provisioned_at is null"
);

/// Records that the account's first workspace was made.
pub async fn mark_provisioned(db: &IssuerDb, account: &Account, now: Timestamp) -> Result<(), DbError> {
    db.query(&MARK_PROVISIONED, parameters![account.user_id.as_uuid(), now]).await.map(drop)
}

static TOKEN_CLAIMS: Query =
    query!("issuer.token_claims", [JSONB], "select app.custom_access_token_hook($1) -> 'claims' as claims");

struct Claims(Value);

impl FromRow for Claims {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        get(row, "claims").map(Self)
    }
}

/// Lets the access-token hook decide which workspace the claims name; `event` is in the shape Supabase Auth sends.
pub async fn token_claims(db: &IssuerDb, event: Value) -> Result<Value, DbError> {
    one::<Claims>(&db.query(&TOKEN_CLAIMS, parameters![event]).await?).map(|claims| claims.0)
}
