//! What is taken away, each by the same transaction that its people would have used.

use std::{fmt, time::Duration};

use novelfoundry_core::{
    AnalysisId, Clock as _, IdSource, InvitationId, ManuscriptId, ProjectId, Role, Secret, SystemClock,
    TenantId, UserId,
};
use novelfoundry_database::{
    Authority, DbError, Pipeline, Refusal, analyses,
    departure::DepartureError,
    invitations, issuer, manuscripts, memberships, projects,
    workspaces::{self, Deletion},
};
use novelfoundry_embedded::issuer::{AccountError, Issuer};
use serde::Serialize;

use crate::{
    commands::{Context, failures, installation::Installation, user},
    output::{Exit, Failure},
};

/// Something that is to be taken away again.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub(super) enum Action {
    /// Gives a member the role that they have by now.
    SetRole {
        tenant: TenantId,
        user: UserId,
        role: Role,
    },
    DeleteWorkspace {
        tenant: TenantId,
    },
    WithdrawInvitation {
        tenant: TenantId,
        invitation: InvitationId,
    },
    DeleteProject {
        tenant: TenantId,
        project: ProjectId,
    },
    DeleteManuscript {
        tenant: TenantId,
        project: ProjectId,
        manuscript: ManuscriptId,
    },
    DeleteAnalysis {
        tenant: TenantId,
        project: ProjectId,
        analysis: AnalysisId,
    },
    TakeOut {
        tenant: TenantId,
        user: UserId,
    },
    Erase {
        user: UserId,
        email: String,
    },
    /// Puts the password of by now in the place of the earlier one.
    SetPassword {
        user: UserId,
        email: String,
        #[serde(skip)]
        hash: Secret,
    },
    Disable {
        user: UserId,
        email: String,
    },
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetRole { tenant, user, role } => write!(f, "role       {tenant} {user} {role}"),
            Self::DeleteWorkspace { tenant } => write!(f, "workspace  {tenant}"),
            Self::WithdrawInvitation { tenant, invitation } => write!(f, "invitation {tenant} {invitation}"),
            Self::DeleteProject { tenant, project } => write!(f, "project    {tenant} {project}"),
            Self::DeleteManuscript { tenant, project, manuscript } => {
                write!(f, "manuscript {tenant} {project} {manuscript}")
            }
            Self::DeleteAnalysis { tenant, project, analysis } => {
                write!(f, "analysis   {tenant} {project} {analysis}")
            }
            Self::TakeOut { tenant, user } => write!(f, "member     {tenant} {user}"),
            Self::Erase { user, email } => write!(f, "person     {user} {email}"),
            Self::SetPassword { user, email, .. } => write!(f, "password   {user} {email}"),
            Self::Disable { user, email } => write!(f, "account    {user} {email}"),
        }
    }
}

impl Action {
    /// Returns who is erased by it.
    pub(super) fn erases(&self) -> Option<UserId> {
        if let Self::Erase { user, .. } = self { Some(*user) } else { None }
    }

    /// Returns who is taken out of a workspace by it.
    pub(super) fn takes_out(&self) -> Option<UserId> {
        if let Self::TakeOut { user, .. } = self { Some(*user) } else { None }
    }
}

/// How an action ended.
pub(super) enum Done {
    /// It is as it should be.
    Done,
    /// It could not be done, for this reason.
    Left(&'static str),
}

/// What actions are performed with.
pub(super) struct Desk<'a> {
    installation: &'a Installation,
    issuer: Issuer,
    ids: IdSource,
    purge_after: Duration,
}

const NO_OWNER: &str = "or the workspace had no owner";

impl<'a> Desk<'a> {
    /// Gets everything ready.
    pub(super) async fn open(context: &Context, installation: &'a Installation) -> Result<Self, Failure> {
        let issuer = Box::pin(installation.issuer()).await?;
        let purge_after = context.loaded.config.api.purge_after_seconds.seconds();
        Ok(Self { installation, issuer, ids: IdSource::default(), purge_after })
    }

    /// Performs an action. What somebody has done meanwhile is done.
    pub(super) async fn perform(&self, action: &Action) -> Result<Done, Failure> {
        let event = self.ids.next();
        let deletion = Deletion::plan(&self.ids, SystemClock.now(), self.purge_after);
        let purge_at = deletion.purge_at();
        let db = &self.installation.tenant;
        let outcome = match *action {
            Action::SetRole { tenant, user, role } => {
                self.write(tenant, memberships::set_role(None, user, role, event)).await
            }
            Action::TakeOut { tenant, user } => {
                self.write(tenant, memberships::remove(None, user, event)).await
            }
            Action::WithdrawInvitation { tenant, invitation } => {
                self.write(tenant, invitations::revoke(None, invitation, event)).await
            }
            Action::DeleteWorkspace { tenant } => {
                workspaces::delete(db, &self.authority(tenant), deletion).await.map(drop)
            }
            Action::DeleteProject { tenant, project } => db
                .run(&self.authority(tenant), Role::Editor, "deletions.project", |tx| {
                    Box::pin(projects::delete_in(tx, project, None, purge_at))
                })
                .await
                .map(drop),
            Action::DeleteManuscript { tenant, project, manuscript } => db
                .run(&self.authority(tenant), Role::Editor, "deletions.manuscript", |tx| {
                    Box::pin(manuscripts::delete_in(tx, project, manuscript, None, purge_at))
                })
                .await
                .map(drop),
            Action::DeleteAnalysis { tenant, project, analysis } => db
                .run(&self.authority(tenant), Role::Editor, "deletions.analysis", |tx| {
                    Box::pin(analyses::delete_in(tx, project, analysis, None))
                })
                .await
                .map(drop),
            Action::SetPassword { user, ref hash, .. } => {
                let now = SystemClock.now();
                issuer::set_password(&self.installation.accounts, user, hash, None, now).await.map(drop)
            }
            Action::Disable { .. } => return self.shut_out(action).await,
            Action::Erase { user, .. } => match self.erase(user).await {
                Err(DepartureError::LastOwner { .. }) => return self.shut_out(action).await,
                Err(DepartureError::Endless) => {
                    return Ok(Done::Left("they enter workspaces as they leave them"));
                }
                Err(DepartureError::Database(error) | DepartureError::Unfinished(error)) => Err(error),
                Ok(()) => Ok(()),
            },
        };
        match outcome {
            Ok(())
            | Err(DbError::Refused(
                Refusal::MemberNotFound
                | Refusal::InvitationNotFound
                | Refusal::WorkspaceNotFound
                | Refusal::NotAMember
                | Refusal::ProjectNotFound,
            )) => Ok(Done::Done),
            Err(DbError::Refused(Refusal::LastOwner)) => Ok(Done::Left(NO_OWNER)),
            Err(error) => Err(failures::database(&format!("Stopped at: {action}"), &error)),
        }
    }

    /// Shuts the account of somebody, also of who should be erased and cannot be.
    pub(super) async fn shut_out(&self, action: &Action) -> Result<Done, Failure> {
        let (Action::Disable { email, .. } | Action::Erase { email, .. }) = action else {
            return Ok(Done::Done);
        };
        match self.issuer.disable_account(email).await {
            Ok(_) | Err(AccountError::Unknown) => {}
            Err(error) => {
                return Err(Failure::new(format!("Stopped at: {action}"), "Run it again.")
                    .because(error)
                    .exit(Exit::Unavailable));
            }
        }
        Ok(match action {
            Action::Erase { .. } => Done::Left("or a workspace had no owner; the account is shut meanwhile"),
            _ => Done::Done,
        })
    }

    async fn erase(&self, user: UserId) -> Result<(), DepartureError> {
        user::erase(self.installation, &self.issuer, user, self.purge_after).await
    }

    fn authority(&self, tenant: TenantId) -> Authority {
        Authority::from_operator(&self.installation.operator, tenant)
    }

    async fn write<P: Pipeline<Output = ()>>(&self, tenant: TenantId, call: P) -> Result<(), DbError> {
        let authority = self.authority(tenant);
        self.installation.tenant.write(&authority, Role::Owner, "deletions.write", call).await
    }
}
