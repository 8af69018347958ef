//! A Citus cluster of a coordinator and two workers, where the machine's PostgreSQL has the extension.
//!
//! The nodes reach one another by their Unix sockets, in directories that only their own user can enter; clients come
//! by loopback with a password, as on any other server.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use novelfoundry_core::Secret;
use novelfoundry_database::DatabaseUrl;
use novelfoundry_embedded::postgres::{self, DataDirLock, Options, Server};
use rustix::process::{Pid, test_kill_process};

use crate::database::{connect, on_database, run_as};

/// Small, or every fresh database would cost seconds; more than the workers, so that each holds several.
const SHARDS: &str = "6";
const NODES: [&str; 3] = ["coordinator", "worker-1", "worker-2"];
/// Some times as many bytes as the servers of a whole run have come to.
const PLENTY: u64 = 6 << 30;
/// Whom the nodes' own user may be: the administrator and the roles that the migrations make.
const ROLES: [&str; 5] = [
    postgres::ADMIN_USER,
    "novelfoundry_owner",
    "novelfoundry_tenant",
    "novelfoundry_control",
    "novelfoundry_issuer",
];

/// Identifies, among advisory locks, that of whoever drops the databases of ended tests.
const FORGETTING: i64 = 0x006e_665f_656e_6465;

/// Returns the programs of the PostgreSQL that Citus is installed in.
pub fn citus_bin_dir() -> Option<PathBuf> {
    let explicit = std::env::var_os("NOVELFOUNDRY_PG_BIN").map(PathBuf::from);
    let bin_dir = postgres::newest_bin_dir(explicit.as_deref())?;
    let output = Command::new(bin_dir.join("pg_config"))
        .arg("--sharedir")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let share = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    share.join("extension/citus.control").is_file().then_some(bin_dir)
}

/// Returns where the servers' files go: into memory where there is plenty of it and nobody chose another place. Three
/// nodes make and drop a database for many a test, and on a disk most of that time is spent waiting for it.
pub(crate) fn place() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let free = rustix::fs::statvfs(memory).map_or(0, |found| found.f_bavail * found.f_frsize);
    if std::env::var_os("TMPDIR").is_none() && free >= PLENTY {
        return memory.to_owned();
    }
    std::env::temp_dir()
}

/// Starts the servers; the first is the coordinator.
pub(crate) async fn start(directory: &Path, password: &Secret) -> (Vec<Server>, Vec<DatabaseUrl>) {
    let bin_dir = citus_bin_dir().expect("Citus is installed in the PostgreSQL that tests use");
    let hba = directory.join("pg_hba.conf");
    let ident = directory.join("pg_ident.conf");
    fs::write(&hba, "local all all peer map=nodes\nhost all all 127.0.0.1/32 scram-sha-256\n").unwrap();
    let may_be = ROLES.map(|role| format!("nodes /^.*$ {role}\n"));
    fs::write(&ident, may_be.concat()).unwrap();
    let mut servers = Vec::new();
    let mut urls = Vec::new();
    for node in NODES {
        let place = directory.join(node);
        fs::create_dir(&place).unwrap();
        crate::database::open_to_all(&place);
        let settings = [
            ("hba_file", hba.display().to_string()),
            ("ident_file", ident.display().to_string()),
            ("shared_preload_libraries", "citus".to_owned()),
            ("citus.shard_count", SHARDS.to_owned()),
            ("max_connections", "1000".to_owned()),
            // Every database with the extension has a daemon.
            ("max_worker_processes", "300".to_owned()),
            ("max_prepared_transactions", "400".to_owned()),
            ("shared_buffers", "32MB".to_owned()),
            ("max_wal_size", "128MB".to_owned()),
        ];
        let options = Options {
            bin_dir: Some(bin_dir.clone()),
            admin_password: password.clone(),
            listen: Some(free_address()),
            settings: settings.map(|(name, value)| (name.to_owned(), value)).to_vec(),
            disposable: None,
        };
        let lock = DataDirLock::acquire(&place.join("data")).unwrap();
        let server = postgres::start(lock, options, |_| {}).await.unwrap();
        let text = format!(
            "postgresql://{}:{}@127.0.0.1:{}/postgres",
            postgres::ADMIN_USER,
            password.expose(),
            server.port()
        );
        urls.push(DatabaseUrl::parse(&text).unwrap());
        servers.push(server);
    }
    (servers, urls)
}

/// Makes the extension in one database of every node and joins them; `sockets` are the nodes' directories.
pub(crate) async fn join(nodes: &[DatabaseUrl], sockets: &[String]) {
    for node in nodes {
        run_as(node, "create extension citus").await.unwrap();
    }
    let mut function = "citus_set_coordinator_host";
    for (node, socket) in nodes.iter().zip(sockets) {
        let sql = format!("select {function}('{socket}', {})", node.port);
        // Joining writes every role to the new node, which another database's joining may be doing too.
        let mut tries = 0;
        while let Err(error) = run_as(&nodes[0], &sql).await {
            tries += 1;
            assert!(tries < 20, "{sql}: {error:?}");
            tokio::time::sleep(Duration::from_millis(100 * tries)).await;
        }
        function = "citus_add_node";
    }
}

/// Drops the databases of tests whose process has ended: each keeps a daemon and its connections on every node.
pub(crate) async fn forget_ended(nodes: &[DatabaseUrl]) {
    // Another test that is at it already drops them for this one, too.
    let session = connect(&nodes[0]).await.unwrap();
    let lock = session.query_one("select pg_try_advisory_lock($1)", &[&FORGETTING]).await.unwrap();
    if !lock.get::<_, bool>(0) {
        return;
    }
    let names = "select datname from pg_database where datname like 'nf\\_%'";
    for name in run_as(&nodes[0], names).await.unwrap().into_iter().flatten().flatten() {
        let process = name.split('_').nth(1).and_then(|pid| Pid::from_raw(pid.parse().ok()?));
        let is_gone = |pid| test_kill_process(pid) == Err(rustix::io::Errno::SRCH);
        if process.is_some_and(is_gone)
            && let Err(error) = forget(nodes, &name).await
        {
            println!("{name}, the database of an ended test, is left for the next one to drop: {error:?}");
        }
    }
}

/// Drops a database, the coordinator's last: by that one it is found again where this fails halfway.
async fn forget(nodes: &[DatabaseUrl], name: &str) -> Result<(), tokio_postgres::Error> {
    for node in nodes.iter().rev() {
        // What a killed test left between the two phases of a commit would keep its database.
        let prepared =
            format!("select gid from pg_prepared_xacts where database = '{name}' and gid like 'citus\\_%'");
        for gid in run_as(node, &prepared).await?.into_iter().flatten().flatten() {
            run_as(&on_database(node, name), &format!("rollback prepared '{gid}'")).await?;
        }
        run_as(node, &format!("drop database if exists {name} with (force)")).await?;
    }
    Ok(())
}

fn free_address() -> std::net::SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
