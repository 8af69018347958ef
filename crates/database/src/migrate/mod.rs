//! Brings a database to this program's schema: numbered SQL files, each recorded with its checksum.
//!
//! Written here because no migrator at hand polls for its lock (a blocking wait deadlocks with CREATE INDEX
//! CONCURRENTLY), resumes a migration that cannot run in a transaction, and keeps a floor under old programs.

mod cluster;
mod history;
mod logins;
mod roles;
mod statements;

use std::time::Duration;

pub use logins::{Passwords, RuntimeLogins};
pub use roles::RoleNames;
use tokio_postgres::Client;

use crate::{
    DatabaseUrl, DbError, Statements,
    connect::{self, Connection},
};

/// One numbered migration. Its text may begin with header lines: `-- floor: N` (programs whose newest migration is
/// below N no longer fit) and `-- no transaction` (each step, ended by a line `--;`, is recorded alone).
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its number, rising by one.
    pub version: i32,
    /// Its name.
    pub name: &'static str,
    /// Its SQL.
    pub sql: &'static str,
}

macro_rules! migrations {
    ($($version:literal $name:literal),+ $(,)?) => {
        /// The migrations of this program, in order.
        pub const MIGRATIONS: &[Migration] = &[$(Migration {
            version: $version,
            name: $name,
            sql: include_str!(concat!("../../migrations/", $name, ".sql")),
        }),+];
    };
}

migrations! {
    1 "0001_schema",
    2 "0002_reference_and_control",
    3 "0003_tenant",
    4 "0004_guards",
    5 "0005_token_hook",
    6 "0006_issuer",
    7 "0007_cluster",
    8 "0008_workspace_limit",
    9 "0009_tombstones",
    10 "0010_account_recovery",
    11 "0011_people",
    12 "0012_deletion",
    13 "0013_reconcile",
    14 "0014_leaving",
    15 "0015_departed",
}

/// Returns the version that `migrations` lead to.
pub fn newest_version(migrations: &[Migration]) -> i32 {
    migrations.iter().map(|migration| migration.version).max().unwrap_or(0)
}

impl Migration {
    fn headers(&self) -> impl Iterator<Item = &str> {
        self.sql
            .lines()
            .take_while(|line| line.starts_with("--"))
            .map(|line| line.trim_start_matches("--").trim())
    }

    fn in_transaction(&self) -> bool {
        !self.headers().any(|header| header == "no transaction")
    }

    fn floor(&self) -> i32 {
        self.headers().find_map(|header| header.strip_prefix("floor:")?.trim().parse().ok()).unwrap_or(0)
    }

    /// The steps of a migration that runs outside a transaction.
    fn steps(&self) -> Vec<&str> {
        self.sql.split("\n--;").map(str::trim).filter(|step| !step.is_empty()).collect()
    }
}

/// What a migration run is doing, for whoever waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// Another process holds the migration lock.
    Waiting,
    /// A migration begins.
    Applying {
        /// Its number.
        version: i32,
        /// Its name.
        name: &'a str,
    },
}

/// Why a database could not be migrated.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database did not answer, or a statement of the migrator's own failed.
    #[error("the database cannot be migrated")]
    Database(#[from] DbError),
    /// The server is older than PostgreSQL 15.
    #[error("the server is PostgreSQL {0}; 15 or newer is needed")]
    ServerTooOld(String),
    /// The login lacks a right.
    #[error("the login {login:?} {reason}")]
    Rights {
        /// The login of the migration.
        login: String,
        /// What it cannot do.
        reason: String,
    },
    /// A migration that was applied reads differently now.
    #[error(
        "migration {name} was applied with another text than this program has; an applied migration is never edited, so this program and the database have different pasts"
    )]
    Edited {
        /// The migration.
        name: String,
    },
    /// The database is past what this program fits.
    #[error(
        "the schema serves programs from schema version {floor} on, this program knows {known}; install a newer NovelFoundry"
    )]
    ProgramTooOld {
        /// The oldest program the schema serves.
        floor: i32,
        /// The newest migration this program knows.
        known: i32,
    },
    /// A statement of a migration failed; the migration left nothing, or can be resumed.
    #[error("migration {name} failed")]
    Failed {
        /// The migration.
        name: &'static str,
        /// The server's answer.
        #[source]
        cause: tokio_postgres::Error,
    },
    /// An index was begun and not finished.
    #[error("the index {0} is invalid: its concurrent build was interrupted")]
    InvalidIndex(String),
    /// Statements of one session reached different backends.
    #[error("the connection is a transaction pooler's, which cannot hold a session")]
    Pooler,
    /// A table of a distributed schema got rows before it was distributed.
    #[error("the table app.{0} has rows but is not distributed as the others are")]
    NotEmpty(&'static str),
    /// The tables could not be spread over the cluster; none was.
    #[error("the tables cannot be distributed over the cluster's nodes")]
    Distribute(#[source] tokio_postgres::Error),
    /// Another process held the lock too long.
    #[error(
        "another process has been migrating this database for {0:?}; wait for it, or look for a session that holds an advisory lock"
    )]
    Locked(Duration),
}

/// Applies migrations and makes the runtime logins.
pub struct Migrator {
    connection: Connection,
    migrations: &'static [Migration],
    roles: RoleNames,
    lock_wait: Duration,
    made_logins: bool,
}

/// Identifies the migration lock among the database's advisory locks.
const LOCK: i64 = 0x006e_6f76_656c_666f;
const POLL: Duration = Duration::from_millis(200);

impl Migrator {
    /// Connects as a login that may create roles and schemas.
    pub async fn connect(url: &DatabaseUrl, roles: RoleNames) -> Result<Self, MigrateError> {
        let connection = connect::connect(url, "novelfoundry/migrate", Statements::Typed, None).await?;
        Ok(Self {
            connection,
            migrations: MIGRATIONS,
            roles,
            lock_wait: Duration::from_mins(5),
            made_logins: false,
        })
    }

    /// Applies other migrations than the program's own: for tests of the migrator.
    #[must_use]
    pub fn with_migrations(mut self, migrations: &'static [Migration]) -> Self {
        self.migrations = migrations;
        self
    }

    /// Waits for at most this long for another migrator to end.
    #[must_use]
    pub fn with_lock_wait(mut self, wait: Duration) -> Self {
        self.lock_wait = wait;
        self
    }

    /// Applies what is missing and returns the versions applied; two at once are safe.
    pub async fn migrate(
        &mut self,
        mut progress: impl FnMut(Progress<'_>),
    ) -> Result<Vec<i32>, MigrateError> {
        let backend = history::backend(self.client()).await?;
        self.lock(&mut progress).await?;
        if history::backend(self.client()).await? != backend {
            return Err(MigrateError::Pooler);
        }
        let result = self.apply(&mut progress).await;
        // The lock also ends with the session, so a failure here loses nothing.
        let _ = execute(
            self.client(),
            &format!("reset role; reset row_security; select pg_advisory_unlock({LOCK})"),
        )
        .await;
        result
    }

    /// Tells whether the last [`Self::migrate`] made the runtime logins, which have no password yet.
    pub fn made_logins(&self) -> bool {
        self.made_logins
    }

    /// Sets the runtime logins' passwords, all or none, and returns their URLs. Programs that use the old ones must be
    /// given the new.
    pub async fn set_passwords(
        &mut self,
        url: &DatabaseUrl,
        passwords: Passwords,
    ) -> Result<RuntimeLogins, MigrateError> {
        logins::hand_out(self.client(), url, &self.roles, passwords).await
    }

    fn client(&self) -> &Client {
        &self.connection.client
    }

    async fn lock(&self, progress: &mut impl FnMut(Progress<'_>)) -> Result<(), MigrateError> {
        let mut waited = Duration::ZERO;
        loop {
            let rows = self
                .client()
                .query_typed(&format!("select pg_try_advisory_lock({LOCK})"), &[])
                .await
                .map_err(DbError::before_commit)?;
            if rows.first().and_then(|row| row.try_get(0).ok()).unwrap_or(false) {
                return Ok(());
            }
            if waited.is_zero() {
                progress(Progress::Waiting);
            }
            if waited >= self.lock_wait {
                return Err(MigrateError::Locked(waited));
            }
            tokio::time::sleep(POLL).await;
            waited += POLL;
        }
    }

    async fn apply(&mut self, progress: &mut impl FnMut(Progress<'_>)) -> Result<Vec<i32>, MigrateError> {
        self.made_logins = roles::make(self.client(), &self.roles).await?;
        let client = self.client();
        let cluster = cluster::prepare(client, &self.roles).await?;
        roles::become_owner(client, &self.roles).await?;
        history::create(client, &self.roles).await?;
        let applied = history::read(client).await?;
        let known = newest_version(self.migrations);
        let floor = applied.iter().filter(|row| row.finished).map(|row| row.floor).max().unwrap_or(0);
        if floor > known {
            return Err(MigrateError::ProgramTooOld { floor, known });
        }
        let mut done = Vec::new();
        for migration in self.migrations {
            let checksum = history::checksum(migration);
            let before = applied.iter().find(|row| row.version == migration.version);
            if let Some(row) = before {
                if row.checksum != checksum {
                    return Err(MigrateError::Edited { name: row.name.clone() });
                }
                if row.finished {
                    continue;
                }
            }
            progress(Progress::Applying { version: migration.version, name: migration.name });
            if migration.in_transaction() {
                self.apply_in_transaction(migration, &checksum).await?;
            } else {
                let steps = before.map_or(0, |row| row.steps);
                self.apply_in_steps(migration, &checksum, usize::try_from(steps).unwrap_or(0)).await?;
            }
            done.push(migration.version);
        }
        if cluster {
            execute(client, "reset role").await.map_err(MigrateError::Distribute)?;
            cluster::distribute(client).await?;
        }
        Ok(done)
    }

    /// Waits briefly for locks and tries again, so that a queue of writers does not form behind a long reader.
    async fn apply_in_transaction(&self, migration: &Migration, checksum: &[u8]) -> Result<(), MigrateError> {
        let sql = self.roles.fill(migration.sql);
        let finish = history::finish(migration, checksum);
        let opening = ["begin", "set local lock_timeout = '3s'"];
        let statements: Vec<_> =
            opening.into_iter().chain(statements::split(&sql)).chain([finish.as_str(), "commit"]).collect();
        let mut tries = 0;
        loop {
            match in_turn(self.client(), statements.iter().copied()).await {
                Ok(()) => return Ok(()),
                Err(cause) => {
                    // A failure to roll back means a lost session, which has rolled back by itself.
                    let _ = execute(self.client(), "rollback").await;
                    tries += 1;
                    let locked = cause.code() == Some(&tokio_postgres::error::SqlState::LOCK_NOT_AVAILABLE);
                    if !locked || tries == 20 {
                        return Err(MigrateError::Failed { name: migration.name, cause });
                    }
                    tokio::time::sleep(POLL * tries).await;
                }
            }
        }
    }

    /// Each step must be able to run again: a crash may fall into it, or between it and the record of it.
    async fn apply_in_steps(
        &self,
        migration: &Migration,
        checksum: &[u8],
        skip: usize,
    ) -> Result<(), MigrateError> {
        let failed = |cause| MigrateError::Failed { name: migration.name, cause };
        let steps = migration.steps();
        for (index, step) in steps.iter().enumerate().skip(skip) {
            execute(self.client(), "set lock_timeout = '30s'").await.map_err(failed)?;
            let step = self.roles.fill(step);
            in_turn(self.client(), statements::split(&step).into_iter()).await.map_err(failed)?;
            history::refuse_invalid_index(self.client()).await?;
            execute(self.client(), &history::step(migration, checksum, index + 1)).await.map_err(failed)?;
        }
        execute(self.client(), &history::finish(migration, checksum)).await.map_err(failed)
    }
}

async fn in_turn<'a>(
    client: &Client,
    statements: impl Iterator<Item = &'a str>,
) -> Result<(), tokio_postgres::Error> {
    for statement in statements {
        execute(client, statement).await?;
    }
    Ok(())
}

async fn execute(client: &Client, sql: &str) -> Result<(), tokio_postgres::Error> {
    client.batch_execute(sql).await
}
