//! The pool of the control login. Its statements are not public: each stands behind a function of `queries`.

use tokio_postgres::{Row, types::ToSql};

use crate::{
    DatabaseUrl, DbError, LoginError, PoolOptions,
    pool::{self, Pool},
    query::{Parameter, Query},
};

/// The directory and the job table, across tenants; no tenant table.
#[derive(Clone)]
pub struct ControlDb {
    pool: Pool,
    url: DatabaseUrl,
}

impl ControlDb {
    /// Opens the pool after checking that the login has no more rights than it should and the schema fits.
    pub async fn connect(
        url: &DatabaseUrl,
        application: &str,
        options: PoolOptions,
    ) -> Result<Self, LoginError> {
        let pool = pool::open(url, application, options, "app.users").await?;
        Ok(Self { pool, url: url.clone() })
    }

    pub(crate) fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// Runs one statement that changes something, in a transaction of its own.
    pub(crate) async fn query(
        &self,
        query: &'static Query,
        parameters: Vec<Parameter>,
    ) -> Result<Vec<Row>, DbError> {
        autocommit(&self.pool, query, &parameters).await?.map_err(DbError::at_commit)
    }

    /// Runs one statement that changes nothing; once more on a new connection where the first was lost.
    pub(crate) async fn read(
        &self,
        query: &'static Query,
        parameters: Vec<Parameter>,
    ) -> Result<Vec<Row>, DbError> {
        let first = autocommit(&self.pool, query, &parameters).await?.map_err(DbError::before_commit);
        match first {
            Err(error) if error.is_lost_connection() => {
                autocommit(&self.pool, query, &parameters).await?.map_err(DbError::before_commit)
            }
            other => other,
        }
    }
}

/// Runs one statement outside an explicit transaction: the outer error came before it was sent, the inner one after.
pub(crate) async fn autocommit(
    pool: &Pool,
    query: &'static Query,
    parameters: &[Parameter],
) -> Result<Result<Vec<Row>, tokio_postgres::Error>, DbError> {
    let mut lease = pool::checkout(pool).await?;
    let connection = &mut *lease;
    let prepared = connection.prepare(query).await?;
    // Dropped before its answer, the statement may still run: nobody is to wait behind it.
    connection.clean = false;
    let values: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|value| &**value as _).collect();
    let client = &connection.client;
    let rows = if let Some(statement) = &prepared {
        client.query(statement, &values).await
    } else {
        let typed: Vec<_> = values.into_iter().zip(query.types.iter().cloned()).collect();
        client.query_typed(query.text, &typed).await
    };
    connection.clean = true;
    Ok(rows)
}
