//! Pools of connections that keep none whose transaction did not end in a confirmed COMMIT or ROLLBACK.

use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

use deadpool::{
    Runtime,
    managed::{self, Metrics, PoolError, RecycleError, RecycleResult, Timeouts},
};

use crate::{
    DatabaseUrl, LoginError, Statements,
    connect::{self, Connection},
    error::DbError,
    login,
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
type Pooled = managed::Object<Manager>;

impl managed::Manager for Manager {
    type Type = Connection;
    type Error = DbError;

    async fn create(&self) -> Result<Connection, DbError> {
        connect::connect(&self.url, &self.application, self.statements, None).await
    }

    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<DbError> {
        if connection.client.is_closed() {
            return Err(RecycleError::message("the connection is closed"));
        }
        Ok(())
    }
}

/// Opens a pool after checking that the login has no more rights than it should, that the schema fits, and that it is
/// the login that reads `table`.
pub(crate) async fn open(
    url: &DatabaseUrl,
    application: &str,
    options: PoolOptions,
    table: &'static str,
) -> Result<Pool, LoginError> {
    let pool = pool(url, application, options)?;
    let lease = checkout(&pool).await?;
    login::check(&lease.client, table).await?;
    drop(lease);
    Ok(pool)
}

fn pool(url: &DatabaseUrl, application: &str, options: PoolOptions) -> Result<Pool, DbError> {
    let manager =
        Manager { url: url.clone(), application: application.to_owned(), statements: options.statements };
    Pool::builder(manager)
        .max_size(options.size)
        .timeouts(Timeouts { wait: Some(WAIT), create: Some(WAIT * 2), recycle: None })
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(DbError::defect)
}

pub(crate) async fn checkout(pool: &Pool) -> Result<Lease, DbError> {
    let pooled = pool.get().await.map_err(|error| match error {
        PoolError::Backend(error) => error,
        other => DbError::Unavailable(other.into()),
    })?;
    Ok(Lease(Some(pooled)))
}

/// A borrowed connection. One that does not come back clean is closed at once, not when somebody would borrow it next:
/// until then its open transaction would hold its locks.
pub(crate) struct Lease(Option<Pooled>);

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(pooled) = self.0.take().filter(|pooled| !pooled.clean) {
            Pooled::take(pooled).give_up();
        }
    }
}

impl Deref for Lease {
    type Target = Connection;

    #[expect(clippy::expect_used, reason = "only drop empties it")]
    fn deref(&self) -> &Connection {
        self.0.as_ref().expect("a lease holds its connection")
    }
}

impl DerefMut for Lease {
    #[expect(clippy::expect_used, reason = "only drop empties it")]
    fn deref_mut(&mut self) -> &mut Connection {
        self.0.as_mut().expect("a lease holds its connection")
    }
}
