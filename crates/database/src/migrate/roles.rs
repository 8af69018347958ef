//! The roles of an installation: an owner nobody logs in as, and a login for each plane's work.

use std::fmt::Write as _;

use tokio_postgres::{Client, types::Type};

use super::MigrateError;
use crate::DbError;

/// The names of an installation's roles: several installations may share one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleNames {
    /// Owns schema and tables; NOLOGIN.
    pub owner: String,
    /// Runs tenant transactions.
    pub tenant: String,
    /// Reads the directory and hands out jobs.
    pub control: String,
    /// Keeps credentials and sessions of the embedded issuer.
    pub issuer: String,
}

impl RoleNames {
    /// Names the roles `<prefix>_owner`, `<prefix>_tenant` and so on; `None` for a prefix that is not one to forty
    /// lower-case letters, digits and underscores, a letter first.
    pub fn with_prefix(prefix: &str) -> Option<Self> {
        let mut bytes = prefix.bytes();
        let fits = prefix.len() <= 40
            && bytes.next().is_some_and(|first| first.is_ascii_lowercase())
            && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            && !prefix.starts_with("pg_");
        let name = |suffix: &str| format!("{prefix}_{suffix}");
        fits.then(|| Self {
            owner: name("owner"),
            tenant: name("tenant"),
            control: name("control"),
            issuer: name("issuer"),
        })
    }

    /// Replaces the psql variables of a migration.
    pub(super) fn fill(&self, sql: &str) -> String {
        [
            ("owner", &self.owner),
            ("tenant", &self.tenant),
            ("control", &self.control),
            ("issuer", &self.issuer),
        ]
        .into_iter()
        .fold(sql.to_owned(), |sql, (variable, name)| {
            sql.replace(&format!(":\"{variable}\""), &format!("\"{name}\""))
        })
    }

    pub(super) fn logins(&self) -> [&str; 3] {
        [&self.tenant, &self.control, &self.issuer]
    }
}

struct Me {
    login: String,
    version: i32,
    version_text: String,
    superuser: bool,
}

/// Makes the roles where they are missing; tells whether the runtime logins were made.
pub(super) async fn make(client: &Client, roles: &RoleNames) -> Result<bool, MigrateError> {
    let me = me(client).await?;
    if me.version < 150_000 {
        return Err(MigrateError::ServerTooOld(me.version_text));
    }
    let mut made = false;
    for role in std::iter::once(roles.owner.as_str()).chain(roles.logins()) {
        let login = if role == roles.owner { "nologin" } else { "login" };
        if !exists(client, role).await? {
            let create = format!("create role \"{role}\" {login} nocreatedb nocreaterole noinherit");
            match right(client, &create, &me, "cannot create roles; it needs CREATEROLE").await {
                Ok(()) => made |= role != roles.owner,
                // A migrator in another database of the server was faster.
                Err(_) if exists(client, role).await? => {}
                Err(error) => return Err(error),
            }
        }
    }
    for role in roles.logins() {
        bound(client, role, &me).await?;
    }
    if !me.superuser {
        // From PostgreSQL 16 on the creator of a role administers it but is not a member that may become it.
        let grant = format!("grant \"{}\" to current_user", roles.owner);
        right(client, &grant, &me, "may not become the owner role").await?;
    }
    let database = format!(
        "do $$ begin execute format('grant create on database %I to \"{}\"', current_database()); end $$",
        roles.owner
    );
    right(client, &database, &me, "may not grant CREATE on the database; it must own it").await?;
    Ok(made)
}

/// Acts as the owner for the rest of the session.
pub(super) async fn become_owner(client: &Client, roles: &RoleNames) -> Result<(), MigrateError> {
    // Silent filtering of an owner's statements becomes an error.
    let become_owner = format!("set role \"{}\"; set row_security = off", roles.owner);
    right(client, &become_owner, &me(client).await?, "may not become the owner role").await
}

async fn me(client: &Client) -> Result<Me, MigrateError> {
    let rows = client
        .query_typed(
            "select session_user::text as login,
                    current_setting('server_version_num')::int as version,
                    current_setting('server_version') as version_text,
                    (select rolsuper from pg_roles where rolname = session_user) as superuser",
            &[],
        )
        .await
        .map_err(DbError::before_commit)?;
    let row = rows.first().ok_or_else(|| DbError::defect("no answer about the login"))?;
    let read = || -> Result<Me, tokio_postgres::Error> {
        Ok(Me {
            login: row.try_get("login")?,
            version: row.try_get("version")?,
            version_text: row.try_get("version_text")?,
            superuser: row.try_get("superuser")?,
        })
    };
    Ok(read().map_err(DbError::defect)?)
}

/// What holds even for a client that forgets its own bounds: a request is over long before.
const BOUNDS: [&str; 3] =
    ["statement_timeout=60s", "lock_timeout=10s", "idle_in_transaction_session_timeout=60s"];

/// Gives a runtime login these settings and no others: a login may change its own. Only where they differ, since roles
/// are shared by all databases of a server and another migrator may be at work there.
async fn bound(client: &Client, role: &str, me: &Me) -> Result<(), MigrateError> {
    let same = client
        .query_typed(
            "select from pg_roles where rolname = $1 and rolconfig = $2",
            &[(&role, Type::TEXT), (&BOUNDS.as_slice(), Type::TEXT_ARRAY)],
        )
        .await
        .map_err(DbError::before_commit)?;
    if !same.is_empty() {
        return Ok(());
    }
    let mut bounds = format!("alter role \"{role}\" reset all");
    for bound in BOUNDS {
        let (name, value) = bound.split_once('=').unwrap_or_default();
        let _ = write!(bounds, "; alter role \"{role}\" set {name} = '{value}'");
    }
    right(client, &bounds, me, "cannot alter the runtime logins; it did not create them").await
}

async fn exists(client: &Client, role: &str) -> Result<bool, MigrateError> {
    let rows = client
        .query_typed("select from pg_roles where rolname = $1", &[(&role, Type::TEXT)])
        .await
        .map_err(DbError::before_commit)?;
    Ok(!rows.is_empty())
}

async fn right(client: &Client, sql: &str, me: &Me, reason: &str) -> Result<(), MigrateError> {
    client.batch_execute(sql).await.map_err(|error| {
        if error.code() == Some(&tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE) {
            MigrateError::Rights { login: me.login.clone(), reason: reason.to_owned() }
        } else {
            MigrateError::Database(DbError::before_commit(error))
        }
    })
}
