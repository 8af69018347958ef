//! Members of a workspace.

use novelfoundry_core::{Role, UserId};
use tokio_postgres::Row;

use crate::{
    Call, DbError,
    query::{FromRow, Query, optional, parameters, parse, query},
};

struct Held(Role);

impl FromRow for Held {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        parse(row, "role").map(Self)
    }
}

static ROLE_OF: Query = query!(
    "memberships.role_of",
    [UUID, UUID],
    "select role
       from app.memberships
      where tenant_id = $1 and user_id = $2"
);

/// Reads a member's role.
pub fn role_of(user: UserId) -> Call<Option<Role>> {
    Call::new(&ROLE_OF, parameters![user.as_uuid()], |rows| Ok(optional::<Held>(rows)?.map(|held| held.0)))
}
