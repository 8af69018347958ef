//! What shows only once it is committed: notifications, and writes through foreign tables.

use regex_lite::Regex;

use crate::attack::{
    Hunt, functions,
    seed::{Row, Seeder, insert},
    stage::Actor,
};
use crate::{
    catalog::{Function, Relation, RelationKind, mentions},
    finding::{TenantContext, Verb},
    rules,
    session::{Heard, Session, SessionError, identifier},
};

/// Channels that a source names, and those that it makes of the victim's name.
fn channels(hunt: &Hunt, source: &str) -> Vec<String> {
    let Ok(pattern) = Regex::new(r"'([A-Za-z_][A-Za-z0-9_.:/-]{0,50})'") else { return Vec::new() };
    let mut channels = Vec::new();
    let mut ends = vec![hunt.stage.victim.id.clone()];
    ends.extend(hunt.stage.victim.principal.clone());
    for found in pattern.captures_iter(source) {
        let text = found[1].to_owned();
        for end in &ends {
            channels.push(format!("{text}{end}"));
        }
        channels.push(text);
    }
    if let Ok(pattern) = Regex::new(r"(?i)notify\s+([a-z_][a-z0-9_]*)") {
        channels.extend(pattern.captures_iter(source).map(|found| found[1].to_owned()));
    }
    channels.extend(ends);
    channels.retain(|channel| channel.len() < 63);
    channels.sort();
    channels.dedup();
    channels
}

/// Listens while the victim writes, and hears what is told.
pub(super) async fn notifications(hunt: &mut Hunt) -> Result<(), SessionError> {
    let tells = |function: &&Function| {
        let lower = function.source.to_ascii_lowercase();
        !function.extension && (lower.contains("pg_notify") || mentions(&lower, "notify"))
    };
    let telling: Vec<Function> = hunt.stage.catalog.functions.iter().filter(tells).cloned().collect();
    for function in telling {
        let mut listener = Session::open(&hunt.stage.url, "novelfoundry isolation").await?;
        listener
            .run(&format!("set session authorization {}", identifier(&hunt.stage.subject.app_role)))
            .await?;
        for channel in channels(hunt, &function.source) {
            listener.run(&format!("listen {}", identifier(&channel))).await?;
        }
        let tables: Vec<Relation> = hunt
            .stage
            .catalog
            .triggers
            .iter()
            .filter(|trigger| trigger.function == function.oid && trigger.enabled)
            .filter_map(|trigger| hunt.stage.catalog.relation(trigger.table))
            .cloned()
            .collect();
        let victim = hunt.stage.victim.clone();
        let mut writes: Vec<String> = Vec::new();
        for table in &tables {
            let mut told = victim.clone();
            told.block = 3;
            told.marker = format!("{}l", victim.marker);
            let seeds = std::mem::take(&mut hunt.seeds);
            let mut seeder = Seeder::resume(&mut hunt.stage, seeds);
            let row: Row = seeder.craft(table, &told, &Row::new()).await?;
            hunt.seeds = seeder.seeds;
            writes.push(insert(table, &row));
            if let Some(column) =
                table.columns.iter().find(|column| !column.generated && column.identity.is_empty())
            {
                let name = identifier(&column.name);
                writes.push(format!("update {} set {name} = {name}", table.quoted()));
            }
        }
        if tables.is_empty() {
            for arguments in functions::arguments(hunt, &function).into_iter().take(3) {
                writes.push(functions::statement(&function, &arguments.0));
            }
        }
        for write in writes {
            hunt.count(&function.object(), Verb::Listen, TenantContext::Tenant, "listen");
            let mut script = vec!["begin".to_owned()];
            script.extend(hunt.stage.enter_as(&victim));
            script.extend([write.clone(), "commit".to_owned()]);
            hunt.stage.used.try_run_all(&script).await?;
            hunt.stage.used.try_run("rollback").await?.ok();
            // An answer on the same connection comes behind what was sent before it.
            listener.run("select 1").await?;
            let heard = listener.heard();
            let told = heard.iter().find_map(|said| match said {
                Heard::Notification { channel, payload } => {
                    let id = victim.id.as_str();
                    let whose = payload.contains(id) || channel.contains(id);
                    (hunt.tokens.in_text(payload, "").is_some() || whose).then(|| channel.clone())
                }
                Heard::Notice(_) => None,
            });
            if let Some(channel) = told {
                let evidence = format!(
                    "whoever listens on {channel} hears of another tenant's rows: channels have no access rights"
                );
                let shown = vec![format!("listen {}", identifier(&channel)), write];
                hunt.add(
                    &rules::HEARS,
                    &function.object(),
                    Verb::Listen,
                    TenantContext::Tenant,
                    &shown,
                    &evidence,
                    None,
                );
                for table in &tables {
                    hunt.add(
                        &rules::HEARS,
                        &table.object(),
                        Verb::Listen,
                        TenantContext::Tenant,
                        &shown,
                        &evidence,
                        None,
                    );
                }
                break;
            }
        }
    }
    hunt.baseline = hunt.stage.baseline().await?;
    Ok(())
}

/// What goes through a foreign table happens on another connection, and is looked for when it is committed.
pub(super) async fn foreign_tables(hunt: &mut Hunt) -> Result<(), SessionError> {
    let tables: Vec<Relation> =
        hunt.stage.targets().into_iter().filter(|relation| relation.kind == RelationKind::Foreign).collect();
    for relation in tables {
        let Some(base) = hunt.base_of(&relation) else { continue };
        let mut tries = Vec::new();
        if hunt.stage.may(&relation, "INSERT") {
            let mut fresh = hunt.stage.victim.clone();
            fresh.block = 2;
            fresh.marker = format!("zqf{}", fresh.marker.get(3..).unwrap_or_default());
            let seeds = std::mem::take(&mut hunt.seeds);
            let mut seeder = Seeder::resume(&mut hunt.stage, seeds);
            let mut row = seeder.craft(&base, &fresh, &Row::new()).await?;
            hunt.seeds = seeder.seeds;
            row.retain(|name, _| relation.column_named(name).is_some());
            tries.push((Verb::Insert, insert(&relation, &row)));
        }
        if hunt.stage.may(&relation, "UPDATE")
            && let Some(column) = crate::attack::writes::writable(hunt, &relation, "UPDATE")
                .iter()
                .find(|column| !column.not_null)
        {
            tries.push((
                Verb::Update,
                format!("update {} set {} = null", relation.quoted(), identifier(&column.name)),
            ));
        }
        if hunt.stage.may(&relation, "DELETE") {
            tries.push((Verb::Delete, format!("delete from {}", relation.quoted())));
        }
        for (verb, statement) in tries {
            hunt.count(&relation.object(), verb, TenantContext::Tenant, "committed");
            let mut script = vec!["begin".to_owned()];
            script.extend(hunt.stage.enter(Actor::Attacker));
            script.extend([statement.clone(), "commit".to_owned()]);
            hunt.stage.used.try_run_all(&script).await?;
            hunt.stage.used.try_run("rollback").await?.ok();
            let after = hunt.stage.baseline().await?;
            if after != hunt.baseline {
                let evidence = "another tenant's rows are not what they were";
                let rule = if verb == Verb::Insert { &rules::PLANTS } else { &rules::WRITES };
                hunt.leak(
                    rule,
                    relation.oid,
                    &relation.object(),
                    verb,
                    TenantContext::Tenant,
                    &[statement],
                    evidence,
                );
                hunt.baseline = after;
            }
        }
    }
    Ok(())
}
