//! People who go: out of one workspace after the other, then without their account, then out of the directory. Each step is
//! a transaction of its own and may be repeated, since no transaction spans workspaces.
//!
//! A mark in the directory comes first and is settled last. It lies ahead while somebody is at work: until then no token
//! of the person's enters a workspace, however fresh it is. Behind, beside an address or a membership, it says that the
//! departure was cut short, and a worker finishes it.

use jiff::Timestamp;
use novelfoundry_core::{Role, TenantId, UserId};
use novelfoundry_identity::VerifiedClaims;
use tokio_postgres::Row;

use super::workspaces::{self, Deletion};
use crate::{
    Authority, Call, ConfirmedMembership, ControlDb, DbError, Operator, Refusal, TenantDb,
    query::{FromRow, Query, all, get, one, parameters, query},
};

/// How often the workspaces are listed: to leave them, and to see that none is left.
const ROUNDS: usize = 3;

/// Somebody who leaves for good.
#[derive(Clone, Copy, Debug)]
pub struct Leaver {
    user_id: UserId,
    token_issued_at: Option<Timestamp>,
    /// The mark of an earlier attempt: without it they have come back, and stay.
    mark: Option<Timestamp>,
}

impl Leaver {
    /// Takes the person of a verified token, by their own wish.
    pub fn from_claims(claims: &VerifiedClaims) -> Self {
        Self { user_id: claims.user_id(), token_issued_at: Some(claims.issued_at()), mark: None }
    }

    /// Takes the person whom the operator names.
    pub fn from_operator(_: &Operator, user_id: UserId) -> Self {
        Self { user_id, token_issued_at: None, mark: None }
    }

    /// Returns the person.
    pub fn user_id(&self) -> UserId {
        self.user_id
    }
}

/// Why somebody has not left.
#[derive(Debug, thiserror::Error)]
pub enum DepartureError {
    /// They must hand these workspaces over first.
    #[error("they are the only owner of others")]
    LastOwner {
        /// Those that they own alone.
        workspaces: Vec<TenantId>,
        /// Whether they have left others already: another owner went while they did.
        begun: bool,
    },
    /// They enter workspaces as fast as they leave them.
    #[error("a person who leaves is in workspaces again and again")]
    Endless,
    /// The database refused, or did not answer, before anything was changed.
    #[error("the database did not do it")]
    Database(#[from] DbError),
    /// It did not go on after something was changed: who repeats it finishes it, or else a worker.
    #[error("it was begun and not finished")]
    Unfinished(#[source] DbError),
}

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

static IS_KNOWN: Query = query!(
    "departure.is_known",
    [UUID],
    "select exists (select from app.users where user_id = $1) as answer"
);

/// Tells whether the directory knows the person, or that they left.
pub async fn is_known(db: &ControlDb, leaver: &Leaver) -> Result<bool, DbError> {
    let rows = db.read(&IS_KNOWN, parameters![leaver.user_id.as_uuid()]).await?;
    one::<Answer>(&rows).map(|answer| answer.0)
}

/// Lists all workspaces of the person, each confirmed.
async fn workspaces(db: &ControlDb, leaver: &Leaver) -> Result<Vec<ConfirmedMembership>, DbError> {
    let user_id = leaver.user_id;
    let listed: Vec<Listed> = all(&db.read(&WORKSPACES, parameters![user_id.as_uuid()]).await?)?;
    Ok(listed
        .into_iter()
        .map(|Listed(tenant_id, name)| ConfirmedMembership { tenant_id, user_id, name })
        .collect())
}

/// Takes the person out of every workspace, deletes those that nobody else is in, has `erase` take their account away and
/// the directory forget them. May be repeated. Who is the only owner of others is refused, and what an earlier attempt
/// began is taken back.
pub async fn depart(
    control: &ControlDb,
    tenant: &TenantDb,
    leaver: &Leaver,
    deletion: impl Fn() -> Deletion,
    erase: impl Future<Output = Result<(), DbError>>,
) -> Result<(), DepartureError> {
    // Looked at before anything is left: who is refused has lost nothing.
    let owned = owned_alone(control, tenant, leaver).await?;
    if !owned.is_empty() {
        stay(control, leaver.user_id).await?;
        return Err(DepartureError::LastOwner { workspaces: owned, begun: false });
    }
    if !begin(control, leaver).await? {
        return Ok(());
    }
    let mut begun = false;
    leave_all(control, tenant, leaver, &deletion, &mut begun).await?;
    erase.await.map_err(DepartureError::Unfinished)?;
    // Where it has taken longer than the mark lies ahead, a token refreshed amid it may have entered one more.
    leave_all(control, tenant, leaver, &deletion, &mut begun).await?;
    forget(control, leaver).await.map_err(DepartureError::Unfinished)
}

/// Lists the workspaces of the person in which they are the only owner of others.
async fn owned_alone(
    control: &ControlDb,
    tenant: &TenantDb,
    leaver: &Leaver,
) -> Result<Vec<TenantId>, DbError> {
    let mut owned = Vec::new();
    for membership in workspaces(control, leaver).await? {
        match owes_hand_over(tenant, &membership).await {
            Ok(true) => owned.push(membership.tenant_id),
            Ok(false) | Err(DbError::Refused(Refusal::NotAMember)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(owned)
}

/// Leaves one workspace after the other until none is left; `begun` is set with the first.
async fn leave_all(
    control: &ControlDb,
    tenant: &TenantDb,
    leaver: &Leaver,
    deletion: &impl Fn() -> Deletion,
    begun: &mut bool,
) -> Result<(), DepartureError> {
    for _ in 0..ROUNDS {
        let workspaces = workspaces(control, leaver).await.map_err(DepartureError::Unfinished)?;
        if workspaces.is_empty() {
            return Ok(());
        }
        for membership in &workspaces {
            match leave(tenant, membership, deletion()).await {
                Ok(()) => *begun = true,
                Err(DbError::Refused(Refusal::NotAMember)) => {}
                // An owner has left since.
                Err(DbError::Refused(Refusal::LastOwner)) => {
                    stay(control, leaver.user_id).await.map_err(DepartureError::Unfinished)?;
                    let workspaces = vec![membership.tenant_id];
                    return Err(DepartureError::LastOwner { workspaces, begun: *begun });
                }
                Err(error) => return Err(DepartureError::Unfinished(error)),
            }
        }
    }
    Err(DepartureError::Endless)
}

static UNFINISHED: Query = query!(
    "departure.unfinished",
    [INT8],
    "select u.user_id, u.departed_at
       from app.users u
      where u.departed_at between now() - interval '1 day' and now()
        and (u.email is not null or exists (select from app.user_tenants ut where ut.user_id = u.user_id))
      order by u.departed_at
      limit $1"
);

impl FromRow for Leaver {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        let user_id = UserId::from_uuid(get(row, "user_id")?);
        Ok(Self { user_id, token_issued_at: None, mark: Some(get(row, "departed_at")?) })
    }
}

/// Lists people whose departure was cut short and is nobody's work any more, `limit` at most. What is older than a day is
/// left alone: who has worked on for so long does not expect it.
pub async fn unfinished(db: &ControlDb, limit: i64) -> Result<Vec<Leaver>, DbError> {
    all(&db.read(&UNFINISHED, parameters![limit]).await?)
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
async fn owes_hand_over(db: &TenantDb, membership: &ConfirmedMembership) -> Result<bool, DbError> {
    let authority = Authority::from_directory(membership);
    let call = Call::new(&OWES_HAND_OVER, parameters![membership.user_id.as_uuid()], one::<Answer>);
    db.read(&authority, Role::Viewer, "departure.look", call).await.map(|answer| answer.0)
}

/// Takes the person out of a workspace, and deletes it where nobody else is in it. The last owner of others is refused.
async fn leave(db: &TenantDb, membership: &ConfirmedMembership, deletion: Deletion) -> Result<(), DbError> {
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

/// A minute is more than a request takes. Where one takes longer a worker goes on beside it, which does no harm.
static BEGIN: Query = query!(
    "departure.begin",
    [UUID, TIMESTAMPTZ, TIMESTAMPTZ],
    "insert into app.users (user_id, departed_at)
     values ($1, greatest(now(), $2) + interval '1 minute')
         on conflict (user_id) do update set departed_at = excluded.departed_at
      where $3 is null or users.departed_at = $3
     returning user_id"
);

/// Keeps the person from entering workspaces. Returns once all that they were entering are in the directory; false, and
/// nothing done, where they have come back since they were marked.
async fn begin(db: &ControlDb, leaver: &Leaver) -> Result<bool, DbError> {
    let values = parameters![leaver.user_id.as_uuid(), leaver.token_issued_at, leaver.mark];
    Ok(!db.query(&BEGIN, values).await?.is_empty())
}

static STAY: Query = query!(
    "departure.stay",
    [UUID],
    "update app.users
        set departed_at = null
      where user_id = $1"
);

/// Takes back what [`begin`] did.
async fn stay(db: &ControlDb, user: UserId) -> Result<(), DbError> {
    db.query(&STAY, parameters![user.as_uuid()]).await.map(drop)
}

static FORGET: Query = query!(
    "departure.forget",
    [UUID, TIMESTAMPTZ],
    "with sessions as (
       delete from app.session_tenants
        where user_id = $1
     )
     update app.users
        set email = null, default_tenant_id = null, departed_at = greatest(now(), $2)
      where user_id = $1"
);

/// Forgets what the directory knows of a person: their address, their default workspace and those of their sessions. That
/// they left is kept until no token of theirs is good any more; from now on one of after brings them back.
async fn forget(db: &ControlDb, leaver: &Leaver) -> Result<(), DbError> {
    db.query(&FORGET, parameters![leaver.user_id.as_uuid(), leaver.token_issued_at]).await.map(drop)
}
