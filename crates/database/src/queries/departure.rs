//! People who go: out of one workspace after the other, then out of the directory. Each step is a transaction of its own
//! and may be repeated, since no transaction spans workspaces.

use novelfoundry_core::{Role, TenantId, UserId};
use novelfoundry_identity::VerifiedClaims;
use tokio_postgres::Row;

use super::workspaces::{self, Deletion};
use crate::{
    Authority, Call, ConfirmedMembership, ControlDb, DbError, TenantDb,
    query::{FromRow, Query, all, get, one, parameters, query},
};

static WORKSPACES: Query = query!(
    "departure.workspaces",
    [UUID],
    "select tenant_id, tenant_name
       from app.user_tenants
      where user_id = $1
      order by created_at, tenant_id"
);

struct Listed(TenantId, String);

impl FromRow for Listed {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self(TenantId::from_uuid(get(row, "tenant_id")?), get(row, "tenant_name")?))
    }
}

/// Lists all workspaces of the token's person, each confirmed.
pub async fn workspaces(
    db: &ControlDb,
    claims: &VerifiedClaims,
) -> Result<Vec<ConfirmedMembership>, DbError> {
    let user_id = claims.user_id();
    let listed: Vec<Listed> = all(&db.read(&WORKSPACES, parameters![user_id.as_uuid()]).await?)?;
    Ok(listed
        .into_iter()
        .map(|Listed(tenant_id, name)| ConfirmedMembership { tenant_id, user_id, name })
        .collect())
}

static OWES_HAND_OVER: Query = query!(
    "departure.owes_hand_over",
    [UUID, UUID],
    "select count(*) > 1
            and count(*) filter (where role = 'owner') = 1
            and coalesce(bool_or(user_id = $2 and role = 'owner'), false) as answer
       from app.memberships
      where tenant_id = $1"
);

static LEAVE: Query =
    query!("departure.leave", [UUID, UUID, UUID], "select app.leave_workspace($1, $2, $3) as answer");

struct Answer(bool);

impl FromRow for Answer {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        get(row, "answer").map(Self)
    }
}

/// Tells whether the person is the only owner of others, now.
pub async fn owes_hand_over(db: &TenantDb, membership: &ConfirmedMembership) -> Result<bool, DbError> {
    let authority = Authority::from_directory(membership);
    let call = Call::new(&OWES_HAND_OVER, parameters![membership.user_id.as_uuid()], one::<Answer>);
    db.read(&authority, Role::Viewer, "departure.look", call).await.map(|answer| answer.0)
}

/// Takes the person out of a workspace, and deletes it where nobody else is in it. The last owner of others is refused.
pub async fn leave(
    db: &TenantDb,
    membership: &ConfirmedMembership,
    deletion: Deletion,
) -> Result<(), DbError> {
    let authority = Authority::from_directory(membership);
    let user = membership.user_id;
    db.run(&authority, Role::Viewer, "departure.leave", |tx| {
        Box::pin(async move {
            let leave = Call::new(&LEAVE, parameters![user.as_uuid(), deletion.event], one::<Answer>);
            if tx.send(&leave).await?.0 {
                workspaces::delete_in(tx, Some(user), deletion).await?;
            }
            Ok(())
        })
    })
    .await
}

static BEGIN: Query = query!(
    "departure.begin",
    [UUID, TIMESTAMPTZ],
    "insert into app.users (user_id, departed_at)
     values ($1, greatest(now(), $2))
         on conflict (user_id) do update set departed_at = excluded.departed_at"
);

/// Keeps the person, with this token and any before it, from entering workspaces. Returns once all that they were
/// entering are in the directory.
pub async fn begin(db: &ControlDb, claims: &VerifiedClaims) -> Result<(), DbError> {
    db.query(&BEGIN, parameters![claims.user_id().as_uuid(), claims.issued_at()]).await.map(drop)
}

static STAY: Query = query!(
    "departure.stay",
    [UUID],
    "update app.users
        set departed_at = null
      where user_id = $1"
);

/// Takes back what [`begin`] did.
pub async fn stay(db: &ControlDb, user: UserId) -> Result<(), DbError> {
    db.query(&STAY, parameters![user.as_uuid()]).await.map(drop)
}

static FORGET: Query = query!(
    "departure.forget",
    [UUID],
    "with sessions as (
       delete from app.session_tenants
        where user_id = $1
     )
     update app.users
        set email = null, default_tenant_id = null
      where user_id = $1"
);

/// Forgets what the directory knows of a person: their address, their default workspace and those of their sessions. That
/// they left is kept until no token of theirs is good any more.
pub async fn forget(db: &ControlDb, user: UserId) -> Result<(), DbError> {
    db.query(&FORGET, parameters![user.as_uuid()]).await.map(drop)
}
