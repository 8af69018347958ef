//! The embedded data plane: the database with its schema and logins, the store and the issuer.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use novelfoundry_core::{Clock, IdSource, SystemClock};
use novelfoundry_database::{
    ControlDb, DatabaseUrl, IssuerDb, LoginError, Migrator, PoolOptions, TenantDb, probe,
};
use novelfoundry_embedded::{
    issuer::{Issuer, IssuerOptions, SignUp},
    postgres::{self, DataDirLock, Server, State},
    store::{self, Limits, ObjectStore},
};
use novelfoundry_mail::Mailer;

use super::addresses::Addresses;
use crate::{
    commands::{
        Context, failures, mail,
        planes::{self, Data, MAIL_PATIENCE, StoreAccess},
        secrets::Secrets,
        summary::{DATABASE, Logins},
    },
    config::{Config, Signup},
    output::{Exit, Failure, Progress},
};

/// The issuer's pool is small: hashing passwords bounds it first.
const ISSUER_POOL: usize = 4;
/// What is open besides the pools: migrator, listener for jobs, metrics, an operator's psql.
const OTHER_CONNECTIONS: usize = 20;

/// The parts, each running or open.
pub(super) struct DataPlane {
    pub(super) data: Data,
    pub(super) issuer: Issuer,
    pub(super) accounts: IssuerDb,
    /// Who may sign up.
    pub(super) sign_up: SignUp,
    pub(super) mailer: Mailer,
    pub(super) store: ObjectStore,
    pub(super) server: Server,
}

impl DataPlane {
    /// Starts the database and opens the rest; dropped on the way, it stops what it has begun.
    pub(super) async fn start(
        context: &Context,
        lock: DataDirLock,
        secrets: &Secrets,
        addresses: &Addresses,
        progress: &mut Progress,
    ) -> Result<Self, Failure> {
        let config = &context.loaded.config;
        let data_dir = lock.data_dir().to_owned();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let ids = IdSource::new(Arc::clone(&clock));
        // What can be refused by looking at the settings is, before anything starts.
        let client = StoreAccess {
            endpoint: planes::url(&addresses.s3_local_url)?,
            public_url: planes::url(&addresses.s3_public_url)?,
            region: config.s3.region.as_str().to_owned(),
            bucket: config.s3.bucket.as_str().to_owned(),
            access_key_id: secrets.s3.access_key_id.clone(),
            secret_access_key: secrets.s3.secret_access_key.clone(),
        }
        .open(Arc::clone(&clock))?;
        let mailer = mail::mailer(config, &data_dir, &clock)?;
        mail::make_outbox(&mailer)?;
        let mut options = issuer_options(context, secrets, addresses, &clock, &ids)?;
        options.mailer = Some(mailer.clone());
        let sign_up = options.sign_up;
        // Opening waits for the disk only, which the start of the database does not need to wait for.
        let store = tokio::task::spawn_blocking({
            let options = store_options(config, &data_dir, secrets, addresses, Arc::clone(&clock));
            move || ObjectStore::open(options)
        });
        let server = start_server(config, lock, secrets, progress).await?;

        let roles = config.database.role_prefix.names();
        let logins = Logins::new(server.socket_dir(), server.port(), roles, secrets);
        let pools = Box::pin(migrated(config, &logins, secrets, progress)).await?;
        let store = match store.await {
            Ok(Ok(store)) => store,
            Ok(Err(error)) => return Err(store_failure(error)),
            Err(error) => return Err(store_failure(error)),
        };
        let accounts = pools.issuer;
        let issuer = Issuer::open(options, accounts.clone(), pools.control.clone(), pools.tenant.clone())
            .await
            .map_err(|error| {
                Failure::new("The issuer cannot be opened", "Look at the cause, then start again.")
                    .because(error)
            })?;
        let data = Data { tenant: pools.tenant, control: pools.control, store: client, clock, ids };
        Ok(Self { data, issuer, accounts, sign_up, mailer, store, server })
    }

    /// Waits for mail that is on its way, closes the pools, then stops the database.
    pub(super) async fn stop(self) -> Result<(), Failure> {
        let Self { data, issuer, accounts, mailer, store, server, .. } = self;
        mailer.close(MAIL_PATIENCE).await;
        drop((data, issuer, accounts, store));
        server.stop().await.map_err(|error| failures::postgres(&error))
    }
}

async fn start_server(
    config: &Config,
    lock: DataDirLock,
    secrets: &Secrets,
    progress: &mut Progress,
) -> Result<Server, Failure> {
    let pools = usize::try_from(config.database.pool_size.get()).unwrap_or(usize::MAX).saturating_mul(2);
    let connections = pools.saturating_add(ISSUER_POOL + OTHER_CONNECTIONS).max(100);
    let options = postgres::Options {
        bin_dir: config.embedded.postgres_bin.get().cloned(),
        admin_password: secrets.admin.clone(),
        listen: config.embedded.postgres_listen.0,
        settings: vec![("max_connections".to_owned(), connections.to_string())],
        disposable: None,
    };
    progress.step("starting PostgreSQL");
    let steps = Mutex::new(progress);
    postgres::start(lock, options, |step| {
        let mut progress = steps.lock().unwrap_or_else(PoisonError::into_inner);
        match step {
            postgres::Progress::StoppingOrphan { pid } => {
                progress.step(&format!("stopping PostgreSQL of an earlier run (process {pid})"));
            }
            postgres::Progress::CreatingCluster => progress.step("making a new database, once"),
            postgres::Progress::Starting => progress.step("waiting for PostgreSQL"),
            postgres::Progress::Recovering { seconds } if seconds > 0 && seconds % 10 == 0 => {
                progress.say(&format!("PostgreSQL is recovering since {seconds} s"));
            }
            _ => {}
        }
    })
    .await
    .map_err(|error| failures::postgres(&error))
}

struct Pools {
    tenant: TenantDb,
    control: ControlDb,
    issuer: IssuerDb,
}

/// Brings the schema up to date and opens the pools as the runtime logins.
async fn migrated(
    config: &Config,
    logins: &Logins,
    secrets: &Secrets,
    progress: &mut Progress,
) -> Result<Pools, Failure> {
    progress.step("migrating the database");
    let server = DatabaseUrl { database: "postgres".to_owned(), ..logins.owner.clone() };
    probe::ensure_database(&server, DATABASE)
        .await
        .map_err(|error| failures::database("The database cannot be made", &error))?;
    let mut migrator = Migrator::connect(&logins.owner, config.database.role_prefix.names().clone())
        .await
        .map_err(failures::migrate)?;
    migrator.migrate(|_| {}).await.map_err(failures::migrate)?;
    let mut reset = migrator.made_logins();
    loop {
        if reset {
            migrator
                .set_passwords(&logins.owner, secrets.passwords.clone())
                .await
                .map_err(failures::migrate)?;
        }
        match Box::pin(pools(config, logins)).await {
            Ok(pools) => return Ok(pools),
            // A crash fell between the logins and their passwords, or the secrets were made anew.
            Err((_, LoginError::Database(_))) if !reset => reset = true,
            Err((login, error)) => return Err(failures::login(login, error)),
        }
    }
}

async fn pools(config: &Config, logins: &Logins) -> Result<Pools, (&'static str, LoginError)> {
    let options = PoolOptions { size: ISSUER_POOL, ..planes::pool_options(config) };
    let (both, issuer) = tokio::join!(
        planes::pools(config, "up", &logins.tenant, &logins.control),
        IssuerDb::connect(&logins.issuer, "novelfoundry/issuer", options)
    );
    let (tenant, control) = both?;
    Ok(Pools { tenant, control, issuer: issuer.map_err(|error| ("issuer", error))? })
}

fn store_options(
    config: &Config,
    data_dir: &Path,
    secrets: &Secrets,
    addresses: &Addresses,
    clock: Arc<dyn Clock>,
) -> store::Options {
    store::Options {
        root: data_dir.join("objects"),
        bucket: config.s3.bucket.as_str().to_owned(),
        region: config.s3.region.as_str().to_owned(),
        credentials: vec![secrets.s3.clone()],
        allowed_origins: addresses.allowed_origins.clone(),
        clock,
        limits: Limits::default(),
    }
}

fn store_failure(error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::new(
        "The object store cannot be opened",
        "Look at the cause; the disk may be full, or `s3.bucket` or `s3.region` not a valid name.",
    )
    .because(error)
}

fn issuer_options(
    context: &Context,
    secrets: &Secrets,
    addresses: &Addresses,
    clock: &Arc<dyn Clock>,
    ids: &IdSource,
) -> Result<IssuerOptions, Failure> {
    let config = &context.loaded.config;
    let origins = addresses.allowed_origins.iter().map(|origin| origin.parse());
    let allowed_origins = origins.collect::<Result<_, _>>().map_err(|error| {
        Failure::new("`allowed_origins` has an entry that is no origin", "Correct it.")
            .because(http::Error::from(error))
    })?;
    let mut options = IssuerOptions::new(format!("{}/auth/v1", addresses.public_url), secrets.issuer_keys());
    config.auth.audience.as_str().clone_into(&mut options.audience);
    options.sign_up = match config.embedded.signup {
        // What was derived from the settings does not know the addresses that were kept or found.
        _ if !context.loaded.is_given("embedded.signup") => {
            if addresses.are_loopback() {
                SignUp::Open
            } else {
                SignUp::Invite
            }
        }
        Signup::Open => SignUp::Open,
        Signup::Invite => SignUp::Invite,
        Signup::Closed => SignUp::Closed,
    };
    options.allowed_origins = allowed_origins;
    options.trusted_proxies =
        config.server.trusted_proxies.get().map_or_else(Vec::new, |proxies| proxies.0.clone());
    options.clock = Arc::clone(clock);
    options.ids = ids.clone();
    Ok(options)
}

/// Describes why the database is no longer there.
pub(super) fn ended(state: Option<&State>) -> Failure {
    match state {
        Some(State::Failed(error)) => failures::postgres(error).exit(Exit::Unavailable),
        _ => Failure::new("PostgreSQL has stopped", "Start again.").exit(Exit::Unavailable),
    }
}
