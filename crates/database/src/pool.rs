//! Pools of connections that keep none whose transaction did not end in a confirmed COMMIT or ROLLBACK.

use std::time::Duration;

use deadpool::{
    Runtime,
    managed::{self, Metrics, PoolError, RecycleError, RecycleResult, Timeouts},
};

use crate::{
    DatabaseUrl, Statements,
    connect::{self, Connection},
    error::DbError,
};

/// How many connections a pool holds, and how statements are sent on them.
#[derive(Clone, Copy, Debug)]
pub struct PoolOptions {
    /// The most connections open at once.
    pub size: usize,
    /// How statements are sent.
    pub statements: Statements,
}

/// How long a request waits for a connection before it is told that the database is busy.
const WAIT: Duration = Duration::from_secs(5);

pub(crate) struct Manager {
    url: DatabaseUrl,
    application: String,
    statements: Statements,
}

pub(crate) type Pool = managed::Pool<Manager>;
pub(crate) type Pooled = managed::Object<Manager>;

impl managed::Manager for Manager {
    type Type = Connection;
    type Error = DbError;

    async fn create(&self) -> Result<Connection, DbError> {
        connect::connect(&self.url, &self.application, self.statements, None).await
    }

    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<DbError> {
        if !connection.clean || connection.client.is_closed() {
            return Err(RecycleError::message("the connection has an open transaction or is closed"));
        }
        Ok(())
    }
}

pub(crate) fn pool(url: &DatabaseUrl, application: &str, options: PoolOptions) -> Result<Pool, DbError> {
    let manager =
        Manager { url: url.clone(), application: application.to_owned(), statements: options.statements };
    Pool::builder(manager)
        .max_size(options.size)
        .timeouts(Timeouts { wait: Some(WAIT), create: Some(WAIT * 2), recycle: None })
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(DbError::defect)
}

pub(crate) async fn checkout(pool: &Pool) -> Result<Pooled, DbError> {
    pool.get().await.map_err(|error| match error {
        PoolError::Backend(error) => error,
        other => DbError::Unavailable(other.into()),
    })
}
