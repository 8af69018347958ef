//! What all tenants share beside tables: sequences, statistics, large objects.

use crate::attack::{Hunt, stage::Actor};
use crate::{
    catalog::Relation,
    finding::{TenantContext, Verb},
    rules,
    session::{Session, SessionError, literal},
};

pub(super) async fn sequences(hunt: &mut Hunt) -> Result<(), SessionError> {
    let roles = hunt.stage.roles_in_play();
    let sequences: Vec<_> = hunt
        .stage
        .catalog
        .sequences
        .iter()
        .filter(|sequence| {
            !sequence.extension
                && roles.iter().any(|role| hunt.stage.catalog.uses_schema(*role, &sequence.schema))
        })
        .cloned()
        .collect();
    for sequence in sequences {
        let name = literal(&sequence.quoted());
        let object = sequence.object();
        hunt.count(&object, Verb::Update, TenantContext::Tenant, "setval");
        let set = format!("select setval({name}::regclass, 7, true)");
        let outcome = hunt.stage.attempt(Actor::Attacker, std::slice::from_ref(&set), None).await?;
        if outcome.refusal.is_none() {
            let evidence = "the attacker chose what the next tenant draws";
            hunt.add(&rules::SEQUENCE, &object, Verb::Update, TenantContext::Tenant, &[set], evidence, None);
        }
        // A sequence that bears another tenant's name is that tenant's.
        let bears = |id: &str| {
            let id: String =
                id.to_ascii_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
            let name = sequence.name.to_ascii_lowercase();
            name == id
                || name.starts_with(&format!("{id}_"))
                || name.ends_with(&format!("_{id}"))
                || name.contains(&format!("_{id}_"))
        };
        let theirs = hunt.stage.foreign().any(|tenant| bears(&tenant.id));
        if theirs && !bears(&hunt.stage.attacker.id) {
            for statement in [
                format!("select last_value from {}", sequence.quoted()),
                format!("select nextval({name}::regclass)"),
            ] {
                hunt.count(&object, Verb::Select, TenantContext::Tenant, "theirs");
                let outcome =
                    hunt.stage.attempt(Actor::Attacker, std::slice::from_ref(&statement), None).await?;
                if outcome.refusal.is_none() {
                    let evidence = "it counts for another tenant, by its name";
                    hunt.add(
                        &rules::SEQUENCE,
                        &object,
                        Verb::Select,
                        TenantContext::Tenant,
                        &[statement],
                        evidence,
                        None,
                    );
                }
            }
        }
    }
    Ok(())
}

/// Views of the system that can quote rows.
const SYSTEM: &[&str] = &[
    "pg_catalog.pg_stats",
    "pg_catalog.pg_statistic",
    "pg_catalog.pg_stats_ext",
    "pg_catalog.pg_stats_ext_exprs",
    "pg_catalog.pg_statistic_ext_data",
    "pg_catalog.pg_largeobject",
    "pg_catalog.pg_prepared_xacts",
    "pg_catalog.pg_stat_activity",
];

pub(super) async fn statistics(hunt: &mut Hunt) -> Result<(), SessionError> {
    if hunt.unbound().is_some() {
        return Ok(());
    }
    // Somebody of another role is at work on the victim's rows.
    let mut busy = Session::open(&hunt.stage.url, "novelfoundry isolation").await?;
    let word = format!("{}busy", hunt.stage.victim.marker);
    busy.run(&format!("select {}", literal(&word))).await?;
    let mut views: Vec<String> = SYSTEM.iter().map(|name| (*name).to_owned()).collect();
    views.extend(
        hunt.stage
            .catalog
            .relations
            .iter()
            .filter(|relation| relation.name.starts_with("pg_stat_statements"))
            .map(Relation::object),
    );
    let reached: Vec<String> = hunt
        .stage
        .roles_in_play()
        .iter()
        .flat_map(|role| hunt.stage.catalog.privileges_of(*role))
        .filter_map(|oid| hunt.stage.catalog.role_by_oid(oid))
        .filter(|role| role.predefined)
        .map(|role| role.name.clone())
        .collect();
    for view in views {
        hunt.count(&view, Verb::Select, TenantContext::Tenant, "system");
        // What the system's own tables say is nobody's.
        let only = if view.contains("pg_stats") { " where schemaname !~ '^pg_'" } else { "" };
        let statement = format!("select * from {view}{only} limit 20000");
        let outcome = hunt.stage.attempt(Actor::Attacker, std::slice::from_ref(&statement), None).await?;
        let Some(answer) = outcome.last() else { continue };
        // Rows of tables that show them anyway are not the view's fault.
        let open: Vec<String> = hunt
            .read_leaks
            .iter()
            .filter_map(|(oid, _)| hunt.stage.catalog.relation(*oid))
            .map(|relation| relation.name.clone())
            .collect();
        let mut answer = answer.clone();
        answer.rows.retain(|row| !row.iter().flatten().any(|cell| open.contains(cell)));
        let Some(word) = hunt.tokens.in_answer(&answer, "") else { continue };
        let evidence = format!("it quotes {}", hunt.shown(&word));
        if view == "pg_catalog.pg_stat_activity" {
            let app = hunt.stage.subject.app_role.clone();
            for role in reached.iter().chain(std::iter::once(&app)) {
                hunt.add(
                    &rules::STATISTICS,
                    &format!("role:{role}"),
                    Verb::Select,
                    TenantContext::Tenant,
                    std::slice::from_ref(&statement),
                    &evidence,
                    None,
                );
            }
        } else {
            hunt.add(
                &rules::STATISTICS,
                &view,
                Verb::Select,
                TenantContext::Tenant,
                &[statement],
                &evidence,
                None,
            );
        }
    }
    Ok(())
}

/// Large objects know owners but no tenants.
pub(super) async fn large_objects(hunt: &mut Hunt) -> Result<(), SessionError> {
    let holders: Vec<(Relation, String)> = hunt
        .stage
        .targets()
        .into_iter()
        .filter(Relation::is_table)
        .filter_map(|relation| {
            let column = relation
                .columns
                .iter()
                .find(|column| {
                    hunt.stage.catalog.base_type(column.type_oid).is_some_and(|info| info.name == "oid")
                })?
                .name
                .clone();
            Some((relation, column))
        })
        .collect();
    let lax = hunt.stage.catalog.settings.iter().any(|setting| setting.setting == "lo_compat_privileges=on");
    if holders.is_empty() && hunt.stage.catalog.large_objects == 0 && !lax {
        return Ok(());
    }
    // Objects that are there tell whose they are; where there are none, the app may be who makes them.
    let roles: Vec<String> = hunt.stage.roles_in_play().iter().map(ToString::to_string).collect();
    let owners = hunt
        .stage
        .used
        .run(&format!(
            "select count(*), count(*) filter (where lomowner in ({})) from pg_largeobject_metadata",
            roles.join(", ")
        ))
        .await?;
    let counted = owners.rows.first().cloned().unwrap_or_default();
    let by_others = counted.first().cloned().flatten().is_some_and(|all| all != "0")
        && counted.get(1).cloned().flatten().is_some_and(|own| own == "0");
    let victim = hunt.stage.victim.clone();
    let text = hex::encode(format!("{}lob", victim.marker));
    // Numbers that the same seed gives again.
    let number = 3_000_000_000 + hunt.options.seed % 1_000_000 * 2;
    let make = |which: u64| format!("select lo_from_bytea({}, decode('{text}', 'hex'))", number + which);
    // The victim makes one as the app would; the server's administrator makes one that nobody was granted.
    let mut script = vec!["begin".to_owned()];
    script.extend(hunt.stage.enter_as(&victim));
    script.extend([make(0), "commit".to_owned()]);
    let results = hunt.stage.used.try_run_all(&script).await?;
    if results.iter().any(Result::is_err) {
        hunt.stage.used.try_run("rollback").await?.ok();
    }
    let of_app = results
        .get(results.len() - 2)
        .and_then(|result| result.as_ref().ok())
        .and_then(|answer| answer.value().map(ToOwned::to_owned));
    let of_nobody = hunt.stage.used.run(&make(1)).await?.value().map(ToOwned::to_owned);
    for (oid, nobodys) in [(of_app, false), (of_nobody, true)] {
        let Some(oid) = oid else { continue };
        if by_others && !nobodys {
            continue;
        }
        let statement = format!("select lo_get({oid})");
        hunt.count(
            "pg_catalog.pg_largeobject",
            Verb::Select,
            TenantContext::Tenant,
            if nobodys { "nobody's" } else { "app's" },
        );
        let outcome = hunt.stage.attempt(Actor::Attacker, std::slice::from_ref(&statement), None).await?;
        if outcome.last().is_none_or(|answer| answer.count == 0) {
            continue;
        }
        let evidence = "a large object that another tenant made was read, and their numbers stand in pg_largeobject_metadata";
        if nobodys {
            let app = hunt.stage.subject.app_role.clone();
            hunt.add(
                &rules::LARGE_OBJECT,
                &format!("role:{app}"),
                Verb::Select,
                TenantContext::Tenant,
                &[statement],
                evidence,
                None,
            );
        } else {
            for (relation, _) in &holders {
                hunt.add(
                    &rules::LARGE_OBJECT,
                    &relation.object(),
                    Verb::Select,
                    TenantContext::Tenant,
                    std::slice::from_ref(&statement),
                    evidence,
                    None,
                );
            }
        }
    }
    Ok(())
}
