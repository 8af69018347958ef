//! Becomes what the app's role can become, and uses what it owns.

use super::{Hunt, reads, stage::Actor};
use crate::{
    catalog::Relation,
    finding::{TenantContext, Verb},
    rules,
    session::{SessionError, identifier},
};

/// Tries every role, and every ownership.
pub(super) async fn run(hunt: &mut Hunt) -> Result<(), SessionError> {
    for role in reachable(hunt) {
        become_role(hunt, &role, &[format!("set local role {}", identifier(&role))]).await?;
    }
    if hunt.stage.catalog.role_by_oid(hunt.stage.app).is_some_and(|role| role.createrole && !role.superuser) {
        grant_oneself(hunt).await?;
    }
    undo(hunt).await
}

/// Returns the roles that the app's can become and that stand for no tenant.
pub(super) fn reachable(hunt: &Hunt) -> Vec<String> {
    let tenants: Vec<String> = hunt
        .stage
        .foreign()
        .chain(std::iter::once(&hunt.stage.attacker))
        .flat_map(|tenant| [Some(tenant.id.clone()), tenant.principal.clone()])
        .flatten()
        .collect();
    hunt.stage
        .catalog
        .may_become(hunt.stage.app)
        .into_iter()
        .filter(|oid| *oid != hunt.stage.app)
        .filter_map(|oid| hunt.stage.catalog.role_by_oid(oid))
        .map(|role| role.name.clone())
        .filter(|name| !tenants.contains(name) && !is_tenant_role(hunt, name))
        .collect()
}

/// Tells whether a role stands for a tenant, as others do that contexts are opened by.
fn is_tenant_role(hunt: &Hunt, name: &str) -> bool {
    if !hunt.stage.subject.context.iter().any(|statement| crate::infer::is_role_change(statement)) {
        return false;
    }
    // A role by whom a context could be opened is bound by the policies as the attacker's own is.
    let catalog = &hunt.stage.catalog;
    let Some(role) = catalog.role(name) else { return false };
    !role.superuser
        && !role.bypassrls
        && !role.predefined
        && !catalog.relations.iter().any(|relation| relation.owner == role.oid)
}

async fn become_role(hunt: &mut Hunt, role: &str, way: &[String]) -> Result<(), SessionError> {
    for relation in hunt.stage.targets() {
        hunt.count(&format!("role:{role}"), Verb::Select, TenantContext::Tenant, "set role");
        let mut script = way.to_vec();
        script.push(format!("select * from {} limit 3000", relation.quoted()));
        let outcome = hunt.stage.attempt(Actor::Attacker, &script, None).await?;
        let Some(answer) = outcome.last() else { continue };
        let foreign = reads::foreign_rows(hunt, &relation, answer, "");
        if foreign.is_empty() {
            let mut script = way.to_vec();
            script.push(format!("delete from {}", relation.quoted()));
            let baseline = hunt.baseline.clone();
            // The fingerprint is the superuser's again.
            let outcome = hunt.stage.attempt(Actor::Attacker, &script, Some(&baseline)).await?;
            if outcome.changed.is_empty() {
                continue;
            }
            report(
                hunt,
                role,
                Verb::Delete,
                &script,
                &format!("another tenant's rows of {} are gone", relation.object()),
            );
            return Ok(());
        }
        report(
            hunt,
            role,
            Verb::Select,
            &script,
            &format!("{} rows of {} are another tenant's", foreign.len(), relation.object()),
        );
        return Ok(());
    }
    Ok(())
}

fn report(hunt: &mut Hunt, role: &str, verb: Verb, script: &[String], evidence: &str) {
    // Where the app's own role sees as much, becoming another one is not the fault.
    let app = hunt.stage.subject.app_role.clone();
    hunt.add(&rules::BECOMES, &format!("role:{role}"), verb, TenantContext::Tenant, script, evidence, None);
    if app != role {
        hunt.add(
            &rules::BECOMES,
            &format!("role:{app}"),
            verb,
            TenantContext::Tenant,
            script,
            evidence,
            None,
        );
    }
}

/// A role that may make roles grants itself those that are in the way of nothing.
async fn grant_oneself(hunt: &mut Hunt) -> Result<(), SessionError> {
    let app = hunt.stage.subject.app_role.clone();
    let owners: Vec<String> = hunt
        .stage
        .catalog
        .roles
        .iter()
        .filter(|role| !role.superuser && role.oid != hunt.stage.app)
        .filter(|role| {
            role.bypassrls
                || hunt.stage.catalog.relations.iter().any(|relation| relation.owner == role.oid)
                || role.name == "pg_read_all_data"
        })
        .map(|role| role.name.clone())
        .collect();
    for owner in owners {
        let way = [
            format!("grant {} to {}", identifier(&owner), identifier(&app)),
            format!("set local role {}", identifier(&owner)),
        ];
        become_role(hunt, &owner, &way).await?;
    }
    Ok(())
}

/// Lifts what isolates from what the role owns.
async fn undo(hunt: &mut Hunt) -> Result<(), SessionError> {
    for relation in hunt.stage.targets().into_iter().filter(Relation::is_table) {
        let table = relation.quoted();
        let query = format!("select * from {table} limit 3000");
        let tries = [
            vec![format!("alter table {table} no force row level security"), query.clone()],
            vec![format!("alter table {table} disable row level security"), query.clone()],
        ];
        for script in tries {
            hunt.count(&relation.object(), Verb::Select, TenantContext::Tenant, "lift");
            let outcome = hunt.stage.attempt(Actor::Attacker, &script, None).await?;
            let Some(answer) = outcome.last() else { continue };
            if reads::foreign_rows(hunt, &relation, answer, "").is_empty() {
                continue;
            }
            let evidence = "the app's role may lift row security, and then sees another tenant's rows";
            hunt.add(
                &rules::UNDOES,
                &relation.object(),
                Verb::Select,
                TenantContext::Tenant,
                &script,
                evidence,
                Some(relation.oid),
            );
            let app = hunt.stage.subject.app_role.clone();
            hunt.add(
                &rules::UNDOES,
                &format!("role:{app}"),
                Verb::Execute,
                TenantContext::Tenant,
                &script,
                evidence,
                None,
            );
            break;
        }
    }
    Ok(())
}
