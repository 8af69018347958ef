//! The operator: whoever holds the owner's credential. Holding it opens no tenant's rows by itself; it entitles to a tenant
//! transaction of the tenant login, as any other authority does.

use tokio_postgres::Row;

use crate::{
    ControlDb, DatabaseUrl, DbError, RoleNames, Statements, TenantDb, connect,
    query::{FromRow, Query, get, one, query},
};

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
    /// The owner's login and those of the runtime are not of one database.
    #[error("the logins are of different databases")]
    OtherDatabase,
}

const OWNS: &str = "\
-- operator.owns
select session_user::text as login,
       exists (select from pg_class c
                 join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'app'
                 join pg_roles r on r.oid = c.relowner and r.rolname = $1
                where c.relname = 'tenants' and pg_has_role(session_user, r.oid, 'member')) as owns";

static IDENTITY: Query = query!(
    "operator.identity",
    [],
    "select c.system_identifier || ' ' || d.oid as identity
       from pg_control_system() c, pg_database d
      where d.datname = current_database()"
);

/// Which database of which server it is, by whatever address it was reached.
struct Identity(String);

impl FromRow for Identity {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        get(row, "identity").map(Self)
    }
}

impl Operator {
    /// Connects by the owner's URL and looks whether that login may act as the owner of the schema, in the very database
    /// that both pools reach.
    pub async fn prove(
        owner: &DatabaseUrl,
        roles: &RoleNames,
        tenant: &TenantDb,
        control: &ControlDb,
    ) -> Result<Self, OperatorError> {
        let connection = connect::connect(owner, "novelfoundry/operator", Statements::Typed, None).await?;
        let values: [(&(dyn tokio_postgres::types::ToSql + Sync), _); 1] =
            [(&roles.owner, tokio_postgres::types::Type::TEXT)];
        let rows = connection.client.query_typed(OWNS, &values).await.map_err(DbError::before_commit)?;
        let row = rows.first().ok_or_else(|| DbError::defect("no answer about the login"))?;
        if !row.try_get::<_, bool>("owns").map_err(DbError::defect)? {
            return Err(OperatorError::NotTheOwner { login: row.try_get("login").map_err(DbError::defect)? });
        }
        let own = connection.client.query_typed(IDENTITY.text, &[]).await.map_err(DbError::before_commit)?;
        let Identity(own) = one(&own)?;
        for rows in [tenant.ask(&IDENTITY).await?, control.read(&IDENTITY, Vec::new()).await?] {
            let Identity(other) = one(&rows)?;
            if other != own {
                return Err(OperatorError::OtherDatabase);
            }
        }
        Ok(Self(()))
    }
}
