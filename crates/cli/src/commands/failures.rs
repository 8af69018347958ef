//! Turns what goes wrong below into what a person at a terminal can act upon.

use std::{io, path::Path};

use novelfoundry_core::report;
use novelfoundry_database::{DatabaseUrl, DbError, LoginError, MigrateError};
use novelfoundry_embedded::postgres;

use crate::output::{Exit, Failure};

/// Describes a file or directory that could not be read, written or made.
pub(crate) fn file(action: &str, path: &Path, error: io::Error) -> Failure {
    let next = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "Free some space on that disk and try again; nothing was damaged."
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "Give this user the right to it, or choose another place."
        }
        io::ErrorKind::NotFound => "Look whether its directory is there.",
        _ => "Look at it, then try again.",
    };
    Failure::new(format!("Cannot {action} {}", path.display()), next).because(error)
}

/// Describes why the embedded server does not run.
pub(crate) fn postgres(error: &postgres::Error) -> Failure {
    let exit = match error {
        postgres::Error::InUse { .. } | postgres::Error::SingleUser { .. } => Exit::Refused,
        postgres::Error::Exited { .. }
        | postgres::Error::GaveUp { .. }
        | postgres::Error::NotReady { .. }
        | postgres::Error::Unkillable { .. } => Exit::Unavailable,
        _ => Exit::CouldNotRun,
    };
    let failure = Failure::new(sentence(&error.to_string()), error.hint()).exit(exit);
    match std::error::Error::source(error) {
        Some(source) => failure.because(source.to_string()),
        None => failure,
    }
}

/// Describes why the database of a login cannot be used; `login` is a word such as `tenant`.
pub(crate) fn login(login: &str, error: LoginError) -> Failure {
    let what = format!("The {login} login cannot be used");
    let (next, exit) = match &error {
        LoginError::Database(error) => return database(&what, error),
        LoginError::Privileged { .. } => (
            "Give the URL of a login that `novelfoundry migrate --write-env FILE` hands out; there is no way around this.",
            Exit::Refused,
        ),
        LoginError::Mistaken { .. } => {
            ("Look whether the URLs of two logins were swapped.", Exit::CouldNotRun)
        }
        LoginError::NoSchema | LoginError::SchemaTooOld { .. } | LoginError::SettingStays => {
            ("Run `novelfoundry migrate` with the owner's login first.", Exit::CouldNotRun)
        }
        LoginError::ProgramTooOld { .. } => ("Install the newer NovelFoundry here too.", Exit::Refused),
    };
    Failure::new(what, next).because(error).exit(exit)
}

/// Describes a failure of the database itself.
pub(crate) fn database(what: &str, error: &DbError) -> Failure {
    let why = report(error);
    let next = match error {
        DbError::CommitUnknown(_) => {
            "It may have taken effect all the same: the connection was lost at the very end. Look before you try again."
        }
        _ => super::doctor::advice(&why).unwrap_or(
            "Look whether the database runs and the URL is right; `novelfoundry doctor` looks closer.",
        ),
    };
    Failure::new(what, next).because(why).exit(Exit::Unavailable)
}

/// Where Supabase, as others, has its transaction pooler.
const TRANSACTION_POOLER: u16 = 6543;

const SESSION_NEEDED: &str =
    "Give DATABASE_OWNER_URL the direct connection or the session pooler, both on port 5432.";

/// Tells whether the URL leads to a transaction pooler, by its port.
pub(crate) fn is_transaction_pooler(url: &DatabaseUrl) -> bool {
    url.port == TRANSACTION_POOLER && !url.is_socket()
}

/// Refuses an owner's URL that leads to a transaction pooler: the lock that keeps migrations apart lasts for a session.
pub(crate) fn unless_session(owner: &DatabaseUrl) -> Result<(), Failure> {
    if !is_transaction_pooler(owner) {
        return Ok(());
    }
    Err(Failure::new(
        "Port 6543 is a transaction pooler, through which a migration cannot hold its lock",
        SESSION_NEEDED,
    )
    .exit(Exit::Refused))
}

/// Describes why a database was not migrated.
pub(crate) fn migrate(error: MigrateError) -> Failure {
    let what = "The database was not migrated";
    let (next, exit) = match &error {
        MigrateError::Database(error) => return database(what, error),
        MigrateError::ProgramTooOld { .. } => ("Install the newer NovelFoundry here too.", Exit::Refused),
        MigrateError::Edited { .. } => (
            "Run the program that made this database, or a release that follows it; an applied migration never changes.",
            Exit::Refused,
        ),
        MigrateError::Locked(_) => ("Try again when that has ended.", Exit::Unavailable),
        MigrateError::Rights { .. } | MigrateError::ServerTooOld(_) => {
            ("Give DATABASE_OWNER_URL a login with that right, on PostgreSQL 15 or newer.", Exit::CouldNotRun)
        }
        MigrateError::Pooler => (SESSION_NEEDED, Exit::Refused),
        MigrateError::InvalidIndex(_) => (
            "Drop that index as the owner, by `drop index concurrently`, and run the command again.",
            Exit::CouldNotRun,
        ),
        MigrateError::NotEmpty(_) => (
            "Distribute that table by hand, beside app.tenants and as a superuser, and run the command again.",
            Exit::CouldNotRun,
        ),
        MigrateError::Distribute(_) => (
            "The schema is whole, on the coordinator alone; remove the cause and run the command again.",
            Exit::CouldNotRun,
        ),
        MigrateError::Failed { .. } => (
            super::doctor::advice(&report(&error))
                .unwrap_or("Nothing of that migration was kept; remove the cause and run the command again."),
            Exit::CouldNotRun,
        ),
    };
    Failure::new(what, next).because(error).exit(exit)
}

/// Begins with a capital, as sentences do; paths stay as they are.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| format!("{}{}", first.to_uppercase(), chars.as_str()))
}
