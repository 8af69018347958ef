//! Whom a check is about, worked out as for an attack.

use std::collections::BTreeMap;

use crate::{
    catalog::Catalog,
    config::Config,
    infer::{self, InferError, Whom},
    report::Inferred,
};

/// Whom a check is about.
#[derive(Debug)]
pub(super) struct Subject {
    /// The app's role.
    pub(super) role: u32,
    /// The column of tenants.
    pub(super) column: Option<String>,
    /// What was worked out, and why.
    pub(super) inferred: BTreeMap<String, Inferred>,
}

pub(super) fn subject(catalog: &Catalog, config: &Config) -> Result<Subject, InferError> {
    let Whom { app_role, tenant_column, inferred } = infer::whom(catalog, config)?;
    let role = catalog.role(&app_role).map_or(0, |role| role.oid);
    Ok(Subject { role, column: tenant_column, inferred })
}
