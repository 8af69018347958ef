//! Jobs, counters, usage events and transactions: what follows from the rows.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use crate::{
    history::{Class, Event, Kind, What},
    model::Model,
    snapshot::{Analysis, Snapshot},
};

use super::Found;

pub(super) fn check(model: &Model, events: &[Event], snapshot: &Snapshot, found: &mut Found) {
    counters(snapshot, found);
    usage_events(model, events, snapshot, found);
    jobs(model, snapshot, found);
    for transaction in &snapshot.open_transactions {
        found.add(Class::LeftOpen, [], format!("a transaction was left open: {transaction}"));
    }
}

fn counters(snapshot: &Snapshot, found: &mut Found) {
    for usage in &snapshot.usage {
        let sum = |state: &str| -> i64 {
            let own =
                snapshot.revisions.iter().filter(|row| row.tenant == usage.tenant && row.state == state);
            own.map(|row| row.bytes).sum()
        };
        let (stored, reserved) = (sum("stored"), sum("pending"));
        found.unless(
            (usage.stored, usage.reserved) == (stored, reserved),
            Class::Usage,
            usage.tenant,
            || {
                let (tenant, counted) = (usage.tenant, (usage.stored, usage.reserved));
                format!("the counters of {tenant} say {counted:?} bytes, the rows {:?}", (stored, reserved))
            },
        );
    }
}

fn usage_events(model: &Model, events: &[Event], snapshot: &Snapshot, found: &mut Found) {
    let stored: HashMap<_, _> = snapshot.revisions.iter().map(|row| (row.id, row)).collect();
    let analysed: HashMap<_, _> = snapshot.analyses.iter().map(|row| (row.id, row)).collect();
    let mut seen: HashSet<(&str, Uuid)> = HashSet::new();
    for event in &snapshot.used {
        let (kind, subject) = (event.kind.as_str(), event.subject);
        found.unless(seen.insert((kind, subject)), Class::Twice, subject, || {
            format!("{kind} of {subject} was recorded twice")
        });
        let (tenant, quantity, happened) = match kind {
            "upload.bytes" => {
                let row = stored.get(&subject);
                let state = row.is_none_or(|row| matches!(row.state.as_str(), "stored" | "deleted"));
                let asked = !model.completions(subject).is_empty();
                (row.map(|row| row.tenant), row.map(|row| row.bytes), state && asked)
            }
            "analysis.words" => {
                let row = analysed.get(&subject);
                let happened = row.is_none_or(|row| row.state == "succeeded");
                (row.map(|row| row.tenant), row.and_then(|row| row.words), happened)
            }
            _ => (None, None, false),
        };
        let tenant = tenant.or_else(|| {
            model.made.get(&subject).and_then(|made| model.cast.tenants.get(made.tenant)).copied()
        });
        found.unless(tenant.is_none_or(|tenant| tenant == event.tenant), Class::ForeignRow, subject, || {
            format!("{kind} of {subject} was charged to another workspace")
        });
        let right = happened && quantity.is_none_or(|quantity| quantity == event.quantity);
        found.unless(right, Class::Unasked, subject, || {
            format!("{kind} of {subject} was recorded as {} and not so", event.quantity)
        });
    }
    let missing = |kind, subject: Uuid, found: &mut Found| {
        found.unless(seen.contains(&(kind, subject)), Class::Missing, subject, || {
            format!("{kind} of {subject} was not recorded")
        });
    };
    for row in snapshot.revisions.iter().filter(|row| row.state == "stored") {
        missing("upload.bytes", row.id, found);
    }
    for row in snapshot.analyses.iter().filter(|row| row.state == "succeeded") {
        missing("analysis.words", row.id, found);
    }
    for event in events.iter().filter(|event| event.is_done()) {
        let gone = model.cast.tenants.get(event.tenant).is_some_and(|id| model.workspace_gone(*id).0);
        if let What::Complete { revision, .. } = event.what
            && !gone
        {
            missing("upload.bytes", revision, found);
        }
    }
}

fn jobs(model: &Model, snapshot: &Snapshot, found: &mut Found) {
    let analyses: HashMap<_, _> = snapshot.analyses.iter().map(|row| (row.id, row)).collect();
    let unfinished: HashSet<_> =
        snapshot.jobs.iter().filter(|job| job.is_unfinished()).map(|job| job.id).collect();
    let deleted = snapshot.workspaces.iter().filter(|workspace| workspace.is_deleted);
    let deleted: HashSet<_> = deleted.map(|workspace| workspace.id).collect();
    let waiting = |row: &&Analysis| {
        matches!(row.state.as_str(), "queued" | "running") && !deleted.contains(&row.tenant)
    };
    for row in snapshot.analyses.iter().filter(waiting) {
        found.unless(unfinished.contains(&row.id), Class::Job, row.id, || {
            format!("the analysis {} is {} and no job works on it", row.id, row.state)
        });
    }
    let mut purges: HashMap<Uuid, usize> = HashMap::new();
    for job in &snapshot.jobs {
        let ancestors = [job.revision, job.manuscript, job.project];
        let owner = ancestors.into_iter().flatten().find_map(|id| model.made.get(&id));
        let owner = owner.and_then(|made| model.cast.tenants.get(made.tenant));
        found.unless(owner.is_none_or(|owner| *owner == job.tenant), Class::ForeignRow, job.id, || {
            format!("the job {} works in another workspace", job.id)
        });
        found.unless(job.state != "failed", Class::Job, job.id, || {
            format!("the job {} ({}) failed for good", job.id, job.kind)
        });
        match job.kind.as_str() {
            "analyze_manuscript" => {
                let there = analyses.get(&job.id).is_some_and(|row| row.tenant == job.tenant);
                found.unless(there || !job.is_unfinished(), Class::Job, job.id, || {
                    format!("the job {} works on an analysis that is not there", job.id)
                });
            }
            "settle_upload" => {
                let there = snapshot.revisions.iter().any(|row| Some(row.id) == job.revision);
                found.unless(there || !job.is_unfinished(), Class::Job, job.id, || {
                    format!("the job {} settles a revision that is not there", job.id)
                });
            }
            "purge_objects" | "purge_workspace" => {
                let thing = job.manuscript.or(job.project).unwrap_or(job.tenant);
                *purges.entry(thing).or_default() += 1;
            }
            "reconcile_workspace" => {}
            other => found.add(Class::Job, [job.id], format!("nobody knows what a job {other} is")),
        }
    }
    for (thing, times) in &purges {
        let asked = !model.own_deletions(*thing).is_empty();
        found.unless(asked, Class::Unasked, *thing, || format!("{thing} is to be purged unasked"));
        found.unless(*times == 1, Class::Twice, *thing, || format!("{thing} was deleted {times} times"));
    }
    for (id, made) in &model.made {
        let with_workspace =
            model.cast.tenants.get(made.tenant).is_some_and(|tenant| deleted.contains(tenant));
        if !matches!(made.kind, Kind::Project | Kind::Manuscript | Kind::Workspace) || with_workspace {
            continue;
        }
        let gone = model.own_deletions(*id).iter().any(|deletion| deletion.over != u64::MAX);
        found.unless(!gone || purges.contains_key(id), Class::Missing, *id, || {
            format!("{id} was deleted and no job purges it")
        });
    }
}
