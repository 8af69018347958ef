//! `novelfoundry user invite`: a link by which somebody joins, with an account of their own or in a workspace.

use std::path::PathBuf;

use novelfoundry_api::invitation_mail;
use novelfoundry_core::{Clock, IdSource, InvitationId, Role, Secret, SystemClock, TenantId};
use novelfoundry_database::{
    Authority, DbError, Refusal,
    invitations::{self, InvitationToken, NewInvitation},
    workspaces,
};
use novelfoundry_mail::{Message, Sent, is_address};
use serde::Serialize;

use super::{Installation, refused};
use crate::{
    commands::{Context, failures, mail, tenant},
    output::{Exit, Failure},
};

/// Prints a link by which somebody joins, once and within seven days, while `up` runs
///
/// Without --tenant it makes an account with a workspace of its own, and whoever has the link chooses the password. With
/// it, the link leads into that workspace, for whoever has an account or may make one.
#[derive(clap::Args)]
pub(crate) struct Invite {
    /// The e-mail address
    email: String,
    /// Invites into this workspace, as `tenant list` shows it; works beside `serve` too, by `DATABASE_OWNER_URL`
    #[arg(long, value_name = "ID")]
    tenant: Option<TenantId>,
    /// What they may do there: viewer, editor or owner
    #[arg(long, default_value = "editor", requires = "tenant")]
    role: Role,
    /// Mails the link too, or leaves it in the outbox where no mail server is configured
    #[arg(long)]
    mail: bool,
}

#[derive(Serialize)]
struct Invited<'a> {
    installation: &'a str,
    email: &'a str,
    link: &'a str,
    mailed: bool,
    outbox: Option<PathBuf>,
}

impl Invite {
    /// Runs the command.
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let (place, link, letter) = match self.tenant {
            None => Box::pin(self.account(context)).await?,
            Some(tenant) => Box::pin(self.member(context, tenant)).await?,
        };
        let output = context.output;
        // The link counts; whether it is mailed as well is told beside it.
        let sent = if self.mail { Some(send(context, &letter).await) } else { None };
        if output.json {
            let (mailed, outbox) = match &sent {
                Some(Ok(Sent::Accepted)) => (true, None),
                Some(Ok(Sent::Kept(path))) => (false, Some(path.clone())),
                Some(Err(_)) | None => (false, None),
            };
            output.data_json(&Invited {
                installation: &place,
                email: &self.email,
                link: link.expose(),
                mailed,
                outbox,
            })?;
        } else {
            output.say(&format!("Whoever opens this link within seven days joins in {place}, once:"));
            output.data(link.expose())?;
        }
        match sent.transpose()? {
            Some(Sent::Accepted) => output.say("The mail server has taken it, too."),
            Some(Sent::Kept(path)) => {
                output.say(&format!("No mail server is configured; the mail is in {}.", path.display()));
            }
            None => {}
        }
        Ok(Exit::Done)
    }

    async fn account(&self, context: &Context) -> Result<(String, Secret, Message), Failure> {
        let installation = Box::pin(Installation::meant(context)).await?;
        let issuer = Box::pin(installation.issuer()).await?;
        let what = || format!("{} was not invited", self.email.escape_debug());
        let link = issuer.invite(&self.email).await.map_err(|error| refused(&what(), error))?;
        let letter = issuer.invitation_letter(&self.email, &link);
        Ok((installation.place, link, letter))
    }

    async fn member(
        &self,
        context: &Context,
        tenant: TenantId,
    ) -> Result<(String, Secret, Message), Failure> {
        let what = format!("{} was not invited", self.email.escape_debug());
        if !is_address(&self.email) {
            return Err(Failure::new(what, "Give an address such as anna@example.com."));
        }
        let desk = Box::pin(tenant::desk(context)).await?;
        let public_url = desk.public_url()?;
        let authority = Authority::from_operator(&desk.operator, tenant);
        let (ids, token) = (IdSource::default(), InvitationToken::random());
        let new = NewInvitation {
            invitation_id: InvitationId::from_uuid(ids.next()),
            token_hash: token.hash(),
            email: Some(self.email.clone()),
            role: self.role,
        };
        let calls = (invitations::create(None, new, ids.next()), workspaces::present());
        let written = desk.tenant.write(&authority, Role::Owner, "invitations.operator", calls).await;
        let ((), workspace) = written.map_err(|error| match error {
            DbError::Refused(Refusal::WorkspaceNotFound) => tenant::missing(tenant),
            DbError::Refused(Refusal::DailyLimit) => {
                Failure::new(&what, "Try again tomorrow: a workspace makes a hundred invitations a day.")
                    .because(error)
                    .exit(Exit::Refused)
            }
            error => failures::database(&what, &error),
        })?;
        let workspace = workspace.ok_or_else(|| tenant::missing(tenant))?;
        tracing::info!(tenant_id = %tenant, "the operator invited somebody into a workspace");
        let link = invitation_mail::link(&public_url, &token);
        let email = self.email.clone();
        let letter = invitation_mail::letter(&public_url, email, &workspace.name, self.role, &link);
        Ok((desk.place, link, letter))
    }
}

async fn send(context: &Context, letter: &Message) -> Result<Sent, Failure> {
    let config = &context.loaded.config;
    let clock: std::sync::Arc<dyn Clock> = std::sync::Arc::new(SystemClock);
    let mailer = mail::mailer(config, &config.embedded.data_dir, &clock)?;
    mailer.send(letter).await.map_err(|error| {
        Failure::new(
            "The link is good, but was not mailed",
            "Hand it over yourself, or correct the `smtp` settings.",
        )
        .because(error)
    })
}
