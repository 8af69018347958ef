//! Schemas by hands that knew neither the attack nor its own corpus: what is still missed or accused is listed, and the
//! list may only shrink.

use novelfoundry_isolation::finding::Kind;

use crate::{
    case::Case,
    corpus::{cases, findings, is_found, server},
};

/// Leaks that are not named at the object that the repair changes, or are still reported after it.
const NOT_SEEN: &[&str] = &["check-option-after-the-index", "rebuild-leaves-foreign-context"];

/// Correct designs that are accused or cannot be judged.
const ACCUSED: &[&str] = &[];

/// Traps that are not told, or still are after their repair.
const UNTOLD: &[&str] = &[];

type Scratch = novelfoundry_isolation::scratch::Scratch;

/// Tells what is wrong with the judgement of a case; nothing where all is well.
async fn judged(scratch: &Scratch, case: &Case, kind: &str) -> Option<String> {
    let leaks = |found: &[novelfoundry_isolation::finding::Finding]| {
        found
            .iter()
            .filter(|finding| finding.kind == Kind::Leak)
            .map(|finding| format!("{} {} {}", finding.rule, finding.object, finding.evidence))
            .collect::<Vec<_>>()
    };
    let found = match findings(scratch, case, false).await {
        Ok(found) => found,
        Err(error) => return Some(error),
    };
    if kind == "correct" {
        return (!leaks(&found).is_empty()).then(|| format!("{:?}", leaks(&found)));
    }
    if !is_found(&found, case) || kind == "latent" && !leaks(&found).is_empty() {
        return Some(format!("{:?} is missed ({}): {:?}", case.expect, case.why, leaks(&found)));
    }
    let after = match findings(scratch, case, true).await {
        Ok(after) => after,
        Err(error) => return Some(error),
    };
    let still = if kind == "leaky" { !leaks(&after).is_empty() } else { is_found(&after, case) };
    still.then(|| format!("is repaired, and still: {:?}", leaks(&after)))
}

async fn judge(kind: &str, known: &[&str], part: usize, parts: usize) {
    let scratch = server().await;
    let mut wrong = Vec::new();
    let all = cases(&format!("unseen/{kind}"));
    // Somebody else's corpus is being judged.
    if all.is_empty() {
        return;
    }
    for name in known {
        assert!(all.iter().any(|case| case.name == *name), "{name} is no case");
    }
    let mut session = scratch.open("postgres").await.unwrap();
    let version = session.run("show server_version_num").await.unwrap();
    let version = version.value().unwrap().parse::<u32>().unwrap() / 10_000;
    drop(session);
    for case in
        all.iter().skip(part).step_by(parts).filter(|case| case.until.is_none_or(|last| version <= last))
    {
        match (judged(&scratch, case, kind).await, known.contains(&case.name.as_str())) {
            (Some(why), false) => wrong.push(format!("{}: {why}", case.name)),
            (None, true) => wrong.push(format!("{} is right now: take it off the list", case.name)),
            _ => {}
        }
    }
    scratch.stop().await.unwrap();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn unseen_leaks_are_found_and_gone_after_their_repair_1() {
    judge("leaky", NOT_SEEN, 0, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unseen_leaks_are_found_and_gone_after_their_repair_2() {
    judge("leaky", NOT_SEEN, 1, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unseen_leaks_are_found_and_gone_after_their_repair_3() {
    judge("leaky", NOT_SEEN, 2, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unseen_correct_designs_are_not_accused() {
    judge("correct", ACCUSED, 0, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unseen_traps_are_warnings_and_gone_after_their_repair() {
    judge("latent", UNTOLD, 0, 1).await;
}
