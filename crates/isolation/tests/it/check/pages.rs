//! The pages of the rules are true: the bad example is found at the object that the page names, the fix that is reported
//! runs and ends the finding, and the good example has none.

use novelfoundry_isolation::{
    finding::{Kind, Level},
    rules,
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

#[test]
fn every_rule_has_a_page() {
    for rule in rules::ALL {
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
const DECISIONS: &[&str] = &["citus-policy-helper", "citus-forced-owner"];

#[tokio::test]
async fn examples_are_found_mended_and_told_apart() {
    let database = Database::empty().await;
    let mut session = superuser(&database).await;
    let mut wrong = String::new();
    for rule in rules::ALL {
        let Some(Page { bad, object, good }) = page(rule.page) else { continue };
        begin(&mut session).await;
        sql(&mut session, rule.id, &bad).await;
        if rule.kind != Kind::Leak && !ONLY_WITH_CITUS.contains(&rule.id) {
            let found = findings(&mut session, &app()).await;
            let at: Vec<_> = found.iter().filter(|finding| finding.rule == rule.id).collect();
            if at.is_empty() || at.iter().any(|finding| finding.object != object) {
                wrong.push_str(&format!(
                    "{} is not found at {object}:\n{}\n",
                    rule.id,
                    shown(&found, Level::Info)
                ));
            }
            for finding in at.iter().filter(|_| !DECISIONS.contains(&rule.id)) {
                if let Err(error) = try_sql(&mut session, &finding.fix).await {
                    wrong.push_str(&format!(
                        "the fix of {} does not run: {error}\n{}\n",
                        rule.id, finding.fix
                    ));
                }
            }
            let left = findings(&mut session, &app()).await;
            if !DECISIONS.contains(&rule.id) && left.iter().any(|finding| finding.rule == rule.id) {
                let fixes: Vec<_> = at.iter().map(|finding| finding.fix.as_str()).collect();
                wrong.push_str(&format!(
                    "{} is left after its fix: {fixes:?}\n{}\n",
                    rule.id,
                    shown(&left, Level::Info)
                ));
            }
        }
        session.run("rollback").await.unwrap();
        begin(&mut session).await;
        sql(&mut session, rule.id, &good).await;
        let found = findings(&mut session, &app()).await;
        if found.iter().any(|finding| finding.rule == rule.id || finding.level == Level::Error) {
            wrong.push_str(&format!(
                "{} alarms on its good example:\n{}\n",
                rule.id,
                shown(&found, Level::Info)
            ));
        }
        session.run("rollback").await.unwrap();
    }
    assert!(wrong.is_empty(), "{wrong}");
}
