//! Members of a workspace. Whoever is one is read by the guard of every transaction, so a change holds from the next
//! request on. What changes them is a function of the database each, which keeps an owner in the workspace.

use jiff::Timestamp;
use novelfoundry_core::{Role, UserId};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    Call, DbError, Page,
    query::{FromRow, Query, all, get, nothing, optional, parameters, parse, query},
};

/// A member.
#[derive(Clone, Debug)]
pub struct Member {
    /// The person.
    pub user_id: UserId,
    /// The address they had when they joined, where it is known.
    pub email: Option<String>,
    /// What they may do.
    pub role: Role,
    /// When they joined.
    pub joined_at: Timestamp,
}

impl FromRow for Member {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            user_id: UserId::from_uuid(get(row, "user_id")?),
            email: get(row, "email")?,
            role: parse(row, "role")?,
            joined_at: get(row, "created_at")?,
        })
    }
}

/// Returns an address as it can be kept: it is shown, never relied on, and another issuer's idea of one may not fit.
pub(crate) fn address(email: Option<&str>) -> Option<String> {
    email.filter(|email| email.chars().count() <= 320 && !email.contains('\0')).map(str::to_owned)
}

static BY_ID: Query = query!(
    "memberships.by_id",
    [UUID, UUID],
    "select user_id, email, role, created_at
       from app.memberships
      where tenant_id = $1 and user_id = $2"
);

/// Reads a member.
pub fn by_id(user: UserId) -> Call<Option<Member>> {
    Call::new(&BY_ID, parameters![user.as_uuid()], optional)
}

/// Reads a member's role.
pub fn role_of(user: UserId) -> Call<Option<Role>> {
    let role = |rows: &[Row]| Ok(optional::<Member>(rows)?.map(|member| member.role));
    Call::new(&BY_ID, parameters![user.as_uuid()], role)
}

static LIST: Query = query!(
    "memberships.list",
    [UUID, TIMESTAMPTZ, UUID, INT8],
    "select user_id, email, role, created_at
       from app.memberships
      where tenant_id = $1 and ($2::timestamptz is null or (created_at, user_id) < ($2, $3))
      order by created_at desc, user_id desc
      limit $4"
);

/// Lists members, one more than the page holds where there are more.
pub fn list(page: Page) -> Call<Vec<Member>> {
    Call::new(&LIST, page.parameters().into(), all)
}

static SET_ROLE: Query = query!(
    "memberships.set_role",
    [UUID, UUID, UUID, TEXT, UUID],
    "select app.set_member_role($1, $2, $3, $4, $5)"
);

/// Changes a member's role in the name of an owner, or of the operator where nobody is named; raises where there is no such member or no owner would be left.
/// `event` is the id of what is recorded.
pub fn set_role(actor: Option<UserId>, member: UserId, role: Role, event: Uuid) -> Call<()> {
    let values = parameters![actor.map(UserId::as_uuid), member.as_uuid(), role.as_str(), event];
    Call::new(&SET_ROLE, values, nothing)
}

static REMOVE: Query =
    query!("memberships.remove", [UUID, UUID, UUID, UUID], "select app.remove_member($1, $2, $3, $4)");

/// Takes a member out: anybody themselves, an owner anybody, the operator where nobody is named; raises where there is no such member or no owner would be
/// left. The invitations that they made and nobody has accepted end with it.
pub fn remove(actor: Option<UserId>, member: UserId, event: Uuid) -> Call<()> {
    Call::new(&REMOVE, parameters![actor.map(UserId::as_uuid), member.as_uuid(), event], nothing)
}

static HAND_OVER: Query =
    query!("memberships.hand_over", [UUID, UUID, UUID, UUID], "select app.hand_over($1, $2, $3, $4)");

/// Makes a member the owner in the place of `actor`, who becomes an editor.
pub fn hand_over(actor: UserId, member: UserId, event: Uuid) -> Call<()> {
    Call::new(&HAND_OVER, parameters![actor.as_uuid(), member.as_uuid(), event], nothing)
}
