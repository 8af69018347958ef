//! COPY in, which fires no rules and has checks of its own.

use futures_util::SinkExt;

use super::{
    Hunt,
    seed::{Row, Seeder},
    stage::Actor,
};
use crate::{
    catalog::Relation,
    finding::{TenantContext, Verb},
    rules,
    session::{Session, SessionError, identifier},
};

/// Copies a row of the victim's into every table that takes it.
pub(super) async fn run(hunt: &mut Hunt) -> Result<(), SessionError> {
    for relation in hunt.stage.targets() {
        if !relation.is_table()
            || relation.rls
            || hunt.spent()
            || !hunt.stage.may(&relation, "INSERT")
            || hunt.has_verb(&relation.object(), Verb::Insert)
        {
            continue;
        }
        copy_in(hunt, &relation).await?;
    }
    Ok(())
}

async fn copy_in(hunt: &mut Hunt, relation: &Relation) -> Result<(), SessionError> {
    let object = relation.object();
    hunt.count(&object, Verb::Insert, TenantContext::Tenant, "copy");
    let mut fresh = hunt.stage.victim.clone();
    fresh.marker = format!("zqc{}", fresh.marker.get(3..).unwrap_or_default());
    fresh.block = 6;
    let seeds = std::mem::take(&mut hunt.seeds);
    let mut seeder = Seeder::resume(&mut hunt.stage, seeds);
    let mut row: Row = seeder.craft(relation, &fresh, &Row::new()).await?;
    hunt.seeds = seeder.seeds;
    row.retain(|name, _| {
        relation.column_named(name).is_some_and(|column| hunt.stage.may_column(relation, column, "INSERT"))
    });
    let names: Vec<String> = row.keys().map(|name| identifier(name)).collect();
    let statement = format!("copy {} ({}) from stdin", relation.quoted(), names.join(", "));
    let cells: Vec<String> = row
        .values()
        .map(|value| {
            value.as_ref().map_or_else(
                || "\\N".to_owned(),
                |value| value.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n"),
            )
        })
        .collect();
    let line = format!("{}\n", cells.join("\t"));
    let mut script = vec!["begin".to_owned()];
    script.extend(hunt.stage.enter(Actor::Attacker));
    // A refused COPY leaves a connection of this driver unusable.
    let mut session = Session::open(&hunt.stage.url, "novelfoundry isolation").await?;
    for statement in script {
        session.run(&statement).await?;
    }
    let Ok(sink) = session.client().copy_in::<_, std::io::Cursor<Vec<u8>>>(&statement).await else {
        return Ok(());
    };
    let mut sink = std::pin::pin!(sink);
    let sent = sink.send(std::io::Cursor::new(line.clone().into_bytes())).await.is_ok();
    if !sent || sink.finish().await.is_err() {
        return Ok(());
    }
    session.run("reset session authorization").await?;
    let after = session.run(&hunt.stage.fingerprint).await?;
    let changed = super::stage::changed(&hunt.baseline, &after);
    if !changed.is_empty() {
        let told = hunt.options.full_evidence || !cells.iter().any(|cell| hunt.stage.rows_say.contains(cell));
        let statements = vec![format!("{statement};\n{}\\.", if told { line.as_str() } else { "…\n" })];
        let evidence = "a row copied in is another tenant's";
        hunt.leak_by_write(
            &rules::PLANTS,
            relation,
            Verb::Insert,
            TenantContext::Tenant,
            &statements,
            evidence,
            &changed,
        );
    }
    Ok(())
}
