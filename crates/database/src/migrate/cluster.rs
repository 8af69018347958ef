//! Spreads a new database over the nodes of a Citus cluster, each table as the catalogue declares it.
//!
//! Only tables without rows: moving a database that is in use is another matter than making one.

use tokio_postgres::Client;

use super::{MigrateError, POLL, RoleNames, in_turn};
use crate::{DbError, Kind, TABLES, catalogue::Table};

/// Readies a database with the extension, and tells whether it is the coordinator of a cluster that takes its tables.
pub(super) async fn prepare(client: &Client, roles: &RoleNames) -> Result<bool, MigrateError> {
    if !holds(client, "select to_regclass('pg_catalog.pg_dist_node') is not null").await? {
        return Ok(false);
    }
    client.batch_execute(PROPAGATE).await.map_err(DbError::before_commit)?;
    let nodes = "select exists (select from pg_dist_node where groupid <> 0 and isactive)";
    if !holds(client, nodes).await? {
        return Ok(false);
    }
    let owner = &roles.owner;
    let mut steps = Vec::new();
    if !holds(client, &format!("select rolcanlogin from pg_roles where rolname = '{owner}'")).await? {
        // The nodes reach one another as the role that acts. The owner has no password: nobody else gets in as it.
        steps.push(format!("alter role \"{owner}\" login"));
    }
    let [tenant, control, issuer] = roles.logins();
    let known = format!(
        "select count(*) = 4 from pg_dist_object d join pg_roles r on r.oid = d.objid
          where d.classid = 'pg_authid'::regclass and r.rolname in ('{owner}', '{tenant}', '{control}', '{issuer}')"
    );
    if !holds(client, &known).await? {
        // Citus brings roles to the workers with the first thing that names them; inside the owner's own transaction
        // it would have the owner make them there.
        steps.extend([
            format!("create schema if not exists app authorization \"{owner}\""),
            "create function app.names_the_roles() returns integer language sql return 1".to_owned(),
            format!(
                "grant execute on function app.names_the_roles() to \"{tenant}\", \"{control}\", \"{issuer}\""
            ),
            format!("alter function app.names_the_roles() owner to \"{owner}\""),
            "drop function app.names_the_roles()".to_owned(),
        ]);
    }
    for step in &steps {
        patiently(client, step).await.map_err(DbError::before_commit)?;
    }
    let takers = "select exists (select from pg_dist_node
                                  where groupid <> 0 and isactive and noderole = 'primary' and shouldhaveshards)";
    holds(client, takers).await
}

/// Roles are shared by all databases of a server: a migrator in another one may be changing the same role, which
/// PostgreSQL refuses without a lock to wait for.
async fn patiently(client: &Client, sql: &str) -> Result<(), tokio_postgres::Error> {
    let mut tries = 0;
    loop {
        let done = client.batch_execute(sql).await;
        tries += 1;
        let collided = |error: &tokio_postgres::Error| {
            error.as_db_error().is_some_and(|error| error.message() == "tuple concurrently updated")
        };
        if tries == 20 || !done.as_ref().is_err_and(collided) {
            return done;
        }
        tokio::time::sleep(POLL * tries).await;
    }
}

/// Lets the tenant setting of a transaction reach the workers; without it they answer every query with no rows.
const PROPAGATE: &str = "\
do $$
begin
  if not exists (
    select from pg_db_role_setting s
     where s.setdatabase = (select oid from pg_database where datname = current_database())
       and s.setrole = 0 and 'citus.propagate_set_commands=local' = any (s.setconfig)
  ) then
    execute format('alter database %I set citus.propagate_set_commands = ''local''', current_database());
  end if;
end
$$";

/// Distributes the tables that are not yet. Leaves a database alone that holds tenants and is on one node.
pub(super) async fn distribute(client: &Client) -> Result<(), MigrateError> {
    let mut local = Vec::new();
    let mut root_is_local = false;
    for table in TABLES.iter().filter(|table| table.kind != Kind::Control) {
        let name = table.name;
        let undistributed = format!(
            "select to_regclass('app.{name}') is not null
                    and not exists (select from pg_dist_partition where logicalrelid = to_regclass('app.{name}'))"
        );
        if holds(client, &undistributed).await? {
            root_is_local |= name == ROOT;
            local.push(table);
        }
    }
    for table in local.iter().filter(|table| table.kind == Kind::Tenant) {
        if holds(client, &format!("select exists (select from app.{})", table.name)).await? {
            return if root_is_local { Ok(()) } else { Err(MigrateError::NotEmpty(table.name)) };
        }
    }
    if local.is_empty() {
        return Ok(());
    }
    // One transaction: halfway, the foreign keys would be missing.
    let foreign_keys = foreign_keys(client, &local).await?;
    let mut statements =
        vec!["begin".to_owned(), "set local citus.multi_shard_modify_mode = 'sequential'".to_owned()];
    statements.extend(foreign_keys.iter().map(|key| key.drop.clone()));
    for Table { name, kind, .. } in local {
        if *kind == Kind::Tenant {
            let beside = if *name == ROOT { "none".to_owned() } else { format!("app.{ROOT}") };
            statements.push(format!(
                "select create_distributed_table('app.{name}', 'tenant_id', colocate_with => '{beside}')"
            ));
        } else {
            statements.push(format!("select create_reference_table('app.{name}')"));
            statements.push(format!("select truncate_local_data_after_distributing_table('app.{name}')"));
        }
    }
    statements.extend(foreign_keys.into_iter().map(|key| key.add));
    statements.push("commit".to_owned());
    let done = in_turn(client, statements.iter().map(String::as_str)).await;
    if done.is_err() {
        // A failure to roll back means a lost session, which has rolled back by itself.
        let _ = client.batch_execute("rollback").await;
    }
    done.map_err(MigrateError::Distribute)
}

/// The table that all others are kept beside.
const ROOT: &str = "tenants";

struct ForeignKey {
    drop: String,
    add: String,
}

/// The foreign keys that tie local tables to others: Citus lets none lead from a local table to a distributed one.
async fn foreign_keys(client: &Client, tables: &[&Table]) -> Result<Vec<ForeignKey>, MigrateError> {
    let names: Vec<_> = tables.iter().map(|table| format!("'app.{}'::regclass", table.name)).collect();
    let names = names.join(", ");
    let sql = format!(
        "select format('alter table %s drop constraint %I', conrelid::regclass, conname) as drop,
                format('alter table %s add constraint %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) as add
           from pg_constraint
          where contype = 'f' and (conrelid in ({names}) or confrelid in ({names}))
          order by conrelid, conname"
    );
    let rows = client.query_typed(&sql, &[]).await.map_err(DbError::before_commit)?;
    let key = |row: &tokio_postgres::Row| -> Result<ForeignKey, tokio_postgres::Error> {
        Ok(ForeignKey { drop: row.try_get("drop")?, add: row.try_get("add")? })
    };
    Ok(rows.iter().map(key).collect::<Result<_, _>>().map_err(DbError::defect)?)
}

async fn holds(client: &Client, question: &str) -> Result<bool, MigrateError> {
    let rows = client.query_typed(question, &[]).await.map_err(DbError::before_commit)?;
    let row = rows.first().ok_or_else(|| DbError::defect("no answer about the cluster"))?;
    Ok(row.try_get(0).map_err(DbError::defect)?)
}
