//! Invitations to a workspace. The token is known by its SHA-256 only, in a control table that leads to the workspace;
//! the invitation itself is the workspace's, and decides whether it is still good.

use jiff::Timestamp;
use novelfoundry_core::{IdSource, InvitationId, Role, Secret, TenantId, UserId, random_token};
use novelfoundry_identity::VerifiedClaims;
use sha2::{Digest, Sha256};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    Authority, Call, ControlDb, DbError, Page, RedeemedInvitation, TenantDb,
    queries::{
        memberships::{self, Member},
        workspaces::{self, Workspace},
    },
    query::{FromRow, Query, all, get, nothing, optional, parameters, parse, query},
};

/// An invitation that nobody has accepted.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// Its id.
    pub invitation_id: InvitationId,
    /// Whom it was sent to; nobody is matched by it.
    pub email: Option<String>,
    /// What its bearer may do.
    pub role: Role,
    /// The owner who made it; none where the operator did.
    pub invited_by: Option<UserId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

impl FromRow for Invitation {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            invitation_id: InvitationId::from_uuid(get(row, "invitation_id")?),
            email: get(row, "email")?,
            role: parse(row, "role")?,
            invited_by: get::<Option<Uuid>>(row, "invited_by")?.map(UserId::from_uuid),
            created_at: get(row, "created_at")?,
            expires_at: get(row, "expires_at")?,
        })
    }
}

const TOKEN_BYTES: usize = 32;

/// What lets the bearer of an invitation in.
#[derive(Clone, Debug)]
pub struct InvitationToken(Secret);

impl InvitationToken {
    /// Makes a new one.
    pub fn random() -> Self {
        Self(random_token(TOKEN_BYTES))
    }

    /// Takes one that somebody presents, whatever it is.
    pub fn presented(token: Secret) -> Self {
        Self(token)
    }

    /// Returns what the database knows it by.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.expose()).into()
    }

    /// Returns the token itself, to be handed to whom is invited.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// An invitation to be made.
#[derive(Clone, Debug)]
pub struct NewInvitation {
    /// Its id, new.
    pub invitation_id: InvitationId,
    /// The SHA-256 of its token.
    pub token_hash: [u8; 32],
    /// Whom it is sent to.
    pub email: Option<String>,
    /// What its bearer may do.
    pub role: Role,
}

static SPEND: Query = query!("invitations.spend", [UUID, UUID], "select app.spend_allowance($1, $2, 1, 0)");

/// Raises where the person has made a hundred invitations today; stands before whatever writes.
pub fn spend(actor: UserId) -> Call<()> {
    Call::new(&SPEND, parameters![actor.as_uuid()], nothing)
}

static CREATE: Query = query!(
    "invitations.create",
    [UUID, UUID, UUID, BYTEA, TEXT, TEXT, UUID],
    "select app.create_invitation($1, $2, $3, $4, $5, $6, $7)"
);

/// Makes an invitation in the name of an owner, or of the operator where nobody is named; raises where the workspace
/// has made a hundred within a day. `event` is the id of what is recorded.
pub fn create(actor: Option<UserId>, new: NewInvitation, event: Uuid) -> Call<()> {
    let NewInvitation { invitation_id, token_hash, email, role } = new;
    let values = parameters![
        actor.map(UserId::as_uuid),
        invitation_id.as_uuid(),
        token_hash.to_vec(),
        email,
        role.as_str(),
        event
    ];
    Call::new(&CREATE, values, nothing)
}

static ADD_TOKEN: Query = query!(
    "invitations.add_token",
    [UUID, UUID, UUID, BYTEA],
    "select app.add_invitation_token($1, $2, $3, $4)"
);

/// Gives an open invitation another token beside those it has; raises where it is not open.
pub fn add_token(actor: UserId, invitation: InvitationId, token_hash: [u8; 32]) -> Call<()> {
    let values = parameters![actor.as_uuid(), invitation.as_uuid(), token_hash.to_vec()];
    Call::new(&ADD_TOKEN, values, nothing)
}

static BY_ID: Query = query!(
    "invitations.by_id",
    [UUID, UUID],
    "select invitation_id, email, role, invited_by, created_at, expires_at
       from app.invitations
      where tenant_id = $1 and invitation_id = $2 and accepted_by is null and expires_at > now()"
);

/// Reads an invitation while it is open.
pub fn by_id(invitation: InvitationId) -> Call<Option<Invitation>> {
    Call::new(&BY_ID, parameters![invitation.as_uuid()], optional)
}

static LIST: Query = query!(
    "invitations.list",
    [UUID, TIMESTAMPTZ, UUID, INT8],
    "select invitation_id, email, role, invited_by, created_at, expires_at
       from app.invitations
      where tenant_id = $1 and accepted_by is null and expires_at > now()
        and ($2::timestamptz is null or (created_at, invitation_id) < ($2, $3))
      order by created_at desc, invitation_id desc
      limit $4"
);

/// Lists open invitations, one more than the page holds where there are more.
pub fn list(page: Page) -> Call<Vec<Invitation>> {
    Call::new(&LIST, page.parameters().into(), all)
}

static REVOKE: Query =
    query!("invitations.revoke", [UUID, UUID, UUID, UUID], "select app.revoke_invitation($1, $2, $3, $4)");

/// Ends an open invitation in the name of an owner, or of the operator where nobody is named; raises where it is not open.
pub fn revoke(actor: Option<UserId>, invitation: InvitationId, event: Uuid) -> Call<()> {
    Call::new(&REVOKE, parameters![actor.map(UserId::as_uuid), invitation.as_uuid(), event], nothing)
}

static REDEEM: Query = query!(
    "invitations.redeem",
    [BYTEA],
    "select tenant_id, invitation_id
       from app.invitation_tokens
      where token_hash = $1 and expires_at > now()"
);

struct Named(TenantId, InvitationId);

impl FromRow for Named {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        let (tenant, invitation) = (get(row, "tenant_id")?, get(row, "invitation_id")?);
        Ok(Self(TenantId::from_uuid(tenant), InvitationId::from_uuid(invitation)))
    }
}

/// Finds the invitation of a token that the person of a verified token has brought. Whether it is good for them is
/// checked by the transaction that it opens.
pub async fn redeem(
    db: &ControlDb,
    claims: &VerifiedClaims,
    token_hash: [u8; 32],
) -> Result<Option<RedeemedInvitation>, DbError> {
    let rows = db.read(&REDEEM, parameters![token_hash.to_vec()]).await?;
    Ok(optional::<Named>(&rows)?.map(|Named(tenant_id, invitation_id)| RedeemedInvitation {
        tenant_id,
        invitation_id,
        token_hash,
        user_id: claims.user_id(),
        email: memberships::address(claims.email()),
        token_issued_at: claims.issued_at(),
    }))
}

static ACCEPT: Query = query!(
    "invitations.accept",
    [UUID, UUID, UUID, TEXT, UUID, UUID],
    "select app.accept_invitation($1, $2, $3, $4, $5, $6)"
);

/// Lets the person in and returns the workspace with their membership; raises unless the invitation is open, or was
/// accepted by them and they are still in. Who is in already with that role or a higher one does not use it up.
pub async fn accept(
    db: &TenantDb,
    redeemed: &RedeemedInvitation,
    ids: &IdSource,
) -> Result<(Option<Workspace>, Option<Member>), DbError> {
    let RedeemedInvitation { invitation_id, user_id, email, token_issued_at, .. } = redeemed;
    let accept =
        parameters![invitation_id.as_uuid(), user_id.as_uuid(), email.clone(), ids.next(), ids.next()];
    let calls = (
        workspaces::require_room(*user_id, Some(*token_issued_at)),
        Call::new(&ACCEPT, accept, nothing),
        workspaces::present(),
        memberships::by_id(*user_id),
    );
    let authority = Authority::from_invitation(redeemed);
    let ((), (), workspace, member) = db.write(&authority, Role::Viewer, "invitations.accept", calls).await?;
    Ok((workspace, member))
}
