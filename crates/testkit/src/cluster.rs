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

use crate::database::run_as;

/// Small, or every fresh database would cost seconds; more than the workers, so that each holds several.
const SHARDS: &str = "6";
const NODES: [&str; 3] = ["coordinator", "worker-1", "worker-2"];
/// Whom the nodes' own user may be: the administrator and the roles that the migrations make.
const ROLES: [&str; 5] = [
    postgres::ADMIN_USER,
    "novelfoundry_owner",
    "novelfoundry_tenant",
    "novelfoundry_control",
    "novelfoundry_issuer",
];

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
        ];
        let options = Options {
            bin_dir: Some(bin_dir.clone()),
            admin_password: password.clone(),
            listen: Some(free_address()),
            settings: settings.map(|(name, value)| (name.to_owned(), value)).to_vec(),
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
    let names = "select datname from pg_database where datname like 'nf\\_%'";
    let mut ended = Vec::new();
    for name in run_as(&nodes[0], names).await.unwrap().into_iter().flatten().flatten() {
        let process = name.split('_').nth(1).and_then(|pid| Pid::from_raw(pid.parse().ok()?));
        let is_gone = |pid| test_kill_process(pid) == Err(rustix::io::Errno::SRCH);
        if process.is_some_and(is_gone) {
            ended.push(name);
        }
    }
    for name in ended {
        for node in nodes {
            // Another test may be dropping it too.
            let _ = run_as(node, &format!("drop database if exists {name} with (force)")).await;
        }
    }
}

fn free_address() -> std::net::SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
