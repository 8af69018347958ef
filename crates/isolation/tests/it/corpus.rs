//! Schemas by other hands: each leak is found at the object that the smallest repair changes and is gone after it, and no
//! correct design is accused.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use novelfoundry_isolation::{
    attack::{self, InPlaceError, Options},
    catalog, check,
    finding::{Finding, Kind},
    infer,
    scratch::{Scratch, disarm},
};

use crate::case::{Case, read};

const DATABASE: &str = "nf_case";

pub(crate) fn cases(kind: &str) -> Vec<Case> {
    // Somebody else's corpus of the same form is judged in the same way.
    let given = std::env::var_os("NOVELFOUNDRY_CORPUS").map(PathBuf::from);
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let directory = given.as_ref().unwrap_or(&own).join(kind);
    if given.is_some() && !directory.exists() {
        return Vec::new();
    }
    let mut paths: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| read(path).unwrap()).collect()
}

pub(crate) async fn server() -> Scratch {
    let bin_dir = std::env::var_os("NOVELFOUNDRY_PG_BIN").map(Into::into);
    Scratch::start("postgres", bin_dir, &[]).await.unwrap()
}

/// Attacks a case, as it is or repaired, and returns what was found.
pub(crate) async fn findings(scratch: &Scratch, case: &Case, repaired: bool) -> Result<Vec<Finding>, String> {
    let words = |error: &(dyn std::error::Error + 'static)| novelfoundry_core::report(error);
    scratch.clear(DATABASE).await.map_err(|error| words(&error))?;
    scratch.create_database(DATABASE, None).await.map_err(|error| words(&error))?;
    let mut complaints = scratch.load(DATABASE, &case.schema).await.map_err(|error| words(&error))?;
    if repaired {
        complaints.extend(scratch.load(DATABASE, &case.fix).await.map_err(|error| words(&error))?);
    }
    if !complaints.is_empty() {
        return Err(complaints.join("; "));
    }
    let mut session = scratch.open(DATABASE).await.map_err(|error| words(&error))?;
    disarm(&mut session, scratch, DATABASE).await.map_err(|error| words(&error))?;
    let catalog = catalog::load(&mut session).await.map_err(|error| words(&error))?;
    let subject = infer::infer(&catalog, &case.config).map_err(|error| words(&error))?;
    let traps = check::traps(&mut session, &case.config).await.map_err(|error| words(&error))?;
    drop(session);
    let options = Options { seed: 1, budget: None, full_evidence: false, only: None };
    let attacked = Box::pin(attack::attack(scratch.url(DATABASE), subject, options));
    let mut found = attacked.await.map_err(|error| words(&error))?.findings;
    found.extend(traps);
    Ok(found)
}

/// Attacks in place what an attack has filled; none where it says that it cannot.
async fn in_place(scratch: &Scratch, case: &Case) -> Result<Vec<Finding>, InPlaceError> {
    let mut session = scratch.open(DATABASE).await.unwrap();
    let catalog = catalog::load(&mut session).await?;
    let subject = infer::infer(&catalog, &case.config).unwrap();
    let options = Options { seed: 2, budget: None, full_evidence: false, only: None };
    let url = scratch.url(DATABASE);
    let attacked = Box::pin(attack::attack_in_place(url, &mut session, catalog, subject, options));
    attacked.await.map(|report| report.findings)
}

/// Returns what a correct design is accused of in place.
async fn accused_in_place(scratch: &Scratch, case: &Case) -> String {
    match in_place(scratch, case).await {
        Ok(found) if found.iter().any(|finding| finding.kind == Kind::Leak) => {
            format!("\n  {} in place:{}", case.name, shown(&found))
        }
        Ok(_) => String::new(),
        Err(error) => {
            println!("{} is not attacked in place: {}", case.name, novelfoundry_core::report(&error));
            String::new()
        }
    }
}

fn shown(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings.iter().filter(|finding| finding.kind == Kind::Leak) {
        write!(text, "\n      {} {} {}", finding.rule, finding.object, finding.evidence).unwrap();
    }
    text
}

pub(crate) fn is_found(found: &[Finding], case: &Case) -> bool {
    case.expect.iter().all(|expected| {
        let kind = if expected.kind == "leak" { Kind::Leak } else { Kind::Warning };
        found.iter().any(|finding| finding.object == expected.object && finding.kind == kind)
    })
}

async fn judge_leaky(part: usize) {
    let scratch = server().await;
    let mut wrong = String::new();
    for case in cases("leaky").iter().skip(part).step_by(PARTS) {
        match findings(&scratch, case, false).await {
            Err(error) => write!(wrong, "\n  {}: {error}", case.name).unwrap(),
            Ok(found) if !is_found(&found, case) => {
                let expected: Vec<_> =
                    case.expect.iter().map(|expected| (&expected.object, &expected.verb)).collect();
                write!(wrong, "\n  {}: {expected:?} is missed ({}){}", case.name, case.why, shown(&found))
                    .unwrap();
            }
            Ok(_) => {}
        }
        match findings(&scratch, case, true).await {
            Err(error) => write!(wrong, "\n  {} repaired: {error}", case.name).unwrap(),
            Ok(found) if found.iter().any(|finding| finding.kind == Kind::Leak) => {
                write!(wrong, "\n  {} is repaired, and still:{}", case.name, shown(&found)).unwrap();
            }
            Ok(_) => {}
        }
        wrong += &accused_in_place(&scratch, case).await;
    }
    scratch.stop().await.unwrap();
    assert!(wrong.is_empty(), "{wrong}");
}

/// The leaky schemas are divided among tests, which run beside one another.
const PARTS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn leaks_are_found_and_gone_after_their_repair_1() {
    judge_leaky(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leaks_are_found_and_gone_after_their_repair_2() {
    judge_leaky(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leaks_are_found_and_gone_after_their_repair_3() {
    judge_leaky(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leaks_are_found_and_gone_after_their_repair_4() {
    judge_leaky(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn correct_designs_are_not_accused() {
    let scratch = server().await;
    let mut wrong = String::new();
    for case in cases("correct") {
        match findings(&scratch, &case, false).await {
            Err(error) => write!(wrong, "\n  {}: {error}", case.name).unwrap(),
            Ok(found) if found.iter().any(|finding| finding.kind == Kind::Leak) => {
                write!(wrong, "\n  {}:{}", case.name, shown(&found)).unwrap();
            }
            Ok(_) => {}
        }
        wrong += &accused_in_place(&scratch, &case).await;
    }
    scratch.stop().await.unwrap();
    assert!(wrong.is_empty(), "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn latent_traps_are_warnings_and_gone_after_their_repair() {
    let scratch = server().await;
    let mut wrong = String::new();
    for case in cases("latent") {
        match findings(&scratch, &case, false).await {
            Err(error) => write!(wrong, "\n  {}: {error}", case.name).unwrap(),
            Ok(found) => {
                if !is_found(&found, &case) || found.iter().any(|finding| finding.kind == Kind::Leak) {
                    write!(wrong, "\n  {} ({}, {}){}", case.name, case.class, case.why, shown(&found))
                        .unwrap();
                }
            }
        }
        match findings(&scratch, &case, true).await {
            Err(error) => write!(wrong, "\n  {} repaired: {error}", case.name).unwrap(),
            Ok(found) if is_found(&found, &case) => write!(wrong, "\n  {} is repaired", case.name).unwrap(),
            Ok(_) => {}
        }
    }
    scratch.stop().await.unwrap();
    assert!(wrong.is_empty(), "{wrong}");
}
