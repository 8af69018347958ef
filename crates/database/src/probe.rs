//! What a database says about itself to whoever sets it up or looks after it: outside tenants, and without a pool.

use tokio_postgres::types::Type;

use crate::{
    DatabaseUrl, DbError, Statements,
    connect::{self, Connection},
};

/// What a server says about itself and about how it keeps what was committed.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// The version, such as `15.14 (Debian 15.14-0+deb12u1)`.
    pub version: String,
    /// The version as a number, such as `150014`.
    pub version_number: i32,
    /// Whether a commit is on the disk when it is acknowledged, as far as the operating system keeps its word.
    pub fsync: bool,
    /// Whether a page torn by a crash can be put together again.
    pub full_page_writes: bool,
    /// What a commit waits for.
    pub synchronous_commit: String,
    /// Whether pages carry checksums.
    pub data_checksums: bool,
}

const SETTINGS: &str = "\
-- probe.settings
select current_setting('server_version') as version,
       current_setting('server_version_num')::int as version_number,
       current_setting('fsync')::bool as fsync,
       current_setting('full_page_writes')::bool as full_page_writes,
       current_setting('synchronous_commit') as synchronous_commit,
       current_setting('data_checksums')::bool as data_checksums";

/// Reads the settings that durability hangs on; any login may.
pub async fn settings(url: &DatabaseUrl) -> Result<ServerSettings, DbError> {
    let connection = open(url).await?;
    let rows = connection.client.query_typed(SETTINGS, &[]).await.map_err(DbError::before_commit)?;
    let row = rows.first().ok_or_else(|| DbError::defect("no answer about the settings"))?;
    let read = || -> Result<ServerSettings, tokio_postgres::Error> {
        Ok(ServerSettings {
            version: row.try_get("version")?,
            version_number: row.try_get("version_number")?,
            fsync: row.try_get("fsync")?,
            full_page_writes: row.try_get("full_page_writes")?,
            synchronous_commit: row.try_get("synchronous_commit")?,
            data_checksums: row.try_get("data_checksums")?,
        })
    };
    read().map_err(DbError::defect)
}

const EXISTS: &str = "\
-- probe.database_exists
select from pg_database where datname = $1";

/// Makes the database `name` where it is missing and tells whether it did. `url` leads to another database of the same
/// server, as a login that may create databases.
pub async fn ensure_database(url: &DatabaseUrl, name: &str) -> Result<bool, DbError> {
    let connection = open(url).await?;
    let rows = connection
        .client
        .query_typed(EXISTS, &[(&name, Type::TEXT)])
        .await
        .map_err(DbError::before_commit)?;
    if !rows.is_empty() {
        return Ok(false);
    }
    // A name cannot be a parameter here.
    let quoted = name.replace('"', "\"\"");
    // By default everybody may connect and make temporary things; here nobody may who is not let in.
    for sql in [
        "revoke all on database postgres from public".to_owned(),
        format!("create database \"{quoted}\""),
        format!("revoke temporary on database \"{quoted}\" from public"),
    ] {
        connection.client.batch_execute(&sql).await.map_err(DbError::before_commit)?;
    }
    Ok(true)
}

async fn open(url: &DatabaseUrl) -> Result<Connection, DbError> {
    connect::connect(url, "novelfoundry/probe", Statements::Typed, None).await
}
