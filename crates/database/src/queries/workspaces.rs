//! Workspaces: making one, reading the present one, deleting one.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use novelfoundry_core::{IdSource, JobId, JobKind, PurgeWorkspace, Role, TenantId, UserId};
use novelfoundry_identity::VerifiedClaims;
use sha2::{Digest, Sha256};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    Authority, Call, ControlDb, DbError, NewWorkspace, Refusal, TenantDb, TenantTx,
    queries::{events, idempotency, jobs, memberships, reconcile},
    query::{FromRow, Query, all, get, nothing, one, optional, parameters, query},
};

/// A workspace.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// Its id.
    pub tenant_id: TenantId,
    /// Its name.
    pub name: String,
    /// Its plan.
    pub plan_id: String,
    /// When it was created.
    pub created_at: Timestamp,
}

impl FromRow for Workspace {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            tenant_id: TenantId::from_uuid(get(row, "tenant_id")?),
            name: get(row, "name")?,
            plan_id: get(row, "plan_id")?,
            created_at: get(row, "created_at")?,
        })
    }
}

static PRESENT: Query = query!(
    "workspaces.present",
    [UUID],
    "select tenant_id, name, plan_id, created_at
       from app.tenants
      where tenant_id = $1 and deleted_at is null"
);

/// Reads the transaction's own workspace.
pub fn present() -> Call<Option<Workspace>> {
    Call::new(&PRESENT, parameters![], optional)
}

static REQUIRE_ROOM: Query = query!(
    "workspaces.require_room",
    [UUID, UUID, TIMESTAMPTZ],
    "select app.require_workspace_room($1, $2, $3)"
);

/// Raises where the person is in a hundred other workspaces, or has left since their token was issued.
pub(crate) fn require_room(user: UserId, token_issued_at: Option<Timestamp>) -> Call<()> {
    Call::new(&REQUIRE_ROOM, parameters![user.as_uuid(), token_issued_at], nothing)
}

static SPEND_WORKSPACE: Query =
    query!("workspaces.spend", [UUID, UUID], "select app.spend_allowance($1, $2, 0, 1)");

static INSERT: Query = query!("workspaces.insert", [UUID, TEXT], "select app.create_workspace($1, $2)");

static INSERT_USAGE: Query = query!(
    "workspaces.insert_usage",
    [UUID],
    "insert into app.tenant_usage (tenant_id)
     values ($1)"
);

static INSERT_OWNER: Query = query!(
    "workspaces.insert_owner",
    [UUID, UUID, TEXT],
    "insert into app.memberships (tenant_id, user_id, role, email)
     values ($1, $2, 'owner', $3)"
);

static INSERT_INDEX: Query = query!(
    "workspaces.insert_index",
    [UUID, UUID, TEXT],
    "insert into app.user_tenants (tenant_id, user_id, tenant_name)
     values ($1, $2, $3)"
);

static REREAD: Query = query!(
    "workspaces.reread",
    [UUID],
    "select tenant_id, name, plan_id, created_at
       from app.tenants
      where tenant_id = $1"
);

impl NewWorkspace {
    /// Plans a workspace for the person of a verified token, under a new id.
    pub fn for_claims(claims: &VerifiedClaims, ids: &IdSource) -> Self {
        Self {
            tenant_id: TenantId::from_uuid(ids.next()),
            user_id: claims.user_id(),
            email: memberships::address(claims.email()),
            token_issued_at: Some(claims.issued_at()),
        }
    }

    /// Plans a workspace for the person of a verified token, under the id that belongs to this idempotency key.
    pub fn for_key(claims: &VerifiedClaims, key: &str) -> Self {
        let person = claims.user_id().as_uuid();
        Self {
            tenant_id: TenantId::from_uuid(derived(&[b"workspace\0", person.as_bytes(), key.as_bytes()])),
            user_id: claims.user_id(),
            email: memberships::address(claims.email()),
            token_issued_at: Some(claims.issued_at()),
        }
    }
}

/// Makes a workspace with its owner, counters and directory entry in one transaction. One that exists is refused and
/// left as it is: whoever was removed from it is not let in again. A person who is in a hundred is refused another.
pub async fn create(
    db: &TenantDb,
    workspace: &NewWorkspace,
    name: &str,
    key: Option<(String, [u8; 32])>,
) -> Result<Workspace, DbError> {
    let user: UserId = workspace.user_id;
    let authority = Authority::from_provisioning(workspace);
    let calls = (
        (
            require_room(user, workspace.token_issued_at),
            Call::new(&SPEND_WORKSPACE, parameters![user.as_uuid()], nothing),
        ),
        Call::new(&INSERT, parameters![name.to_owned()], nothing),
        key.map(|(key, hash)| idempotency::claim(user, key, hash, workspace.tenant_id.as_uuid())),
        Call::new(&INSERT_USAGE, parameters![], nothing),
        Call::new(&INSERT_OWNER, parameters![user.as_uuid(), workspace.email.clone()], nothing),
        Call::new(&INSERT_INDEX, parameters![user.as_uuid(), name.to_owned()], nothing),
        Call::new(&REREAD, parameters![], one::<Workspace>),
    );
    let (((), ()), (), (), (), (), (), made) =
        db.write(&authority, Role::Owner, "workspaces.create", calls).await?;
    Ok(made)
}

/// Makes a workspace where it was not made before. In one that was its maker is listed again where the index lost them,
/// as long as they are a member.
pub async fn ensure(db: &TenantDb, workspace: &NewWorkspace, name: &str) -> Result<(), DbError> {
    match Box::pin(create(db, workspace, name, None)).await {
        Ok(_) => Ok(()),
        Err(DbError::Refused(Refusal::WorkspaceExists)) => match list_maker(db, workspace).await {
            Ok(()) | Err(DbError::Refused(Refusal::NotAMember)) => Ok(()),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    }
}

/// Puts the maker back into the index of memberships, as the member that they must still be.
async fn list_maker(db: &TenantDb, workspace: &NewWorkspace) -> Result<(), DbError> {
    let authority = Authority::from_maker(workspace);
    let call = reconcile::list_member(workspace.user_id);
    db.write(&authority, Role::Viewer, "workspaces.list_maker", call).await
}

/// Reads a workspace that the same request made before; its maker must still be a member, and the key must have made it
/// for this very request. The maker is listed again where the index lost them.
pub async fn made_before(
    db: &TenantDb,
    workspace: &NewWorkspace,
    key: &str,
    request_hash: [u8; 32],
) -> Result<Option<Workspace>, DbError> {
    let authority = Authority::from_maker(workspace);
    let calls = (idempotency::recorded(workspace.user_id, key.to_owned()), present());
    let (recorded, present) = db.read(&authority, Role::Viewer, "workspaces.made_before", calls).await?;
    if recorded.is_none_or(|recorded| recorded.request_hash != request_hash) {
        return Err(DbError::Refused(Refusal::IdempotencyMismatch));
    }
    if present.is_some() {
        list_maker(db, workspace).await?;
    }
    Ok(present)
}

/// How long a request that began before the deletion may go on writing; more than any login's time for a transaction.
const UNDER_WAY: SignedDuration = SignedDuration::from_mins(5);

/// What a deletion of a workspace leaves behind.
#[derive(Clone, Copy, Debug)]
pub struct Deletion {
    purge_at: Timestamp,
    pub(super) event: Uuid,
}

impl Deletion {
    /// Plans one, to be purged `purge_after` it, but not while a request may still be writing.
    pub fn plan(ids: &IdSource, now: Timestamp, purge_after: Duration) -> Self {
        let wait = SignedDuration::try_from(purge_after).unwrap_or(SignedDuration::MAX).max(UNDER_WAY);
        Self { purge_at: now.checked_add(wait).unwrap_or(Timestamp::MAX), event: ids.next() }
    }

    /// Returns when the workspace's rows and files are to be purged.
    pub fn purge_at(&self) -> Timestamp {
        self.purge_at
    }
}

/// Returns the job that purges a workspace: always the same, so that putting it back beside the deletion makes one.
pub fn purge_job(tenant: TenantId) -> JobId {
    JobId::from_uuid(derived(&[b"purge\0", tenant.as_uuid().as_bytes()]))
}

/// Returns the id that belongs to what the parts say.
fn derived(parts: &[&[u8]]) -> Uuid {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    let digest = hash.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

static DELETED_AT: Query = query!(
    "workspaces.deleted_at",
    [UUID],
    "select deleted_at
       from app.tenants
      where tenant_id = $1 and deleted_at is not null"
);

/// Reads when the workspace was deleted.
pub fn deleted_at() -> Call<Option<Timestamp>> {
    Call::new(&DELETED_AT, parameters![], |rows| rows.first().map(|row| get(row, "deleted_at")).transpose())
}

static MARK_DELETED: Query = query!(
    "workspaces.mark_deleted",
    [UUID],
    "update app.tenants
        set deleted_at = now(), updated_at = now(), version = version + 1
      where tenant_id = $1 and deleted_at is null
     returning tenant_id, name, plan_id, created_at"
);

static DELETE_INVITATION_TOKENS: Query = query!(
    "workspaces.delete_invitation_tokens",
    [UUID],
    "delete from app.invitation_tokens
      where tenant_id = $1"
);

static DELETE_MEMBERSHIPS: Query = query!(
    "workspaces.delete_memberships",
    [UUID],
    "delete from app.memberships
      where tenant_id = $1"
);

static DELETE_INDEX: Query = query!(
    "workspaces.delete_index",
    [UUID],
    "delete from app.user_tenants
      where tenant_id = $1"
);

static LOCK: Query = query!("workspaces.lock", [UUID, UUID], "select app.lock_members($1, $2, 'owner')");

/// Deletes the authority's workspace: nobody is a member of it any more, nothing works for it, and its purge waits. False
/// where it was deleted before.
pub async fn delete(db: &TenantDb, authority: &Authority, deletion: Deletion) -> Result<bool, DbError> {
    let actor = authority.user_id();
    db.run(authority, Role::Owner, "workspaces.delete", |tx| Box::pin(delete_in(tx, actor, deletion))).await
}

/// Does the same inside a transaction whose guard has settled who may.
pub(super) async fn delete_in(
    tx: &mut TenantTx,
    actor: Option<UserId>,
    deletion: Deletion,
) -> Result<bool, DbError> {
    // Whoever was taken out a moment ago is in no more.
    tx.send(&Call::new(&LOCK, parameters![actor.map(UserId::as_uuid)], nothing)).await?;
    let marked = tx.send(&Call::new(&MARK_DELETED, parameters![], optional::<Workspace>)).await?;
    if marked.is_none() {
        return Ok(false);
    }
    // Tokens before members: whoever holds a token now becomes a member first, and then goes with the others.
    let consequences = (
        Call::new(&DELETE_INVITATION_TOKENS, parameters![], nothing),
        Call::new(&DELETE_MEMBERSHIPS, parameters![], nothing),
        Call::new(&DELETE_INDEX, parameters![], nothing),
        jobs::cancel_all_but(JobKind::PurgeWorkspace),
        jobs::insert(purge_job(tx.tenant_id()), &PurgeWorkspace {}, Some(deletion.purge_at)),
        events::record_audit(deletion.event, actor, "workspace.deleted", None),
    );
    tx.send(&consequences).await?;
    Ok(true)
}

/// A workspace as the operator sees it.
#[derive(Clone, Debug)]
pub struct Overview {
    /// Its id.
    pub tenant_id: TenantId,
    /// Its name; `None` once it is deleted.
    pub name: Option<String>,
    /// How many people are in it.
    pub members: i64,
    /// When its purge is due, or was taken up, where it is deleted.
    pub purge_at: Option<Timestamp>,
}

impl FromRow for Overview {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            tenant_id: TenantId::from_uuid(get(row, "tenant_id")?),
            name: get(row, "name")?,
            members: get(row, "members")?,
            purge_at: get(row, "purge_at")?,
        })
    }
}

static OVERVIEW: Query = query!(
    "workspaces.overview",
    [UUID, INT8],
    "select tenant_id, max(name) as name, sum(members)::bigint as members, max(purge_at) as purge_at
       from (
         (select tenant_id, max(tenant_name) as name, count(*) as members, null::timestamptz as purge_at
            from app.user_tenants
           where $1::uuid is null or tenant_id > $1
           group by tenant_id
           order by tenant_id
           limit $2)
         union all
         (select tenant_id, null, 0, run_at
            from app.jobs
           where kind = 'purge_workspace' and finished_at is null and ($1::uuid is null or tenant_id > $1)
           order by tenant_id
           limit $2)
       ) known
      group by tenant_id
      order by tenant_id
      limit $2"
);

/// Lists workspaces that have members or wait for their purge, by id, from behind `after` on.
pub async fn overview(db: &ControlDb, after: Option<TenantId>, limit: u16) -> Result<Vec<Overview>, DbError> {
    all(&db.read(&OVERVIEW, parameters![after.map(TenantId::as_uuid), i64::from(limit)]).await?)
}
