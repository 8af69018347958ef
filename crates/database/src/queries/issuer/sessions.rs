//! Sessions and their refresh tokens: a chain a session, each token used once.

use std::time::Duration;

use jiff::Timestamp;
use novelfoundry_core::{SessionId, UserId};
use tokio_postgres::Row;

use super::Account;
use crate::{
    DbError, IssuerDb,
    query::{FromRow, Query, get, one, optional, parameters, parse, query},
};

/// A signed-in session.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its id.
    pub session_id: SessionId,
    /// When the person signed in.
    pub created_at: Timestamp,
    /// How the person proved who they are.
    pub method: Method,
}

/// How a person proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// By the password.
    Password,
    /// By a link that was sent to them.
    Otp,
}

impl Method {
    /// Returns the name that tokens give it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Otp => "otp",
        }
    }
}

impl std::str::FromStr for Method {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Password, Self::Otp].into_iter().find(|method| method.as_str() == text).ok_or(())
    }
}

/// A session together with its account.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// The account.
    pub account: Account,
}

impl FromRow for SignedIn {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        let session = Session {
            session_id: SessionId::from_uuid(get(row, "session_id")?),
            created_at: get(row, "session_created_at")?,
            method: parse(row, "method")?,
        };
        Ok(Self { session, account: Account::from_row(row)? })
    }
}

static OPEN_SESSION: Query = query!(
    "issuer.open_session",
    [UUID, UUID, BYTEA, TIMESTAMPTZ, TEXT],
    "with present as (
       select a.user_id
         from issuer.accounts a
        where a.user_id = $2 and a.password_hash = $5 and a.disabled_at is null
          for no key update
     ), opened as (
       insert into issuer.sessions (session_id, user_id, created_at, refreshed_at)
       select $1, p.user_id, $4, $4
         from present p
       returning session_id, user_id, created_at, method
     ), issued as (
       insert into issuer.refresh_tokens (token_hash, session_id, issued_at)
       select $3, o.session_id, $4
         from opened o
     ), old as (
       select s.session_id
         from issuer.sessions s
        where s.user_id = $2 and s.revoked_at < $4 - interval '30 days'
        limit 100
     ), forgotten_tokens as (
       delete from issuer.refresh_tokens t
        using old
        where t.session_id = old.session_id
     ), forgotten as (
       delete from issuer.sessions s
        using old
        where s.session_id = old.session_id
     )
     update issuer.accounts a
        set last_sign_in_at = $4
       from opened o
      where a.user_id = o.user_id
     returning o.session_id, o.created_at as session_created_at, o.method,
               a.user_id, a.email, a.password_hash, a.user_metadata, a.first_tenant_id,
               a.provisioned_at is not null as is_provisioned, a.disabled_at is not null as is_disabled,
               a.created_at, a.last_sign_in_at"
);

/// Opens a session with its first refresh token, and forgets sessions of the person's that ended long ago. `None` where
/// the account has another password by now, or was shut.
pub async fn open_session(
    db: &IssuerDb,
    session: SessionId,
    account: &Account,
    token_hash: [u8; 32],
    now: Timestamp,
) -> Result<Option<SignedIn>, DbError> {
    let values = parameters![
        session.as_uuid(),
        account.user_id.as_uuid(),
        token_hash.to_vec(),
        now,
        account.password_hash.expose().to_owned(),
    ];
    optional(&db.query(&OPEN_SESSION, values).await?)
}

static SESSION_BY_ID: Query = query!(
    "issuer.session_by_id",
    [UUID, UUID],
    "select s.session_id, s.created_at as session_created_at, s.method,
            a.user_id, a.email, a.password_hash, a.user_metadata, a.first_tenant_id,
            a.provisioned_at is not null as is_provisioned, a.disabled_at is not null as is_disabled,
            a.created_at, a.last_sign_in_at
       from issuer.sessions s
       join issuer.accounts a on a.user_id = s.user_id
      where s.session_id = $1 and s.user_id = $2 and s.revoked_at is null"
);

/// Reads a person's session while it lives.
pub async fn session_by_id(
    db: &IssuerDb,
    session: SessionId,
    user: UserId,
) -> Result<Option<SignedIn>, DbError> {
    optional(&db.query(&SESSION_BY_ID, parameters![session.as_uuid(), user.as_uuid()]).await?)
}

static SESSION_BY_REFRESH_TOKEN: Query = query!(
    "issuer.session_by_refresh_token",
    [BYTEA],
    "select s.session_id, s.created_at as session_created_at, s.method,
            a.user_id, a.email, a.password_hash, a.user_metadata, a.first_tenant_id,
            a.provisioned_at is not null as is_provisioned, a.disabled_at is not null as is_disabled,
            a.created_at, a.last_sign_in_at
       from issuer.refresh_tokens t
       join issuer.sessions s on s.session_id = t.session_id
       join issuer.accounts a on a.user_id = s.user_id
      where t.token_hash = $1"
);

/// Reads the session, living or not, that a refresh token belongs to, used or not; only [`rotate`] tells whether the
/// token is good.
pub async fn session_by_refresh_token(
    db: &IssuerDb,
    token_hash: [u8; 32],
) -> Result<Option<SignedIn>, DbError> {
    optional(&db.query(&SESSION_BY_REFRESH_TOKEN, parameters![token_hash.to_vec()]).await?)
}

/// What became of a refresh token that was presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// It is good; these salts lead from it to the one token of its session that is unused now.
    Rotated(Vec<[u8; 32]>),
    /// It was used before the grace, so that its session is revoked.
    Reused,
    /// It or its session is gone.
    Unknown,
}

impl FromRow for Rotation {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(match get(row, "outcome")? {
            "rotated" => Self::Rotated(
                get::<Vec<&[u8]>>(row, "salts")?
                    .into_iter()
                    .map(|salt| salt.try_into().map_err(DbError::defect))
                    .collect::<Result<_, _>>()?,
            ),
            "reused" => Self::Reused,
            _ => Self::Unknown,
        })
    }
}

/// The token that follows a presented one, unless a concurrent request has made another.
#[derive(Clone, Copy)]
pub struct Successor {
    /// The SHA-256 of the token.
    pub hash: [u8; 32],
    /// What makes it out of the presented one.
    pub salt: [u8; 32],
}

static ROTATE: Query = query!(
    "issuer.rotate",
    [BYTEA, BYTEA, BYTEA, TIMESTAMPTZ, FLOAT8],
    "select outcome, salts
       from issuer.rotate_refresh_token($1, $2, $3, $4, $5 * interval '1 second')"
);

/// Uses a refresh token once; repeated within the grace it leads to the token it led to before.
pub async fn rotate(
    db: &IssuerDb,
    presented: [u8; 32],
    successor: Successor,
    now: Timestamp,
    grace: Duration,
) -> Result<Rotation, DbError> {
    let values = parameters![
        presented.to_vec(),
        successor.hash.to_vec(),
        successor.salt.to_vec(),
        now,
        grace.as_secs_f64()
    ];
    one(&db.query(&ROTATE, values).await?)
}

/// Which sessions of a person a sign-out ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All.
    Global,
    /// The present one.
    Local,
    /// All but the present one.
    Others,
}

impl Scope {
    /// Returns the name that Supabase gives it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Local => "local",
            Self::Others => "others",
        }
    }
}

impl std::str::FromStr for Scope {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Global, Self::Local, Self::Others].into_iter().find(|scope| scope.as_str() == text).ok_or(())
    }
}

static SIGN_OUT: Query = query!(
    "issuer.sign_out",
    [UUID, UUID, TEXT, TIMESTAMPTZ],
    "with present as (
       select s.session_id
         from issuer.sessions s
        where s.session_id = $1 and s.user_id = $2 and s.revoked_at is null
     ), revoked as (
       update issuer.sessions s
          set revoked_at = $4
         from present
        where s.user_id = $2 and s.revoked_at is null
          and case $3
                when 'local' then s.session_id = $1
                when 'others' then s.session_id <> $1
                else true
              end
     )
     select session_id
       from present"
);

/// Ends sessions of a person; false, and nothing ended, where the present one has ended before.
pub async fn sign_out(
    db: &IssuerDb,
    session: SessionId,
    user: UserId,
    scope: Scope,
    now: Timestamp,
) -> Result<bool, DbError> {
    let values = parameters![session.as_uuid(), user.as_uuid(), scope.as_str(), now];
    Ok(!db.query(&SIGN_OUT, values).await?.is_empty())
}
