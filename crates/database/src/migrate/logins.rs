//! Hands out the runtime logins. The server is given SCRAM verifiers, so no password is ever part of a statement.

use novelfoundry_core::{Secret, random_token};
use postgres_protocol::password;
use tokio_postgres::Client;

use super::{MigrateError, RoleNames};
use crate::{DatabaseUrl, DbError};

/// The passwords of the runtime logins.
#[derive(Clone, Debug)]
pub struct Passwords {
    /// Of the tenant login.
    pub tenant: Secret,
    /// Of the control login.
    pub control: Secret,
    /// Of the issuer's login.
    pub issuer: Secret,
}

impl Passwords {
    /// Makes new ones of 192 random bits each.
    pub fn generate() -> Self {
        Self { tenant: random_token(24), control: random_token(24), issuer: random_token(24) }
    }
}

/// The URLs of the runtime logins.
#[derive(Clone, Debug)]
pub struct RuntimeLogins {
    /// For tenant transactions: sees one tenant at a time.
    pub tenant: DatabaseUrl,
    /// For the directory and jobs: sees the control tables of all tenants.
    pub control: DatabaseUrl,
    /// For the embedded issuer: sees credentials and sessions.
    pub issuer: DatabaseUrl,
}

pub(super) async fn hand_out(
    client: &Client,
    url: &DatabaseUrl,
    roles: &RoleNames,
    passwords: Passwords,
) -> Result<RuntimeLogins, MigrateError> {
    let Passwords { tenant, control, issuer } = passwords;
    let verifier = |secret: &Secret| password::scram_sha_256(secret.expose().as_bytes());
    let sql = format!(
        "reset role;
         alter role \"{}\" password '{}';
         alter role \"{}\" password '{}';
         alter role \"{}\" password '{}'",
        roles.tenant,
        verifier(&tenant),
        roles.control,
        verifier(&control),
        roles.issuer,
        verifier(&issuer),
    );
    // One string is one transaction: all passwords change or none does.
    client.batch_execute(&sql).await.map_err(DbError::before_commit)?;
    Ok(RuntimeLogins {
        tenant: url.with_login(&roles.tenant, tenant),
        control: url.with_login(&roles.control, control),
        issuer: url.with_login(&roles.issuer, issuer),
    })
}
