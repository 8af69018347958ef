//! Each way in which a login could see past the policies is refused, by its own name.

use novelfoundry_database::{ControlDb, LoginError, PoolOptions, Statements, TenantDb};
use novelfoundry_testkit::{Database, Testbed};

const OPTIONS: PoolOptions = PoolOptions { size: 1, statements: Statements::Named };

/// What makes the tenant login one that is refused, what takes it back, and what it is told.
const CASES: &[(&str, &str, &str)] = &[
    (
        "alter role novelfoundry_tenant superuser",
        "alter role novelfoundry_tenant nosuperuser",
        "is or can become a superuser",
    ),
    (
        "create role strong superuser; grant strong to novelfoundry_tenant",
        "drop role strong",
        "is or can become a superuser",
    ),
    (
        "alter role novelfoundry_tenant bypassrls",
        "alter role novelfoundry_tenant nobypassrls",
        "bypasses row level security, or can become a role that does",
    ),
    (
        "create role strong bypassrls; create role between; grant strong to between;
         grant between to novelfoundry_tenant",
        "drop role between; drop role strong",
        "bypasses row level security, or can become a role that does",
    ),
    (
        "alter role novelfoundry_tenant createrole",
        "alter role novelfoundry_tenant nocreaterole",
        "can create roles",
    ),
    (
        "alter role novelfoundry_tenant replication",
        "alter role novelfoundry_tenant noreplication",
        "can replicate the whole database",
    ),
    (
        "create table public.theirs (x int); alter table public.theirs owner to novelfoundry_tenant",
        "drop table public.theirs",
        "owns tables, or can become their owner",
    ),
    (
        "create function public.theirs() returns int language sql return 1;
         alter function public.theirs() owner to novelfoundry_tenant",
        "drop function public.theirs()",
        "owns functions, or can become their owner",
    ),
    (
        "create role strong; create schema theirs authorization strong; grant strong to novelfoundry_tenant",
        "drop schema theirs; drop role strong",
        "owns a schema, or can become its owner",
    ),
    ("create database theirs owner novelfoundry_tenant", "drop database theirs", "owns a database"),
    (
        "grant novelfoundry_owner to novelfoundry_tenant",
        "revoke novelfoundry_owner from novelfoundry_tenant",
        "owns tables, or can become their owner",
    ),
    (
        "grant pg_read_all_data to novelfoundry_tenant",
        "revoke pg_read_all_data from novelfoundry_tenant",
        "is a member of pg_read_all_data",
    ),
];

/// A role of the server is every database's, so this takes a server of its own.
#[tokio::test]
async fn a_login_that_could_see_past_the_policies_is_refused_whatever_makes_it_one() {
    let testbed = Testbed::start(false).await;
    let database = &testbed.database;
    let connect = async || TenantDb::connect(&database.tenant, "novelfoundry/test", OPTIONS).await;
    for (strengthen, weaken, expected) in CASES {
        // One message each: a database is made outside a transaction.
        for statement in strengthen.split(';') {
            database.sql(statement).await.unwrap();
        }
        match connect().await {
            Err(LoginError::Privileged { login, reason }) => {
                assert_eq!((login.as_str(), reason.as_str()), ("novelfoundry_tenant", *expected));
            }
            other => panic!("{strengthen}: {:?}", other.err()),
        }
        for statement in weaken.split(';') {
            database.sql(statement).await.unwrap();
        }
        connect().await.unwrap();
    }
    testbed.stop().await;
}

#[tokio::test]
async fn logins_that_were_swapped_are_refused() {
    let database = Database::shared().await;
    let tenant = TenantDb::connect(&database.control, "novelfoundry/test", OPTIONS).await;
    assert!(
        matches!(&tenant, Err(LoginError::Mistaken { login, table: "app.projects" }) if login == "novelfoundry_control"),
        "{:?}",
        tenant.err()
    );
    let control = ControlDb::connect(&database.tenant, "novelfoundry/test", OPTIONS).await;
    assert!(
        matches!(&control, Err(LoginError::Mistaken { login, table: "app.users" }) if login == "novelfoundry_tenant"),
        "{:?}",
        control.err()
    );
}
