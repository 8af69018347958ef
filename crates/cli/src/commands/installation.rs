//! An embedded installation that runs, for commands that act on it from beside. Which one it is, is settled here and said
//! by each that changes something: at the wrong one the right command does harm.

use std::{path::Path, sync::Arc};

use novelfoundry_core::{IdSource, SystemClock};
use novelfoundry_database::{ControlDb, DatabaseUrl, IssuerDb, LoginError, Operator, PoolOptions, TenantDb};
use novelfoundry_embedded::issuer::{Issuer, IssuerOptions};

use super::{Context, failures, planes, secrets::Secrets, state::State, status, summary::Logins, tenant};
use crate::output::{Exit, Failure};

/// An installation that runs, by all its logins.
pub(super) struct Installation {
    pub(super) tenant: TenantDb,
    pub(super) control: ControlDb,
    pub(super) accounts: IssuerDb,
    pub(super) operator: Operator,
    pub(super) owner: DatabaseUrl,
    /// Its data directory, to be told to somebody.
    pub(super) place: String,
    state: State,
    secrets: Secrets,
}

impl Installation {
    /// Opens the one that is meant: that of the data directory. A `DATABASE_URL` of another is refused.
    pub(super) async fn meant(context: &Context) -> Result<Self, Failure> {
        let (data_dir, state, secrets) = status::open(context)?;
        let logins = Logins::of(&data_dir, &state, &secrets)?;
        agree(context, &data_dir, &logins)?;
        Box::pin(Self::open(context, &data_dir, state, secrets)).await
    }

    /// Opens the one in a directory.
    pub(super) async fn at(context: &Context, data_dir: &Path) -> Result<Self, Failure> {
        let (data_dir, state, secrets) = status::open_at(data_dir)?;
        Box::pin(Self::open(context, &data_dir, state, secrets)).await
    }

    async fn open(
        context: &Context,
        data_dir: &Path,
        state: State,
        secrets: Secrets,
    ) -> Result<Self, Failure> {
        let place = data_dir.display().to_string();
        if !state.process_lives() {
            return Err(Failure::new(
                format!("Nothing runs on {place}, and its database is needed"),
                format!("Start it by `novelfoundry up --data-dir {place}`, then try again."),
            )
            .exit(Exit::Unavailable));
        }
        let logins = Logins::of(data_dir, &state, &secrets)?;
        let options = PoolOptions { size: 2, ..planes::pool_options(&context.loaded.config) };
        let name = "novelfoundry/operator";
        let failed = |login: &'static str| move |error: LoginError| failures::login(login, error);
        let tenant = TenantDb::connect(&logins.tenant, name, options).await.map_err(failed("tenant"))?;
        let control = ControlDb::connect(&logins.control, name, options).await.map_err(failed("control"))?;
        let accounts = IssuerDb::connect(&logins.issuer, name, options).await.map_err(failed("issuer"))?;
        let operator = tenant::prove(&logins.owner, &logins.roles, &tenant, &control).await?;
        Ok(Self { tenant, control, accounts, operator, owner: logins.owner, place, state, secrets })
    }

    /// Opens its issuer.
    pub(super) async fn issuer(&self) -> Result<Issuer, Failure> {
        let url = format!("{}/auth/v1", self.state.public_url);
        let mut options = IssuerOptions::new(url, self.secrets.issuer_keys());
        options.audience.clone_from(&self.state.audience);
        options.ids = IdSource::new(Arc::new(SystemClock));
        let (accounts, control, tenant) = (self.accounts.clone(), self.control.clone(), self.tenant.clone());
        Issuer::open(options, accounts, control, tenant).await.map_err(|error| {
            Failure::new("The issuer cannot be opened", "Look at the cause, then try again.").because(error)
        })
    }
}

/// Refuses a `DATABASE_URL` that names another database than that of the directory: one of them was not meant.
pub(super) fn agree(context: &Context, data_dir: &Path, logins: &Logins) -> Result<(), Failure> {
    let place = |url: &DatabaseUrl| (url.host.clone(), url.port, url.database.clone());
    let Some(url) = context.loaded.config.database.url.get() else { return Ok(()) };
    if place(url) == place(&logins.tenant) {
        return Ok(());
    }
    let next = if context.loaded.is_given("embedded.data_dir") {
        "Use a shell without the lines of another installation's `env`, or leave out --data-dir."
    } else {
        "Name the installation that is meant by --data-dir, in a shell without the lines of another's `env`."
    };
    let what = format!("DATABASE_URL names another database than that of {}", data_dir.display());
    Err(Failure::new(what, next).exit(Exit::Refused))
}
