//! The operator: whoever holds the owner's credential. Holding it opens no tenant's rows by itself; it entitles to a tenant
//! transaction of the tenant login, as any other authority does.

use crate::{DatabaseUrl, DbError, RoleNames, Statements, connect};

/// Somebody who has shown the owner's credential. Only the database makes one.
#[derive(Debug)]
pub struct Operator(());

/// Why a credential is not the operator's.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The database did not answer, or not as expected.
    #[error("the database cannot be used")]
    Database(#[from] DbError),
    /// The login cannot act as the schema's owner.
    #[error("the login {login:?} may not act as the owner of the schema")]
    NotTheOwner {
        /// The login.
        login: String,
    },
}

const OWNS: &str = "\
-- operator.owns
select session_user::text as login,
       exists (select from pg_class c
                 join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'app'
                 join pg_roles r on r.oid = c.relowner and r.rolname = $1
                where c.relname = 'tenants' and pg_has_role(session_user, r.oid, 'member')) as owns";

impl Operator {
    /// Connects by the owner's URL and looks whether that login may act as the owner of the schema.
    pub async fn prove(owner: &DatabaseUrl, roles: &RoleNames) -> Result<Self, OperatorError> {
        let connection = connect::connect(owner, "novelfoundry/operator", Statements::Typed, None).await?;
        let values: [(&(dyn tokio_postgres::types::ToSql + Sync), _); 1] =
            [(&roles.owner, tokio_postgres::types::Type::TEXT)];
        let rows = connection.client.query_typed(OWNS, &values).await.map_err(DbError::before_commit)?;
        let row = rows.first().ok_or_else(|| DbError::defect("no answer about the login"))?;
        if row.try_get("owns").map_err(DbError::defect)? {
            return Ok(Self(()));
        }
        Err(OperatorError::NotTheOwner { login: row.try_get("login").map_err(DbError::defect)? })
    }
}
