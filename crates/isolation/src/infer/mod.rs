//! Works out from the catalogue whom an attack acts as and how a tenant's context is opened, and says why.

mod column;
mod context;
mod role;

use std::collections::BTreeMap;

use serde_json::json;

use crate::{catalog::Catalog, config::Config, report::Inferred};

pub use context::{is_role_change, settings_read};

/// Whom an attack acts as, and how.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The app's role.
    pub app_role: String,
    /// The column of tenants, where there is one.
    pub tenant_column: Option<String>,
    /// Two tenants that exist, the attacker first; none where they are to be made.
    pub tenants: Option<[String; 2]>,
    /// What opens a context, with `{tenant}` and `{principal}`.
    pub context: Vec<String>,
    /// Who acts for each tenant.
    pub principals: Option<[String; 2]>,
    /// What was worked out, and why.
    pub inferred: BTreeMap<String, Inferred>,
}

/// Why an attack has no subject.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InferError {
    /// Several would do.
    #[error("{what} is not clear: it could be {}; name one in isolation.toml or by its flag", candidates.join(", "))]
    Ambiguous {
        /// What is sought.
        what: &'static str,
        /// What it could be.
        candidates: Vec<String>,
    },
    /// None would do.
    #[error("{what} was not found: {why}")]
    Missing {
        /// What is sought.
        what: &'static str,
        /// Why nothing fits.
        why: String,
    },
}

/// Who acts in an attack or is meant by a check, and whose rows it may see.
#[derive(Clone, Debug)]
pub(crate) struct Whom {
    /// The app's role.
    pub(crate) app_role: String,
    /// The column of tenants, where there is one.
    pub(crate) tenant_column: Option<String>,
    /// What was worked out, and why.
    pub(crate) inferred: BTreeMap<String, Inferred>,
}

/// Works out the app's role and the column of tenants.
pub(crate) fn whom(catalog: &Catalog, config: &Config) -> Result<Whom, InferError> {
    let mut inferred = BTreeMap::new();
    let tenant_column = config.tenant_column.clone().or_else(|| {
        let (column, because) = column::tenant_column(catalog)?;
        inferred.insert("tenant_column".to_owned(), Inferred { value: json!(column), because });
        Some(column)
    });
    let app_role = if let Some(name) = &config.app_role {
        if catalog.role(name).is_none() {
            return Err(InferError::Missing {
                what: "the app's role",
                why: format!("the server has no role {name}"),
            });
        }
        name.clone()
    } else {
        let (role, because) = role::app_role(catalog, config, tenant_column.as_deref())?;
        inferred.insert("app_role".to_owned(), Inferred { value: json!(role), because });
        role
    };
    Ok(Whom { app_role, tenant_column, inferred })
}

/// Works out what the configuration leaves open.
pub fn infer(catalog: &Catalog, config: &Config) -> Result<Subject, InferError> {
    let Whom { mut app_role, tenant_column, mut inferred } = whom(catalog, config)?;
    let context = if let Some(statements) = &config.context {
        statements.list()
    } else {
        let (statements, because) = context::context(catalog, config, tenant_column.as_deref());
        inferred.insert("context".to_owned(), Inferred { value: json!(statements), because });
        statements
    };
    let pair = |list: &Option<Vec<String>>| match list.as_deref() {
        Some([one, other]) => Some([one.clone(), other.clone()]),
        _ => None,
    };
    let (mut tenants, mut principals) = (pair(&config.tenants), pair(&config.principals));
    let mut context = context;
    if tenants.is_none() && principals.is_none() {
        if let Some((roles, because)) = role::role_tenants(catalog, &app_role, &context) {
            inferred.insert("principals".to_owned(), Inferred { value: json!(roles), because });
            principals = Some(roles);
        } else if let Some((roles, because)) = role::sibling_logins(catalog, &app_role, &context) {
            inferred.insert("principals".to_owned(), Inferred { value: json!(roles), because });
            app_role.clone_from(&roles[0]);
            if let Some(known) = inferred.get_mut("app_role") {
                known.value = json!(app_role);
            }
            principals = Some(roles);
            // No login may become another.
            context = vec!["SET LOCAL SESSION AUTHORIZATION {principal}".to_owned()];
            let because = "each tenant has a login of its own".to_owned();
            inferred.insert("context".to_owned(), Inferred { value: json!(context), because });
        }
    }
    if context.iter().any(|statement| statement.contains("{tenant}") && is_role_change(statement))
        && tenants.is_none()
    {
        tenants.clone_from(&principals);
    }
    Ok(Subject { app_role, tenant_column, tenants, context, principals, inferred })
}

/// Returns everything that functions, views and policies say.
fn all_text(catalog: &Catalog) -> String {
    let mut text = String::new();
    for policy in &catalog.policies {
        text.push_str(&catalog.policy_text(policy));
        text.push('\n');
    }
    for function in catalog.functions.iter().filter(|function| !function.extension) {
        text.push_str(&function.source);
        text.push('\n');
    }
    for relation in &catalog.relations {
        text.push_str(relation.definition.as_deref().unwrap_or_default());
        text.push('\n');
    }
    text
}
