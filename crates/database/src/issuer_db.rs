//! The pool of the embedded issuer's login. Its statements are not public: each stands behind a function of `queries`.

use tokio_postgres::Row;

use crate::{
    DatabaseUrl, DbError, LoginError, PoolOptions, control,
    pool::{self, Pool},
    query::{Parameter, Query},
};

/// The issuer's accounts, sessions and public keys, and the token hook; no other table.
#[derive(Clone)]
pub struct IssuerDb {
    pool: Pool,
}

impl IssuerDb {
    /// Opens the pool after checking that the login has no more rights than it should and the schema fits.
    pub async fn connect(
        url: &DatabaseUrl,
        application: &str,
        options: PoolOptions,
    ) -> Result<Self, LoginError> {
        let pool = pool::open(url, application, options, "issuer.accounts").await?;
        Ok(Self { pool })
    }

    /// Runs one statement in a transaction of its own.
    pub(crate) async fn query(
        &self,
        query: &'static Query,
        parameters: Vec<Parameter>,
    ) -> Result<Vec<Row>, DbError> {
        control::autocommit(&self.pool, query, &parameters).await?.map_err(DbError::at_commit)
    }
}
