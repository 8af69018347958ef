//! Procedures that commit by themselves, which cannot be called within a transaction: what they did is put back by hand.

use regex_lite::Regex;

use crate::attack::{
    Hunt, functions,
    stage::{Actor, Outcome, changed},
};
use crate::{
    catalog::{Function, Relation, RelationKind, mentions},
    finding::{TenantContext, Verb},
    rules,
    session::{Session, SessionError, identifier},
};

/// Calls of one procedure.
const CALLS: usize = 12;

/// Bytes that are put back after each call.
const KEPT: u64 = 64 << 20;

/// Calls every procedure that ends its transaction.
pub(super) async fn committing(hunt: &mut Hunt) -> Result<(), SessionError> {
    let procedures: Vec<Function> = functions::callable(&hunt.stage)
        .into_iter()
        .filter(|function| function.kind == "p" && !functions::opens(&hunt.stage, function))
        .filter(|function| ends(hunt, function) && !hunt.has(&function.object()))
        .collect();
    if procedures.is_empty() || hunt.unbound().is_some() {
        return Ok(());
    }
    let Some(entered) = entered(hunt) else {
        for function in procedures {
            hunt.not_attacked(
                function.object(),
                "it commits by itself, and the context ends with a transaction",
            );
        }
        return Ok(());
    };
    let mut keeper = Session::open(&hunt.stage.url, "novelfoundry isolation").await?;
    let tables: Vec<Relation> = hunt
        .stage
        .catalog
        .relations
        .iter()
        .filter(|table| table.is_table() && !table.partition && !table.extension)
        .cloned()
        .collect();
    let size = "select coalesce(sum(pg_total_relation_size(oid)), 0) from pg_class where relkind = 'r' and oid > 16383";
    let bytes = keeper.run(size).await?.value().and_then(|bytes| bytes.parse::<u64>().ok());
    if bytes.is_none_or(|bytes| bytes > KEPT) {
        for function in procedures {
            hunt.not_attacked(function.object(), "it commits by itself, and there is too much to put back");
        }
        return Ok(());
    }
    for table in &tables {
        let kept =
            format!("create temporary table nf_kept_{} as select * from {}", table.oid, rows_of(table));
        keeper.run(&kept).await?;
    }
    for function in procedures {
        for (theirs, _) in functions::arguments(hunt, &function).into_iter().take(CALLS) {
            if hunt.spent() || hunt.has(&function.object()) {
                break;
            }
            play(hunt, &function, &theirs, &entered).await?;
            let after = hunt.stage.baseline().await?;
            if after != hunt.baseline {
                put_back(&mut keeper, &tables).await?;
                // What could not be put back is how it is from now on.
                hunt.baseline = hunt.stage.baseline().await?;
            }
        }
    }
    put_back(&mut keeper, &tables).await
}

/// Tells whether a procedure, or what it calls, ends the transaction.
fn ends(hunt: &Hunt, function: &Function) -> bool {
    hunt.stage.catalog.functions_behind(&[function.oid]).iter().any(|behind| {
        let lower = behind.source.to_ascii_lowercase();
        behind.kind == "p" && (mentions(&lower, "commit") || mentions(&lower, "rollback"))
    })
}

/// Returns what opens the attacker's context for a session; none where it cannot outlast a transaction.
fn entered(hunt: &Hunt) -> Option<Vec<String>> {
    let local = Regex::new(r"(?i)^\s*set\s+local\s").ok()?;
    let config = Regex::new(r"(?i)(set_config\s*\(.*),\s*true\s*\)").ok()?;
    hunt.stage
        .enter(Actor::Attacker)
        .into_iter()
        .map(|statement| {
            let lower = statement.to_ascii_lowercase();
            let lasts = lower.contains("set_config") || lower.trim_start().starts_with("set");
            let lasting = local.replace(&statement, "set ").into_owned();
            lasts.then(|| config.replace(&lasting, "$1, false)").into_owned())
        })
        .collect()
}

async fn play(
    hunt: &mut Hunt,
    function: &Function,
    arguments: &[String],
    entered: &[String],
) -> Result<(), SessionError> {
    let object = function.object();
    hunt.count(&object, Verb::Execute, TenantContext::Tenant, "committed");
    let mut session = Session::open(&hunt.stage.url, "novelfoundry isolation").await?;
    for statement in entered {
        if session.try_run(statement).await?.is_err() {
            return Ok(());
        }
    }
    let call = functions::statement(function, arguments);
    let result = session.try_run(&call).await?;
    let mut outcome = Outcome { heard: session.heard(), ..Outcome::default() };
    match result {
        Ok(answer) => outcome.answers.push(answer),
        Err(refusal) => outcome.refusal = Some(refusal),
    }
    let fingerprint = hunt.stage.fingerprint.clone();
    outcome.changed = changed(&hunt.baseline, &hunt.stage.used.run(&fingerprint).await?);
    let script = [call.clone()];
    if let Some(word) = hunt.told(&outcome, &call) {
        let evidence = format!("called outside of a transaction, it told {}", hunt.shown(&word));
        hunt.call_leak(&rules::REVEALS, function, TenantContext::Tenant, &script, &evidence);
    }
    if !outcome.changed.is_empty() {
        let what = hunt.not_as_they_were(&outcome.changed);
        let evidence = format!("called outside of a transaction: {what}");
        hunt.call_leak(&rules::ACTS, function, TenantContext::Tenant, &script, &evidence);
    }
    Ok(())
}

/// Puts all rows back.
async fn put_back(keeper: &mut Session, tables: &[Relation]) -> Result<(), SessionError> {
    let mut script = vec!["begin".to_owned(), "set local session_replication_role = replica".to_owned()];
    script.extend(tables.iter().map(|table| format!("delete from {}", rows_of(table))));
    for table in tables {
        let names: Vec<String> = table
            .columns
            .iter()
            .filter(|column| !column.generated)
            .map(|column| identifier(&column.name))
            .collect();
        let names = names.join(", ");
        script.push(format!(
            "insert into {} ({names}) overriding system value select {names} from nf_kept_{}",
            table.quoted(),
            table.oid
        ));
    }
    script.push("commit".to_owned());
    let results = keeper.try_run_all(&script).await?;
    if results.iter().any(Result::is_err) {
        keeper.try_run("rollback").await?.ok();
    }
    Ok(())
}

/// Names a table without its heirs, which are kept themselves.
fn rows_of(table: &Relation) -> String {
    let only = if table.kind == RelationKind::Table { "only " } else { "" };
    format!("{only}{}", table.quoted())
}
