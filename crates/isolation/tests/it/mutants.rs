//! Our own schema, broken in one place at a time and then attacked: the check or the attack names each mutant, and one that
//! neither names is listed with the reason why it is harmless.

use std::{collections::BTreeSet, time::Instant};

use novelfoundry_isolation::{
    attack::{self, Options},
    catalog, check,
    config::Config,
    copy::{self, Copy, DATABASE},
    finding::{Kind, Level},
    infer,
    report::Report,
};
use novelfoundry_testkit::Database;

use crate::repair::assert_alike;

fn config() -> Config {
    Config { app_role: Some("novelfoundry_tenant".to_owned()), ..Config::default() }
}

async fn copied() -> Copy {
    let database = Database::shared().await;
    let copy = copy::of_database(&database.admin, false).await.unwrap();
    // What other tests have written would stand in the way of keys, and differ from run to run.
    let mut session = copy.scratch.open(DATABASE).await.unwrap();
    let names = "select string_agg(format('app.%I', relname), ', ') from pg_class \
        where relnamespace = 'app'::regnamespace and relkind = 'r' and relname <> 'plans'";
    let names = session.run(names).await.unwrap().value().unwrap().to_owned();
    session.run(&format!("truncate {names} cascade")).await.unwrap();
    drop(session);
    copy
}

/// Attacks a copy of the copy, with some statements run in it first; they may not touch roles, which all copies share.
async fn attacked(copy: &Copy, name: &str, statements: &str, seed: u64, only: Option<&str>) -> Report {
    copy.scratch.create_database(name, Some(DATABASE)).await.unwrap();
    let mut session = copy.scratch.open(name).await.unwrap();
    session.run(statements).await.unwrap();
    let catalog = catalog::load(&mut session).await.unwrap();
    let subject = infer::infer(&catalog, &config()).unwrap();
    drop(session);
    let only = only.map(|object| BTreeSet::from([object.to_owned(), "app.plans".to_owned()]));
    let options = Options { seed, budget: None, full_evidence: false, only };
    let report = Box::pin(attack::attack(copy.scratch.url(name), subject, options)).await.unwrap();
    let mut session = copy.scratch.open("postgres").await.unwrap();
    session.run(&format!("drop database {name} with (force)")).await.unwrap();
    report
}

/// One place in which the schema is broken.
struct Mutant {
    /// What breaks it.
    statement: String,
    /// What is attacked then.
    at: String,
    /// Where that has to be named; none where it breaks nothing, and then why.
    named: Result<String, &'static str>,
}

/// Breaks every policy, every switch of row security, a grant of each verb on each table, keys, references and functions.
async fn mutants(session: &mut novelfoundry_isolation::session::Session) -> Vec<Mutant> {
    let mut all = Vec::new();
    let mut push = |statement: String, named: Result<String, &'static str>| {
        // The object stands in the statement where nothing is named.
        let at = statement.split([' ', '(']).find(|word| word.starts_with("app."));
        let at = named.clone().unwrap_or_else(|_| at.unwrap_or_default().to_owned());
        all.push(Mutant { statement, at, named });
    };
    let policies = "select c.relname, p.polname, p.polcmd::text, \
        has_table_privilege('novelfoundry_tenant', c.oid, 'insert') or has_column_privilege('novelfoundry_tenant', c.oid, 'tenant_id', 'insert, update') \
        from pg_policy p join pg_class c on c.oid = p.polrelid where c.relnamespace = 'app'::regnamespace \
        and p.polroles @> array['novelfoundry_tenant'::regrole::oid] and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id') \
        order by 1, 2";
    for row in session.run(policies).await.unwrap().rows {
        let cell = |at: usize| row[at].clone().unwrap();
        let (table, policy) = (format!("app.{}", cell(0)), cell(1));
        push(format!("drop policy {policy} on {table}"), Err("without a policy nobody sees a row"));
        if cell(2) != "a" {
            push(format!("alter policy {policy} on {table} using (true)"), Ok(table.clone()));
        }
        if matches!(cell(2).as_str(), "*" | "a" | "w") {
            let named =
                if cell(3) == "t" { Ok(table.clone()) } else { Err("the login cannot write the column") };
            push(format!("alter policy {policy} on {table} with check (true)"), named);
        }
        push(format!("alter table {table} disable row level security"), Ok(table.clone()));
        push(format!("alter table {table} no force row level security"), Ok(table.clone()));
        push(format!("grant truncate on {table} to novelfoundry_tenant"), Ok(table.clone()));
        push(format!("grant trigger on {table} to novelfoundry_tenant"), Ok(table.clone()));
        push(
            format!("grant select, insert, update, delete on {table} to novelfoundry_tenant"),
            Err("the policies bind whatever is granted"),
        );
        push(
            format!(
                "create view app.leak as select * from {table}; grant select on app.leak to novelfoundry_tenant"
            ),
            Ok("app.leak".to_owned()),
        );
    }
    for (statement, named) in [
        ("alter table app.projects add unique (title)", Ok("app.projects")),
        ("create unique index on app.manuscripts (lower(title))", Ok("app.manuscripts")),
        (
            "alter table app.projects add number int unique; alter table app.manuscripts add number int references app.projects (number)",
            Ok("app.manuscripts"),
        ),
        ("create index on app.projects (title)", Err("an index that is not unique answers nothing")),
        ("alter function app.tenant_id() immutable", Ok("app.tenant_id")),
        ("alter function app.claimed_tenant_id() immutable", Ok("app.claimed_tenant_id")),
        (
            "alter function app.require_workspace_room(uuid, uuid) reset search_path",
            Ok("app.require_workspace_room"),
        ),
        ("alter function app.tenant_id() volatile", Err("it answers the same, only slower")),
        (
            "create or replace function app.everything() returns setof app.projects language sql security definer set search_path = app, pg_temp as 'select * from app.projects'; \
             alter function app.everything() owner to postgres",
            Ok("app.everything"),
        ),
        ("grant insert on app.plans to novelfoundry_tenant", Ok("app.plans")),
    ] {
        push(statement.to_owned(), named.map(ToOwned::to_owned));
    }
    all
}

/// Every so many mutants of those that the check names are attacked as well: one attack takes seconds.
const STEP: usize = 24;

#[tokio::test(flavor = "multi_thread")]
async fn the_check_or_the_attack_names_every_mutant() {
    if !novelfoundry_testkit::can_dump() {
        return;
    }
    let begun = Instant::now();
    let copy = copied().await;
    let mut session = copy.scratch.open(DATABASE).await.unwrap();
    let superuser = session.run("select current_user").await.unwrap().value().unwrap().to_owned();
    let all = mutants(&mut session).await;
    let (mut wrong, mut attacks, mut checked) = (Vec::new(), 0, 0);
    for (number, mutant) in all.iter().enumerate() {
        let statement = mutant.statement.replace("owner to postgres", &format!("owner to \"{superuser}\""));
        session.run("begin").await.unwrap();
        session.run(&statement).await.unwrap();
        session.run("set local search_path = ''").await.unwrap();
        let catalog = catalog::load(&mut session).await.unwrap();
        let found = check::judge(&catalog, &config()).unwrap().findings;
        session.run("rollback").await.unwrap();
        let object = mutant.named.as_ref().ok();
        let named = found.iter().any(|finding| {
            finding.level >= Level::Warning && object.is_none_or(|object| finding.object == *object)
        });
        checked += usize::from(named);
        match &mutant.named {
            Ok(_) if named && number % STEP != 0 => continue,
            Err(_) if !named && number % STEP != 0 => continue,
            _ => {}
        }
        drop(std::mem::replace(&mut session, copy.scratch.open("postgres").await.unwrap()));
        let report = attacked(&copy, "mutant", &statement, 1, Some(&mutant.at)).await;
        session = copy.scratch.open(DATABASE).await.unwrap();
        attacks += 1;
        let leaks: Vec<String> = report
            .findings
            .iter()
            .filter(|finding| finding.kind == Kind::Leak)
            .map(|finding| format!("{} {}", finding.rule, finding.object))
            .collect();
        let seen =
            leaks.iter().any(|leak| object.is_some_and(|object| leak.ends_with(&format!(" {object}"))));
        match &mutant.named {
            Ok(object) if !seen && !named => {
                wrong.push(format!("{statement}: not named at {object}: {leaks:?}"));
            }
            Ok(_) => println!("{statement}: check {named}, attack {seen}"),
            Err(reason) if !leaks.is_empty() => {
                wrong.push(format!("{statement}: harmless, as {reason}? {leaks:?}"));
            }
            Err(_) => {}
        }
    }
    println!("{} mutants, {checked} named by check, {attacks} attacked in {:?}", all.len(), begun.elapsed());
    drop(session);
    copy.scratch.stop().await.unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_schema_holds_and_its_report_is_the_same_for_the_same_seed() {
    if !novelfoundry_testkit::can_dump() {
        return;
    }
    let copy = copied().await;
    let mut reports = Vec::new();
    for seed in [3, 3] {
        let begun = Instant::now();
        let mut report = attacked(&copy, "own", "select 1", seed, None).await;
        println!("our own schema: {} attacks in {:?}", report.attacks, begun.elapsed());
        report.seconds = 0.0;
        let found: Vec<String> = report
            .findings
            .iter()
            .filter(|finding| finding.kind == Kind::Leak)
            .map(|finding| {
                format!("{} {} {:?}: {}", finding.rule, finding.object, finding.verb, finding.evidence)
            })
            .collect();
        assert_eq!(found, Vec::<String>::new());
        assert_eq!(report.not_attacked, Vec::new());
        reports.push(serde_json::to_string_pretty(&report).unwrap());
    }
    assert_alike(&reports[0], &reports[1], "our own schema");
    copy.scratch.stop().await.unwrap();
}
