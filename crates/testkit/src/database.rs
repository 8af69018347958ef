//! One PostgreSQL server, or one Citus cluster, for all tests of a run, with the schema migrated once.

use std::path::Path;

use novelfoundry_core::{IdSource, Secret, random_token};
use novelfoundry_database::{
    ControlDb, DatabaseUrl, Migrator, Passwords, PoolOptions, RoleNames, Statements, TenantDb,
};
use novelfoundry_embedded::postgres::{self, DataDirLock, Options, Server};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use crate::cluster;

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
    /// Where this is a Citus cluster: its nodes.
    pub nodes: Option<Nodes>,
}

/// The nodes of a cluster, the coordinator first.
#[derive(Clone, Debug)]
pub struct Nodes {
    /// The superuser's URLs to the nodes, to this database on each.
    pub urls: Vec<DatabaseUrl>,
    sockets: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Urls {
    admin: String,
    tenant: String,
    control: String,
    issuer: String,
    /// The superuser's URL and the socket directory of each node of a cluster.
    nodes: Vec<(String, String)>,
}

/// A server of this process's own; ends with it.
pub struct Testbed {
    /// The database on it.
    pub database: Database,
    servers: Vec<Server>,
    _directory: tempfile::TempDir,
}

static OWN: OnceCell<Testbed> = OnceCell::const_new();

impl Testbed {
    /// Starts a server, or a cluster, in a temporary directory and migrates a database on it.
    ///
    /// # Panics
    /// Where no server can be started: nothing can be tested then.
    pub async fn start(citus: bool) -> Self {
        let place = if citus { cluster::place() } else { std::env::temp_dir() };
        let directory = tempfile::Builder::new().prefix("nf-test-").tempdir_in(place).unwrap();
        open_to_all(directory.path());
        let password = random_token(16);
        let (servers, nodes) = if citus {
            let (servers, urls) = cluster::start(directory.path(), &password).await;
            let sockets = servers.iter().map(|server| server.socket_dir().display().to_string()).collect();
            (servers, Some(Nodes { urls, sockets }))
        } else {
            (vec![one_server(directory.path(), &password).await], None)
        };
        let admin = match &nodes {
            Some(nodes) => nodes.urls[0].clone(),
            None => socket_url(&servers[0], &password),
        };
        if let Some(nodes) = &nodes {
            cluster::join(&nodes.urls, &nodes.sockets).await;
        }
        let database = Database::migrated(admin, nodes, Some(Passwords::generate())).await;
        Self { database, servers, _directory: directory }
    }

    /// Ends the server at once, as a crash would; its supervisor starts it again, a few times in two minutes.
    ///
    /// # Panics
    /// Where it has ended already.
    pub fn crash(&self) {
        for server in &self.servers {
            let pid = i32::try_from(server.pid()).ok().and_then(rustix::process::Pid::from_raw).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::QUIT).unwrap();
        }
    }

    /// Stops the server.
    ///
    /// # Panics
    /// Where it cannot be stopped.
    pub async fn stop(self) {
        for server in self.servers {
            server.stop().await.unwrap();
        }
    }
}

async fn one_server(directory: &Path, password: &Secret) -> Server {
    let lock = DataDirLock::acquire(&directory.join("data")).unwrap();
    let options = Options {
        bin_dir: std::env::var_os("NOVELFOUNDRY_PG_BIN").map(Into::into),
        admin_password: password.clone(),
        listen: None,
        settings: vec![("max_connections".into(), "400".into())],
        disposable: None,
    };
    postgres::start(lock, options, |_| {}).await.unwrap()
}

fn socket_url(server: &Server, password: &Secret) -> DatabaseUrl {
    let text = format!(
        "postgresql://{}:{}@/postgres?host={}&port={}",
        postgres::ADMIN_USER,
        password.expose(),
        server.socket_dir().display(),
        server.port()
    );
    DatabaseUrl::parse(&text).unwrap()
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
                nodes: (!urls.nodes.is_empty()).then(|| {
                    let (texts, sockets): (Vec<_>, Vec<_>) = urls.nodes.into_iter().unzip();
                    Nodes { urls: texts.iter().map(|text| parse(text)).collect(), sockets }
                }),
            };
        }
        // The server's thread outlives the test that started it; pools belong to the test's own runtime.
        OWN.get_or_init(async || {
            let (sender, receiver) = tokio::sync::oneshot::channel();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Runtime::new().unwrap();
                let testbed = runtime.block_on(Testbed::start(false));
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
        let migrated = Self::migrated(empty.admin, empty.nodes, None).await;
        let on = |url: &DatabaseUrl| on_database(url, &migrated.admin.database);
        Self {
            tenant: on(&shared.tenant),
            control: on(&shared.control),
            issuer: on(&shared.issuer),
            ..migrated
        }
    }

    /// Makes another database on the same server, with nothing in it; every URL is the superuser's.
    ///
    /// # Panics
    /// Where it cannot be made.
    pub async fn empty() -> Self {
        let shared = Self::shared().await;
        let name = format!("nf_{}_{}", std::process::id(), IdSource::default().next().simple());
        let nodes = match &shared.nodes {
            None => {
                shared.sql(&format!("create database {name}")).await.unwrap();
                None
            }
            Some(Nodes { urls, sockets }) => {
                cluster::forget_ended(urls).await;
                for node in urls {
                    run_as(node, &format!("create database {name}")).await.unwrap();
                }
                let urls: Vec<_> = urls.iter().map(|url| on_database(url, &name)).collect();
                cluster::join(&urls, sockets).await;
                Some(Nodes { urls, sockets: sockets.clone() })
            }
        };
        Self::of_superuser(on_database(&shared.admin, &name), nodes)
    }

    fn of_superuser(admin: DatabaseUrl, nodes: Option<Nodes>) -> Self {
        Self { tenant: admin.clone(), control: admin.clone(), issuer: admin.clone(), admin, nodes }
    }

    async fn migrated(admin: DatabaseUrl, nodes: Option<Nodes>, passwords: Option<Passwords>) -> Self {
        let roles = RoleNames::with_prefix("novelfoundry").unwrap();
        let mut migrator = Migrator::connect(&admin, roles).await.unwrap();
        migrator.migrate(|_| {}).await.unwrap();
        let mut database = Self::of_superuser(admin, nodes);
        if let Some(passwords) = passwords {
            let logins = migrator.set_passwords(&database.admin, passwords).await.unwrap();
            database =
                Self { tenant: logins.tenant, control: logins.control, issuer: logins.issuer, ..database };
        }
        if database.nodes.is_some() {
            // A statement of the application that asks more than one tenant's shard is a mistake.
            let gate = format!(
                "alter role novelfoundry_tenant in database \"{}\" set citus.multi_task_query_log_level = 'error'",
                database.admin.database
            );
            database.sql(&gate).await.unwrap();
        }
        database
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
            nodes: self
                .nodes
                .iter()
                .flat_map(|nodes| nodes.urls.iter().map(DatabaseUrl::expose).zip(nodes.sockets.clone()))
                .collect(),
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

    /// Runs statements in one transaction of another login, each a message of its own as the application sends them;
    /// the last one's rows come back as text.
    pub async fn transaction_as(
        &self,
        url: &DatabaseUrl,
        statements: &[&str],
    ) -> Result<Vec<Vec<Option<String>>>, tokio_postgres::Error> {
        let client = connect(url).await?;
        client.batch_execute("begin").await?;
        let mut rows = Vec::new();
        for statement in statements {
            rows = texts(client.simple_query(statement).await?);
        }
        client.batch_execute("commit").await?;
        Ok(rows)
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

pub(crate) fn on_database(url: &DatabaseUrl, name: &str) -> DatabaseUrl {
    DatabaseUrl { database: name.to_owned(), ..url.clone() }
}

pub(crate) async fn connect(url: &DatabaseUrl) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::new();
    config.user(&url.user).host(&url.host).port(url.port).dbname(&url.database);
    if let Some(password) = url.password.as_ref().map(Secret::expose) {
        config.password(password);
    }
    let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

pub(crate) async fn run_as(
    url: &DatabaseUrl,
    sql: &str,
) -> Result<Vec<Vec<Option<String>>>, tokio_postgres::Error> {
    Ok(texts(connect(url).await?.simple_query(sql).await?))
}

fn texts(messages: Vec<tokio_postgres::SimpleQueryMessage>) -> Vec<Vec<Option<String>>> {
    let rows = messages.into_iter().filter_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
        }
        _ => None,
    });
    rows.collect()
}

/// As root the server runs as another user, who must be able to pass through.
pub(crate) fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o711)).unwrap();
}
