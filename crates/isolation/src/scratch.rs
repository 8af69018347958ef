//! A PostgreSQL server to throw away: what is attacked is always a copy, and the copy cannot reach anything else.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Stdio,
};

use novelfoundry_connection::DatabaseUrl;
use novelfoundry_core::{Secret, random_token};
use novelfoundry_postgres::{self as postgres, DataDirLock, Disposable, Options, Server};
use tokio::process::Command;

use crate::session::{Session, SessionError, identifier, literal};

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    /// No server can be started on this machine.
    #[error("no scratch server can be started: {0}")]
    Server(#[from] postgres::Error),
    /// A directory or file cannot be made.
    #[error("{0} cannot be written")]
    Io(String, #[source] std::io::Error),
    /// A program of PostgreSQL is missing or fails.
    #[error("{program} {why}")]
    Program {
        /// Which.
        program: String,
        /// How.
        why: String,
    },
    /// The server refuses.
    #[error(transparent)]
    Session(#[from] SessionError),
}

/// The server.
#[derive(Debug)]
pub struct Scratch {
    server: Server,
    password: Secret,
    superuser: String,
    bin_dir: PathBuf,
    directory: tempfile::TempDir,
}

/// What did not come along into a copy, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut(pub BTreeSet<(String, String)>);

impl Scratch {
    /// Starts a server whose superuser has the name that the source's has.
    pub async fn start(
        superuser: &str,
        bin_dir: Option<PathBuf>,
        preload: &[String],
    ) -> Result<Self, ScratchError> {
        sweep();
        let directory = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir()
            .map_err(|source| ScratchError::Io("the temporary directory".to_owned(), source))?;
        // As root the server runs as another user, who has to reach its part of the directory.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o711))
            .map_err(|source| ScratchError::Io(directory.path().display().to_string(), source))?;
        let password = random_token(16);
        let mut settings: Vec<(String, String)> = [
            ("shared_buffers", "32MB"),
            ("max_connections", "40"),
            ("max_prepared_transactions", "0"),
            ("jit", "off"),
            ("log_min_messages", "fatal"),
            ("max_wal_size", "2GB"),
            ("scram_iterations", "1"),
        ]
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
        let bin_dir = bin_dir.or_else(|| postgres::newest_bin_dir(None));
        if bin_dir.as_deref().and_then(major).is_none_or(|major| major < 16) {
            settings.retain(|(name, _)| name != "scram_iterations");
        }
        if !preload.is_empty() {
            settings.push(("shared_preload_libraries".to_owned(), preload.join(",")));
        }
        let lock = DataDirLock::acquire(&directory.path().join("data"))?;
        let options = Options {
            bin_dir: bin_dir.clone(),
            admin_password: password.clone(),
            listen: None,
            settings,
            disposable: Some(Disposable { superuser: superuser.to_owned() }),
        };
        let mut found = None;
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let server = postgres::start(lock, options, move |progress| {
            if let postgres::Progress::Found { bin_dir, .. } = progress {
                // Nobody listens only where the start was given up.
                let _ = sender.send(bin_dir);
            }
        })
        .await?;
        while let Ok(bin_dir) = receiver.try_recv() {
            found = Some(bin_dir);
        }
        let bin_dir = found.or(bin_dir).unwrap_or_default();
        Ok(Self { server, password, superuser: superuser.to_owned(), bin_dir, directory })
    }

    /// Returns the superuser's URL to a database of it.
    pub fn url(&self, database: &str) -> DatabaseUrl {
        DatabaseUrl {
            user: self.superuser.clone(),
            password: Some(self.password.clone()),
            host: self.server.socket_dir().display().to_string(),
            port: self.server.port(),
            database: database.to_owned(),
            ssl_mode: novelfoundry_connection::SslMode::Disable,
            ssl_root_cert: None,
        }
    }

    /// Connects to a database as the superuser.
    pub async fn open(&self, database: &str) -> Result<Session, SessionError> {
        Session::open(&self.url(database), "novelfoundry isolation").await
    }

    /// Makes an empty database.
    pub async fn create_database(&self, name: &str, template: Option<&str>) -> Result<(), SessionError> {
        let template =
            template.map(|template| format!(" template {}", identifier(template))).unwrap_or_default();
        let mut session = self.open("postgres").await?;
        session.run(&format!("create database {}{template}", identifier(name))).await?;
        Ok(())
    }

    /// Drops a database and every role that did not come with the server, so that another schema can be tried.
    pub async fn clear(&self, database: &str) -> Result<(), SessionError> {
        let mut session = self.open("postgres").await?;
        session.run(&format!("drop database if exists {} with (force)", identifier(database))).await?;
        let roles = session.run("select rolname from pg_roles where oid >= 16384").await?;
        for role in roles.rows.iter().filter_map(|row| row.first()?.as_deref()) {
            let role = identifier(role);
            session.run(&format!("drop owned by {role}")).await?;
            session.run(&format!("drop role {role}")).await?;
        }
        Ok(())
    }

    /// Runs files of SQL by psql in a database; returns what it complained about.
    pub async fn load(&self, database: &str, text: &str) -> Result<Vec<String>, ScratchError> {
        let path = self.directory.path().join("load.sql");
        fs::write(&path, text).map_err(|source| ScratchError::Io(path.display().to_string(), source))?;
        let complaints = self.psql(database, &path).await;
        // What is not removed goes with the directory.
        let _ = fs::remove_file(&path);
        complaints
    }

    /// Runs a file by psql in a database; returns what it complained about.
    pub async fn psql(&self, database: &str, file: &Path) -> Result<Vec<String>, ScratchError> {
        let url = self.url(database);
        let output = Command::new(self.program("psql"))
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=0", "-f"])
            .arg(file)
            .envs(libpq(&url))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|error| ScratchError::Program { program: "psql".to_owned(), why: error.to_string() })?;
        let words = String::from_utf8_lossy(&output.stderr);
        Ok(words
            .lines()
            .filter(|line| line.contains("ERROR:") || line.contains("FATAL:"))
            .map(ToOwned::to_owned)
            .collect())
    }

    /// Returns a program of this server's installation, or the name alone where it lacks it.
    pub fn program(&self, name: &str) -> PathBuf {
        let own = self.bin_dir.join(name);
        if own.exists() { own } else { PathBuf::from(name) }
    }

    /// Returns the directory that goes with the server.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the directory of the Unix socket and the port.
    pub fn socket(&self) -> (String, u16) {
        (self.server.socket_dir().display().to_string(), self.server.port())
    }

    /// Stops the server; its files go with it.
    pub async fn stop(self) -> Result<(), ScratchError> {
        self.server.stop().await.map_err(Into::into)
    }

    /// Lets roles in without a password, as foreign servers that name none need it: nobody else reaches the socket.
    pub(crate) async fn trust(&self, roles: &[String]) -> Result<(), ScratchError> {
        let path = self.directory.path().join("data/postgres/pg_hba.conf");
        let failed = |source| ScratchError::Io(path.display().to_string(), source);
        let before = fs::read_to_string(&path).map_err(failed)?;
        let names: Vec<String> = roles.iter().map(|role| format!("\"{role}\"")).collect();
        fs::write(&path, format!("local all {} trust\n{before}", names.join(","))).map_err(failed)?;
        self.open("postgres").await?.run("select pg_reload_conf()").await?;
        Ok(())
    }
}

/// With what the names of the directories begin.
const PREFIX: &str = "nf-scratch-";

/// Removes what runs that were killed have left: a copy of somebody's rows is not left lying about.
fn sweep() {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let place = entry.path();
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry
                .metadata()
                .is_ok_and(|found| found.is_dir() && found.uid() == rustix::process::geteuid().as_raw());
        // One that is about to start has no lock yet; who runs holds it.
        if ours
            && place.join("data/novelfoundry.lock").exists()
            && DataDirLock::acquire(&place.join("data")).is_ok()
        {
            // What cannot be removed now may be the next time.
            let _ = fs::remove_dir_all(&place);
        }
    }
}

/// Returns the environment that libpq's programs take for a URL.
pub fn libpq(url: &DatabaseUrl) -> Vec<(&'static str, String)> {
    let mode = match url.ssl_mode {
        novelfoundry_connection::SslMode::Disable => "disable",
        novelfoundry_connection::SslMode::Require => "require",
        novelfoundry_connection::SslMode::VerifyFull => "verify-full",
    };
    let mut variables = vec![
        ("PGHOST", url.host.clone()),
        ("PGPORT", url.port.to_string()),
        ("PGUSER", url.user.clone()),
        ("PGDATABASE", url.database.clone()),
        ("PGSSLMODE", mode.to_owned()),
        ("PGAPPNAME", "novelfoundry isolation".to_owned()),
        ("PGOPTIONS", String::new()),
    ];
    if let Some(password) = &url.password {
        variables.push(("PGPASSWORD", password.expose().to_owned()));
    }
    if let Some(path) = &url.ssl_root_cert {
        variables.push(("PGSSLROOTCERT", path.display().to_string()));
    } else if mode == "verify-full" {
        variables.push(("PGSSLROOTCERT", "system".to_owned()));
    }
    variables
}

/// Returns the major version of the programs in a directory.
pub fn major(bin_dir: &Path) -> Option<u16> {
    let output = std::process::Command::new(bin_dir.join("postgres")).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().find_map(|word| word.split(['.', 'd', 'r', 'b']).next()?.parse().ok())
}

/// Takes from a fresh copy what could reach beyond it: other servers, the network, programs started by events.
///
/// A foreign server that leads back to this machine is pointed at the copy itself, so that what it opens is still seen.
pub async fn disarm(
    session: &mut Session,
    scratch: &Scratch,
    database: &str,
) -> Result<LeftOut, ScratchError> {
    let mut left_out = LeftOut::default();
    let triggers = session.run("select evtname from pg_event_trigger").await?;
    for name in column(&triggers) {
        session.run(&format!("alter event trigger {} disable", identifier(&name))).await?;
        left_out.0.insert((name, "event triggers are switched off in the copy".to_owned()));
    }
    let (socket, port) = scratch.socket();
    let servers = session
        .run(
            "select s.srvname, w.fdwname, coalesce((select string_agg(o, chr(10)) from unnest(s.srvoptions) o), '') \
             from pg_foreign_server s join pg_foreign_data_wrapper w on w.oid = s.srvfdw",
        )
        .await?;
    let mut trusted = Vec::new();
    for row in &servers.rows {
        let [Some(name), Some(wrapper), Some(options)] = row.as_slice() else { continue };
        let option = |key: &str| {
            options.lines().find_map(|line| {
                line.split_once('=').filter(|(name, _)| *name == key).map(|(_, value)| value)
            })
        };
        let host = option("host").or_else(|| option("hostaddr"));
        let loopback = host.is_none_or(|host| {
            // As the server itself writes its directory of sockets, it may stand in quotes.
            host.trim_start_matches('"').starts_with('/')
                || host == "localhost"
                || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        });
        let (host, port, target) = if loopback && matches!(wrapper.as_str(), "postgres_fdw" | "dblink_fdw") {
            (socket.clone(), port.to_string(), database.to_owned())
        } else {
            left_out.0.insert((name.clone(), "a foreign server elsewhere is cut off in the copy".to_owned()));
            ("127.0.0.1".to_owned(), "1".to_owned(), database.to_owned())
        };
        let set = |key: &str, value: &str| {
            let verb = if option(key).is_some() { "set" } else { "add" };
            format!("{verb} {key} {}", literal(value))
        };
        if matches!(wrapper.as_str(), "postgres_fdw" | "dblink_fdw") {
            let mut changes = vec![set("host", &host), set("port", &port), set("dbname", &target)];
            for gone in ["hostaddr", "service", "sslmode"] {
                if option(gone).is_some() {
                    changes.push(format!("drop {gone}"));
                }
            }
            session
                .run(&format!("alter server {} options ({})", identifier(name), changes.join(", ")))
                .await?;
            trusted.extend(mapped_logins(session, scratch, name).await?);
        } else {
            // What another wrapper understands is not known: without it nothing is reached.
            session.run(&format!("drop foreign data wrapper {} cascade", identifier(wrapper))).await?;
        }
    }
    if !trusted.is_empty() {
        scratch.trust(&trusted).await?;
    }
    for (object, statement) in outward_functions(session).await? {
        if session.try_run(&statement).await?.is_err() {
            session.run(&format!("drop function if exists {object} cascade")).await?;
        }
        left_out.0.insert((object, "reaches outside and is disarmed in the copy".to_owned()));
    }
    Ok(left_out)
}

/// Gives the logins of a server's mappings the passwords that these name; returns those that have none.
async fn mapped_logins(
    session: &mut Session,
    scratch: &Scratch,
    server: &str,
) -> Result<Vec<String>, SessionError> {
    let mappings = session
        .run(&format!(
            "select coalesce(usename, ''), coalesce((select string_agg(o, chr(10)) from unnest(umoptions) o), '') \
             from pg_user_mappings where srvname = {}",
            literal(server)
        ))
        .await?;
    let mut without = Vec::new();
    for row in &mappings.rows {
        let [Some(local), Some(options)] = row.as_slice() else { continue };
        let option = |key: &str| {
            options.lines().find_map(|line| {
                line.split_once('=').filter(|(name, _)| *name == key).map(|(_, value)| value)
            })
        };
        let login = option("user").unwrap_or(local).to_owned();
        match option("password") {
            // The superuser's own password here is this run's.
            Some(_) if login == scratch.superuser => {
                let whom = if local == "public" { "public".to_owned() } else { identifier(local) };
                let password = literal(scratch.password.expose());
                session
                    .run(&format!(
                        "alter user mapping for {whom} server {} options (set password {password})",
                        identifier(server)
                    ))
                    .await?;
            }
            Some(password) if !password.is_empty() => {
                // A login that does not exist here reaches nothing.
                let _ = session
                    .try_run(&format!("alter role {} password {}", identifier(&login), literal(password)))
                    .await?;
            }
            _ => without.push(login),
        }
    }
    Ok(without)
}

/// Lists functions that reach the network, with what takes their place.
async fn outward_functions(session: &mut Session) -> Result<Vec<(String, String)>, SessionError> {
    let functions = session
        .run(
            "select p.oid::regprocedure, format('create or replace function %s(%s) returns %s language plpgsql as \
             $disarmed$ begin raise exception ''reaching outside is disarmed in this copy''; end $disarmed$', \
             p.oid::regproc, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid)) \
             from pg_proc p join pg_language l on l.oid = p.prolang \
             left join pg_depend d on d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e' \
             left join pg_extension e on e.oid = d.refobjid \
             where p.prokind = 'f' and (e.extname in ('dblink', 'http', 'pg_net', 'plsh', 'pgsql-http', 'aws_lambda', 'aws_s3', 'pg_cron') \
               and p.proname not in ('dblink_fdw_validator') \
               or l.lanname in ('plpython3u', 'plpythonu', 'plperlu', 'pltclu', 'plsh') and p.prorettype <> 'language_handler'::regtype)",
        )
        .await?;
    Ok(functions
        .rows
        .iter()
        .filter_map(|row| match row.as_slice() {
            [Some(object), Some(statement)] => Some((object.clone(), statement.clone())),
            _ => None,
        })
        .collect())
}

fn column(answer: &crate::session::Answer) -> Vec<String> {
    answer.rows.iter().filter_map(|row| row.first()?.clone()).collect()
}
