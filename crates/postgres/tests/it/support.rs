//! What the tests of the supervisor share.

use std::{
    env, fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use novelfoundry_core::Secret;
use novelfoundry_postgres::{ADMIN_USER, DataDirLock, Error, Options, Server, State, start};
use tempfile::TempDir;

pub(crate) const PASSWORD: &str = "a-password-of-the-tests";

/// Makes a directory that the server's user can reach.
pub(crate) fn reachable_dir() -> TempDir {
    let root = tempfile::Builder::new().prefix("nf-pg-").tempdir_in("/tmp").unwrap();
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    root
}

pub(crate) fn options() -> Options {
    Options {
        bin_dir: env::var_os("NOVELFOUNDRY_PG_BIN").map(PathBuf::from),
        admin_password: Secret::new(PASSWORD),
        listen: None,
        settings: Vec::new(),
        disposable: None,
    }
}

pub(crate) async fn try_start(data_dir: &Path, options: Options) -> Result<Server, Error> {
    start(DataDirLock::acquire(data_dir)?, options, |_| {}).await
}

pub(crate) async fn started(data_dir: &Path) -> Server {
    try_start(data_dir, options()).await.unwrap_or_else(|error| panic!("{error}\n{}", error.hint()))
}

/// Runs statements as the administrator.
pub(crate) fn sql(server: &Server, statements: &str) -> Result<String, String> {
    sql_at(server.socket_dir(), server.port(), PASSWORD, statements)
}

pub(crate) fn sql_at(host: &Path, port: u16, password: &str, statements: &str) -> Result<String, String> {
    let output = psql(host, port, password, statements).output().expect("psql is needed to test");
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap().trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

pub(crate) fn psql(host: &Path, port: u16, password: &str, statements: &str) -> Command {
    let mut psql = Command::new("psql");
    psql.args([
        "-XAtq",
        "-v",
        "ON_ERROR_STOP=1",
        "-d",
        "postgres",
        "-U",
        ADMIN_USER,
        "-p",
        &port.to_string(),
    ])
    .arg("-h")
    .arg(host)
    .args(["-c", statements])
    .env("PGPASSWORD", password)
    .stdin(Stdio::null());
    psql
}

/// Returns the directory of the programs of the server that runs.
pub(crate) fn bin_dir_of(server: &Server) -> PathBuf {
    let arguments = fs::read(format!("/proc/{}/cmdline", server.pid())).unwrap();
    let program = arguments.split(|byte| *byte == 0).next().unwrap();
    Path::new(std::str::from_utf8(program).unwrap()).parent().unwrap().to_owned()
}

/// Lists the processes of servers that work on a cluster: it is their current directory, and the server itself, which
/// a container's root may not look into, names it in its arguments.
pub(crate) fn processes_in(cluster: &Path) -> Vec<u32> {
    let Ok(place) = fs::metadata(cluster) else { return Vec::new() };
    let numbers =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers
        .filter(|pid: &u32| {
            fs::metadata(format!("/proc/{pid}/cwd"))
                .is_ok_and(|cwd| (cwd.dev(), cwd.ino()) == (place.dev(), place.ino()))
                || fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|arguments| {
                    let mut arguments = arguments.split(|byte| *byte == 0);
                    arguments.any(|argument| argument == b"-D")
                        && arguments.next() == Some(cluster.as_os_str().as_bytes())
                })
        })
        .collect()
}

pub(crate) fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(')').unwrap().1.trim_start().starts_with('Z'))
}

pub(crate) fn kill(signal: &str, pid: u32) {
    assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
}

/// Looks until something is so; a minute is far more than it should take.
pub(crate) fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_mins(1);
    while !so() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Checks that nothing of a server is left but its data.
pub(crate) fn assert_nothing_left(data_dir: &Path) {
    assert!(processes_in(&data_dir.join("postgres")).is_empty());
    assert!(!data_dir.join("postgres/postmaster.pid").exists());
    assert!(!data_dir.join("run").exists());
    assert!(!data_dir.join("postgres.initdb").exists());
    DataDirLock::acquire(data_dir).unwrap();
}

/// Waits until the server accepts connections again, and fails when it is given up.
pub(crate) async fn ready_again(server: &Server) {
    let mut state = server.state();
    let end =
        state.wait_for(|state| matches!(state, State::Ready) || state.is_final()).await.unwrap().clone();
    assert!(matches!(end, State::Ready), "{end:?}");
}

pub(crate) fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Names the user of a cluster, as `setpriv` and `chown` take it.
pub(crate) fn owner(path: &Path) -> String {
    fs::metadata(path).unwrap().uid().to_string()
}

/// Wraps a program so that it runs as a user.
pub(crate) fn as_user(user: &str, program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", user, "--regid", user, "--clear-groups", "--"]).arg(program).current_dir("/");
    command
}
