//! Workspaces: making one, reading the present one.

use jiff::Timestamp;
use novelfoundry_core::{IdSource, Role, TenantId, UserId};
use novelfoundry_identity::VerifiedClaims;
use tokio_postgres::Row;

use crate::{
    Authority, Call, DbError, NewWorkspace, Refusal, TenantDb,
    queries::{idempotency, reconcile},
    query::{FromRow, Query, get, nothing, one, optional, parameters, query},
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

static REQUIRE_ROOM: Query =
    query!("workspaces.require_room", [UUID, UUID], "select app.require_workspace_room($1, $2)");

static INSERT: Query = query!("workspaces.insert", [UUID, TEXT], "select app.create_workspace($1, $2)");

static INSERT_USAGE: Query = query!(
    "workspaces.insert_usage",
    [UUID],
    "insert into app.tenant_usage (tenant_id)
     values ($1)"
);

static INSERT_OWNER: Query = query!(
    "workspaces.insert_owner",
    [UUID, UUID],
    "insert into app.memberships (tenant_id, user_id, role)
     values ($1, $2, 'owner')"
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
        Self { tenant_id: TenantId::from_uuid(ids.next()), user_id: claims.user_id() }
    }

    /// Plans a workspace for the person of a verified token, under the id that belongs to this idempotency key.
    pub fn for_key(claims: &VerifiedClaims, key: &str) -> Self {
        use sha2::{Digest, Sha256};
        let digest = Sha256::new()
            .chain_update(b"workspace\0")
            .chain_update(claims.user_id().as_uuid().as_bytes())
            .chain_update(key.as_bytes())
            .finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self {
            tenant_id: TenantId::from_uuid(uuid::Builder::from_custom_bytes(bytes).into_uuid()),
            user_id: claims.user_id(),
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
        Call::new(&REQUIRE_ROOM, parameters![user.as_uuid()], nothing),
        Call::new(&INSERT, parameters![name.to_owned()], nothing),
        key.map(|(key, hash)| idempotency::claim(user, key, hash, workspace.tenant_id.as_uuid())),
        Call::new(&INSERT_USAGE, parameters![], nothing),
        Call::new(&INSERT_OWNER, parameters![user.as_uuid()], nothing),
        Call::new(&INSERT_INDEX, parameters![user.as_uuid(), name.to_owned()], nothing),
        Call::new(&REREAD, parameters![], one::<Workspace>),
    );
    let ((), (), (), (), (), (), made) =
        db.write(&authority, Role::Owner, "workspaces.create", calls).await?;
    Ok(made)
}

/// Makes a workspace where it was not made before. In one that was its maker is listed again where the index lost them,
/// as long as they are a member.
pub async fn ensure(db: &TenantDb, workspace: &NewWorkspace, name: &str) -> Result<(), DbError> {
    match create(db, workspace, name, None).await {
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
