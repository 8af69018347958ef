//! Judges a schema by its catalogue alone: what breaks isolation, what is a trap one step away, and what a Citus cluster
//! would refuse. It reads no row, so it is fit for a production database and for a replica.

mod citus;
mod compared;
mod comparisons;
mod context;
mod defaults;
mod expr;
mod fixes;
mod functions;
mod grants;
mod judge;
mod keys;
mod names;
mod policies;
mod rls;
mod role_sql;
mod roles;
mod subject;
mod views;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

pub(crate) use compared::{compared, in_one_line};
pub use role_sql::print_role;

use crate::{
    catalog::{self, Catalog},
    config::Config,
    infer::InferError,
    report::Report,
    session::{Session, SessionError},
};

/// How a check runs.
#[derive(Clone, Debug)]
pub struct CheckOptions {
    /// What is known beforehand.
    pub config: Config,
    /// How long one statement may take.
    pub statement_timeout: Duration,
    /// How long one may wait for a lock.
    pub lock_timeout: Duration,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self {
            config: Config::default(),
            statement_timeout: Duration::from_secs(20),
            lock_timeout: Duration::from_millis(500),
        }
    }
}

/// Why a check has no result.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The catalogue cannot be read.
    #[error("the catalogue cannot be read")]
    Session(#[from] SessionError),
    /// It is not known for whom to check.
    #[error(transparent)]
    Subject(#[from] InferError),
}

/// Reads the catalogue in one READ ONLY transaction and judges it.
pub async fn check(session: &mut Session, options: &CheckOptions) -> Result<Report, CheckError> {
    let started = Instant::now();
    session.run("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?;
    let loaded = read(session, options).await;
    // What was read is whole by now; the transaction has nothing to lose.
    session.run("ROLLBACK").await?;
    let mut report = judge(&loaded?, &options.config)?;
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

async fn read(session: &mut Session, options: &CheckOptions) -> Result<Catalog, SessionError> {
    let (statement, lock) = (options.statement_timeout.as_millis(), options.lock_timeout.as_millis());
    session.run(&format!("SET LOCAL statement_timeout = {statement}")).await?;
    session.run(&format!("SET LOCAL lock_timeout = {lock}")).await?;
    // Names come out with their schemas, so that a fix means the same in every session.
    session.run("SET LOCAL search_path = ''").await?;
    catalog::load(session).await
}

/// Judges a catalogue that has been read, with an empty search path.
pub fn judge(catalog: &Catalog, config: &Config) -> Result<Report, InferError> {
    let subject = subject::subject(catalog, config)?;
    let mut judge = judge::Judge::new(catalog, &subject);
    for family in [
        rls::run,
        policies::run,
        context::run,
        views::run,
        functions::run,
        roles::run,
        grants::run,
        keys::run,
        citus::run,
    ] {
        family(&mut judge);
    }
    let objects = catalog.relations.len() + catalog.functions.len() + catalog.sequences.len();
    let mut findings = std::mem::take(&mut judge.findings);
    let mut seen = BTreeSet::new();
    findings.retain(|finding| seen.insert(finding.id.clone()));
    findings.sort_by(|one, other| {
        let key = |finding: &crate::finding::Finding| {
            (
                std::cmp::Reverse(finding.level),
                finding.object.clone(),
                finding.rule.clone(),
                finding.id.clone(),
            )
        };
        key(one).cmp(&key(other))
    });
    Ok(Report { findings, objects, inferred: subject.inferred.clone(), ..Report::default() })
}

/// Rules about what is one step away: another login, the next table, a field of the identity provider's.
const TRAPS: &[&str] = &[
    "default-privileges",
    "other-login-unbound",
    "user-metadata-trusted",
    "rls-not-forced",
    "rls-off",
    "partition-unprotected",
    "view-runs-as-owner",
    "definer-dynamic-sql",
    "definer-path-writable",
    "function-opens-tables",
];

/// Returns the traps that a catalogue shows, as warnings: what an attack cannot demonstrate because it has not happened yet.
pub async fn traps(
    session: &mut Session,
    config: &Config,
) -> Result<Vec<crate::finding::Finding>, CheckError> {
    let options = CheckOptions { config: config.clone(), ..CheckOptions::default() };
    let mut findings = check(session, &options).await?.findings;
    findings.retain(|finding| {
        TRAPS.contains(&finding.rule.as_str()) && finding.level >= crate::finding::Level::Warning
    });
    for finding in &mut findings {
        finding.level = crate::finding::Level::Warning;
        finding.kind = crate::finding::Kind::Warning;
    }
    Ok(findings)
}
