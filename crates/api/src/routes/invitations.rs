//! Invitations to a workspace: whoever brings the token joins, once. Nobody is matched by an e-mail address.

pub(crate) mod accept;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;

use jiff::Timestamp;
use novelfoundry_core::{InvitationId, Role, UserId};
use novelfoundry_database::invitations;
use serde::Serialize;
use utoipa::ToSchema;

/// An invitation that nobody has accepted.
#[derive(Serialize, ToSchema)]
pub(crate) struct Invitation {
    /// Its id.
    #[schema(value_type = uuid::Uuid)]
    invitation_id: InvitationId,
    /// The address that the link was mailed to; null where it was only answered.
    email: Option<String>,
    /// What its bearer may do: `viewer`, `editor` or `owner`.
    #[schema(value_type = String)]
    role: Role,
    /// The owner who made it; null where the operator did.
    #[schema(value_type = Option<uuid::Uuid>)]
    invited_by: Option<UserId>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Until when it is good.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

impl From<invitations::Invitation> for Invitation {
    fn from(row: invitations::Invitation) -> Self {
        Self {
            invitation_id: row.invitation_id,
            email: row.email,
            role: row.role,
            invited_by: row.invited_by,
            created_at: row.created_at,
            expires_at: row.expires_at,
        }
    }
}
