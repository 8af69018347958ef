//! Waivers: a finding that is accepted stays in every report, with the reason, and does not fail. A waiver that covers
//! nothing is reported itself, for it would cover the next fault without a word.

use std::fmt::Write as _;

use jiff::civil::Date;

use crate::{
    config::Accept,
    finding::{Acceptance, Finding},
    report::Report,
    rules::{self, Rule},
};

use super::{select, text};

/// Marks what the waivers cover on this day and adds a finding for each that covers nothing. Those of a rule that did
/// not run (by `ran`), or of an object that could not be judged, are left alone: nothing is known of them.
pub fn apply(report: &mut Report, waivers: &[Accept], today: Date, ran: impl Fn(&Rule) -> bool) {
    let mut idle = Vec::new();
    for waiver in waivers {
        let term = term(waiver);
        let covered = report
            .findings
            .iter_mut()
            .filter(|finding| finding.rule == waiver.rule && finding.object == waiver.object);
        let mut covers = false;
        for finding in covered {
            covers = true;
            match term {
                Term::Open => accept(finding, waiver, None),
                Term::Until(day) if today < day => accept(finding, waiver, Some(day)),
                Term::Until(day) => append(finding, &format!("Its waiver ended on {day}: {}", waiver.reason)),
                Term::NoDay => {
                    append(finding, "Its waiver has an `until` that is no day, and does not hold.");
                }
            }
        }
        let judged = rules::by_id(&waiver.rule).is_none_or(&ran)
            && !report.not_attacked.iter().any(|missed| missed.object == waiver.object);
        if !covers && judged {
            idle.push(idle_waiver(waiver, term, today));
        }
    }
    report.findings.extend(idle);
}

#[derive(Clone, Copy)]
enum Term {
    Open,
    Until(Date),
    NoDay,
}

fn term(waiver: &Accept) -> Term {
    let Some(until) = &waiver.until else { return Term::Open };
    let day = until.date.and_then(|date| {
        let (month, day) = (i8::try_from(date.month).ok()?, i8::try_from(date.day).ok()?);
        Date::new(i16::try_from(date.year).ok()?, month, day).ok()
    });
    day.map_or(Term::NoDay, Term::Until)
}

fn accept(finding: &mut Finding, waiver: &Accept, until: Option<Date>) {
    if finding.accepted.is_none() {
        let until = until.map(|day| day.to_string());
        finding.accepted = Some(Acceptance { reason: waiver.reason.clone(), until });
    }
}

fn append(finding: &mut Finding, sentence: &str) {
    for evidence in [Some(&mut finding.evidence), finding.evidence_full.as_mut()].into_iter().flatten() {
        if !evidence.is_empty() {
            evidence.push('\n');
        }
        evidence.push_str(sentence);
    }
}

fn idle_waiver(waiver: &Accept, term: Term, today: Date) -> Finding {
    let mut evidence = match select::rule(&waiver.rule) {
        Ok(_) => format!("Nothing was found that the waiver of {} covers.", waiver.rule),
        Err(unknown) => format!("The waiver covers nothing: {unknown}."),
    };
    match term {
        Term::Until(day) if today >= day => {
            let _ = write!(evidence, " It ended on {day}.");
        }
        Term::NoDay => evidence.push_str(" Its `until` is no day."),
        Term::Open | Term::Until(_) => {}
    }
    let about = format!("rule {}, object {}", waiver.rule, waiver.object);
    Finding::new(&rules::UNUSED_WAIVER, &waiver.object, None, &waiver.rule)
        .evidence(evidence)
        .fix(text::comment(&format!("Remove the waiver from isolation.toml: {}", text::line(&about))))
}
