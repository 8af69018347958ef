//! What the app's role may do that it should not: run programs of the server, replace or drop what isolates.

use crate::attack::{Hunt, stage::Actor};
use crate::{
    catalog::Function,
    finding::{TenantContext, Verb},
    rules,
    session::{SessionError, identifier, literal},
};

/// Programs and files of the server, where everything lies open.
pub(super) async fn programs(hunt: &mut Hunt) -> Result<(), SessionError> {
    let marker = hunt.stage.victim.marker.clone();
    let reached: Vec<String> = hunt
        .stage
        .roles_in_play()
        .iter()
        .flat_map(|role| hunt.stage.catalog.privileges_of(*role))
        .filter_map(|oid| hunt.stage.catalog.role_by_oid(oid))
        .map(|role| role.name.clone())
        .filter(|name| matches!(name.as_str(), "pg_execute_server_program" | "pg_read_server_files"))
        .collect();
    if reached.is_empty() {
        return Ok(());
    }
    hunt.stage.used.run("checkpoint").await?;
    let app = hunt.stage.subject.app_role.clone();
    for role in reached {
        let way = if role == "pg_execute_server_program" {
            format!("copy nf_files from program 'grep -r -a -o -h \"{marker}[a-z0-9]*\" base | head -n 50'")
        } else {
            "copy nf_files from '/proc/self/environ'".to_owned()
        };
        let script = vec![
            "create temporary table nf_files (line text)".to_owned(),
            way,
            "select line from nf_files".to_owned(),
        ];
        hunt.count(&format!("role:{role}"), Verb::Select, TenantContext::Tenant, "files");
        let outcome = hunt.stage.attempt(Actor::Attacker, &script, None).await?;
        let Some(answer) = outcome.last() else { continue };
        let told =
            hunt.tokens.in_answer(answer, "").is_some() || role == "pg_read_server_files" && answer.count > 0;
        if told {
            let evidence = "the server's own files, in which every tenant's rows lie, can be read";
            for name in [&role, &app] {
                hunt.add(
                    &rules::BECOMES,
                    &format!("role:{name}"),
                    Verb::Select,
                    TenantContext::Tenant,
                    &script,
                    evidence,
                    None,
                );
            }
        }
    }
    Ok(())
}

/// Functions that isolate and that the app's role owns are replaced by ones that name the victim.
pub(super) async fn replaced_helpers(hunt: &mut Hunt) -> Result<(), SessionError> {
    let catalog = &hunt.stage.catalog;
    let first: Vec<u32> = catalog.policies.iter().flat_map(|policy| policy.functions.clone()).collect();
    let roles: Vec<u32> =
        hunt.stage.roles_in_play().iter().flat_map(|role| catalog.privileges_of(*role)).collect();
    let owned: Vec<Function> = catalog
        .functions_behind(&first)
        .into_iter()
        .filter(|function| roles.contains(&function.owner))
        .cloned()
        .collect();
    for function in owned {
        let Some(kind) = hunt.stage.catalog.types.get(&function.returns).cloned() else { continue };
        let returns = format!("{}.{}", identifier(&kind.schema), identifier(&kind.name));
        let value = if kind.category == "B" { "true".to_owned() } else { literal(&hunt.stage.victim.id) };
        let step = format!(
            "create or replace function {}({}) returns {returns} language sql stable as $nf$ select {value}::{returns} $nf$",
            function.quoted(),
            function.signature
        );
        hunt.count(&function.object(), Verb::Execute, TenantContext::Tenant, "replace");
        if let Some((seen, script)) = crate::attack::chain::sweep(hunt, &[step], None).await? {
            let evidence = format!("replaced by its owner, the app's role, it opens rows of {seen}");
            hunt.add(
                &rules::UNDOES,
                &function.object(),
                Verb::Execute,
                TenantContext::Tenant,
                &script,
                &evidence,
                None,
            );
        }
    }
    Ok(())
}

/// Who owns a schema may drop what is in it.
pub(super) async fn dropped(hunt: &mut Hunt) -> Result<(), SessionError> {
    for relation in
        hunt.stage.targets().into_iter().filter(|relation| relation.is_table() && !relation.partition)
    {
        hunt.count(&relation.object(), Verb::Delete, TenantContext::Tenant, "drop");
        let script = vec![format!("drop table {} cascade", relation.quoted())];
        let outcome = hunt.stage.attempt(Actor::Attacker, &script, None).await?;
        if outcome.refusal.is_none() {
            let evidence = "the app's role may drop the table with all tenants' rows";
            let app = hunt.stage.subject.app_role.clone();
            hunt.add(
                &rules::UNDOES,
                &relation.object(),
                Verb::Delete,
                TenantContext::Tenant,
                &script,
                evidence,
                None,
            );
            hunt.add(
                &rules::UNDOES,
                &format!("role:{app}"),
                Verb::Delete,
                TenantContext::Tenant,
                &script,
                evidence,
                None,
            );
        }
    }
    Ok(())
}
