//! The pages of the rules are true: the bad example is found at the object that the page names, the fix that is reported
//! runs and ends the finding, and the good example has none.

use std::fmt::Write;

use novelfoundry_isolation::{
    catalog,
    check::judge,
    finding::{Kind, Level},
    rules,
    session::Session,
};
use novelfoundry_testkit::Database;

use super::support::{app, begin, findings, shown, sql, superuser, try_sql};

/// A page taken apart.
struct Page {
    bad: String,
    object: String,
    good: String,
}

fn page(text: &str) -> Option<Page> {
    let section = |name: &str| {
        let (_, rest) = text.split_once(&format!("\n## {name}\n"))?;
        Some(rest.split("\n## ").next().unwrap_or(rest))
    };
    let code = |part: &str| Some(part.split_once("```sql\n")?.1.split_once("```")?.0.to_owned());
    let bad = section("Bad")?;
    let object = bad.split_once("Found at `")?.1.split_once('`')?.0.to_owned();
    Some(Page { bad: code(bad)?, object, good: code(section("Good")?)? })
}

/// Said of the configuration: no schema shows it.
const OF_NO_SCHEMA: &[&str] = &["unused-waiver"];

#[test]
fn every_rule_has_a_page() {
    for rule in rules::ALL.iter().filter(|rule| !OF_NO_SCHEMA.contains(&rule.id)) {
        let lines = rule.page.lines().count();
        assert!(rule.page.starts_with(&format!("# {}\n", rule.title)), "{}", rule.id);
        assert!((15..=48).contains(&lines), "{}: {lines} lines", rule.id);
        assert!(rule.page.contains("\n## Fix\n"), "{}", rule.id);
        assert!(page(rule.page).is_some(), "{}", rule.id);
    }
}

/// Needs a server with Citus; its judgement is tested on a catalogue that says so.
const ONLY_WITH_CITUS: &[&str] = &["citus-propagation"];

/// Repairs that only a person can make; the finding says what to decide.
const DECISIONS: &[&str] = &["citus-policy-helper", "citus-forced-owner", "function-opens-tables"];

#[tokio::test]
async fn examples_are_found_mended_and_told_apart() {
    let database = Database::empty().await;
    let mut session = superuser(&database).await;
    let mut wrong = String::new();
    for rule in rules::ALL {
        if OF_NO_SCHEMA.contains(&rule.id) {
            continue;
        }
        let Page { bad, object, good } = page(rule.page).unwrap();
        begin(&mut session).await;
        sql(&mut session, rule.id, &bad).await;
        if rule.kind != Kind::Leak && !ONLY_WITH_CITUS.contains(&rule.id) {
            let found = findings(&mut session, &app()).await;
            let at: Vec<_> = found.iter().filter(|finding| finding.rule == rule.id).collect();
            if at.is_empty() || at.iter().any(|finding| finding.object != object) {
                writeln!(wrong, "{} is not found at {object}:\n{}", rule.id, shown(&found, Level::Info))
                    .unwrap();
            }
            for finding in at.iter().filter(|_| !DECISIONS.contains(&rule.id)) {
                if let Err(error) = try_sql(&mut session, &finding.fix).await {
                    writeln!(wrong, "the fix of {} does not run: {error}\n{}", rule.id, finding.fix).unwrap();
                }
            }
            let left = findings(&mut session, &app()).await;
            if !DECISIONS.contains(&rule.id) && left.iter().any(|finding| finding.rule == rule.id) {
                let fixes: Vec<_> = at.iter().map(|finding| finding.fix.as_str()).collect();
                writeln!(
                    wrong,
                    "{} is left after its fix: {fixes:?}\n{}",
                    rule.id,
                    shown(&left, Level::Info)
                )
                .unwrap();
            }
        }
        session.run("rollback").await.unwrap();
        begin(&mut session).await;
        sql(&mut session, rule.id, &good).await;
        let found = findings(&mut session, &app()).await;
        if found.iter().any(|finding| finding.rule == rule.id || finding.level == Level::Error) {
            writeln!(wrong, "{} alarms on its good example:\n{}", rule.id, shown(&found, Level::Info))
                .unwrap();
        }
        session.run("rollback").await.unwrap();
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// A server with Citus is not at hand; what is judged then is the same catalogue, said to be of one.
#[tokio::test]
async fn with_citus_what_it_refuses_is_a_warning() {
    let database = Database::empty().await;
    let mut session = superuser(&database).await;
    begin(&mut session).await;
    let rule = rules::by_id("citus-propagation").unwrap();
    let Page { bad, object, .. } = page(rule.page).unwrap();
    sql(&mut session, rule.id, &bad).await;
    sql(&mut session, rule.id, "create policy alive on notes as restrictive using (body is not null)").await;
    let levels = async |session: &mut Session| {
        session.run("set local search_path = ''").await.unwrap();
        let mut catalog = catalog::load(session).await.unwrap();
        catalog.citus = true;
        let found = judge(&catalog, &app()).unwrap().findings;
        let level = |id: &str| found.iter().find(|finding| finding.rule == id).cloned();
        (level(rule.id), level("citus-restrictive-policy"))
    };
    let (propagation, restrictive) = levels(&mut session).await;
    let propagation = propagation.unwrap();
    assert_eq!((propagation.object, propagation.level), (object, Level::Warning));
    assert_eq!(restrictive.unwrap().level, Level::Warning);
    sql(&mut session, rule.id, &propagation.fix).await;
    assert!(levels(&mut session).await.0.is_none());
    session.run("rollback").await.unwrap();
}
