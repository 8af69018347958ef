//! Who may open a tenant transaction, and why. An [`Authority`] can be made only from the sources below: never from
//! an id that came in a URL or a body.

use jiff::Timestamp;
use novelfoundry_core::{InvitationId, JobId, TenantId, UserId};
use novelfoundry_identity::VerifiedClaims;

use crate::{operator::Operator, queries::jobs::ClaimedJob};

/// The right to act inside one tenant.
#[derive(Clone, Debug)]
pub struct Authority {
    tenant: TenantId,
    source: Source,
}

#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A person; membership and role are checked by each transaction.
    Member(UserId),
    /// A worker; the lease is checked by each transaction.
    Job { job: JobId, fencing_token: i64 },
    /// The making of a workspace that nobody is a member of yet.
    Provisioning(UserId),
    /// Whoever holds an invitation; that it is good is checked by each transaction.
    Invitation { invitation: InvitationId, token_hash: [u8; 32], user: UserId },
    /// The operator, in a workspace that lives.
    Operator,
}

impl Authority {
    /// Takes the workspace that verified claims name; `None` where they name none.
    pub fn from_claims(claims: &VerifiedClaims) -> Option<Self> {
        let tenant = claims.tenant_id()?;
        Some(Self { tenant, source: Source::Member(claims.user_id()) })
    }

    /// Takes the workspace of a claimed job.
    pub fn from_job(job: &ClaimedJob) -> Self {
        Self {
            tenant: job.tenant_id(),
            source: Source::Job { job: job.job_id(), fencing_token: job.fencing_token() },
        }
    }

    /// Takes a workspace that the directory lists for the person of a verified token.
    pub fn from_directory(membership: &ConfirmedMembership) -> Self {
        Self { tenant: membership.tenant_id, source: Source::Member(membership.user_id) }
    }

    /// Takes a workspace that the operator names.
    pub fn from_operator(_: &Operator, tenant: TenantId) -> Self {
        Self { tenant, source: Source::Operator }
    }

    /// Takes a workspace that is being made. Only the code that makes one may ask: no member is checked.
    pub(crate) fn from_provisioning(workspace: &NewWorkspace) -> Self {
        Self { tenant: workspace.tenant_id, source: Source::Provisioning(workspace.user_id) }
    }

    /// Takes a workspace that its maker asks for again, as the member that they must still be.
    pub(crate) fn from_maker(workspace: &NewWorkspace) -> Self {
        Self { tenant: workspace.tenant_id, source: Source::Member(workspace.user_id) }
    }

    /// Takes the workspace of an invitation that was looked up by its token.
    pub(crate) fn from_invitation(redeemed: &RedeemedInvitation) -> Self {
        let source = Source::Invitation {
            invitation: redeemed.invitation_id,
            token_hash: redeemed.token_hash,
            user: redeemed.user_id,
        };
        Self { tenant: redeemed.tenant_id, source }
    }

    /// Returns the tenant.
    pub fn tenant_id(&self) -> TenantId {
        self.tenant
    }

    /// Returns the acting person; `None` for a worker and for the operator.
    pub fn user_id(&self) -> Option<UserId> {
        match self.source {
            Source::Member(user) | Source::Provisioning(user) | Source::Invitation { user, .. } => Some(user),
            Source::Job { .. } | Source::Operator => None,
        }
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }
}

/// A workspace that the directory lists for the person of a verified token.
#[derive(Clone, Debug)]
pub struct ConfirmedMembership {
    pub(crate) tenant_id: TenantId,
    pub(crate) user_id: UserId,
    pub(crate) name: String,
}

impl ConfirmedMembership {
    /// Returns the workspace.
    pub fn tenant_id(&self) -> TenantId {
        self.tenant_id
    }

    /// Returns the workspace's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// An invitation that the directory knows by its token, in the hands of the person of a verified token.
#[derive(Clone, Debug)]
pub struct RedeemedInvitation {
    pub(crate) tenant_id: TenantId,
    pub(crate) invitation_id: InvitationId,
    pub(crate) token_hash: [u8; 32],
    pub(crate) user_id: UserId,
    pub(crate) email: Option<String>,
    pub(crate) token_issued_at: Timestamp,
}

/// A workspace to be made, for the person who will own it.
#[derive(Clone, Debug)]
pub struct NewWorkspace {
    pub(crate) tenant_id: TenantId,
    pub(crate) user_id: UserId,
    pub(crate) email: Option<String>,
    pub(crate) token_issued_at: Option<Timestamp>,
}

impl NewWorkspace {
    /// Returns the workspace's id.
    pub fn tenant_id(&self) -> TenantId {
        self.tenant_id
    }
}
