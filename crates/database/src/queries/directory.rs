//! The directory of people and their workspaces: control tables only.

use std::time::Duration;

use jiff::Timestamp;
use novelfoundry_core::{TenantId, UserId};
use novelfoundry_identity::VerifiedClaims;
use tokio_postgres::Row;

use crate::{
    ConfirmedMembership, ControlDb, DbError,
    queries::memberships,
    query::{FromRow, Query, all, get, optional, parameters, query},
};

/// A workspace as the directory lists it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The workspace.
    pub tenant_id: TenantId,
    /// Its name.
    pub name: String,
}

impl FromRow for Listed {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self { tenant_id: TenantId::from_uuid(get(row, "tenant_id")?), name: get(row, "tenant_name")? })
    }
}

static REMEMBER: Query = query!(
    "directory.remember",
    [UUID, TEXT, TIMESTAMPTZ],
    "insert into app.users (user_id, email)
     values ($1, $2)
         on conflict (user_id) do update set email = excluded.email, departed_at = null
      where (users.email is distinct from excluded.email or users.departed_at is not null)
        and (users.departed_at is null or $3::timestamptz > users.departed_at)"
);

/// Records the person of a token, or their changed address. Who deleted themselves is back with a token of after that,
/// and not with one of before.
pub async fn remember(db: &ControlDb, claims: &VerifiedClaims) -> Result<(), DbError> {
    let values =
        parameters![claims.user_id().as_uuid(), memberships::address(claims.email()), claims.issued_at()];
    db.query(&REMEMBER, values).await.map(drop)
}

/// Records the person of an account.
pub async fn remember_account(db: &ControlDb, user: UserId, email: &str) -> Result<(), DbError> {
    let values = parameters![user.as_uuid(), memberships::address(Some(email)), None::<Timestamp>];
    db.query(&REMEMBER, values).await.map(drop)
}

static WORKSPACES: Query = query!(
    "directory.workspaces",
    [UUID],
    "select tenant_id, tenant_name
       from app.user_tenants
      where user_id = $1
      order by created_at, tenant_id
      limit 100"
);

/// Lists the workspaces of the token's person, oldest first, a hundred at most.
pub async fn workspaces(db: &ControlDb, claims: &VerifiedClaims) -> Result<Vec<Listed>, DbError> {
    all(&db.read(&WORKSPACES, parameters![claims.user_id().as_uuid()]).await?)
}

static CONFIRM: Query = query!(
    "directory.confirm",
    [UUID, UUID],
    "select tenant_id, tenant_name
       from app.user_tenants
      where tenant_id = $1 and user_id = $2"
);

/// Confirms that the token's person belongs to a workspace.
pub async fn confirm(
    db: &ControlDb,
    claims: &VerifiedClaims,
    tenant: TenantId,
) -> Result<Option<ConfirmedMembership>, DbError> {
    let rows = db.read(&CONFIRM, parameters![tenant.as_uuid(), claims.user_id().as_uuid()]).await?;
    Ok(optional::<Listed>(&rows)?.map(|listed| ConfirmedMembership {
        tenant_id: listed.tenant_id,
        user_id: claims.user_id(),
        name: listed.name,
    }))
}

static ACTIVATE_SESSION: Query = query!(
    "directory.activate_session",
    [UUID, UUID, UUID],
    "insert into app.session_tenants (session_id, user_id, tenant_id)
     values ($1, $2, $3)
         on conflict (session_id) do update set tenant_id = excluded.tenant_id, activated_at = now()
      where session_tenants.user_id = excluded.user_id"
);

static ACTIVATE_DEFAULT: Query = query!(
    "directory.activate_default",
    [UUID, UUID],
    "insert into app.users (user_id, default_tenant_id)
     values ($1, $2)
         on conflict (user_id) do update set default_tenant_id = excluded.default_tenant_id"
);

/// Makes a workspace the active one of the token's session, or the person's default where the token has no session.
pub async fn activate(
    db: &ControlDb,
    claims: &VerifiedClaims,
    membership: &ConfirmedMembership,
) -> Result<(), DbError> {
    let (user, tenant) = (membership.user_id.as_uuid(), membership.tenant_id.as_uuid());
    match claims.session_id() {
        Some(session) => db.query(&ACTIVATE_SESSION, parameters![session.as_uuid(), user, tenant]).await,
        None => db.query(&ACTIVATE_DEFAULT, parameters![user, tenant]).await,
    }
    .map(drop)
}

static FORGET_SESSIONS: Query = query!(
    "directory.forget_sessions",
    [INT8],
    "delete from app.session_tenants s
      using (select session_id
               from app.session_tenants
              where activated_at < now() - interval '400 days'
              order by activated_at
              limit $1
                for update skip locked) as old
      where s.session_id = old.session_id
     returning s.session_id"
);

/// Removes the active workspaces of sessions that activated none for 400 days, `limit` at most; returns how many. That is
/// longer than browsers keep a session; one that lives on is in its person's default workspace again.
pub async fn forget_sessions(db: &ControlDb, limit: i64) -> Result<usize, DbError> {
    Ok(db.query(&FORGET_SESSIONS, parameters![limit]).await?.len())
}

static FORGET_DEPARTED: Query = query!(
    "directory.forget_departed",
    [INT8, FLOAT8],
    "delete from app.users u
      using (select d.user_id
               from app.users d
              where d.departed_at < now() - greatest(interval '30 days', $2 * interval '1 second')
                and not exists (select from app.user_tenants ut where ut.user_id = d.user_id)
              order by d.departed_at
              limit $1
                for update of d skip locked) as old
      where u.user_id = old.user_id
     returning u.user_id"
);

/// Removes what is left of people who deleted themselves, `limit` at most; returns how many. By then no token of theirs
/// is good any more, which 30 days see to, and no backup knows them, which are kept for `retention`.
pub async fn forget_departed(db: &ControlDb, limit: i64, retention: Duration) -> Result<usize, DbError> {
    Ok(db.query(&FORGET_DEPARTED, parameters![limit, retention.as_secs_f64()]).await?.len())
}
