//! Makes the copy that is attacked: roles, settings and structure of a database, and its rows where they may come along,
//! in a server that is thrown away.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use novelfoundry_connection::{DatabaseUrl, SslMode};
use novelfoundry_postgres as postgres;
use tokio::process::Command;

use crate::{
    catalog::{self, Catalog},
    report::NotAttacked,
    scratch::{Scratch, ScratchError, disarm, libpq, major},
    session::{Session, identifier, literal},
};

/// The database in the scratch server.
pub const DATABASE: &str = "attacked";

/// A larger database on this machine is copied without its rows, unless asked for.
const SMALL: i64 = 256 * 1024 * 1024;

/// A copy that is ready to be attacked.
#[derive(Debug)]
pub struct Copy {
    /// The server it is in.
    pub scratch: Scratch,
    /// What did not come along.
    pub left_out: Vec<NotAttacked>,
    /// Whether the rows came along, and why or why not.
    pub rows: (bool, String),
}

/// Copies a database; its rows where `with_data` says so, or where it is small and on this machine.
pub async fn of_database(source: &DatabaseUrl, with_data: bool) -> Result<Copy, ScratchError> {
    let mut session = Session::open(source, "novelfoundry isolation").await?;
    session.run("begin transaction isolation level repeatable read, read only").await?;
    session.run("set local statement_timeout = '60s'").await?;
    let catalog = catalog::load(&mut session).await?;
    let size = session.run("select pg_database_size(current_database())").await?;
    let size: i64 = size.value().and_then(|text| text.parse().ok()).unwrap_or(i64::MAX);
    let superuser = session.run("select rolname from pg_roles where oid = 10").await?;
    let superuser = superuser.value().unwrap_or("postgres").to_owned();
    session.run("rollback").await?;
    let rows = match (with_data, source.ssl_mode == SslMode::Disable && is_here(source), size < SMALL) {
        (true, ..) => (true, "--with-data asks for them".to_owned()),
        (false, true, true) => {
            (true, format!("the database is on this machine and has {} MB", size / 1024 / 1024))
        }
        (false, true, false) => (false, "the database is large; --with-data copies them".to_owned()),
        (false, false, _) => (false, "the database is elsewhere; --with-data copies them".to_owned()),
    };
    let preload: Vec<String> =
        catalog.extensions.iter().filter(|name| *name == "pg_stat_statements").cloned().collect();
    let wanted = u16::try_from(catalog.version / 10_000).unwrap_or_default();
    let scratch = Scratch::start(&superuser, bin_dir_for(wanted), &preload).await?;
    let mut copy = Copy { scratch, left_out: Vec::new(), rows };
    copy.left_out.extend(roles(&copy.scratch, &catalog, &superuser).await?);
    dump_and_restore(&mut copy, source).await?;
    Ok(copy)
}

/// Runs files of SQL in an empty database.
pub async fn of_sql(files: &[PathBuf], prelude: Option<&str>) -> Result<Copy, ScratchError> {
    let scratch = Scratch::start("postgres", None, &[]).await?;
    scratch.create_database(DATABASE, None).await?;
    if let Some(prelude) = prelude {
        scratch.load(DATABASE, prelude).await?;
    }
    let mut left_out = Vec::new();
    for file in files {
        for complaint in scratch.psql(DATABASE, file).await? {
            left_out.push(NotAttacked { object: file.display().to_string(), reason: complaint });
        }
    }
    let mut session = scratch.open(DATABASE).await?;
    left_out.extend(named(disarm(&mut session, &scratch, DATABASE).await?));
    Ok(Copy { scratch, left_out, rows: (true, "the files hold what they hold".to_owned()) })
}

fn named(left: crate::scratch::LeftOut) -> impl Iterator<Item = NotAttacked> {
    left.0.into_iter().map(|(object, reason)| NotAttacked { object, reason })
}

fn is_here(url: &DatabaseUrl) -> bool {
    url.is_socket()
        || url.host == "localhost"
        || url.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Finds a server of the source's major version on this machine; without one, the newest there is.
fn bin_dir_for(wanted: u16) -> Option<PathBuf> {
    if let Some(given) = std::env::var_os("NOVELFOUNDRY_PG_BIN") {
        return Some(PathBuf::from(given));
    }
    let usual = PathBuf::from(format!("/usr/lib/postgresql/{wanted}/bin"));
    if usual.join("postgres").exists() {
        return Some(usual);
    }
    postgres::newest_bin_dir(None).filter(|dir| major(dir).is_some_and(|found| found >= wanted))
}

/// Makes the source's roles, their memberships and settings, and the database with its owner and access list; returns
/// what the copy's server refuses, without which it may hold where the source does not.
async fn roles(
    scratch: &Scratch,
    catalog: &Catalog,
    superuser: &str,
) -> Result<Vec<NotAttacked>, ScratchError> {
    let mut session = scratch.open("postgres").await?;
    let mut statements = Vec::new();
    for role in catalog.roles.iter().filter(|role| !role.predefined && role.name != superuser) {
        let flag = |on: bool, word: &str| if on { word.to_owned() } else { format!("no{word}") };
        statements.push(format!(
            "create role {} {} {} {} {} {} {} {}",
            identifier(&role.name),
            flag(role.superuser, "superuser"),
            flag(role.inherit, "inherit"),
            flag(role.createrole, "createrole"),
            flag(role.createdb, "createdb"),
            flag(role.login, "login"),
            flag(role.replication, "replication"),
            flag(role.bypassrls, "bypassrls"),
        ));
    }
    let version: i32 = session
        .run("show server_version_num")
        .await?
        .value()
        .and_then(|text| text.parse().ok())
        .unwrap_or_default();
    for membership in &catalog.memberships {
        let (role, member) = (catalog.role_name(membership.role), catalog.role_name(membership.member));
        if catalog.role_by_oid(membership.member).is_some_and(|role| role.predefined) {
            continue;
        }
        let options = if version >= 160_000 {
            format!(
                " with inherit {}, set {}, admin {}",
                membership.inherit, membership.set, membership.admin
            )
        } else if membership.admin {
            " with admin option".to_owned()
        } else {
            String::new()
        };
        statements.push(format!("grant {} to {}{options}", identifier(role), identifier(member)));
    }
    let owner = catalog.role_name(catalog.database_owner);
    statements.push(format!("create database {} owner {}", identifier(DATABASE), identifier(owner)));
    statements.push(format!("revoke all on database {} from public", identifier(DATABASE)));
    for grant in &catalog.database_grants {
        let to = match grant.grantee {
            0 => "public".to_owned(),
            oid => identifier(catalog.role_name(oid)),
        };
        statements.push(format!("grant {} on database {} to {to}", grant.privilege, identifier(DATABASE)));
    }
    for setting in &catalog.settings {
        let Some((name, value)) = setting.setting.split_once('=') else { continue };
        let value = if name == "search_path" || value.is_empty() && name.ends_with("_path") {
            if value.is_empty() { "''".to_owned() } else { value.to_owned() }
        } else {
            literal(value)
        };
        let whom = match (setting.role, setting.here) {
            (0, _) => format!("alter database {}", identifier(DATABASE)),
            (oid, true) => {
                format!(
                    "alter role {} in database {}",
                    identifier(catalog.role_name(oid)),
                    identifier(DATABASE)
                )
            }
            (oid, false) => format!("alter role {}", identifier(catalog.role_name(oid))),
        };
        let quoted: Vec<String> = name.split('.').map(identifier).collect();
        statements.push(format!("{whom} set {} = {value}", quoted.join(".")));
    }
    let mut refused = Vec::new();
    for statement in statements {
        if let Err(refusal) = session.try_run(&statement).await? {
            refused.push(NotAttacked {
                object: "copy".to_owned(),
                reason: format!("{statement}: {}", refusal.message),
            });
        }
    }
    Ok(refused)
}

/// Dumps the source and restores it: first what is defined, then, when nothing can reach outside any more, the rest.
async fn dump_and_restore(copy: &mut Copy, source: &DatabaseUrl) -> Result<(), ScratchError> {
    let file = copy.scratch.directory().join("source.dump");
    let dumped = dump(&copy.scratch, source, &file, copy.rows.0).await;
    if let Err(error) = dumped {
        if !copy.rows.0 {
            return Err(error);
        }
        // Who may not read every row can still copy the structure.
        dump(&copy.scratch, source, &file, false).await?;
        copy.rows = (false, format!("they cannot be read: {error}"));
    }
    let before = restore(&copy.scratch, &file, &["--section=pre-data"]).await?;
    let mut session = copy.scratch.open(DATABASE).await?;
    copy.left_out.extend(named(disarm(&mut session, &copy.scratch, DATABASE).await?));
    let after = restore(&copy.scratch, &file, &["--section=data", "--section=post-data"]).await?;
    // Event triggers are restored last; until here none has fired, for the restore acted as a replica.
    copy.left_out.extend(named(disarm(&mut session, &copy.scratch, DATABASE).await?));
    for complaint in before.into_iter().chain(after) {
        copy.left_out.push(NotAttacked { object: "copy".to_owned(), reason: complaint });
    }
    Ok(())
}

async fn dump(scratch: &Scratch, source: &DatabaseUrl, file: &Path, rows: bool) -> Result<(), ScratchError> {
    let mut command = Command::new(scratch.program("pg_dump"));
    command
        .args(["-Fc", "-Z0", "--no-tablespaces", "--no-publications", "--no-subscriptions", "--no-comments"])
        .args(["--no-security-labels", "--lock-wait-timeout=5000"]);
    if !rows {
        command.arg("--schema-only");
    }
    command.arg("-f").arg(file).envs(libpq(source));
    let (status, words) = run(command, "pg_dump").await?;
    if status {
        return Ok(());
    }
    let why = words.lines().find(|line| line.contains("error:")).unwrap_or("failed").to_owned();
    Err(ScratchError::Program { program: "pg_dump".to_owned(), why })
}

/// Restores sections of a dump; returns what could not be restored.
async fn restore(scratch: &Scratch, file: &Path, sections: &[&str]) -> Result<Vec<String>, ScratchError> {
    let mut command = Command::new(scratch.program("pg_restore"));
    command.args(sections).args(["-d", DATABASE]).arg(file).envs(libpq(&scratch.url(DATABASE)));
    command.env("PGOPTIONS", "-c session_replication_role=replica");
    let (whole, words) = run(command, "pg_restore").await?;
    let failed: Vec<&str> =
        words.lines().filter(|line| line.contains("error: could not execute query")).collect();
    if !whole && failed.is_empty() {
        let why = words.lines().find(|line| line.contains("error:")).unwrap_or("failed").to_owned();
        return Err(ScratchError::Program { program: "pg_restore".to_owned(), why });
    }
    Ok(failed
        .into_iter()
        .map(|line| line.split_once("ERROR:").map_or(line, |(_, reason)| reason).trim().to_owned())
        .collect())
}

async fn run(mut command: Command, program: &str) -> Result<(bool, String), ScratchError> {
    let output = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| ScratchError::Program {
            program: program.to_owned(),
            why: format!("cannot be started: {error}; install PostgreSQL's client programs"),
        })?;
    Ok((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
}
