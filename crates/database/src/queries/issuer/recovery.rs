//! Links that let a person in without the password, and the codes they are changed for. The database knows both by
//! their SHA-256 only.

use jiff::Timestamp;
use novelfoundry_core::{Secret, SessionId, UserId};
use tokio_postgres::Row;

use super::{Account, accounts::Person};
use crate::{
    DbError, IssuerDb,
    query::{FromRow, Query, get, one, optional, parameters, query},
};

/// What a recovery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveryKind {
    /// What was sent to the person.
    Link,
    /// What the person's client was given for the link.
    Code,
}

impl RecoveryKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Code => "code",
        }
    }
}

/// What the client that asked can prove later (RFC 7636).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The challenge, 43 to 128 characters.
    pub text: String,
    /// Whether it is the SHA-256 of the verifier instead of the verifier itself.
    pub is_hashed: bool,
}

/// A recovery that is good.
#[derive(Clone, Debug)]
pub struct Recovery {
    /// Whose it is.
    pub account: Account,
    /// What it is bound to.
    pub challenge: Option<Challenge>,
}

impl FromRow for Recovery {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        let text: Option<String> = get(row, "code_challenge")?;
        let is_hashed = get::<Option<&str>>(row, "code_challenge_method")? == Some("s256");
        let challenge = text.map(|text| Challenge { text, is_hashed });
        Ok(Self { account: Account::from_row(row)?, challenge })
    }
}

static OPEN_RECOVERY: Query = query!(
    "issuer.open_recovery",
    [TEXT, BYTEA, TEXT, TEXT, TIMESTAMPTZ, TIMESTAMPTZ],
    "with forgotten as (
       delete from issuer.recoveries r
        using (select o.token_hash from issuer.recoveries o where o.expires_at <= $5 limit 100) old
        where r.token_hash = old.token_hash
     ), account as (
       select user_id, email, password_hash, user_metadata, first_tenant_id,
              provisioned_at is not null as is_provisioned, disabled_at is not null as is_disabled,
              created_at, last_sign_in_at
         from issuer.accounts
        where email_normalised = $1 and disabled_at is null
     ), opened as (
       insert into issuer.recoveries
         (token_hash, user_id, kind, code_challenge, code_challenge_method, created_at, expires_at)
       select $2, a.user_id, 'link', $3, $4, $5, $6
         from account a
     )
     select user_id, email, password_hash, user_metadata, first_tenant_id, is_provisioned, is_disabled,
            created_at, last_sign_in_at
       from account"
);

/// Opens a link for the account of a normalised address, and forgets some that have run out; `None` where no account
/// has that address, or it is shut.
pub async fn open_recovery(
    db: &IssuerDb,
    normalised: &str,
    token_hash: [u8; 32],
    challenge: Option<Challenge>,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<Option<Account>, DbError> {
    let method = challenge.as_ref().map(|challenge| if challenge.is_hashed { "s256" } else { "plain" });
    let values = parameters![
        normalised.to_owned(),
        token_hash.to_vec(),
        challenge.map(|challenge| challenge.text),
        method,
        now,
        expires_at,
    ];
    optional(&db.query(&OPEN_RECOVERY, values).await?)
}

static RECOVERY: Query = query!(
    "issuer.recovery",
    [BYTEA, TEXT, TIMESTAMPTZ],
    "select r.code_challenge, r.code_challenge_method,
            a.user_id, a.email, a.password_hash, a.user_metadata, a.first_tenant_id,
            a.provisioned_at is not null as is_provisioned, a.disabled_at is not null as is_disabled,
            a.created_at, a.last_sign_in_at
       from issuer.recoveries r
       join issuer.accounts a on a.user_id = r.user_id
      where r.token_hash = $1 and r.kind = $2 and r.expires_at > $3 and a.disabled_at is null"
);

/// Reads a recovery while it is good; it stays so.
pub async fn recovery(
    db: &IssuerDb,
    token_hash: [u8; 32],
    kind: RecoveryKind,
    now: Timestamp,
) -> Result<Option<Recovery>, DbError> {
    optional(&db.query(&RECOVERY, parameters![token_hash.to_vec(), kind.as_str(), now]).await?)
}

static EXCHANGE_LINK: Query = query!(
    "issuer.exchange_link",
    [BYTEA, BYTEA, TIMESTAMPTZ, TIMESTAMPTZ],
    "select issuer.exchange_link($1, $2, $3, $4) as user_id"
);

/// Changes a link that is bound to a challenge for a code; `None` where the link is not good.
pub async fn exchange_link(
    db: &IssuerDb,
    token_hash: [u8; 32],
    code_hash: [u8; 32],
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<Option<UserId>, DbError> {
    let values = parameters![token_hash.to_vec(), code_hash.to_vec(), now, expires_at];
    one::<Person>(&db.query(&EXCHANGE_LINK, values).await?).map(|person| person.0)
}

static REDEEM_RECOVERY: Query = query!(
    "issuer.redeem_recovery",
    [BYTEA, TEXT, UUID, BYTEA, TIMESTAMPTZ],
    "select issuer.redeem_recovery($1, $2, $3, $4, $5) as user_id"
);

/// Opens a session by a recovery, once; `None` where it is not good.
pub async fn redeem_recovery(
    db: &IssuerDb,
    token_hash: [u8; 32],
    kind: RecoveryKind,
    session: SessionId,
    refresh_token_hash: [u8; 32],
    now: Timestamp,
) -> Result<Option<UserId>, DbError> {
    let values =
        parameters![token_hash.to_vec(), kind.as_str(), session.as_uuid(), refresh_token_hash.to_vec(), now,];
    one::<Person>(&db.query(&REDEEM_RECOVERY, values).await?).map(|person| person.0)
}

static RECOVER_PASSWORD: Query = query!(
    "issuer.recover_password",
    [BYTEA, TEXT, TIMESTAMPTZ],
    "select issuer.recover_password($1, $2, $3) as user_id"
);

/// Sets a password by a link, once, and ends all sessions of the person; `None` where the link is not good.
pub async fn recover_password(
    db: &IssuerDb,
    token_hash: [u8; 32],
    password_hash: &Secret,
    now: Timestamp,
) -> Result<Option<UserId>, DbError> {
    let values = parameters![token_hash.to_vec(), password_hash.expose().to_owned(), now];
    one::<Person>(&db.query(&RECOVER_PASSWORD, values).await?).map(|person| person.0)
}
