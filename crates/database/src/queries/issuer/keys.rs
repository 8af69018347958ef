//! The public halves of the signing keys and where each stands.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::Row;

use crate::{
    DbError, IssuerDb,
    query::{FromRow, Query, all, get, parameters, parse, query},
};

/// Where a signing key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Published, not yet signing.
    Next,
    /// Signing.
    Active,
    /// Verifies what it signed.
    Retiring,
    /// Out of use.
    Retired,
}

impl std::str::FromStr for KeyState {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Ok(match text {
            "next" => Self::Next,
            "active" => Self::Active,
            "retiring" => Self::Retiring,
            "retired" => Self::Retired,
            _ => return Err(()),
        })
    }
}

/// The public half of a signing key.
#[derive(Clone, Debug)]
pub struct SigningKey {
    /// Its name in tokens.
    pub kid: String,
    /// The key as it is published.
    pub public_jwk: Value,
    /// Where it stands.
    pub state: KeyState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its state changes next, where that depends on time alone.
    pub changes_at: Option<Timestamp>,
}

impl FromRow for SigningKey {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            kid: get(row, "kid")?,
            public_jwk: get(row, "public_jwk")?,
            state: parse(row, "state")?,
            created_at: get(row, "created_at")?,
            changes_at: get(row, "changes_at")?,
        })
    }
}

static SIGNING_KEYS: Query = query!(
    "issuer.signing_keys",
    [],
    "select kid, public_jwk, state, created_at,
            case state when 'next' then activates_at when 'retiring' then retires_at end as changes_at
       from issuer.signing_keys
      order by created_at desc, kid
      limit 1000"
);

/// Lists the signing keys, newest first.
pub async fn signing_keys(db: &IssuerDb) -> Result<Vec<SigningKey>, DbError> {
    all(&db.query(&SIGNING_KEYS, Vec::new()).await?)
}

static ADVANCE_SIGNING_KEYS: Query = query!(
    "issuer.advance_signing_keys",
    [TIMESTAMPTZ, FLOAT8],
    "select issuer.advance_signing_keys($1, $2 * interval '1 second')"
);

/// Moves on every key whose time has come; one that stops signing stays verifiable for `verifiable`.
pub async fn advance_signing_keys(
    db: &IssuerDb,
    now: Timestamp,
    verifiable: Duration,
) -> Result<(), DbError> {
    db.query(&ADVANCE_SIGNING_KEYS, parameters![now, verifiable.as_secs_f64()]).await.map(drop)
}

static INSERT_NEXT_KEY: Query = query!(
    "issuer.insert_next_key",
    [TEXT, JSONB, TIMESTAMPTZ, TIMESTAMPTZ],
    "insert into issuer.signing_keys (kid, public_jwk, state, created_at, activates_at)
     values ($1, $2, 'next', $3, $4)
         on conflict do nothing
     returning kid"
);

/// Publishes a key that will sign from `activates_at`; false where another one is waiting already.
pub async fn insert_next_key(
    db: &IssuerDb,
    kid: String,
    public_jwk: Value,
    now: Timestamp,
    activates_at: Timestamp,
) -> Result<bool, DbError> {
    Ok(!db.query(&INSERT_NEXT_KEY, parameters![kid, public_jwk, now, activates_at]).await?.is_empty())
}

static REPLACE_SIGNING_KEY: Query = query!(
    "issuer.replace_signing_key",
    [TEXT, TEXT, JSONB, TIMESTAMPTZ, FLOAT8],
    "select issuer.replace_signing_key($1, $2, $3, $4, $5 * interval '1 second') as signs"
);

/// Takes a key whose private half is lost out of use, and lets the fresh one sign where none is left that does; either
/// may be missing. Returns whether the fresh one signs.
pub async fn replace_signing_key(
    db: &IssuerDb,
    lost: Option<String>,
    fresh: Option<(String, Value)>,
    now: Timestamp,
    verifiable: Duration,
) -> Result<bool, DbError> {
    let (kid, public_jwk) = fresh.unzip();
    let values = parameters![lost, kid, public_jwk, now, verifiable.as_secs_f64()];
    let rows = db.query(&REPLACE_SIGNING_KEY, values).await?;
    rows.first().map_or(Ok(false), |row| get(row, "signs"))
}
