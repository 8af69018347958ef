//! Attacks cases of a corpus, before and after their repair, and shows what came out: `corpus FILE…`.

#[path = "../tests/it/case.rs"]
#[allow(dead_code)]
mod case;

use std::{path::PathBuf, time::Instant};

use novelfoundry_isolation::{
    attack::{self, Options},
    catalog,
    finding::Kind,
    infer,
    report::Report,
    scratch::Scratch,
};

async fn run(scratch: &Scratch, case: &case::Case, fixed: bool) -> Result<(Report, Vec<String>), String> {
    let text = |error: &dyn std::error::Error| {
        let mut words = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            words = format!("{words}: {cause}");
            source = cause.source();
        }
        words
    };
    scratch.clear("nf_case").await.map_err(|error| text(&error))?;
    scratch.create_database("nf_case", None).await.map_err(|error| text(&error))?;
    let mut complaints = scratch.load("nf_case", &case.schema).await.map_err(|error| text(&error))?;
    if fixed {
        complaints.extend(scratch.load("nf_case", &case.fix).await.map_err(|error| text(&error))?);
    }
    let mut used = scratch.open("nf_case").await.map_err(|error| text(&error))?;
    novelfoundry_isolation::scratch::disarm(&mut used, scratch, "nf_case")
        .await
        .map_err(|error| text(&error))?;
    let read = catalog::load(&mut used).await.map_err(|error| text(&error))?;
    let subject = infer::infer(&read, &case.config).map_err(|error| text(&error))?;
    if std::env::var_os("VERBOSE").is_some() {
        println!(
            "    {} {:?} {:?} {:?} {:?}",
            subject.app_role, subject.tenant_column, subject.tenants, subject.context, subject.principals
        );
    }
    let traps =
        novelfoundry_isolation::check::traps(&mut used, &case.config).await.map_err(|error| text(&error));
    drop(used);
    let options = Options { seed: 1, budget: None, full_evidence: false };
    let mut report = Box::pin(attack::attack(scratch.url("nf_case"), subject, options))
        .await
        .map_err(|error| text(&error))?;
    report.findings.extend(traps?);
    Ok((report, complaints))
}

#[tokio::main]
async fn main() {
    let verbose = std::env::var_os("VERBOSE").is_some();
    let scratch = Scratch::start("postgres", std::env::var_os("NOVELFOUNDRY_PG_BIN").map(PathBuf::from), &[])
        .await
        .unwrap();
    let (mut good, mut bad) = (0, 0);
    for path in std::env::args().skip(1).map(PathBuf::from) {
        let case = match case::read(&path) {
            Ok(case) => case,
            Err(error) => {
                println!("UNREADABLE {error}");
                continue;
            }
        };
        let started = Instant::now();
        let directory = path
            .parent()
            .and_then(|parent| parent.file_name())
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let found = |report: &Report, expect: &case::Expect| {
            report.findings.iter().any(|finding| {
                finding.object == expect.object
                    && (expect.kind == "leak") == (finding.kind == Kind::Leak)
                    && (finding.kind != Kind::Info)
            })
        };
        let before = run(&scratch, &case, false).await;
        let mut verdict = String::new();
        match &before {
            Err(error) => verdict = format!("FAILED before: {error}"),
            Ok((report, complaints)) => {
                for complaint in complaints {
                    verdict.push_str(&format!(" schema: {complaint}"));
                }
                let leaks: Vec<_> =
                    report.findings.iter().filter(|finding| finding.kind == Kind::Leak).collect();
                if directory != "correct" {
                    for expect in &case.expect {
                        if !found(report, expect) {
                            let objects: Vec<_> = leaks
                                .iter()
                                .map(|leak| {
                                    format!("{}/{}", leak.object, leak.verb.map_or("", |verb| verb.word()))
                                })
                                .collect();
                            verdict.push_str(&format!(
                                " MISSED {} {:?} (found {objects:?})",
                                expect.object, expect.verb
                            ));
                        }
                    }
                }
                if directory != "leaky" && !leaks.is_empty() {
                    verdict.push_str(" ALARM");
                    for leak in &leaks {
                        verdict.push_str(&format!("\n      {} {} {}", leak.rule, leak.object, leak.evidence));
                    }
                }
                if directory == "correct" {
                    for trap in report.findings.iter().filter(|finding| finding.kind == Kind::Warning) {
                        println!("      warns {} {}", trap.rule, trap.object);
                    }
                }
                if verbose {
                    for finding in &report.findings {
                        println!(
                            "    {:?} {} {} {:?} {:?} {}",
                            finding.kind,
                            finding.rule,
                            finding.object,
                            finding.verb,
                            finding.tenant_context,
                            finding.evidence
                        );
                    }
                    for gap in &report.not_attacked {
                        println!("    not attacked: {} {}", gap.object, gap.reason);
                    }
                    println!(
                        "    {} attacks, {} objects, {:.2} s",
                        report.attacks, report.objects, report.seconds
                    );
                }
            }
        }
        if directory == "leaky" && verdict.is_empty() {
            match run(&scratch, &case, true).await {
                Err(error) => verdict = format!("FAILED after: {error}"),
                Ok((report, complaints)) => {
                    for complaint in complaints {
                        verdict.push_str(&format!(" fix: {complaint}"));
                    }
                    for leak in report.findings.iter().filter(|finding| finding.kind == Kind::Leak) {
                        verdict.push_str(&format!(
                            "\n      STILL {} {} {:?} {}",
                            leak.rule, leak.object, leak.verb, leak.evidence
                        ));
                    }
                }
            }
        }
        if verdict.is_empty() {
            good += 1;
        } else {
            bad += 1;
        }
        println!(
            "{:<60} {:>5.2} s {}",
            format!("{directory}/{}", case.name),
            started.elapsed().as_secs_f64(),
            if verdict.is_empty() { "ok" } else { &verdict }
        );
    }
    println!("{good} good, {bad} bad");
    scratch.stop().await.unwrap();
}
