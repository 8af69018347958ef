//! The migrator: two at once, an edited past, resumed steps, floors, and logins that see too much.

use std::time::{Duration, Instant};

use novelfoundry_core::{ProjectId, Role};
use novelfoundry_database::{
    Authority, DatabaseUrl, LoginError, MIGRATIONS, MigrateError, Migration, Migrator, Passwords,
    PoolOptions, RoleNames, Statements, TenantDb, newest_version, projects,
};
use novelfoundry_testkit::{Database, TestIssuer};

fn roles() -> RoleNames {
    RoleNames::with_prefix("novelfoundry").unwrap()
}

const OPTIONS: PoolOptions = PoolOptions { size: 1, statements: Statements::Named };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_at_once_apply_each_migration_once() {
    let empty = Database::empty().await.admin;
    let run = async || Migrator::connect(&empty, roles()).await.unwrap().migrate(|_| {}).await.unwrap();
    let (one, two) = tokio::join!(run(), run());
    let mut applied = [one, two].concat();
    applied.sort_unstable();
    assert_eq!(applied, MIGRATIONS.iter().map(|migration| migration.version).collect::<Vec<_>>());
    assert_eq!(run().await, Vec::<i32>::new());
}

/// Two installations on one server have roles of their own, and neither's logins reach the other's schema.
#[tokio::test]
async fn an_installation_may_name_its_roles() {
    let testbed = novelfoundry_testkit::Testbed::start(false).await;
    let names = RoleNames::with_prefix("acme").unwrap();
    testbed.database.sql("create database acme").await.unwrap();
    let admin = DatabaseUrl { database: "acme".into(), ..testbed.database.admin.clone() };
    let mut migrator = Migrator::connect(&admin, names.clone()).await.unwrap();
    migrator.migrate(|_| {}).await.unwrap();
    assert!(migrator.made_logins());
    let logins = migrator.set_passwords(&admin, Passwords::generate()).await.unwrap();
    assert_eq!(logins.tenant.user, "acme_tenant");
    TenantDb::connect(&logins.tenant, "novelfoundry/test", OPTIONS).await.unwrap();
    let other = DatabaseUrl { database: "acme".into(), ..testbed.database.tenant.clone() };
    let refused = TenantDb::connect(&other, "novelfoundry/test", OPTIONS).await;
    assert!(matches!(refused, Err(LoginError::NoSchema)), "{:?}", refused.err());
    testbed.stop().await;
}

/// A login may change its own settings; the next migration puts back what holds for it.
#[tokio::test]
async fn a_login_s_own_settings_are_put_back() {
    let testbed = novelfoundry_testkit::Testbed::start(false).await;
    let database = &testbed.database;
    let change = "alter role current_user set default_transaction_read_only = on";
    database.sql_as(&database.tenant, change).await.unwrap();
    Migrator::connect(&database.admin, roles()).await.unwrap().migrate(|_| {}).await.unwrap();
    let config = "select array_to_string(rolconfig, ' ') from pg_roles where rolname = 'novelfoundry_tenant'";
    let config = database.sql(config).await.unwrap()[0][0].clone().unwrap();
    assert_eq!(config, "statement_timeout=60s lock_timeout=10s idle_in_transaction_session_timeout=60s");
    testbed.stop().await;
}

const FIRST: Migration = Migration { version: 1, name: "0001_a", sql: "create table app.a (x int)" };
const EDITED: Migration = Migration { version: 1, name: "0001_a", sql: "create table app.a (x bigint)" };
const BROKEN: Migration =
    Migration { version: 2, name: "0002_b", sql: "create table app.b (x int); select 1/0" };
const STEPS: Migration = Migration {
    version: 2,
    name: "0002_steps",
    sql: "-- no transaction\ncreate index concurrently if not exists one on app.a (x)\n--;\ncreate index concurrently if not exists two on app.a ((1/x))\n--;\ncreate table if not exists app.after (y int)\n--;\n",
};
const FLOOR: Migration = Migration { version: 3, name: "0003_floor", sql: "-- floor: 3\nselect 1" };

#[tokio::test]
async fn an_edited_past_is_refused_and_a_broken_migration_leaves_nothing() {
    let empty = Database::empty().await.admin;
    let migrate = async |migrations| {
        Migrator::connect(&empty, roles()).await.unwrap().with_migrations(migrations).migrate(|_| {}).await
    };
    assert_eq!(migrate(&[FIRST]).await.unwrap(), [1]);
    assert!(matches!(migrate(&[EDITED]).await, Err(MigrateError::Edited { .. })));
    assert!(matches!(migrate(&[FIRST, BROKEN]).await, Err(MigrateError::Failed { name: "0002_b", .. })));
    let database = Database { admin: empty.clone(), ..Database::shared().await };
    assert!(database.sql("select from app.b").await.is_err(), "half a migration stayed");
    assert_eq!(migrate(&[FIRST]).await.unwrap(), Vec::<i32>::new());
}

#[tokio::test]
async fn steps_outside_a_transaction_are_resumed_and_a_floor_refuses_old_programs() {
    let empty = Database::empty().await.admin;
    let database = Database { admin: empty.clone(), ..Database::shared().await };
    let migrate = async |migrations| {
        Migrator::connect(&empty, roles()).await.unwrap().with_migrations(migrations).migrate(|_| {}).await
    };
    migrate(&[FIRST]).await.unwrap();
    database.sql("insert into app.a values (0)").await.unwrap();
    assert!(matches!(migrate(&[FIRST, STEPS]).await, Err(MigrateError::Failed { .. })), "1/0 in an index");
    let steps = database.sql("select steps from app.schema_history where version = 2").await.unwrap();
    assert_eq!(steps[0][0].as_deref(), Some("1"));
    database.sql("update app.a set x = 1; drop index app.two").await.unwrap();
    assert_eq!(migrate(&[FIRST, STEPS]).await.unwrap(), [2]);
    assert_eq!(migrate(&[FIRST, STEPS, FLOOR]).await.unwrap(), [3]);
    // One that knows a newer schema still runs an older program's migrations; below the floor it does not.
    assert!(matches!(migrate(&[FIRST]).await, Err(MigrateError::ProgramTooOld { floor: 3, known: 1 })));
}

#[tokio::test]
async fn privileged_logins_and_unfit_schemas_are_refused() {
    let database = Database::fresh().await;
    let admin = TenantDb::connect(&database.admin, "novelfoundry/test", OPTIONS).await;
    assert!(matches!(admin, Err(LoginError::Privileged { .. })), "{:?}", admin.err());
    TenantDb::connect(&database.tenant, "novelfoundry/test", OPTIONS).await.unwrap();
    let newest = newest_version(MIGRATIONS);
    database
        .sql(&format!("update app.schema_history set floor = {} where version = 1", newest + 1))
        .await
        .unwrap();
    let old = TenantDb::connect(&database.tenant, "novelfoundry/test", OPTIONS).await;
    assert!(matches!(old, Err(LoginError::ProgramTooOld { .. })), "{:?}", old.err());
    database
        .sql(&format!("delete from app.schema_history where version = 1 or version = {newest}"))
        .await
        .unwrap();
    let behind = TenantDb::connect(&database.tenant, "novelfoundry/test", OPTIONS).await;
    assert!(matches!(behind, Err(LoginError::SchemaTooOld { .. })), "{:?}", behind.err());
    let empty = Database::empty().await.admin;
    let url = DatabaseUrl { database: empty.database, ..database.tenant.clone() };
    let none = TenantDb::connect(&url, "novelfoundry/test", OPTIONS).await;
    assert!(matches!(none, Err(LoginError::NoSchema)), "{:?}", none.err());
}

const LATER: &str = "alter table app.projects add column later text default 'unknown to the program'";

/// A schema that only grew serves the programs of before.
#[tokio::test]
async fn a_program_works_on_the_schema_of_a_newer_one() {
    let database = Database::fresh().await;
    let version = newest_version(MIGRATIONS) + 1;
    let later = Migration { version, name: "9999_later", sql: LATER };
    let migrations: &'static [Migration] = [MIGRATIONS, &[later]].concat().leak();
    let migrator = Migrator::connect(&database.admin, roles()).await.unwrap();
    assert_eq!(migrator.with_migrations(migrations).migrate(|_| {}).await.unwrap(), [version]);
    let db = TenantDb::connect(&database.tenant, "novelfoundry/test", OPTIONS).await.unwrap();
    database.control_db().await;
    let issuer = TestIssuer::start().await;
    let anna = Authority::from_claims(&issuer.writer(&db).await).unwrap();
    let id = ProjectId::from_uuid(issuer.id());
    let insert = projects::insert(id, "Before".into(), anna.user_id().unwrap());
    db.write(&anna, Role::Editor, "test.create", insert).await.unwrap();
    let found = db.read(&anna, Role::Viewer, "test.read", projects::by_id(id)).await.unwrap();
    assert_eq!(found.unwrap().title, "Before");
    // And its own migrator leaves the schema as it is.
    let older = Migrator::connect(&database.admin, roles()).await.unwrap().migrate(|_| {}).await;
    assert_eq!(older.unwrap(), Vec::<i32>::new());
}

const ADDING: Migration = Migration { version: 2, name: "0002_c", sql: "alter table app.a add column y int" };

/// A migration that waits for a long reader stands aside for the others that come after it, and gets through at last.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_waits_for_a_reader_holds_nobody_up_for_long() {
    let empty = Database::empty().await.admin;
    let database = Database { admin: empty.clone(), ..Database::shared().await };
    let migrate = |migrations| {
        let empty = empty.clone();
        async move {
            let migrator = Migrator::connect(&empty, roles()).await.unwrap();
            migrator.with_migrations(migrations).migrate(|_| {}).await
        }
    };
    migrate(&[FIRST]).await.unwrap();
    let reader = database.connect_as(&empty).await.unwrap();
    reader.batch_execute("begin; select from app.a").await.unwrap();
    let migration = tokio::spawn(migrate(&[FIRST, ADDING]));
    let waiting = "select count(*) from pg_locks
        where relation = 'app.a'::regclass and mode = 'AccessExclusiveLock' and not granted";
    let deadline = Instant::now() + Duration::from_secs(30);
    while database.sql(waiting).await.unwrap()[0][0].as_deref() == Some("0") {
        assert!(Instant::now() < deadline, "the migration does not wait");
        tokio::task::yield_now().await;
    }
    // It stands in line behind the migration, whose reader stays.
    let next = tokio::time::timeout(Duration::from_secs(20), database.sql("select from app.a")).await;
    next.expect("the table is held up for as long as the reader stays").unwrap();
    assert!(!migration.is_finished());
    reader.batch_execute("commit").await.unwrap();
    assert_eq!(migration.await.unwrap().unwrap(), [2]);
}
