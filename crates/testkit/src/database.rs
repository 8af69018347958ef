//! One PostgreSQL server for all tests of a run, with the schema migrated once.

use std::path::Path;

use novelfoundry_core::{IdSource, Secret, random_token};
use novelfoundry_database::{
    ControlDb, DatabaseUrl, Migrator, Passwords, PoolOptions, RoleNames, Statements, TenantDb,
};
use novelfoundry_embedded::postgres::{self, DataDirLock, Options, Server};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

/// The environment variable that hands a prepared database to the test processes, as JSON.
pub const ENVIRONMENT: &str = "NOVELFOUNDRY_TEST_DATABASE";

/// A migrated database and the logins to it.
#[derive(Clone, Debug)]
pub struct Database {
    /// A superuser: sees every tenant.
    pub admin: DatabaseUrl,
    /// The tenant login.
    pub tenant: DatabaseUrl,
    /// The control login.
    pub control: DatabaseUrl,
    /// The embedded issuer's login.
    pub issuer: DatabaseUrl,
}

#[derive(Serialize, Deserialize)]
struct Urls {
    admin: String,
    tenant: String,
    control: String,
    issuer: String,
}

/// A server of this process's own; ends with it.
pub struct Testbed {
    /// The database on it.
    pub database: Database,
    server: Server,
    _directory: tempfile::TempDir,
}

static OWN: OnceCell<Testbed> = OnceCell::const_new();

impl Testbed {
    /// Starts a server in a temporary directory and migrates a database on it.
    ///
    /// # Panics
    /// Where no server can be started: nothing can be tested then.
    pub async fn start() -> Self {
        let directory = tempfile::Builder::new().prefix("nf-test-").tempdir().unwrap();
        open_to_all(directory.path());
        let lock = DataDirLock::acquire(&directory.path().join("data")).unwrap();
        let password = random_token(16);
        let options = Options {
            bin_dir: std::env::var_os("NOVELFOUNDRY_PG_BIN").map(Into::into),
            admin_password: password.clone(),
            listen: None,
            settings: vec![("max_connections".into(), "400".into())],
        };
        let server = postgres::start(lock, options, |_| {}).await.unwrap();
        let text = format!(
            "postgresql://{}:{}@/postgres?host={}&port={}",
            postgres::ADMIN_USER,
            password.expose(),
            server.socket_dir().display(),
            server.port()
        );
        let admin = DatabaseUrl::parse(&text).unwrap();
        let database = Database::migrated(admin, Some(Passwords::generate())).await;
        Self { database, server, _directory: directory }
    }

    /// Stops the server.
    ///
    /// # Panics
    /// Where it cannot be stopped.
    pub async fn stop(self) {
        self.server.stop().await.unwrap();
    }
}

impl Database {
    /// Returns the database of this test run: the one `testbed` prepared, else one of this process's own.
    ///
    /// # Panics
    /// Where no server can be started.
    pub async fn shared() -> Self {
        if let Ok(json) = std::env::var(ENVIRONMENT) {
            let urls: Urls = serde_json::from_str(&json).unwrap();
            let parse = |text: &str| DatabaseUrl::parse(text).unwrap();
            return Self {
                admin: parse(&urls.admin),
                tenant: parse(&urls.tenant),
                control: parse(&urls.control),
                issuer: parse(&urls.issuer),
            };
        }
        // The server's thread outlives the test that started it; pools belong to the test's own runtime.
        OWN.get_or_init(async || {
            let (sender, receiver) = tokio::sync::oneshot::channel();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Runtime::new().unwrap();
                let testbed = runtime.block_on(Testbed::start());
                let _ = sender.send(testbed);
                runtime.block_on(std::future::pending::<()>());
            });
            receiver.await.unwrap()
        })
        .await
        .database
        .clone()
    }

    /// Makes another, empty but migrated database on the same server, for a test that changes the schema or counts
    /// whole tables. It shares the runtime logins.
    ///
    /// # Panics
    /// Where it cannot be made.
    pub async fn fresh() -> Self {
        let shared = Self::shared().await;
        let empty = Self::empty().await;
        Self::migrated(empty.clone(), None).await;
        let on = |url: &DatabaseUrl| DatabaseUrl { database: empty.database.clone(), ..url.clone() };
        Self {
            admin: empty.clone(),
            tenant: on(&shared.tenant),
            control: on(&shared.control),
            issuer: on(&shared.issuer),
        }
    }

    /// Makes another database on the same server, with nothing in it, and returns the superuser's URL to it.
    ///
    /// # Panics
    /// Where it cannot be made.
    pub async fn empty() -> DatabaseUrl {
        let shared = Self::shared().await;
        let name = format!("nf_{}", IdSource::default().next().simple());
        shared.sql(&format!("create database {name}")).await.unwrap();
        DatabaseUrl { database: name, ..shared.admin.clone() }
    }

    async fn migrated(admin: DatabaseUrl, passwords: Option<Passwords>) -> Self {
        let roles = RoleNames::with_prefix("novelfoundry").unwrap();
        let mut migrator = Migrator::connect(&admin, roles).await.unwrap();
        migrator.migrate(|_| {}).await.unwrap();
        match passwords {
            Some(passwords) => {
                let logins = migrator.set_passwords(&admin, passwords).await.unwrap();
                Self { admin, tenant: logins.tenant, control: logins.control, issuer: logins.issuer }
            }
            None => Self { tenant: admin.clone(), control: admin.clone(), issuer: admin.clone(), admin },
        }
    }

    /// Writes the URLs for [`ENVIRONMENT`].
    ///
    /// # Panics
    /// Never: the URLs are text.
    pub fn to_environment(&self) -> String {
        serde_json::to_string(&Urls {
            admin: self.admin.expose(),
            tenant: self.tenant.expose(),
            control: self.control.expose(),
            issuer: self.issuer.expose(),
        })
        .unwrap()
    }

    /// Opens a tenant pool of `size` connections.
    ///
    /// # Panics
    /// Where the login is refused.
    pub async fn tenant_db(&self, size: usize) -> TenantDb {
        let options = PoolOptions { size, statements: Statements::Named };
        TenantDb::connect(&self.tenant, "novelfoundry/test", options).await.unwrap()
    }

    /// Opens a control pool.
    ///
    /// # Panics
    /// Where the login is refused.
    pub async fn control_db(&self) -> ControlDb {
        let options = PoolOptions { size: 4, statements: Statements::Named };
        ControlDb::connect(&self.control, "novelfoundry/test", options).await.unwrap()
    }

    /// Runs SQL as the superuser.
    pub async fn sql(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, tokio_postgres::Error> {
        run_as(&self.admin, sql).await
    }

    /// Opens a connection of another login, to send what the application never would.
    pub async fn connect_as(
        &self,
        url: &DatabaseUrl,
    ) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        connect(url).await
    }

    /// Runs SQL as another login; the rows come back as text.
    pub async fn sql_as(
        &self,
        url: &DatabaseUrl,
        sql: &str,
    ) -> Result<Vec<Vec<Option<String>>>, tokio_postgres::Error> {
        run_as(url, sql).await
    }
}

async fn connect(url: &DatabaseUrl) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::new();
    config.user(&url.user).host(&url.host).port(url.port).dbname(&url.database);
    if let Some(password) = url.password.as_ref().map(Secret::expose) {
        config.password(password);
    }
    let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn run_as(url: &DatabaseUrl, sql: &str) -> Result<Vec<Vec<Option<String>>>, tokio_postgres::Error> {
    let rows = connect(url).await?.simple_query(sql).await?.into_iter().filter_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
        }
        _ => None,
    });
    Ok(rows.collect())
}

/// As root the server runs as another user, who must be able to pass through.
fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o711)).unwrap();
}
