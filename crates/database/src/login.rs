//! Refuses to run as a login that could see past the policies, or against a schema that does not fit.

use tokio_postgres::{Client, types::Type};

use crate::{DbError, MIGRATIONS, newest_version};

/// Why a runtime login is refused.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The database did not answer, or not as expected.
    #[error("the database cannot be used")]
    Database(#[from] DbError),
    /// The login has more rights than a runtime login may have.
    #[error("the login {login:?} {reason}; use the runtime logins that `novelfoundry migrate` makes")]
    Privileged {
        /// The login.
        login: String,
        /// What it is or can do, as a verb phrase.
        reason: String,
    },
    /// The login is another plane's.
    #[error(
        "the login {login:?} may not read {table}: it is meant for something else; look whether two URLs were swapped"
    )]
    Mistaken {
        /// The login.
        login: String,
        /// What it should be able to read.
        table: &'static str,
    },
    /// Workers would answer every query with no rows.
    #[error(
        "the database is a Citus cluster that does not pass the tenant setting on to its workers (citus.propagate_set_commands is not 'local'); run `novelfoundry migrate`"
    )]
    SettingStays,
    /// The schema was never made here.
    #[error(
        "the database has no NovelFoundry schema, or this login may not see it; run `novelfoundry migrate`"
    )]
    NoSchema,
    /// The schema is older than this program.
    #[error("the schema is at version {found}, this program needs {needed}; run `novelfoundry migrate`")]
    SchemaTooOld {
        /// The newest migration applied.
        found: i32,
        /// The newest migration this program knows.
        needed: i32,
    },
    /// The schema no longer serves programs this old.
    #[error(
        "the schema serves programs from schema version {floor} on, this program knows {known}; install a newer NovelFoundry"
    )]
    ProgramTooOld {
        /// The oldest program the schema serves, by its newest migration.
        floor: i32,
        /// The newest migration this program knows.
        known: i32,
    },
}

const PRIVILEGES: &str = "\
-- login.privileges
select current_user::text as login,
       (select string_agg(distinct case
                 when r.rolsuper then 'is or can become a superuser'
                 when r.rolbypassrls then 'bypasses row level security, or can become a role that does'
                 when r.rolcreaterole then 'can create roles'
                 when r.rolreplication then 'can replicate the whole database'
                 when exists (select from pg_class c where c.relowner = r.oid) then 'owns tables, or can become their owner'
                 when exists (select from pg_proc p where p.proowner = r.oid) then 'owns functions, or can become their owner'
                 when exists (select from pg_namespace n where n.nspowner = r.oid) then 'owns a schema, or can become its owner'
                 when exists (select from pg_database d where d.datdba = r.oid) then 'owns a database'
                 when r.rolname like 'pg\\_%' then 'is a member of ' || r.rolname
               end, ' and ')
          from pg_roles r
         where pg_has_role(current_user, r.oid, 'member')
           and r.rolname <> 'pg_database_owner'
           -- A superuser counts as a member of every role.
           and (r.rolsuper or current_setting('is_superuser') = 'off')) as reason,
       case when exists (select from pg_namespace n where n.nspname = 'app' and has_schema_privilege(n.oid, 'usage'))
            then to_regclass('app.schema_history') is not null else false end as has_schema,
       to_regclass('pg_catalog.pg_dist_node') is not null
         and current_setting('citus.propagate_set_commands', true) is distinct from 'local' as setting_stays";

const VERSION: &str = "\
-- login.schema_version
select coalesce(max(version), 0) as version, coalesce(max(floor), 0) as floor
  from app.schema_history
 where finished_at is not null";

/// Checks a login that is meant to read `table`.
pub(crate) async fn check(client: &Client, table: &'static str) -> Result<(), LoginError> {
    let rows = client.query_typed(PRIVILEGES, &[]).await.map_err(DbError::before_commit)?;
    let row = rows.first().ok_or_else(|| DbError::defect("no answer about the login"))?;
    let login: String = row.try_get("login").map_err(DbError::defect)?;
    if let Some(reason) = row.try_get("reason").map_err(DbError::defect)? {
        return Err(LoginError::Privileged { login, reason });
    }
    if !row.try_get::<_, bool>("has_schema").map_err(DbError::defect)? {
        return Err(LoginError::NoSchema);
    }
    if row.try_get("setting_stays").map_err(DbError::defect)? {
        return Err(LoginError::SettingStays);
    }
    let rows = client.query_typed(VERSION, &[]).await.map_err(DbError::before_commit)?;
    let row = rows.first().ok_or_else(|| DbError::defect("no answer about the schema"))?;
    let rows =
        client.query_typed("select has_table_privilege($1, 'select') as fits", &[(&table, Type::TEXT)]).await;
    let fits = rows.ok().and_then(|rows| rows.first()?.try_get("fits").ok()).unwrap_or(false);
    let (found, floor): (i32, i32) =
        (row.try_get("version").map_err(DbError::defect)?, row.try_get("floor").map_err(DbError::defect)?);
    let known = newest_version(MIGRATIONS);
    if floor > known {
        return Err(LoginError::ProgramTooOld { floor, known });
    }
    if found < known {
        return Err(LoginError::SchemaTooOld { found, needed: known });
    }
    if !fits {
        return Err(LoginError::Mistaken { login, table });
    }
    Ok(())
}
