//! What changes an account after it was opened, and the operator's view of all.

use jiff::Timestamp;
use novelfoundry_core::{Secret, SessionId, UserId};
use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use super::Account;
use crate::{
    DbError, IssuerDb,
    query::{FromRow, Query, all, get, one, optional, parameters, query},
};

static ACCOUNTS: Query = query!(
    "issuer.accounts",
    [UUID, INT8],
    "select user_id, email, password_hash, user_metadata, first_tenant_id,
            provisioned_at is not null as is_provisioned, disabled_at is not null as is_disabled,
            created_at, last_sign_in_at
       from issuer.accounts
      where $1::uuid is null or user_id > $1
      order by user_id
      limit $2"
);

/// Lists accounts, the oldest first, from behind `after` on.
pub async fn accounts(db: &IssuerDb, after: Option<UserId>, limit: u16) -> Result<Vec<Account>, DbError> {
    let values = parameters![after.map(UserId::as_uuid), i64::from(limit)];
    all(&db.query(&ACCOUNTS, values).await?)
}

struct Done(bool);

impl FromRow for Done {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        get(row, "done").map(Self)
    }
}

static INVITATION_IS_OPEN: Query =
    query!("issuer.invitation_is_open", [BYTEA], "select app.invitation_is_open($1) as done");

/// Tells whether this is the SHA-256 of the token of an invitation that nobody has accepted.
pub async fn invitation_is_open(db: &IssuerDb, token_hash: [u8; 32]) -> Result<bool, DbError> {
    let rows = db.query(&INVITATION_IS_OPEN, parameters![token_hash.to_vec()]).await?;
    one::<Done>(&rows).map(|done| done.0)
}

static SET_PASSWORD: Query = query!(
    "issuer.set_password",
    [UUID, TEXT, UUID, TIMESTAMPTZ],
    "select issuer.set_password($1, $2, $3, $4) as done"
);

/// Sets a person's password, ends all sessions, but for one that is named, and voids all links; false, and nothing done, where that session
/// has ended or the account was shut.
pub async fn set_password(
    db: &IssuerDb,
    user: UserId,
    password_hash: &Secret,
    kept: Option<SessionId>,
    now: Timestamp,
) -> Result<bool, DbError> {
    let kept = kept.map(SessionId::as_uuid);
    let values = parameters![user.as_uuid(), password_hash.expose().to_owned(), kept, now];
    one::<Done>(&db.query(&SET_PASSWORD, values).await?).map(|done| done.0)
}

/// A person, where there is one.
pub(super) struct Person(pub(super) Option<UserId>);

impl FromRow for Person {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self(get::<Option<Uuid>>(row, "user_id")?.map(UserId::from_uuid)))
    }
}

static SET_DISABLED: Query = query!(
    "issuer.set_disabled",
    [TEXT, BOOL, TIMESTAMPTZ],
    "select issuer.set_disabled($1, $2, $3) as user_id"
);

/// Shuts the account of a normalised address and ends its sessions, or opens it again; `None` where there is none.
pub async fn set_disabled(
    db: &IssuerDb,
    normalised: &str,
    disabled: bool,
    now: Timestamp,
) -> Result<Option<UserId>, DbError> {
    let values = parameters![normalised.to_owned(), disabled, now];
    one::<Person>(&db.query(&SET_DISABLED, values).await?).map(|person| person.0)
}

static ERASE_ACCOUNT: Query = query!("issuer.erase_account", [UUID], "select issuer.erase_account($1)");

/// Ends all sessions of a person and forgets the account; does nothing where there is none.
pub async fn erase_account(db: &IssuerDb, user: UserId) -> Result<(), DbError> {
    db.query(&ERASE_ACCOUNT, parameters![user.as_uuid()]).await.map(drop)
}

struct Text(String);

impl FromRow for Text {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        get(row, "user_metadata").map(Self)
    }
}

static USER_METADATA: Query = query!(
    "issuer.user_metadata",
    [UUID, UUID],
    "select a.user_metadata::text as user_metadata
       from issuer.sessions s
       join issuer.accounts a on a.user_id = s.user_id
      where s.session_id = $2 and s.user_id = $1 and s.revoked_at is null"
);

/// Reads what a person says of themselves, as the database writes it; `None` where that session of theirs has ended.
pub async fn user_metadata(
    db: &IssuerDb,
    user: UserId,
    session: SessionId,
) -> Result<Option<String>, DbError> {
    let values = parameters![user.as_uuid(), session.as_uuid()];
    let found: Option<Text> = optional(&db.query(&USER_METADATA, values).await?)?;
    Ok(found.map(|text| text.0))
}

struct Metadata(Value);

impl FromRow for Metadata {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        get(row, "user_metadata").map(Self)
    }
}

static REPLACE_USER_METADATA: Query = query!(
    "issuer.replace_user_metadata",
    [UUID, TEXT, JSONB, UUID, TEXT, TIMESTAMPTZ],
    "with present as (
       select a.user_id
         from issuer.accounts a
        where a.user_id = $1 and a.disabled_at is null
          for no key update
     ), living as (
       select s.user_id
         from present p
         join issuer.sessions s on s.user_id = p.user_id
        where s.session_id = $4 and s.revoked_at is null
          for share of s
     ), changed as (
       update issuer.accounts a
          set user_metadata = $3
         from living l
        where a.user_id = l.user_id and a.user_metadata::text = $2
       returning a.user_id, a.user_metadata
     )
     select c.user_metadata
       from changed c
      where $5 is null or issuer.set_password(c.user_id, $5, $4, $6)"
);

/// Puts metadata in the place of what [`user_metadata`] read, and sets the password as [`set_password`] does where one is
/// given: both or neither. Returns the metadata as it is kept; `None` where it has changed, or the session ended, since. The
/// account is locked before the session, as whoever ends sessions does; from then on the session lives.
pub async fn replace_user_metadata(
    db: &IssuerDb,
    user: UserId,
    session: SessionId,
    read: String,
    metadata: Value,
    password: Option<(&Secret, Timestamp)>,
) -> Result<Option<Value>, DbError> {
    let (hash, now) = password.map(|(hash, now)| (hash.expose().to_owned(), now)).unzip();
    let values = parameters![user.as_uuid(), read, metadata, session.as_uuid(), hash, now];
    let found: Option<Metadata> = optional(&db.query(&REPLACE_USER_METADATA, values).await?)?;
    Ok(found.map(|metadata| metadata.0))
}
