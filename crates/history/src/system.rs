//! The whole product on this machine, in parts that can be killed one by one: API, worker and store have a runtime each,
//! and dropping it ends all they do in the middle of it, as the end of their process would.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::Router;
use novelfoundry_api::{Api, Settings};
use novelfoundry_core::{Clock, IdSource, Secret, SystemClock};
use novelfoundry_database::{ControlDb, TenantDb};
use novelfoundry_embedded::store::{self, Credentials, Limits, ObjectStore};
use novelfoundry_identity::{Verifier, VerifierOptions};
use novelfoundry_mail::{MailOptions, Mailer, Sender};
use novelfoundry_objects::{Store, StoreOptions};
use novelfoundry_testkit::{Database, DelayingProxy, TestIssuer, Testbed};
use novelfoundry_worker::{Worker, WorkerOptions};
use tokio::{net::TcpListener, sync::oneshot};
use tokio_util::sync::CancellationToken;

use crate::eventually;

/// Short, so that the jobs of a killed worker are taken over soon.
const LEASE: Duration = Duration::from_secs(4);
pub(crate) const BUCKET: &str = "novelfoundry";
pub(crate) const REGION: &str = "us-east-1";
pub(crate) const KEY: (&str, &str) = ("test", "test-secret");

/// Which jobs are to come to their end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Due {
    All,
    /// Not those of deleted workspaces: they are held back for as long as a request may go on.
    AmidRequests,
    /// None that purges.
    ButPurges,
}

impl Due {
    pub(crate) const fn condition(self) -> &'static str {
        match self {
            Self::All => "true",
            Self::AmidRequests => "kind <> 'purge_workspace'",
            Self::ButPurges => "kind not in ('purge_objects', 'purge_workspace')",
        }
    }
}

/// A part of the product; dropping it kills it.
struct Part(Option<oneshot::Sender<()>>);

impl Part {
    /// Runs a part, on a thread of its own, until it is dropped; returns once it is ready.
    async fn start(part: impl AsyncFnOnce(oneshot::Sender<()>) + Send + 'static) -> Self {
        let (ready, is_ready) = oneshot::channel();
        let (kill, killed) = oneshot::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = part(ready) => {}
                    _ = killed => {}
                }
            });
            // Whatever it was doing ends here.
            runtime.shutdown_background();
        });
        is_ready.await.expect("the part starts");
        Self(Some(kill))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(kill) = self.0.take() {
            let _ = kill.send(());
        }
    }
}

/// The product, its data, and the lines between them.
pub(crate) struct System {
    pub(crate) database: Database,
    pub(crate) issuer: TestIssuer,
    /// Between the application and the tenant login.
    pub(crate) proxy: DelayingProxy,
    pub(crate) api_url: String,
    pub(crate) store_url: String,
    testbed: Option<Testbed>,
    /// Listening goes on while a part is away: its clients wait, as they would for a process that is started again.
    api_listener: std::net::TcpListener,
    store_listener: std::net::TcpListener,
    purge_after: Duration,
    api: Mutex<Option<Part>>,
    worker: Mutex<Option<Part>>,
    store: Mutex<Option<Part>>,
    files: tempfile::TempDir,
}

impl System {
    /// Starts everything, in this database or on a server of its own.
    pub(crate) async fn start(database: Option<Database>, purge_after: Duration) -> Self {
        let testbed = match &database {
            Some(_) => None,
            None => Some(Testbed::start(false).await),
        };
        let database = database
            .or_else(|| testbed.as_ref().map(|testbed| testbed.database.clone()))
            .expect("there is a database");
        let (api_listener, api) = listen();
        let (store_listener, store) = listen();
        let system = Self {
            proxy: DelayingProxy::start(&database.tenant, Duration::ZERO).await,
            issuer: TestIssuer::start().await,
            api_url: format!("http://{api}"),
            store_url: format!("http://{store}"),
            database,
            testbed,
            api_listener,
            store_listener,
            purge_after,
            api: Mutex::default(),
            worker: Mutex::default(),
            store: Mutex::default(),
            files: tempfile::tempdir().unwrap(),
        };
        system.restart_store().await;
        system.restart_worker().await;
        system.restart_api().await;
        system
    }

    pub(crate) async fn restart_store(&self) {
        drop(self.store.lock().unwrap().take());
        let root = self.files.path().join("objects");
        let listener = self.store_listener.try_clone().unwrap();
        let part = Part::start(async move |ready| {
            let opened = eventually("the store opens", async || open(root.clone()).ok()).await;
            let listener = TcpListener::from_std(listener).unwrap();
            let _ = ready.send(());
            store::serve(opened, listener, CancellationToken::new()).await;
        });
        let part = part.await;
        *self.store.lock().unwrap() = Some(part);
    }

    pub(crate) async fn restart_worker(&self) {
        drop(self.worker.lock().unwrap().take());
        let (database, endpoint) = (self.reached(), self.store_url.clone());
        let purge_after = self.purge_after;
        let part = Part::start(async move |ready| {
            let (tenant, control) = logins(&database, 4).await;
            let _ = ready.send(());
            let worker = Worker::new(WorkerOptions {
                tenant,
                control,
                accounts: None,
                store: client(&endpoint),
                concurrency: 3,
                lease: LEASE,
                poll: Duration::from_millis(200),
                show_every: novelfoundry_worker::SHOW_EVERY,
                purge_after,
                backup_retention: Duration::from_hours(24),
                name: "history".into(),
            });
            worker.run(CancellationToken::new()).await;
        });
        let part = part.await;
        *self.worker.lock().unwrap() = Some(part);
    }

    pub(crate) async fn restart_api(&self) {
        drop(self.api.lock().unwrap().take());
        let (database, endpoint, url) = (self.reached(), self.store_url.clone(), self.api_url.clone());
        let listener = self.api_listener.try_clone().unwrap();
        let (issuer, purge_after) = (self.issuer.issuer.clone(), self.purge_after);
        let outbox = self.files.path().join("outbox");
        let part = Part::start(async move |ready| {
            let (tenant, control) = logins(&database, 10).await;
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            let from = Sender::parse("Novels <novels@example.com>").unwrap();
            let mailer = Mailer::open(MailOptions::new(from, outbox, Arc::clone(&clock))).unwrap();
            let api = Api {
                mailer,
                accounts: None,
                tenant,
                control,
                store: client(&endpoint),
                verifier: verifier(issuer),
                ids: IdSource::default(),
                clock,
                settings: Settings {
                    public_url: url,
                    allowed_origins: Vec::new(),
                    request_timeout: Duration::from_secs(20),
                    upload_expiry: Duration::from_mins(15),
                    download_expiry: Duration::from_mins(5),
                    purge_after,
                    sign_in: novelfoundry_api::SignIn::Elsewhere,
                    version: "0.0.0",
                },
            };
            let listener = TcpListener::from_std(listener).unwrap();
            let _ = ready.send(());
            let router = novelfoundry_api::router(api, Router::new());
            novelfoundry_api::serve(listener, router, CancellationToken::new()).await;
        });
        let part = part.await;
        *self.api.lock().unwrap() = Some(part);
    }

    /// Ends the database server as a crash would and waits until it answers again.
    pub(crate) async fn crash_database(&self) {
        let Some(testbed) = &self.testbed else { return };
        let start = async || {
            let rows = self.database.sql("select pg_postmaster_start_time()").await.ok()?;
            rows[0][0].clone()
        };
        let before = eventually("the database answers", start).await;
        testbed.crash();
        eventually("the database answers again", async || start().await.filter(|now| *now != before)).await;
    }

    /// Terminates some backends of the runtime logins; tells whether there were any.
    pub(crate) async fn kill_backends(&self, limit: usize) -> bool {
        let sql = format!(
            "select pg_terminate_backend(pid) from (select pid from pg_stat_activity
              where datname = current_database() and usename in ('{}', '{}') order by random() limit {limit}) as some",
            self.database.tenant.user, self.database.control.user
        );
        self.database.sql(&sql).await.is_ok_and(|killed| !killed.is_empty())
    }

    /// Makes waiting jobs due.
    pub(crate) async fn hurry(&self, jobs: Due) {
        let sql = format!(
            "update app.jobs set run_at = now() where state = 'queued' and run_at > now() and {}",
            jobs.condition()
        );
        let _ = self.database.sql(&sql).await;
    }

    /// Kills the parts and stops the server.
    pub(crate) async fn stop(self) {
        for part in [&self.api, &self.worker, &self.store] {
            drop(part.lock().unwrap().take());
        }
        if let Some(testbed) = self.testbed {
            testbed.stop().await;
        }
    }

    fn reached(&self) -> Database {
        Database { tenant: self.proxy.url(&self.database.tenant), ..self.database.clone() }
    }
}

fn listen() -> (std::net::TcpListener, SocketAddr) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn open(root: PathBuf) -> Result<ObjectStore, store::OpenError> {
    ObjectStore::open(store::Options {
        root,
        bucket: BUCKET.into(),
        region: REGION.into(),
        credentials: vec![Credentials { access_key_id: KEY.0.into(), secret_access_key: Secret::new(KEY.1) }],
        allowed_origins: Vec::new(),
        clock: Arc::new(SystemClock),
        limits: Limits::default(),
    })
}

fn client(endpoint: &str) -> Store {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Store::new(StoreOptions {
        endpoint: endpoint.parse().unwrap(),
        public_url: None,
        region: REGION.into(),
        bucket: BUCKET.into(),
        access_key_id: KEY.0.into(),
        secret_access_key: Secret::new(KEY.1),
        clock,
    })
    .unwrap()
}

fn verifier(issuer: String) -> Verifier {
    Verifier::new(VerifierOptions {
        jwks_url: format!("{issuer}/.well-known/jwks.json").parse().unwrap(),
        issuer,
        audience: "authenticated".into(),
        clock: Arc::new(SystemClock),
        leeway: Duration::from_secs(5),
    })
    .unwrap()
}

/// Opens both pools, however long the server takes to come back.
async fn logins(database: &Database, size: usize) -> (TenantDb, ControlDb) {
    use novelfoundry_database::{PoolOptions, Statements};
    let options = |size| PoolOptions { size, statements: Statements::Named };
    eventually("the logins are accepted", async || {
        let tenant = TenantDb::connect(&database.tenant, "history", options(size)).await.ok()?;
        let control = ControlDb::connect(&database.control, "history", options(4)).await.ok()?;
        Some((tenant, control))
    })
    .await
}
