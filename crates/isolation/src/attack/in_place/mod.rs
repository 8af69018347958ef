//! Attacks a database where it is, without a copy, while others work in it. Nothing that it does outlasts a short
//! transaction that is rolled back, and what a rollback does not undo is never done: no sequence is drawn from, no foreign
//! server is spoken to, no row is touched but canaries that the same transaction made.

mod canaries;
mod existence;
mod functions;
mod ground;
mod harmless;
mod login;
mod reads;
mod tenants;
mod writes;

use std::time::Instant;

use novelfoundry_connection::DatabaseUrl;
use serde_json::json;

use super::{Hunt, Options, SetupError, links, people, seed::order, stage::Stage};
use crate::{
    catalog::Catalog,
    finding::TenantContext,
    infer::Subject,
    report::{Inferred, NotAttacked, Report},
    session::{Session, SessionError},
};
use ground::Ground;
use harmless::Harmless;
use login::Login;

pub(super) use ground::guarded;

/// Why a database is not attacked where it is.
#[derive(Debug, thiserror::Error)]
pub enum InPlaceError {
    /// Nothing was proved.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// It takes no rows.
    #[error("the server is a replica, in which no canary can be planted")]
    Replica,
    /// A tenant's context cannot be left there.
    #[error("Citus does not hear when a transaction changes its tenant")]
    Citus,
    /// The login is not the app's.
    #[error("{login} can neither log in nor act as the app's role {app}")]
    CannotAct {
        /// The login.
        login: String,
        /// The app's role.
        app: String,
    },
    /// What opens a context does more than that.
    #[error("what opens a context is not safe to send: {0}")]
    Context(String),
    /// No tenants are known.
    #[error("no two tenants are known that have rows the login sees")]
    NoTenants,
    /// A tenant is none.
    #[error("there is no tenant {0}")]
    UnknownTenant(String),
    /// No tenant has a row to aim at.
    #[error("no canary could be planted for tenant {tenant}{why}")]
    NoCanary {
        /// The tenant.
        tenant: String,
        /// What was refused.
        why: String,
    },
}

impl From<SessionError> for InPlaceError {
    fn from(error: SessionError) -> Self {
        Self::Setup(SetupError::Session(error))
    }
}

impl InPlaceError {
    /// Returns a sentence that says what to do.
    pub fn next(&self) -> &'static str {
        match self {
            Self::Setup(_) | Self::Context(_) => {
                "Say in isolation.toml what opens a tenant's context, or attack a copy without --in-place."
            }
            Self::Replica => "Name the primary server, or attack a copy without --in-place.",
            Self::Citus => "Attack a copy without --in-place.",
            Self::CannotAct { .. } => "Give the app's own login with --app-url.",
            Self::NoTenants | Self::UnknownTenant(_) => {
                "Name two that exist as `tenants` in isolation.toml, the attacker first."
            }
            Self::NoCanary { .. } => {
                "Log in as a superuser or with BYPASSRLS, or attack a copy without --in-place."
            }
        }
    }
}

/// What is left to a copy, whatever the schema.
const LEFT_TO_A_COPY: &str = "in place nothing is tried that outlasts a rollback or cannot be held to canaries: TRUNCATE, \
     COPY, DDL, views' writes and leaky conditions, notifications, sequences, large objects, statistics, committed effects, \
     names that resemble another tenant's, and worlds without the other tenants";

/// Attacks the database at a URL, whose catalogue has been read; `looker` finds the tenants where none are named.
pub async fn attack_in_place(
    url: DatabaseUrl,
    looker: &mut Session,
    catalog: Catalog,
    subject: Subject,
    options: Options,
) -> Result<Report, InPlaceError> {
    let started = Instant::now();
    let mut inferred = subject.inferred.clone();
    let mut ground = set(url, looker, catalog, subject, options).await?;
    let because = ground.login.because();
    inferred.insert("in_place".to_owned(), Inferred { value: json!(true), because });
    let attacked = all(&mut ground).await;
    // What is under way is taken back whatever came out; a connection that broke has done so itself.
    let closed = ground.close().await;
    attacked?;
    closed?;
    ground.hunt.not_attacked("in place", LEFT_TO_A_COPY);
    if !ground.login.plants_itself() {
        let reason = "without a context only rows that were there before were looked for: the app's own login plants none";
        ground.hunt.not_attacked("in place", reason);
    }
    Ok(ground.hunt.report(started, inferred))
}

async fn all(ground: &mut Ground) -> Result<(), InPlaceError> {
    canaries::prove(ground).await?;
    reads::run(ground).await?;
    reads::roles(ground).await?;
    writes::run(ground).await?;
    existence::run(ground).await?;
    functions::run(ground).await?;
    Ok(())
}

/// Logs in, finds the tenants, and thinks up their canaries.
async fn set(
    url: DatabaseUrl,
    looker: &mut Session,
    catalog: Catalog,
    subject: Subject,
    options: Options,
) -> Result<Ground, InPlaceError> {
    let until = options.budget.map(|budget| Instant::now() + budget);
    let mut used = Session::open(&url, "novelfoundry isolation").await?;
    let login = Login::ask(&mut used, &catalog, &subject.app_role).await?;
    let harmless = Harmless::load(&mut used, &catalog).await?;
    for statement in &subject.context {
        harmless.opening(&catalog, statement).map_err(InPlaceError::Context)?;
    }
    let fresh = Session::open(&url, "novelfoundry isolation").await?;
    let app = catalog.role(&subject.app_role).map_or(0, |role| role.oid);
    let people = people::people(&catalog, &subject.context, subject.tenant_column.as_deref());
    let links = links::links(&catalog, subject.tenant_column.as_deref(), &people);
    let [attacker, victim] = tenants::find(looker, &catalog, &subject, &links, &people, options.seed).await?;
    let order = order(&catalog);
    let stage = Stage {
        url,
        used,
        fresh,
        catalog,
        subject,
        app,
        links,
        attacker,
        victim,
        neighbours: Vec::new(),
        people,
        provenance: std::collections::HashMap::default(),
        rows_say: std::collections::HashSet::default(),
        fingerprint: String::new(),
        attempts: 0,
        only: None,
    };
    let hunt = Hunt::on(stage, options, until);
    let mut ground = Ground::new(hunt, login, harmless, order);
    canaries::think_up(&mut ground).await?;
    Ok(ground)
}

impl Ground {
    /// Notes that something is left to a copy.
    fn leaves(&mut self, object: &str, what: &str, why: &str) {
        self.hunt
            .not_attacked
            .insert(NotAttacked { object: object.to_owned(), reason: format!("{what}: {why}") });
    }

    /// Returns the contexts in which canaries can be there.
    fn contexts(&self) -> Vec<TenantContext> {
        let there = |context: &TenantContext| self.login.plants_itself() || *context != TenantContext::Unset;
        TenantContext::ALL.into_iter().filter(there).collect()
    }
}
