//! Ways that lead neither through a table nor through a call: sequences, large objects, statistics, notifications,
//! programs of the server, triggers and references of the attacker's own, foreign tables.

use regex_lite::Regex;

use super::{
    Hunt, choices, functions, hijack,
    seed::{Row, Seeder, insert},
    stage::Actor,
};
use crate::{
    catalog::{Function, Relation, RelationKind, mentions},
    finding::{TenantContext, Verb},
    rules,
    session::{Heard, Session, SessionError, identifier, literal},
};

/// Tries all of them; those that have to commit come last.
pub(super) async fn run(hunt: &mut Hunt) -> Result<(), SessionError> {
    sequences(hunt).await?;
    statistics(hunt).await?;
    programs(hunt).await?;
    replaced_helpers(hunt).await?;
    dropped(hunt).await?;
    own_triggers(hunt).await?;
    own_references(hunt).await?;
    leakproof(hunt).await?;
    fallbacks(hunt).await?;
    large_objects(hunt).await?;
    notifications(hunt).await?;
    foreign_tables(hunt).await
}

async fn sequences(hunt: &mut Hunt) -> Result<(), SessionError> {
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
        let theirs = hunt.stage.foreign().any(|tenant| {
            let id = tenant.id.to_ascii_lowercase();
            let alike = |text: &str| {
                text.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect::<String>()
            };
            let (id, name) = (alike(&id), sequence.name.to_ascii_lowercase());
            name == id
                || name.starts_with(&format!("{id}_"))
                || name.ends_with(&format!("_{id}"))
                || name.contains(&format!("_{id}_"))
        });
        if theirs {
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

async fn statistics(hunt: &mut Hunt) -> Result<(), SessionError> {
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

/// Programs and files of the server, where everything lies open.
async fn programs(hunt: &mut Hunt) -> Result<(), SessionError> {
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
async fn replaced_helpers(hunt: &mut Hunt) -> Result<(), SessionError> {
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
        if let Some((seen, script)) = super::chain::sweep(hunt, &[step], None).await? {
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
async fn dropped(hunt: &mut Hunt) -> Result<(), SessionError> {
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

/// A trigger of the attacker's is handed the victim's rows in the victim's own transactions.
async fn own_triggers(hunt: &mut Hunt) -> Result<(), SessionError> {
    for relation in hunt.stage.targets().into_iter().filter(Relation::is_table) {
        if !hunt.stage.may(&relation, "TRIGGER") {
            continue;
        }
        hunt.count(&relation.object(), Verb::Select, TenantContext::Tenant, "own trigger");
        let Some(column) =
            relation.columns.iter().find(|column| !column.generated && column.identity != "a").cloned()
        else {
            continue;
        };
        let script = vec![
            "create function pg_temp.nf_hand() returns trigger language plpgsql as $nf$ begin raise notice '%', old; return new; end $nf$".to_owned(),
            format!("create trigger nf_hand before update on {} for each row execute function pg_temp.nf_hand()", relation.quoted()),
        ];
        let mut all = script.clone();
        all.push("reset session authorization".to_owned());
        all.extend(hunt.stage.enter(Actor::Victim));
        let name = identifier(&column.name);
        all.push(format!("update {} set {name} = {name}", relation.quoted()));
        let outcome = hunt.stage.attempt(Actor::Attacker, &all, None).await?;
        let made = outcome.answers.len() >= script.len();
        let handed = hunt.tokens.in_heard(&outcome.heard, "");
        if let (true, Some(word)) = (made, handed) {
            let evidence = format!(
                "a trigger of the attacker's was handed {} in the other tenant's transaction",
                hunt.shown(&word)
            );
            hunt.add(
                &rules::UNDOES,
                &relation.object(),
                Verb::Select,
                TenantContext::Tenant,
                &script,
                &evidence,
                Some(relation.oid),
            );
        }
    }
    Ok(())
}

/// A foreign key of the attacker's own asks for values past row security.
async fn own_references(hunt: &mut Hunt) -> Result<(), SessionError> {
    let Some((schema, made)) = hijack::writable_schema(hunt) else { return Ok(()) };
    let victim = hunt.stage.victim.clone();
    for relation in hunt.stage.targets().into_iter().filter(Relation::is_table) {
        if !hunt.stage.may(&relation, "REFERENCES") {
            continue;
        }
        let keys: Vec<Vec<i16>> = hunt
            .stage
            .catalog
            .constraints_of(relation.oid)
            .filter(|constraint| matches!(constraint.kind.as_str(), "p" | "u"))
            .map(|constraint| constraint.columns.clone())
            .collect();
        let Some(row) = hunt.row_behind(&relation, &victim) else { continue };
        for key in keys {
            let columns: Vec<_> = key.iter().filter_map(|number| relation.column(*number)).cloned().collect();
            let guessable = columns.iter().any(|column| {
                row.get(&column.name).cloned().flatten().is_some_and(|value| value != victim.id)
                    && hunt.stage.catalog.base_type(column.type_oid).is_some_and(|info| info.name != "uuid")
            });
            if !guessable
                || columns.iter().any(|column| {
                    hunt.stage.catalog.base_type(column.type_oid).is_some_and(|info| info.name == "uuid")
                        && row.get(&column.name).cloned().flatten().is_some_and(|value| value != victim.id)
                })
            {
                continue;
            }
            let names: Vec<String> = columns.iter().map(|column| identifier(&column.name)).collect();
            let typed: Vec<String> = columns
                .iter()
                .map(|column| format!("{} {}", identifier(&column.name), column.type_name))
                .collect();
            let table = format!("{}.nf_asks", identifier(&schema));
            let values = |other: bool| -> String {
                let values: Vec<String> = columns
                    .iter()
                    .map(|column| {
                        let value = row.get(&column.name).cloned().flatten().unwrap_or_default();
                        let info = hunt.stage.catalog.base_type(column.type_oid);
                        let (name, category) =
                            info.map_or(("", ""), |info| (info.name.as_str(), info.category.as_str()));
                        if other && value != victim.id {
                            literal(&choices::nobodys(name, category, &value))
                        } else {
                            literal(&value)
                        }
                    })
                    .collect();
                values.join(", ")
            };
            let (theirs, nobodys) = (values(false), values(true));
            let mut classes = Vec::new();
            let mut shown = Vec::new();
            for value in [&theirs, &nobodys] {
                let mut script = made.clone();
                script.push(format!(
                    "create table {table} ({}, foreign key ({}) references {} ({}))",
                    typed.join(", "),
                    names.join(", "),
                    relation.quoted(),
                    names.join(", ")
                ));
                script.push(format!("insert into {table} values ({value})"));
                hunt.count(&relation.object(), Verb::Existence, TenantContext::Tenant, "own reference");
                let outcome = hunt.stage.attempt(Actor::Attacker, &script, None).await?;
                classes.push(outcome.class());
                shown = script;
            }
            if classes[0].starts_with("ok") && classes[1].starts_with("23503") {
                let evidence = format!(
                    "{}: a reference of the attacker's own holds for another tenant's value and not for one that nobody has",
                    names.join(", ")
                );
                hunt.add(
                    &rules::EXISTENCE,
                    &relation.object(),
                    Verb::Existence,
                    TenantContext::Tenant,
                    &shown,
                    &evidence,
                    Some(relation.oid),
                );
            }
        }
    }
    Ok(())
}

/// A function that is wrongly trusted to tell nothing runs before the policy.
async fn leakproof(hunt: &mut Hunt) -> Result<(), SessionError> {
    let trusted: Vec<Function> = functions::callable(&hunt.stage)
        .into_iter()
        .filter(|function| function.leakproof && function.argument_types.len() == 1 && !function.extension)
        .collect();
    for function in trusted {
        for relation in hunt.stage.targets() {
            if !hunt.readable.contains(&relation.oid) {
                continue;
            }
            for column in &relation.columns {
                let same = hunt.stage.catalog.base_type(column.type_oid).map(|info| info.oid)
                    == hunt.stage.catalog.base_type(function.argument_types[0]).map(|info| info.oid);
                if !same || !hunt.stage.may_column(&relation, column, "SELECT") {
                    continue;
                }
                hunt.count(&function.object(), Verb::Execute, TenantContext::Tenant, "leakproof");
                let statement = format!(
                    "select 1 from {} where {}({}) is null",
                    relation.quoted(),
                    function.quoted(),
                    identifier(&column.name)
                );
                let mut script: Vec<String> = ["indexscan", "bitmapscan", "indexonlyscan"]
                    .map(|kind| format!("set local enable_{kind} = off"))
                    .to_vec();
                script.push(statement.clone());
                let before =
                    hunt.base_of(&relation).map(|base| hunt.stage.without_own(&base)).unwrap_or_default();
                let outcome = hunt.stage.attempt_after(&before, Actor::Attacker, &script, None).await?;
                let word = outcome
                    .refusal
                    .as_ref()
                    .and_then(|refusal| hunt.tokens.in_refusal(refusal, &statement))
                    .or_else(|| hunt.tokens.in_heard(&outcome.heard, &statement));
                if let Some(word) = word {
                    let evidence = format!(
                        "declared leakproof, it ran before the policy of {} and told {}",
                        relation.object(),
                        hunt.shown(&word)
                    );
                    hunt.add(
                        &rules::LEAKY_VIEW,
                        &function.object(),
                        Verb::Execute,
                        TenantContext::Tenant,
                        &[statement],
                        &evidence,
                        None,
                    );
                }
            }
        }
    }
    Ok(())
}

/// Helpers and roles that name a tenant where nobody opened a context.
async fn fallbacks(hunt: &mut Hunt) -> Result<(), SessionError> {
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
        .filter_map(|statement| super::stage::setting_of(statement))
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
            &["-- log in and open no context".to_owned()],
            evidence,
            None,
        );
    }
    Ok(())
}

/// Large objects know owners but no tenants.
async fn large_objects(hunt: &mut Hunt) -> Result<(), SessionError> {
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
    let make = format!("select lo_from_bytea(0, decode('{text}', 'hex'))");
    // The victim makes one as the app would; the server's administrator makes one that nobody was granted.
    let mut script = vec!["begin".to_owned()];
    script.extend(hunt.stage.enter_as(&victim));
    script.extend([make.clone(), "commit".to_owned()]);
    let results = hunt.stage.used.try_run_all(&script).await?;
    if results.iter().any(Result::is_err) {
        hunt.stage.used.try_run("rollback").await?.ok();
    }
    let of_app = results
        .get(results.len() - 2)
        .and_then(|result| result.as_ref().ok())
        .and_then(|answer| answer.value().map(ToOwned::to_owned));
    let of_nobody = hunt.stage.used.run(&make).await?.value().map(ToOwned::to_owned);
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
async fn notifications(hunt: &mut Hunt) -> Result<(), SessionError> {
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
async fn foreign_tables(hunt: &mut Hunt) -> Result<(), SessionError> {
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
            && let Some(column) =
                super::writes::writable(hunt, &relation, "UPDATE").iter().find(|column| !column.not_null)
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
