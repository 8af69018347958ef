//! The application plane, wired the same whether the data plane is embedded or elsewhere.

use std::{sync::Arc, time::Duration};

use axum::Router;
use novelfoundry_api::{Accounts, Answer, Api, Settings, SignIn};
use novelfoundry_core::{Clock, IdSource, Secret, SystemClock, UserId};
use novelfoundry_database::{ControlDb, DatabaseUrl, IssuerDb, LoginError, PoolOptions, TenantDb};
use novelfoundry_embedded::issuer::Issuer;
use novelfoundry_identity::{VerifiedClaims, Verifier, VerifierOptions};
use novelfoundry_mail::Mailer;
use novelfoundry_objects::{Store, StoreOptions};
use novelfoundry_worker::{Worker, WorkerOptions};
use url::Url;

use super::failures;
use crate::{config::Config, output::Failure};

/// The version of the program.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How far the issuer's clock may be off.
const LEEWAY: Duration = Duration::from_secs(5);

/// What the API and a worker both stand on.
#[derive(Clone)]
pub(crate) struct Data {
    pub(crate) tenant: TenantDb,
    pub(crate) control: ControlDb,
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: IdSource,
}

/// Where an object store is and how to get in.
pub(crate) struct StoreAccess {
    pub(crate) endpoint: Url,
    pub(crate) public_url: Url,
    pub(crate) region: String,
    pub(crate) bucket: String,
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: Secret,
}

impl StoreAccess {
    /// Takes it from the configuration.
    pub(crate) fn from_config(config: &Config) -> Result<Self, Failure> {
        let s3 = &config.s3;
        Ok(Self {
            endpoint: s3.endpoint.need()?.url().clone(),
            public_url: s3.public_url.need()?.url().clone(),
            region: s3.region.as_str().to_owned(),
            bucket: s3.bucket.as_str().to_owned(),
            access_key_id: s3.access_key_id.need()?.as_str().to_owned(),
            secret_access_key: s3.secret_access_key.need()?.clone(),
        })
    }

    /// Sets up the client.
    pub(crate) fn open(self, clock: Arc<dyn Clock>) -> Result<Store, Failure> {
        Store::new(StoreOptions {
            endpoint: self.endpoint,
            public_url: Some(self.public_url),
            region: self.region,
            bucket: self.bucket,
            access_key_id: self.access_key_id,
            secret_access_key: self.secret_access_key,
            clock,
        })
        .map_err(|error| {
            Failure::new(
                "The settings of the object store do not fit",
                "Correct the `s3` settings; `novelfoundry config show` tells where each came from.",
            )
            .because(error)
        })
    }
}

/// Returns the options of a pool.
pub(crate) fn pool_options(config: &Config) -> PoolOptions {
    PoolOptions {
        size: usize::try_from(config.database.pool_size.get()).unwrap_or(1),
        statements: config.database.statements,
    }
}

/// Opens both pools; the word tells which login failed.
pub(crate) async fn pools(
    config: &Config,
    part: &str,
    tenant: &DatabaseUrl,
    control: &DatabaseUrl,
) -> Result<(TenantDb, ControlDb), (&'static str, LoginError)> {
    let options = pool_options(config);
    let application = format!("novelfoundry/{part}");
    let (tenant, control) = tokio::join!(
        TenantDb::connect(tenant, &application, options),
        ControlDb::connect(control, &application, options)
    );
    Ok((tenant.map_err(|error| ("tenant", error))?, control.map_err(|error| ("control", error))?))
}

/// Opens a data plane that is configured rather than embedded.
pub(crate) async fn open(config: &Config, part: &str) -> Result<Data, Failure> {
    let (tenant, control) = (config.database.url.need()?, config.database.control_url.need()?);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = StoreAccess::from_config(config)?.open(Arc::clone(&clock))?;
    let (tenant, control) = Box::pin(pools(config, part, tenant, control))
        .await
        .map_err(|(login, error)| failures::login(login, error))?;
    Ok(Data { tenant, control, store, ids: IdSource::new(Arc::clone(&clock)), clock })
}

/// Whose tokens are accepted.
pub(crate) struct Trust {
    pub(crate) issuer: String,
    pub(crate) audience: String,
    pub(crate) jwks_url: Url,
}

impl Trust {
    /// Takes it from the configuration.
    pub(crate) fn from_config(config: &Config) -> Result<Self, Failure> {
        let jwks_url = config.auth.jwks_url.need()?;
        Ok(Self {
            issuer: config.auth.issuer.need()?.as_str().to_owned(),
            audience: config.auth.audience.as_str().to_owned(),
            jwks_url: url(jwks_url.as_str())?,
        })
    }

    /// Sets up the verifier; the keys are fetched with the first token.
    pub(crate) fn verifier(self, clock: Arc<dyn Clock>) -> Result<Verifier, Failure> {
        let Self { issuer, audience, jwks_url } = self;
        Verifier::new(VerifierOptions { issuer, audience, jwks_url, clock, leeway: LEEWAY }).map_err(
            |error| {
                Failure::new(
                    "The issuer of tokens cannot be trusted as it is set up",
                    "Correct `auth.jwks_url`, `auth.issuer` and `auth.audience`.",
                )
                .because(error)
            },
        )
    }
}

/// Reads a URL that was checked before.
pub(crate) fn url(text: &str) -> Result<Url, Failure> {
    Url::parse(text).map_err(|error| {
        Failure::new(
            format!("{text} is not a URL"),
            "Correct it; `novelfoundry config show` tells its source.",
        )
        .because(error)
    })
}

/// Where browsers reach the API, and from which pages.
pub(crate) struct Public {
    pub(crate) url: String,
    pub(crate) allowed_origins: Vec<String>,
}

/// An embedded issuer beside the API, or none.
pub(crate) struct Beside {
    routes: Router,
    sign_in: SignIn,
    accounts: Option<Arc<dyn Accounts>>,
}

impl Beside {
    /// People sign in elsewhere.
    pub(crate) fn nothing() -> Self {
        Self { routes: Router::new(), sign_in: SignIn::Elsewhere, accounts: None }
    }

    /// Takes the issuer's routes and its accounts.
    pub(crate) fn issuer(issuer: &Issuer, sign_in: SignIn) -> Self {
        let accounts: Arc<dyn Accounts> = Arc::new(Own(issuer.clone()));
        Self { routes: issuer.router(), sign_in, accounts: Some(accounts) }
    }
}

/// The embedded issuer's accounts.
struct Own(Issuer);

impl Accounts for Own {
    fn erase(&self, user: UserId) -> Answer<'_, ()> {
        Box::pin(self.0.erase_account(user))
    }

    fn is_signed_in<'a>(&'a self, claims: &'a VerifiedClaims) -> Answer<'a, bool> {
        Box::pin(async move {
            match claims.session_id() {
                Some(session) => self.0.is_signed_in(claims.user_id(), session).await,
                None => Ok(false),
            }
        })
    }
}

/// How long the end waits for a mail server; what it has not taken by then is kept in the outbox.
pub(crate) const MAIL_PATIENCE: Duration = Duration::from_secs(3);

/// Puts the API together.
pub(crate) fn api(
    data: &Data,
    config: &Config,
    verifier: Verifier,
    mailer: Mailer,
    public: Public,
    issuer: Beside,
) -> Router {
    let api = Api {
        tenant: data.tenant.clone(),
        control: data.control.clone(),
        store: data.store.clone(),
        verifier,
        mailer,
        ids: data.ids.clone(),
        clock: Arc::clone(&data.clock),
        accounts: issuer.accounts,
        settings: Settings {
            public_url: public.url,
            allowed_origins: public.allowed_origins,
            request_timeout: config.api.request_timeout_seconds.seconds(),
            upload_expiry: config.api.upload_expiry_seconds.seconds(),
            purge_after: config.api.purge_after_seconds.seconds(),
            download_expiry: config.api.download_expiry_seconds.seconds(),
            sign_in: issuer.sign_in,
            version: VERSION,
        },
    };
    novelfoundry_api::router(api, issuer.routes)
}

/// Sets up a worker; `accounts` are those of an embedded issuer.
pub(crate) fn worker(data: &Data, config: &Config, accounts: Option<IssuerDb>) -> Worker {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Worker::new(WorkerOptions {
        tenant: data.tenant.clone(),
        control: data.control.clone(),
        accounts,
        store: data.store.clone(),
        concurrency: usize::try_from(config.worker.concurrency.get()).unwrap_or(1),
        lease: config.worker.lease_seconds.seconds(),
        poll: novelfoundry_worker::POLL,
        show_every: novelfoundry_worker::SHOW_EVERY,
        backup_retention: config.worker.backup_retention_seconds.seconds(),
        purge_after: config.api.purge_after_seconds.seconds(),
        name: format!("{host}/{}", std::process::id()),
    })
}
