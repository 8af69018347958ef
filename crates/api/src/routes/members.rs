//! Members of a workspace. None of these can leave it without an owner.

pub(crate) mod delete;
pub(crate) mod hand_over;
pub(crate) mod list;
pub(crate) mod update;

use jiff::Timestamp;
use novelfoundry_core::{Role, UserId};
use novelfoundry_database::memberships;
use serde::Serialize;
use utoipa::ToSchema;

/// A member of the workspace.
#[derive(Serialize, ToSchema)]
pub(crate) struct WorkspaceMember {
    /// The person: the `sub` of their tokens.
    #[schema(value_type = uuid::Uuid)]
    user_id: UserId,
    /// The address they signed in with when they joined; null where it is not known.
    email: Option<String>,
    /// What they may do: `viewer`, `editor` or `owner`.
    #[schema(value_type = String)]
    role: Role,
    /// When they joined.
    #[schema(value_type = String, format = DateTime)]
    joined_at: Timestamp,
}

impl From<memberships::Member> for WorkspaceMember {
    fn from(row: memberships::Member) -> Self {
        Self { user_id: row.user_id, email: row.email, role: row.role, joined_at: row.joined_at }
    }
}
