//! The record of what was applied.

use sha2::{Digest, Sha256};
use tokio_postgres::Client;

use super::{MigrateError, Migration, RoleNames};
use crate::DbError;

pub(super) struct Applied {
    pub(super) version: i32,
    pub(super) name: String,
    pub(super) checksum: Vec<u8>,
    pub(super) floor: i32,
    pub(super) steps: i32,
    pub(super) finished: bool,
}

/// Hashes the text with its line ends normalised, so that a checkout's settings do not matter.
pub(super) fn checksum(migration: &Migration) -> Vec<u8> {
    Sha256::digest(migration.sql.replace("\r\n", "\n").as_bytes()).to_vec()
}

/// Makes the table where it is missing, outside the schema `app` only until the first migration creates that.
pub(super) async fn create(client: &Client, roles: &RoleNames) -> Result<(), MigrateError> {
    let sql = roles.fill(
        "set client_min_messages = warning;
         create schema if not exists app;
         create table if not exists app.schema_history (
           version integer primary key,
           name text not null,
           checksum bytea not null,
           floor integer not null,
           steps integer not null default 0,
           started_at timestamptz not null default now(),
           finished_at timestamptz
         );
         comment on table app.schema_history is 'Which migrations were applied, and how far. Control table.';
         grant usage on schema app to :\"tenant\", :\"control\", :\"issuer\";
         grant select on app.schema_history to :\"tenant\", :\"control\", :\"issuer\";",
    );
    client.batch_execute(&sql).await.map_err(DbError::before_commit)?;
    Ok(())
}

pub(super) async fn read(client: &Client) -> Result<Vec<Applied>, MigrateError> {
    let rows = client
        .query_typed(
            "select version, name, checksum, floor, steps, finished_at is not null as finished
               from app.schema_history
              order by version",
            &[],
        )
        .await
        .map_err(DbError::before_commit)?;
    let row = |row: &tokio_postgres::Row| -> Result<Applied, tokio_postgres::Error> {
        Ok(Applied {
            version: row.try_get("version")?,
            name: row.try_get("name")?,
            checksum: row.try_get("checksum")?,
            floor: row.try_get("floor")?,
            steps: row.try_get("steps")?,
            finished: row.try_get("finished")?,
        })
    };
    Ok(rows.iter().map(row).collect::<Result<_, _>>().map_err(DbError::defect)?)
}

/// Refuses to go on past an index whose concurrent build was interrupted: IF NOT EXISTS would take it for done.
pub(super) async fn refuse_invalid_index(client: &Client) -> Result<(), MigrateError> {
    let rows = client
        .query_typed(
            "select indexrelid::regclass::text as name
               from pg_index
              where not indisvalid
                and indrelid in (select oid from pg_class where relnamespace = 'app'::regnamespace)",
            &[],
        )
        .await
        .map_err(DbError::before_commit)?;
    match rows.first() {
        Some(row) => Err(MigrateError::InvalidIndex(row.try_get("name").map_err(DbError::defect)?)),
        None => Ok(()),
    }
}

/// Returns the process that answers, which stays the same for as long as the session is one.
pub(super) async fn backend(client: &Client) -> Result<i32, MigrateError> {
    let rows =
        client.query_typed("select pg_backend_pid() as pid", &[]).await.map_err(DbError::before_commit)?;
    let row = rows.first().ok_or_else(|| DbError::defect("no answer about the backend"))?;
    Ok(row.try_get("pid").map_err(DbError::defect)?)
}

/// Records a step of a migration that runs outside a transaction.
pub(super) fn step(migration: &Migration, checksum: &[u8], steps: usize) -> String {
    upsert(migration, checksum, steps, "null")
}

/// Records that a migration is whole.
pub(super) fn finish(migration: &Migration, checksum: &[u8]) -> String {
    upsert(migration, checksum, 0, "clock_timestamp()")
}

/// The values are constants of the program, a digest and a number: nothing here needs a parameter.
fn upsert(migration: &Migration, checksum: &[u8], steps: usize, finished: &str) -> String {
    format!(
        "insert into app.schema_history (version, name, checksum, floor, steps, finished_at)
         values ({}, '{}', '\\x{}', {}, {steps}, {finished})
             on conflict (version) do update set steps = excluded.steps, finished_at = excluded.finished_at",
        migration.version,
        migration.name,
        hex::encode(checksum),
        migration.floor(),
    )
}
