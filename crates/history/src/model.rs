//! What the answers allow to be true. Of an acknowledged request the effect is there once; of one whose outcome is
//! unknown it may be there, once, from any time on; of a refused one it is not.

use std::collections::{HashMap, HashSet};

use novelfoundry_core::Role;
use uuid::Uuid;

use crate::history::{Class, Event, Kind, Violation, What};

/// A thing that a creation was acknowledged for, or whose outcome is unknown.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) kind: Kind,
    pub(crate) tenant: usize,
    pub(crate) user: usize,
    pub(crate) parents: Vec<Uuid>,
    /// The step that asked for it; none where it came with something else.
    pub(crate) origin: Option<u64>,
    /// When it was there for certain.
    pub(crate) since: u64,
}

/// A change of a thing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    pub(crate) serial: u64,
    pub(crate) start: u64,
    /// When it had happened at the latest.
    pub(crate) over: u64,
}

/// Who took part: workspaces and persons by their number, those of the beginning first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cast {
    pub(crate) tenants: Vec<Uuid>,
    pub(crate) users: Vec<Uuid>,
    /// Who is a member from the beginning to the end, as what.
    pub(crate) members: Vec<(Uuid, Uuid, Role)>,
}

/// What may be true of a person in a workspace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seat {
    /// Whether they may be a member, and whether they must.
    pub(crate) may: bool,
    pub(crate) must: bool,
    /// The roles that they may have.
    pub(crate) roles: Vec<Role>,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) cast: Cast,
    pub(crate) made: HashMap<Uuid, Made>,
    /// Creations that were never acknowledged, by their origin.
    pub(crate) unknown: HashMap<u64, Made>,
    /// What each acknowledged creation made.
    pub(crate) by_origin: HashMap<u64, Uuid>,
    renames: HashMap<Uuid, Vec<Change>>,
    deletions: HashMap<Uuid, Vec<Change>>,
    completions: HashMap<Uuid, Vec<Change>>,
    /// Who came and went, by workspace and person.
    pub(crate) seats: HashMap<(Uuid, Uuid), Seat>,
    /// Persons who have deleted themselves for certain.
    pub(crate) erased: HashSet<Uuid>,
}

impl Model {
    /// Reads a history; what contradicts itself is a violation already.
    pub(crate) fn new(cast: Cast, events: &[Event]) -> (Self, Vec<Violation>) {
        let mut model = Self { cast, ..Self::default() };
        let mut violations = Vec::new();
        let mut versions = HashSet::new();
        for event in events {
            let change = Change { serial: event.serial, start: event.start, over: event.over() };
            match &event.what {
                What::Create { .. } => model.create(event, &mut violations),
                _ if !event.may_have_happened() => {}
                What::Rename { thing, version } => {
                    model.renames.entry(*thing).or_default().push(change);
                    if version.is_some_and(|version| !versions.insert((*thing, version))) {
                        let text = format!("two changes of {thing} made the same version {version:?}");
                        violations.push(Violation::new(Class::Twice, [*thing], text));
                    }
                }
                What::Delete { thing } => model.deletions.entry(*thing).or_default().push(change),
                What::Complete { revision, .. } => {
                    model.completions.entry(*revision).or_default().push(change);
                }
                What::Join { .. } | What::Promote { .. } | What::Leave { .. } | What::Erase { .. } => {
                    model.seat(event);
                }
                What::Read { .. } | What::Walk { .. } | What::Other => {}
            }
        }
        // A deletion is acknowledged to one client.
        for (thing, deletions) in &model.deletions {
            if deletions.iter().filter(|deletion| deletion.over != u64::MAX).count() > 1 {
                let text = format!("{thing} was deleted twice");
                violations.push(Violation::new(Class::Twice, [*thing], text));
            }
        }
        for event in events {
            model.first_analysis(event, &mut violations);
        }
        let acknowledged: HashSet<u64> = model.by_origin.keys().copied().collect();
        model.unknown.retain(|origin, _| !acknowledged.contains(origin));
        (model, violations)
    }

    fn create(&mut self, event: &Event, violations: &mut Vec<Violation>) {
        let What::Create { kind, parents, origin, made } = &event.what else { return };
        let thing = Made {
            kind: *kind,
            tenant: event.tenant,
            user: event.user,
            parents: parents.clone(),
            origin: Some(*origin),
            since: event.over(),
        };
        let Some(id) = made.filter(|_| event.is_done()) else {
            if event.may_have_happened() {
                self.unknown.insert(*origin, thing);
            }
            return;
        };
        match self.by_origin.insert(*origin, id) {
            Some(before) if before != id => {
                let text = format!("step {origin} made {before} and, repeated with its key, {id}");
                violations.push(Violation::new(Class::Twice, [before, id], text));
            }
            Some(_) => return,
            None => {}
        }
        if self.made.insert(id, thing).is_some() {
            violations.push(Violation::new(Class::Twice, [id], format!("two creations made {id}")));
        }
    }

    /// Follows who came and went. What one person does in a workspace happens one after the other.
    fn seat(&mut self, event: &Event) {
        let done = event.is_done();
        match event.what {
            What::Join { workspace, person, role } => {
                let seat = self.seats.entry((workspace, person)).or_default();
                (seat.may, seat.must) = (true, done);
                seat.roles.push(role);
            }
            What::Promote { workspace, person, role } => {
                let seat = self.seats.entry((workspace, person)).or_default();
                if done {
                    seat.roles.clear();
                }
                seat.roles.push(role);
            }
            What::Leave { workspace, person } => {
                let seat = self.seats.entry((workspace, person)).or_default();
                (seat.may, seat.must) = (seat.may && !done, false);
            }
            What::Erase { person } => {
                let own = self.seats.iter_mut().filter(|((_, who), _)| *who == person);
                for (_, seat) in own {
                    (seat.may, seat.must) = (seat.may && !done, false);
                }
                if done {
                    self.erased.insert(person);
                }
            }
            _ => {}
        }
    }

    /// Completing an upload makes an analysis.
    fn first_analysis(&mut self, event: &Event, violations: &mut Vec<Violation>) {
        let What::Complete { revision, analysis: Some(analysis) } = event.what else { return };
        let Some(made) = self.made.get(&revision) else { return };
        let parents = made.parents.iter().copied().chain([revision]).collect::<Vec<_>>();
        let thing = Made {
            kind: Kind::Analysis,
            parents,
            origin: None,
            since: event.over(),
            tenant: made.tenant,
            user: made.user,
        };
        let other = self.made.entry(analysis).or_insert(thing);
        if other.parents.last() != Some(&revision) {
            let text = format!("{analysis} is the analysis of two revisions");
            violations.push(Violation::new(Class::Twice, [analysis, revision], text));
        }
    }

    pub(crate) fn renames(&self, thing: Uuid) -> &[Change] {
        self.renames.get(&thing).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn completions(&self, revision: Uuid) -> &[Change] {
        self.completions.get(&revision).map_or(&[], Vec::as_slice)
    }

    /// Returns the deletions of a thing itself.
    pub(crate) fn own_deletions(&self, thing: Uuid) -> &[Change] {
        self.deletions.get(&thing).map_or(&[], Vec::as_slice)
    }

    /// Returns the deletions that may have taken a thing away: its own, those of what it lies in, its workspace's.
    fn deletions<'a>(&'a self, thing: Uuid, parents: &'a [Uuid]) -> impl Iterator<Item = &'a Change> {
        let workspace = self.made.get(&thing).and_then(|made| self.cast.tenants.get(made.tenant));
        let above = parents.iter().chain(workspace).copied();
        std::iter::once(thing).chain(above).flat_map(|id| self.own_deletions(id))
    }

    /// Tells whether a workspace may have been deleted, or must have been.
    pub(crate) fn workspace_gone(&self, workspace: Uuid) -> (bool, bool) {
        let deletions = self.own_deletions(workspace);
        (!deletions.is_empty(), deletions.iter().any(|deletion| deletion.over != u64::MAX))
    }

    /// Tells whether a thing may be gone when somebody looks until `end`.
    pub(crate) fn may_be_gone(&self, thing: Uuid, parents: &[Uuid], end: u64) -> bool {
        self.deletions(thing, parents).any(|deletion| deletion.start < end)
    }

    /// Tells whether a thing must be gone when somebody looks from `start` on.
    pub(crate) fn must_be_gone(&self, thing: Uuid, parents: &[Uuid], start: u64) -> bool {
        self.deletions(thing, parents).any(|deletion| deletion.over < start)
    }

    /// Tells whether a thing may show the title that the step `serial` wrote, to who looks between `start` and `end`.
    pub(crate) fn may_show(&self, thing: Uuid, serial: u64, start: u64, end: u64) -> bool {
        let first = self.made.get(&thing).filter(|made| made.origin == Some(serial));
        let first = first.map(|made| Change { serial, start: 0, over: made.since });
        let renames = self.renames(thing);
        let Some(write) = first.or_else(|| renames.iter().find(|change| change.serial == serial).copied())
        else {
            return false;
        };
        // Overwritten for certain: another began after this one was over, and was over before anybody looked.
        let overwritten = renames.iter().any(|other| other.start > write.over && other.over < start);
        write.start < end && !overwritten
    }
}
