//! A schema is made, judged and mended inside one transaction that is rolled back, roles included.

use std::fmt::Write;

use novelfoundry_isolation::{
    catalog,
    check::judge,
    config::Config,
    finding::{Finding, Kind, Level},
    session::Session,
};
use novelfoundry_testkit::Database;

/// Roles that examples use; they end with the transaction.
const ROLES: &str = "create role app_user login; create role app_owner nologin; create role reporting login;";

pub(super) async fn superuser(database: &Database) -> Session {
    Session::open(&database.admin, "novelfoundry/test").await.unwrap()
}

pub(super) async fn begin(session: &mut Session) {
    session.run("begin").await.unwrap();
    session.run(ROLES).await.unwrap();
}

pub(super) async fn sql(session: &mut Session, what: &str, statements: &str) {
    if let Err(error) = try_sql(session, statements).await {
        panic!("{what}: {error}\n{statements}");
    }
}

/// Runs statements, and undoes them where one is refused.
pub(super) async fn try_sql(session: &mut Session, statements: &str) -> Result<(), String> {
    session.run("set local search_path = public").await.unwrap();
    session.run("savepoint before").await.unwrap();
    let Err(error) = session.run(statements).await else { return Ok(()) };
    session.run("rollback to before").await.unwrap();
    Err(error.to_string())
}

pub(super) async fn findings(session: &mut Session, config: &Config) -> Vec<Finding> {
    session.run("reset role").await.unwrap();
    session.run("set local search_path = ''").await.unwrap();
    let catalog = catalog::load(session).await.unwrap();
    let found = judge(&catalog, config).unwrap().findings;
    for finding in &found {
        assert_ne!(finding.kind, Kind::Leak, "only an attack shows a leak: {finding:?}");
        assert!(!finding.evidence.is_empty() && !finding.fix.is_empty(), "{finding:?}");
    }
    found
}

pub(super) fn app() -> Config {
    Config { app_role: Some("app_user".to_owned()), ..Config::default() }
}

pub(super) fn shown(found: &[Finding], from: Level) -> String {
    let lines = found.iter().filter(|finding| finding.level >= from);
    lines.fold(String::new(), |mut text, f| {
        writeln!(text, "{:?} {} {}: {}", f.level, f.rule, f.object, f.evidence).unwrap();
        text
    })
}
