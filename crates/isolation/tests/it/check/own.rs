//! Our own database is clean, with no waiver; and a check of it needs no privilege and writes nothing.

use novelfoundry_isolation::{
    check::{CheckOptions, check, print_role},
    config::Config,
    finding::Level,
    session::Session,
};
use novelfoundry_testkit::Database;

use super::support::{shown, superuser};

fn options() -> CheckOptions {
    let config = Config { app_role: Some("novelfoundry_tenant".to_owned()), ..Config::default() };
    CheckOptions { config, ..CheckOptions::default() }
}

#[tokio::test]
async fn our_own_schema_is_clean() {
    let database = Database::shared().await;
    let mut session = superuser(&database).await;
    let report = check(&mut session, &options()).await.unwrap();
    println!("{}", shown(&report.findings, Level::Info));
    let alarms = shown(&report.findings, Level::Warning);
    assert!(alarms.is_empty(), "{alarms}");
    assert_eq!(report.inferred["tenant_column"].value, "tenant_id");
}

#[tokio::test]
async fn a_role_without_privileges_sees_the_same_and_nothing_is_left_behind() {
    let database = Database::fresh().await;
    let mut session = superuser(&database).await;
    // Roles are the server's: this one gets a name of its own.
    let role = format!("isolation_check_{}", database.admin.database);
    session.run(&print_role().replace("isolation_check", &role)).await.unwrap();
    session.run(&format!("alter role {role} password 'for this test'")).await.unwrap();
    let mut url = database.admin.clone();
    url.user.clone_from(&role);
    url.password = Some(novelfoundry_core::Secret::new("for this test"));
    let mut checker = Session::open(&url, "novelfoundry/test").await.unwrap();
    let as_checker = check(&mut checker, &options()).await.unwrap();
    let as_superuser = check(&mut session, &options()).await.unwrap();
    assert_eq!(as_checker.findings, as_superuser.findings);
    assert!(checker.try_run("select from app.projects").await.unwrap().is_err());
    let open =
        checker.run("select now() = statement_timestamp(), current_setting('search_path')").await.unwrap();
    assert_eq!(open.value(), Some("t"), "a transaction was left open");
    drop(checker);
    let owned = format!("drop owned by {role}; drop role {role}");
    session.run(&owned).await.unwrap();
}
