//! The pool of the control login. Its statements are not public: each stands behind a function of `queries`.

use tokio_postgres::{Row, types::ToSql};

use crate::{
    DatabaseUrl, DbError, LoginError, PoolOptions, login,
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
        let pool = pool::pool(url, application, options)?;
        let connection = pool::checkout(&pool).await?;
        login::check(&connection.client).await?;
        drop(connection);
        Ok(Self { pool, url: url.clone() })
    }

    pub(crate) fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// Runs one statement in a transaction of its own.
    pub(crate) async fn query(
        &self,
        query: &'static Query,
        parameters: Vec<Parameter>,
    ) -> Result<Vec<Row>, DbError> {
        autocommit(&self.pool, query, &parameters).await
    }
}

/// Runs one statement outside an explicit transaction. Lost before its answer, a write may have taken effect.
pub(crate) async fn autocommit(
    pool: &Pool,
    query: &'static Query,
    parameters: &[Parameter],
) -> Result<Vec<Row>, DbError> {
    let mut connection = pool::checkout(pool).await?;
    let prepared = connection.prepare(query).await?;
    // A dropped future would leave its answer on the wire; the driver sorts answers by request, so the connection
    // stays usable and no transaction stays open.
    let values: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|value| &**value as _).collect();
    let client = &connection.client;
    let rows = if let Some(statement) = &prepared {
        client.query(statement, &values).await
    } else {
        let typed: Vec<_> = values.into_iter().zip(query.types.iter().cloned()).collect();
        client.query_typed(query.text, &typed).await
    };
    rows.map_err(DbError::at_commit)
}
