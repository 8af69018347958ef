//! `novelfoundry tenant`: what the operator does about workspaces. The owner's credential entitles to it; the rows are
//! reached inside a tenant transaction of the tenant login nonetheless, and a deletion leaves its mark in the workspace's
//! own log of changes.

mod delete;
mod list;

use novelfoundry_core::TenantId;
use novelfoundry_database::{
    ControlDb, DatabaseUrl, Operator, OperatorError, PoolOptions, RoleNames, TenantDb,
};

use super::{Context, doctor, failures, planes, status, summary::Logins};
use crate::{
    config::Config,
    output::{Exit, Failure},
};

/// Manages workspaces
#[derive(clap::Subcommand)]
pub(crate) enum TenantCommand {
    List(list::List),
    Delete(delete::Delete),
}

impl TenantCommand {
    /// Runs the command.
    pub(crate) async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::List(list) => Box::pin(list.run(context)).await,
            Self::Delete(delete) => Box::pin(delete.run(context)).await,
        }
    }
}

/// What a command stands on.
pub(super) struct Desk {
    pub(super) operator: Operator,
    pub(super) tenant: TenantDb,
    control: ControlDb,
    config: Config,
    embedded_url: Option<String>,
    /// Which installation it is, to be told to somebody.
    pub(super) place: String,
}

impl Desk {
    /// Returns where people reach the API.
    pub(super) fn public_url(&self) -> Result<String, Failure> {
        match &self.embedded_url {
            Some(url) => Ok(url.clone()),
            None => Ok(self.config.server.public_url.need()?.as_str().to_owned()),
        }
    }
}

/// Opens both pools for whoever has the owner's credential: `DATABASE_OWNER_URL`, or the data directory of an embedded
/// installation that runs.
pub(super) async fn desk(context: &Context) -> Result<Desk, Failure> {
    let (config, embedded) = doctor::subject(context, doctor::Vantage::Here)?;
    let (owner, roles, embedded_url) = if embedded.is_some() {
        let (data_dir, state, secrets) = status::open(context)?;
        let roles = config.database.role_prefix.names().clone();
        (Logins::of(&data_dir, &state, &secrets)?.owner, roles, Some(state.public_url))
    } else {
        let roles = config.database.role_prefix.names().clone();
        (config.database.owner_url.need()?.clone(), roles, None)
    };
    let (tenant_url, control_url) =
        (config.database.url.need()?.clone(), config.database.control_url.need()?.clone());
    let place = embedded.unwrap_or_else(|| format!("{} on {}", tenant_url.database, tenant_url.host));
    let options = PoolOptions { size: 2, ..planes::pool_options(&config) };
    let name = "novelfoundry/tenant";
    let tenant = TenantDb::connect(&tenant_url, name, options)
        .await
        .map_err(|error| failures::login("tenant", error))?;
    let control = ControlDb::connect(&control_url, name, options)
        .await
        .map_err(|error| failures::login("control", error))?;
    let operator = prove(&owner, &roles, &tenant, &control).await?;
    Ok(Desk { operator, tenant, control, config, embedded_url, place })
}

/// Has the owner's login prove its right over the database of both pools: over one database is none over another.
pub(super) async fn prove(
    owner: &DatabaseUrl,
    roles: &RoleNames,
    tenant: &TenantDb,
    control: &ControlDb,
) -> Result<Operator, Failure> {
    Operator::prove(owner, roles, tenant, control).await.map_err(|error| match error {
        OperatorError::Database(error) => failures::database("The owner's login cannot be used", &error),
        OperatorError::NotTheOwner { .. } => {
            Failure::new("Only the owner may do this", "Give DATABASE_OWNER_URL the login that migrates.")
                .because(error)
                .exit(Exit::Refused)
        }
        OperatorError::OtherDatabase => Failure::new(
            "DATABASE_OWNER_URL, DATABASE_URL and DATABASE_CONTROL_URL name more than one database",
            "Give all three the URL of the same one.",
        )
        .exit(Exit::Refused),
    })
}

/// Says that a workspace is not there.
pub(super) fn missing(tenant: TenantId) -> Failure {
    Failure::new(
        format!("There is no workspace {tenant}, or it is deleted already"),
        "`novelfoundry tenant list` shows those there are.",
    )
}
