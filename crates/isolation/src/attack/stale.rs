//! What a pooled connection still knows of the tenant before, and what another connection changes meanwhile.

use super::{Hunt, reads, stage::Actor};
use crate::{
    catalog::{Function, Relation, mentions},
    finding::{TenantContext, Verb},
    infer::settings_read,
    rules,
    session::{Answer, Session, SessionError},
};

/// Looks at plans, at settings that outlive their transaction, and at contexts that meet.
pub(super) async fn run(hunt: &mut Hunt) -> Result<(), SessionError> {
    if hunt.unbound().is_some() {
        return Ok(());
    }
    plans(hunt).await?;
    calls(hunt).await?;
    left_over(hunt).await?;
    meeting(hunt).await
}

fn readable(hunt: &Hunt) -> Vec<Relation> {
    hunt.stage
        .targets()
        .into_iter()
        .filter(|relation| hunt.readable.contains(&relation.oid))
        .filter(|relation| !hunt.read_leaks.contains(&(relation.oid, TenantContext::Tenant)))
        .collect()
}

/// Functions behind a relation's policies that answer by the context.
fn helpers(hunt: &Hunt, relation: &Relation, volatility: Option<&str>) -> Vec<Function> {
    let catalog = &hunt.stage.catalog;
    let mut first: Vec<u32> = catalog
        .policies
        .iter()
        .filter(|policy| policy.table == relation.oid || relation.reads.contains(&policy.table))
        .flat_map(|policy| policy.functions.clone())
        .collect();
    let text = relation.definition.clone().unwrap_or_default();
    first.extend(
        catalog
            .functions
            .iter()
            .filter(|function| mentions(&text, &function.name))
            .map(|function| function.oid),
    );
    catalog
        .functions_behind(&first)
        .into_iter()
        .filter(|function| volatility.is_none_or(|wanted| function.volatility == wanted))
        .cloned()
        .collect()
}

/// A statement prepared for the victim and run for the attacker on the same connection.
async fn plans(hunt: &mut Hunt) -> Result<(), SessionError> {
    let mut session = Session::open(&hunt.stage.url, "novelfoundry isolation").await?;
    for (index, relation) in readable(hunt).into_iter().enumerate() {
        hunt.count(&relation.object(), Verb::Select, TenantContext::Tenant, "plan");
        let name = format!("nf_plan_{index}");
        let prepare = format!("prepare {name} as {}", reads::select_all(&hunt.stage, &relation));
        let execute = format!("execute {name}");
        let mut script = vec!["begin".to_owned()];
        script.extend(hunt.stage.enter(Actor::Victim));
        script.extend([
            prepare.clone(),
            execute.clone(),
            execute.clone(),
            "rollback".to_owned(),
            "begin".to_owned(),
        ]);
        script.extend(hunt.stage.enter(Actor::Attacker));
        script.push(execute.clone());
        let results = session.try_run_all(&script).await?;
        session.try_run("rollback").await?.ok();
        let Some(Ok(answer)) = results.last() else { continue };
        let mut answer = answer.clone();
        shown_anyway(hunt, &reads::select_all(&hunt.stage, &relation), &mut answer).await?;
        if reads::foreign_rows(hunt, &relation, &answer, "").is_empty() {
            continue;
        }
        let evidence = "a statement prepared in another tenant's context goes on showing that tenant";
        let shown = vec![prepare, execute];
        for helper in helpers(hunt, &relation, Some("i")) {
            if !settings_read(&helper.source).is_empty()
                || mentions(&helper.source, "current_setting")
                || !helper.source.is_empty()
            {
                hunt.add(
                    &rules::STALE,
                    &helper.object(),
                    Verb::Select,
                    TenantContext::Tenant,
                    &shown,
                    evidence,
                    None,
                );
            }
        }
        hunt.add(
            &rules::STALE,
            &relation.object(),
            Verb::Select,
            TenantContext::Tenant,
            &shown,
            evidence,
            Some(relation.oid),
        );
    }
    Ok(())
}

/// Takes out of an answer what the attacker is shown anyway: that is not left over from anybody.
async fn shown_anyway(hunt: &mut Hunt, query: &str, answer: &mut Answer) -> Result<(), SessionError> {
    let fresh = hunt.stage.attempt(Actor::Attacker, &[query.to_owned()], None).await?;
    if let Some(fresh) = fresh.last() {
        answer.rows.retain(|row| !fresh.rows.contains(row));
    }
    Ok(())
}

/// A function called for the victim and then for the attacker on the same connection.
async fn calls(hunt: &mut Hunt) -> Result<(), SessionError> {
    let mut session = Session::open(&hunt.stage.url, "novelfoundry isolation").await?;
    for call in super::functions::plain_calls(&hunt.stage) {
        let Some(function) = hunt
            .stage
            .catalog
            .functions
            .iter()
            .find(|function| call == format!("select * from {}()", function.quoted()))
            .cloned()
        else {
            continue;
        };
        if hunt.has(&function.object()) {
            continue;
        }
        hunt.count(&function.object(), Verb::Execute, TenantContext::Tenant, "plan");
        let mut script = vec!["begin".to_owned()];
        script.extend(hunt.stage.enter(Actor::Victim));
        script.extend([call.clone(), call.clone(), "commit".to_owned(), "begin".to_owned()]);
        script.extend(hunt.stage.enter(Actor::Attacker));
        script.push(call.clone());
        if function.volatility == "v" && !function.source.to_ascii_lowercase().contains("temp") {
            // What may write is not committed for a look.
            continue;
        }
        let results = session.try_run_all(&script).await?;
        session.try_run("rollback").await?.ok();
        let Some(Ok(answer)) = results.last() else { continue };
        if let Some(word) = hunt.tokens.in_answer(answer, "") {
            let evidence =
                format!("called in another tenant's context before, it told {}", hunt.shown(&word));
            hunt.call_leak(&rules::STALE, &function, TenantContext::Tenant, &[call], &evidence);
        }
    }
    Ok(())
}

/// Functions that a context calls.
fn openers(hunt: &Hunt) -> Vec<Function> {
    let context = hunt.stage.subject.context.join("\n");
    let named = |function: &&Function| mentions(&context, &function.name) && context.contains('(');
    hunt.stage.catalog.functions.iter().filter(named).cloned().collect()
}

/// A context that was committed, and a borrower who opens none.
async fn left_over(hunt: &mut Hunt) -> Result<(), SessionError> {
    let openers = openers(hunt);
    let lasting = hunt.stage.subject.context.iter().any(|statement| {
        let lower = statement.to_ascii_lowercase();
        !lower.contains("local") && lower.trim_start().starts_with("set ")
    });
    if openers.is_empty() && !lasting {
        return Ok(());
    }
    for relation in readable(hunt) {
        hunt.count(&relation.object(), Verb::Select, TenantContext::Empty, "left over");
        let mut session = Session::open(&hunt.stage.url, "novelfoundry isolation").await?;
        let query = reads::select_all(&hunt.stage, &relation);
        let mut script = vec!["begin".to_owned()];
        script.extend(hunt.stage.enter(Actor::Victim));
        script.extend(["select 1".to_owned(), "commit".to_owned(), "begin".to_owned()]);
        script.extend(hunt.stage.enter(Actor::Unset));
        script.push(query.clone());
        let results = session.try_run_all(&script).await?;
        session.try_run("rollback").await?.ok();
        let Some(Ok(answer)) = results.last() else { continue };
        if reads::foreign_rows(hunt, &relation, answer, "").is_empty() {
            continue;
        }
        let evidence = "the next borrower of the connection, who opened no context, sees the tenant before";
        for opener in &openers {
            hunt.add(
                &rules::STALE,
                &opener.object(),
                Verb::Execute,
                TenantContext::Empty,
                std::slice::from_ref(&query),
                evidence,
                None,
            );
        }
        if openers.is_empty() {
            hunt.add(
                &rules::STALE,
                &relation.object(),
                Verb::Select,
                TenantContext::Empty,
                &[query],
                evidence,
                Some(relation.oid),
            );
        }
        break;
    }
    Ok(())
}

/// The victim opens a context on another connection while the attacker is in one.
async fn meeting(hunt: &mut Hunt) -> Result<(), SessionError> {
    for relation in readable(hunt).into_iter().take(12) {
        hunt.count(&relation.object(), Verb::Select, TenantContext::Tenant, "meeting");
        let mut one = Session::open(&hunt.stage.url, "novelfoundry isolation").await?;
        let mut script = vec!["begin".to_owned()];
        script.extend(hunt.stage.enter(Actor::Attacker));
        let entered = one.try_run_all(&script).await?;
        if entered.iter().any(Result::is_err) {
            continue;
        }
        let mut other = Session::open(&hunt.stage.url, "novelfoundry isolation").await?;
        // Who waits for the attacker's lock is not waited for.
        let mut script = vec!["begin".to_owned(), "set local lock_timeout = '200ms'".to_owned()];
        script.extend(hunt.stage.enter(Actor::Victim));
        script.push("commit".to_owned());
        other.try_run_all(&script).await?;
        let query = reads::select_all(&hunt.stage, &relation);
        let result = one.try_run(&query).await?;
        one.try_run("rollback").await?.ok();
        let Ok(mut answer) = result else { continue };
        shown_anyway(hunt, &query, &mut answer).await?;
        if reads::foreign_rows(hunt, &relation, &answer, "").is_empty() {
            continue;
        }
        let evidence = "another tenant opened its context on another connection, and this one shows its rows";
        for helper in helpers(hunt, &relation, None) {
            hunt.add(
                &rules::STALE,
                &helper.object(),
                Verb::Select,
                TenantContext::Tenant,
                std::slice::from_ref(&query),
                evidence,
                None,
            );
        }
        hunt.add(
            &rules::STALE,
            &relation.object(),
            Verb::Select,
            TenantContext::Tenant,
            &[query],
            evidence,
            Some(relation.oid),
        );
    }
    Ok(())
}
