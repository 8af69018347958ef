//! Tenants that are named although nobody opened a context.

use crate::attack::{Hunt, stage::Actor};
use crate::{
    catalog::Function,
    finding::{TenantContext, Verb},
    rules,
    session::SessionError,
};

/// Helpers and roles that name a tenant where nobody opened a context.
pub(super) async fn fallbacks(hunt: &mut Hunt) -> Result<(), SessionError> {
    let open: Vec<u32> = hunt
        .read_leaks
        .iter()
        .filter(|(oid, context)| {
            *context != TenantContext::Tenant && !hunt.read_leaks.contains(&(*oid, TenantContext::Tenant))
        })
        .map(|(oid, _)| *oid)
        .collect();
    if open.is_empty() {
        return Ok(());
    }
    let catalog = &hunt.stage.catalog;
    let first: Vec<u32> = catalog
        .policies
        .iter()
        .filter(|policy| open.contains(&policy.table))
        .flat_map(|policy| policy.functions.clone())
        .collect();
    let helpers: Vec<Function> = catalog
        .functions_behind(&first)
        .into_iter()
        .filter(|function| {
            function.argument_types.is_empty() && !function.returns_set && function.kind == "f"
        })
        .cloned()
        .collect();
    for helper in helpers {
        let statement = format!("select {}()", helper.quoted());
        for context in [TenantContext::Unset, TenantContext::Empty] {
            hunt.count(&helper.object(), Verb::Select, context, "fallback");
            let outcome =
                hunt.stage.attempt(Actor::of(context), std::slice::from_ref(&statement), None).await?;
            if outcome
                .last()
                .and_then(|answer| answer.value())
                .is_some_and(|value| !value.is_empty() && value != "f")
            {
                let evidence = "it names a tenant although nobody opened a context";
                hunt.add(
                    &rules::READS,
                    &helper.object(),
                    Verb::Select,
                    context,
                    std::slice::from_ref(&statement),
                    evidence,
                    None,
                );
            }
        }
    }
    let settings: Vec<String> = hunt
        .stage
        .subject
        .context
        .iter()
        .filter_map(|statement| crate::attack::stage::setting_of(statement))
        .collect();
    let brought = hunt.stage.catalog.settings.iter().any(|setting| {
        (setting.role == hunt.stage.app || setting.role == 0)
            && setting
                .setting
                .split_once('=')
                .is_some_and(|(name, value)| settings.iter().any(|own| own == name) && !value.is_empty())
    });
    if brought {
        let app = hunt.stage.subject.app_role.clone();
        let evidence = "the role brings a tenant along when it logs in";
        hunt.add(
            &rules::READS,
            &format!("role:{app}"),
            Verb::Select,
            TenantContext::Unset,
            &settings
                .iter()
                .map(|name| format!("select current_setting({}, true)", crate::session::literal(name)))
                .collect::<Vec<_>>(),
            evidence,
            None,
        );
    }
    Ok(())
}
