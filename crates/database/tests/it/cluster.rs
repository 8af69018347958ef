//! What only a cluster shows: where tables live, what is distributed and when, and a setting that stays behind.

use novelfoundry_database::{
    Kind, LoginError, MIGRATIONS, Migration, Migrator, PoolOptions, RoleNames, Statements, TABLES, TenantDb,
};
use novelfoundry_testkit::Database;

const OPTIONS: PoolOptions = PoolOptions { size: 1, statements: Statements::Named };

/// Returns a database of its own, or says that there is no cluster.
async fn cluster(migrated: bool) -> Option<Database> {
    if Database::shared().await.nodes.is_none() {
        println!("skipped: the tests of a Citus cluster need one");
        return None;
    }
    Some(if migrated { Database::fresh().await } else { Database::empty().await })
}

async fn migrate(database: &Database, migrations: &'static [Migration]) {
    let roles = RoleNames::with_prefix("novelfoundry").unwrap();
    let migrator = Migrator::connect(&database.admin, roles).await.unwrap();
    migrator.with_migrations(migrations).migrate(|_| {}).await.unwrap();
}

async fn distributed(database: &Database) -> Vec<(String, String)> {
    let sql = "select c.relname, t.citus_table_type || ' ' || t.distribution_column
                 from citus_tables t join pg_class c on c.oid = t.table_name::oid
                where c.relnamespace in ('app'::regnamespace, 'issuer'::regnamespace)";
    let rows = database.sql(sql).await.unwrap();
    rows.into_iter().map(|row| (row[0].clone().unwrap(), row[1].clone().unwrap())).collect()
}

#[tokio::test]
async fn every_table_lives_where_the_catalogue_says() {
    let Some(database) = cluster(true).await else { return };
    let found = distributed(&database).await;
    for table in TABLES {
        let kind = found.iter().find(|(name, _)| name == table.name).map(|(_, kind)| kind.as_str());
        let declared = match table.kind {
            Kind::Tenant => Some("distributed tenant_id"),
            Kind::Reference => Some("reference <none>"),
            Kind::Control => None,
        };
        assert_eq!(kind, declared, "{}", table.name);
    }
    let declared = TABLES.iter().filter(|table| table.kind != Kind::Control).count();
    assert_eq!(found.len(), declared, "{found:?}");
    let colocations =
        "select count(distinct colocation_id) from citus_tables where citus_table_type = 'distributed'";
    assert_eq!(database.sql(colocations).await.unwrap()[0][0].as_deref(), Some("1"));
    // A row's whole family is on one node, foreign keys and policies with it.
    let lacking = "select count(*) from run_command_on_shards('app.projects',
        $$ select relrowsecurity and relforcerowsecurity and exists (select from pg_policy where polrelid = c.oid)
             and exists (select from pg_constraint where conrelid = c.oid and contype = 'f')
             from pg_class c where c.oid = '%s'::regclass $$) where not success or result <> 't'";
    assert_eq!(database.sql(lacking).await.unwrap()[0][0].as_deref(), Some("0"));
}

const LATER: &str = "create table app.billing_events (
       tenant_id uuid not null references app.tenants (tenant_id), event_id uuid not null,
       primary key (tenant_id, event_id));
     alter table app.projects add column later text";

/// A table that a later migration makes is put beside the others, and a change reaches tables that are distributed.
#[tokio::test]
async fn a_later_migration_finds_its_way_to_the_workers() {
    let Some(database) = cluster(true).await else { return };
    database.sql("drop table app.billing_events").await.unwrap();
    let later = Migration { version: 9000, name: "9000_later", sql: LATER };
    let migrations: &'static [Migration] = [MIGRATIONS, &[later]].concat().leak();
    migrate(&database, migrations).await;
    let kind = distributed(&database).await.into_iter().find(|(name, _)| name == "billing_events");
    assert_eq!(kind.unwrap().1, "distributed tenant_id");
    let columns = "select count(*) from run_command_on_shards('app.projects',
        $$ select count(*) from pg_attribute where attrelid = '%s'::regclass and attname = 'later' $$)
        where not success or result <> '1'";
    assert_eq!(database.sql(columns).await.unwrap()[0][0].as_deref(), Some("0"));
}

/// Moving tenants that are there already is not what a migration is for.
#[tokio::test]
async fn a_database_with_tenants_stays_where_it_is() {
    let Some(database) = cluster(false).await else { return };
    let [_, rest @ ..] = &database.nodes.as_ref().unwrap().urls[..] else { unreachable!() };
    for worker in rest {
        let away = format!(
            "select citus_set_node_property(nodename, nodeport, 'shouldhaveshards', false)
            from pg_dist_node where nodeport = {}",
            worker.port
        );
        database.sql(&away).await.unwrap();
    }
    migrate(&database, MIGRATIONS).await;
    assert!(distributed(&database).await.is_empty(), "nothing is distributed without a node for it");
    let tenant =
        "insert into app.tenants (tenant_id, name) values ('00000000-0000-7000-8000-000000000000', 'Here')";
    database.sql(tenant).await.unwrap();
    let back = "select citus_set_node_property(nodename, nodeport, 'shouldhaveshards', true)
        from pg_dist_node where groupid <> 0";
    database.sql(back).await.unwrap();
    migrate(&database, MIGRATIONS).await;
    assert!(distributed(&database).await.is_empty(), "a workspace was moved by a migration");
    database.sql("delete from app.tenants").await.unwrap();
    migrate(&database, MIGRATIONS).await;
    assert!(!distributed(&database).await.is_empty());
}

#[tokio::test]
async fn a_setting_that_would_not_reach_the_workers_is_refused() {
    let Some(database) = cluster(true).await else { return };
    let name = &database.admin.database;
    database.sql(&format!("alter database {name} reset citus.propagate_set_commands")).await.unwrap();
    let refused = TenantDb::connect(&database.tenant, "novelfoundry/test", OPTIONS).await;
    assert!(matches!(refused, Err(LoginError::SettingStays)), "{:?}", refused.err());
    migrate(&database, MIGRATIONS).await;
    TenantDb::connect(&database.tenant, "novelfoundry/test", OPTIONS).await.unwrap();
}
