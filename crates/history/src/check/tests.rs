//! A history that fits what is there has no violation; one planted violation of any kind is found, wherever it lies.

use novelfoundry_core::Role;
use proptest::prelude::*;

use crate::{
    history::Outcome,
    snapshot::{Analysis, Job, Key, Object, Revision, Titled, Usage, Used, Workspace},
};

use super::*;
use crate::{
    history::{Kind, What},
    marker::Marker,
};

fn id(kind: u64, number: u64) -> Uuid {
    Uuid::from_u64_pair(kind << 32 | 7, number)
}

fn tenant(number: usize) -> Uuid {
    id(1, number as u64)
}

fn user(number: usize) -> Uuid {
    id(2, number as u64)
}

fn cast() -> Cast {
    let members = (0..2).map(|number| (tenant(number), user(number), Role::Owner)).collect();
    Cast { tenants: (0..2).map(tenant).collect(), users: (0..2).map(user).collect(), members }
}

/// Makes what `count` writers, each in one of two workspaces, did and left: a project, a manuscript in it, a stored
/// file and its analysis, the title changed once.
#[expect(clippy::too_many_lines, reason = "a whole small world, row by row")]
fn fitting(count: u64) -> (Vec<Event>, Snapshot) {
    let (mut events, mut snapshot) = (Vec::new(), Snapshot::default());
    let mut now = 0;
    for number in 0..count {
        let writer = (number % 2) as usize;
        let serial = number * 10;
        let marker = |step: u64| Marker { tenant: writer, user: writer, serial: serial + step };
        let [project, manuscript, revision, analysis] = [3, 4, 5, 6].map(|kind| id(kind, number));
        let mut add = |step: u64, what| {
            now += 2;
            events.push(Event {
                serial: serial + step,
                tenant: writer,
                user: writer,
                start: now,
                end: now + 1,
                request: String::new(),
                what,
                outcome: Outcome::Done,
            });
        };
        let create = |step: u64, kind, parents, made| What::Create {
            kind,
            parents,
            origin: serial + step,
            made: Some(made),
        };
        add(0, create(0, Kind::Project, vec![], project));
        add(1, create(1, Kind::Manuscript, vec![project], manuscript));
        add(2, create(2, Kind::Revision, vec![project, manuscript], revision));
        add(3, What::Complete { revision, analysis: Some(analysis) });
        add(4, What::Rename { thing: project, version: Some(2) });
        add(5, What::Read { thing: project, title: Some(serial + 4) });
        let titled = |id, step: u64, version| Titled {
            tenant: tenant(writer),
            project,
            id,
            title: marker(step).to_string(),
            author: user(writer),
            version,
            is_deleted: false,
        };
        snapshot.projects.push(titled(project, 4, 2));
        snapshot.manuscripts.push(titled(manuscript, 1, 1));
        let text = marker(2).text();
        let (bytes, words) = (i64::try_from(text.len()).unwrap(), i64::try_from(marker(2).words()).unwrap());
        let object_key = format!("{}/{}/{project}/manuscripts/{revision}", tenant(writer), user(writer));
        snapshot.revisions.push(Revision {
            tenant: tenant(writer),
            project,
            manuscript,
            id: revision,
            state: "stored".into(),
            filename: format!("{}.txt", marker(2)),
            bytes,
            sha256: crate::sha256(text.as_bytes()),
            object_key: object_key.clone(),
            analysis,
            author: user(writer),
        });
        snapshot.objects.push(Object { key: object_key, body: text.into_bytes() });
        snapshot.analyses.push(Analysis {
            tenant: tenant(writer),
            project,
            manuscript,
            revision,
            id: analysis,
            state: "succeeded".into(),
            words: Some(words),
        });
        snapshot.jobs.push(Job {
            tenant: tenant(writer),
            id: analysis,
            kind: "analyze_manuscript".into(),
            state: "succeeded".into(),
            project: Some(project),
            manuscript: Some(manuscript),
            revision: Some(revision),
        });
        for (kind, quantity, subject) in
            [("upload.bytes", bytes, revision), ("analysis.words", words, analysis)]
        {
            snapshot.used.push(Used { tenant: tenant(writer), kind: kind.into(), quantity, subject });
        }
        snapshot.keys.push(Key {
            tenant: tenant(writer),
            user: user(writer),
            key: format!("{}-key", marker(0)),
            resource: project,
        });
    }
    for writer in 0..2 {
        let (id, name, is_deleted) = (tenant(writer), String::new(), false);
        snapshot.workspaces.push(Workspace { id, name, is_deleted });
        snapshot.members.push((tenant(writer), user(writer), Role::Owner));
        snapshot.indexed_members.push((tenant(writer), user(writer)));
        let own = |row: &&Revision| row.tenant == tenant(writer);
        let stored = snapshot.revisions.iter().filter(own).map(|row| row.bytes).sum();
        snapshot.usage.push(Usage { tenant: tenant(writer), stored, reserved: 0 });
        let own = snapshot.projects.iter().filter(|row| row.tenant == tenant(writer)).map(|row| row.id);
        snapshot.listed.insert(tenant(writer), own.collect());
    }
    (events, snapshot)
}

/// Somebody joins the first workspace, and leaves it.
fn came_and_went(events: &mut Vec<Event>, n: usize) {
    let (workspace, person) = (tenant(0), user(7));
    for what in [What::Join { workspace, person, role: Role::Editor }, What::Leave { workspace, person }] {
        events.push(Event { what, ..events[n * 6].clone() });
    }
}

type Plant = fn(&mut Vec<Event>, &mut Snapshot, usize);

/// Each thing that must not be, planted at the n-th writer, and as what it must be found.
const PLANTS: &[(Class, &str, Plant)] = &[
    (Class::Missing, "a project", |_, s, n| drop(s.projects.remove(n))),
    (Class::Missing, "a manuscript", |_, s, n| drop(s.manuscripts.remove(n))),
    (Class::Missing, "a revision", |_, s, n| drop(s.revisions.remove(n))),
    (Class::Missing, "an analysis", |_, s, n| drop(s.analyses.remove(n))),
    (Class::Missing, "a file", |_, s, n| drop(s.objects.remove(n))),
    (Class::Missing, "a usage event", |_, s, n| drop(s.used.remove(n))),
    (Class::Missing, "a change", |_, s, n| s.projects[n].version = 1),
    (Class::Missing, "a completion", |_, s, n| s.revisions[n].state = "pending".into()),
    (Class::Missing, "an overwritten title comes back", |_, s, n| {
        s.projects[n].title = s.projects[n].title.replace("4s", "0s");
    }),
    (Class::Missing, "a list without a project", |_, s, n| {
        let row = &s.projects[n];
        s.listed.get_mut(&row.tenant).unwrap().retain(|id| *id != row.id);
    }),
    (Class::Missing, "an answer says that it is missing", |events, _, n| {
        events[n * 6 + 5].outcome = Outcome::Refused("404 project-not-found".into());
    }),
    (Class::Missing, "a deletion without effect", |events, s, n| {
        let (thing, at) = (s.projects[n].id, events.len() as u64 * 10);
        let what = What::Delete { thing };
        events.push(Event { start: at, end: at + 1, what, ..events[n * 6].clone() });
    }),
    (Class::Twice, "a creation", |_, s, n| {
        let (twice, id) = (s.manuscripts[n].clone(), id(9, 9));
        s.manuscripts.push(Titled { id, ..twice });
    }),
    (Class::Twice, "a change", |_, s, n| s.projects[n].version = 3),
    (Class::Twice, "a usage event", |_, s, n| s.used.push(s.used[n].clone())),
    (Class::Twice, "a repeat made another", |events, _, n| {
        let again = Event { start: 9_999, end: 10_000, ..events[n * 6].clone() };
        let What::Create { kind, parents, origin, .. } = again.what.clone() else { unreachable!() };
        let what = What::Create { kind, parents, origin, made: Some(id(9, 9)) };
        events.push(Event { what, ..again });
    }),
    (Class::Twice, "two changes made one version", |events, _, n| {
        let again = Event { start: 9_999, end: 10_000, ..events[n * 6 + 4].clone() };
        events.push(again);
    }),
    (Class::Unasked, "a row of nobody", |_, s, n| {
        let title = Marker { tenant: 0, user: 0, serial: 99_999 }.to_string();
        s.projects.push(Titled { id: id(9, 9), title, ..s.projects[n].clone() });
    }),
    (Class::Unasked, "a refused creation", |events, _, n| {
        events[n * 6 + 1].outcome = Outcome::Refused("503 database-unavailable".into());
    }),
    (Class::Unasked, "a deletion", |_, s, n| s.manuscripts[n].is_deleted = true),
    (Class::Unasked, "a file of no row", |_, s, n| {
        let key = format!("{}-more", s.objects[n].key);
        s.objects.push(Object { key, ..s.objects[n].clone() });
    }),
    (Class::ForeignRow, "a row in another workspace", |_, s, n| {
        s.manuscripts[n].tenant = tenant((n + 1) % 2);
    }),
    (Class::ForeignRow, "another's title", |_, s, n| {
        s.projects[n].title = Marker { tenant: (n + 1) % 2, user: 0, serial: 4 }.to_string();
    }),
    (Class::ForeignRow, "another's usage event", |_, s, n| s.used[n * 2].tenant = tenant((n + 1) % 2)),
    (Class::ForeignRow, "another's job", |_, s, n| s.jobs[n].tenant = tenant((n + 1) % 2)),
    (Class::ForeignRow, "another's key", |_, s, n| s.keys[n].user = user((n + 1) % 2)),
    (Class::ForeignRow, "a member of another workspace", |_, s, _| {
        s.members.push((tenant(0), user(1), Role::Viewer));
    }),
    (Class::ForeignRow, "a member that nobody invited", |_, s, _| {
        s.members.push((tenant(0), user(1), Role::Viewer));
        s.indexed_members.push((tenant(0), user(1)));
    }),
    (Class::ForeignRow, "another role", |_, s, n| s.members[n % 2].2 = Role::Viewer),
    (Class::ForeignRow, "a member who has left", |events, s, n| {
        came_and_went(events, n);
        s.members.push((tenant(0), user(7), Role::Editor));
        s.indexed_members.push((tenant(0), user(7)));
    }),
    (Class::Missing, "a member", |_, s, n| {
        s.members.remove(n % 2);
        s.indexed_members.remove(n % 2);
    }),
    (Class::Missing, "a member who has come", |events, _, n| {
        came_and_went(events, n);
        events.pop();
    }),
    (Class::Missing, "an erasure without effect", |events, s, n| {
        came_and_went(events, n);
        let what = What::Erase { person: user(7) };
        events.push(Event { what, ..events[n * 6].clone() });
        s.persons.push(user(7));
    }),
    (Class::Missing, "the deletion of an analysis without effect", |events, s, n| {
        let what = What::Delete { thing: s.analyses[n].id };
        events.push(Event { what, ..events[n * 6].clone() });
    }),
    (Class::Unasked, "a workspace's deletion", |_, s, n| s.workspaces[n % 2].is_deleted = true),
    (Class::Job, "a ticket that is never settled", |events, s, n| {
        events[n * 6 + 3].outcome = Outcome::Unknown(String::new());
        s.revisions[n].state = "pending".into();
    }),
    (Class::ForeignObject, "a file under another's key", |_, s, n| {
        let key = &mut s.objects[n].key;
        *key = key.replace(&tenant(n % 2).to_string(), &tenant((n + 1) % 2).to_string());
    }),
    (Class::ForeignObject, "a file with another's text", |_, s, n| {
        s.objects[n].body = Marker { tenant: (n + 1) % 2, user: 0, serial: 2 }.text().into_bytes();
    }),
    (Class::ForeignObject, "a key under another's prefix", |_, s, n| {
        let row = &mut s.revisions[n];
        row.object_key = format!("{}/x", tenant((n + 1) % 2));
    }),
    (Class::Usage, "one byte too many", |_, s, n| s.usage[n % 2].stored += 1),
    (Class::Usage, "one byte reserved for nothing", |_, s, n| s.usage[n % 2].reserved += 1),
    (Class::Job, "an unfinished analysis without a job", |_, s, n| s.analyses[n].state = "queued".into()),
    (Class::Job, "a job for nothing", |_, s, n| {
        let missing = Job { id: id(9, 9), state: "queued".into(), ..s.jobs[n].clone() };
        s.jobs.push(missing);
    }),
    (Class::Job, "a job that failed for good", |_, s, n| s.jobs[n].state = "failed".into()),
    (Class::Stale, "an old title was shown", |events, _, n| {
        let What::Read { title, .. } = &mut events[n * 6 + 5].what else { unreachable!() };
        *title = title.map(|serial| serial - 4);
    }),
    (Class::LeftOpen, "a transaction", |_, s, _| s.open_transactions.push("begin".into())),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn what_fits_is_no_violation(count in 1_u64..20) {
        let (events, snapshot) = fitting(count);
        let found = check(&cast(), &events, &snapshot);
        prop_assert!(found.is_empty(), "{:?}", found);
    }

    #[test]
    fn every_planted_violation_is_found(count in 2_u64..12, at in 0_usize..12) {
        let at = at % usize::try_from(count).unwrap();
        for (class, name, plant) in PLANTS {
            let (mut events, mut snapshot) = fitting(count);
            plant(&mut events, &mut snapshot, at);
            let found = check(&cast(), &events, &snapshot);
            prop_assert!(found.iter().any(|violation| violation.class == *class), "{name}: {:?}", found);
        }
    }

    /// A request whose outcome is unknown may have taken effect or not: both are right, twice is not.
    #[test]
    fn an_unknown_outcome_allows_none_or_one(count in 2_u64..12, at in 0_usize..12) {
        let at = at % usize::try_from(count).unwrap();
        let (mut events, mut snapshot) = fitting(count);
        let manuscripts: Vec<_> = snapshot.manuscripts.iter().map(|row| row.id).collect();
        events.push(Event {
            serial: 5000,
            outcome: Outcome::Unknown(String::new()),
            what: What::Create { kind: Kind::Project, parents: vec![], origin: 5000, made: None },
            ..events[at * 6].clone()
        });
        prop_assert!(check(&cast(), &events, &snapshot).is_empty());
        let marker = Marker { tenant: at % 2, user: at % 2, serial: 5000 };
        let mut row = snapshot.projects[at].clone();
        (row.id, row.title, row.version) = (id(9, 1), marker.to_string(), 1);
        snapshot.listed.get_mut(&row.tenant).unwrap().push(row.id);
        snapshot.projects.push(row.clone());
        let found = check(&cast(), &events, &snapshot);
        prop_assert!(found.is_empty(), "{:?}", found);
        row.id = id(9, 2);
        snapshot.listed.get_mut(&row.tenant).unwrap().push(row.id);
        snapshot.projects.push(row);
        let found = check(&cast(), &events, &snapshot);
        prop_assert!(found.iter().any(|violation| violation.class == Class::Twice), "{:?}", found);
        prop_assert_eq!(manuscripts.len(), snapshot.manuscripts.len());
    }
}
