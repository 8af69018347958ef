//! Projects, manuscripts, revisions and analyses: whose they are, that they are there, and that nothing else is.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use crate::{
    history::{Class, Kind},
    marker::Marker,
    model::{Made, Model},
    snapshot::{Analysis, Revision, Snapshot, Titled},
};

use super::Found;

pub(super) fn check(model: &Model, snapshot: &Snapshot, found: &mut Found) {
    let deleted = snapshot.workspaces.iter().filter(|workspace| workspace.is_deleted);
    let mut rows = Rows {
        model,
        is_purged: snapshot.is_purged,
        gone: deleted.map(|workspace| workspace.id).collect(),
        there: HashSet::new(),
        origins: HashMap::new(),
    };
    for row in &snapshot.projects {
        rows.titled(Kind::Project, row, &[], found);
    }
    for row in &snapshot.manuscripts {
        rows.titled(Kind::Manuscript, row, &[row.project], found);
    }
    for row in &snapshot.revisions {
        rows.revision(row, found);
    }
    let keyed: HashMap<_, _> =
        snapshot.keys.iter().filter_map(|key| Some((key.resource, Marker::of(&key.key)?.serial))).collect();
    for row in &snapshot.analyses {
        rows.analysis(row, &keyed, snapshot, found);
    }
    rows.missing(found);
    for (tenant, listed) in &snapshot.listed {
        let live = |row: &&Titled| row.tenant == *tenant && !row.is_deleted;
        let mut live: Vec<_> = snapshot.projects.iter().filter(live).map(|row| row.id).collect();
        let mut listed = listed.clone();
        live.sort_unstable();
        listed.sort_unstable();
        for id in live.iter().filter(|id| listed.binary_search(id).is_err()) {
            found.add(Class::Missing, [*id], format!("the project {id} is not listed"));
        }
        for id in listed.iter().filter(|id| live.binary_search(id).is_err()) {
            found.add(Class::ForeignShown, [*id], format!("{id} is listed and no project of the workspace"));
        }
    }
}

struct Rows<'a> {
    model: &'a Model,
    is_purged: bool,
    /// The workspaces that are deleted, with all that is in them.
    gone: HashSet<Uuid>,
    there: HashSet<Uuid>,
    /// How often each creation that was never acknowledged turned up.
    origins: HashMap<u64, usize>,
}

impl Rows<'_> {
    /// Finds who asked for a row: an acknowledged creation by its id, another by what it wrote.
    fn asked(&mut self, kind: Kind, id: Uuid, origin: Option<u64>, found: &mut Found) -> Option<Made> {
        self.there.insert(id);
        if let Some(made) = self.model.made.get(&id) {
            return Some(made.clone());
        }
        let unknown = origin.and_then(|origin| self.model.unknown.get(&origin));
        let Some(made) = unknown.filter(|made| made.kind == kind) else {
            let twice = origin.is_some_and(|origin| self.model.by_origin.contains_key(&origin));
            let class = if twice { Class::Twice } else { Class::Unasked };
            found.add(class, [id], format!("the {kind:?} {id} is one that no acknowledged request made"));
            return None;
        };
        let times = self.origins.entry(origin?).or_default();
        *times += 1;
        found.unless(*times == 1, Class::Twice, id, || format!("step {origin:?} made two, {id} among them"));
        Some(made.clone())
    }

    fn belongs(
        &self,
        made: &Made,
        id: Uuid,
        tenant: Uuid,
        author: Option<Uuid>,
        parents: &[Uuid],
        found: &mut Found,
    ) {
        let cast = &self.model.cast;
        let theirs = cast.tenants.get(made.tenant) == Some(&tenant)
            && author.is_none_or(|author| cast.users.get(made.user) == Some(&author));
        found.unless(theirs, Class::ForeignRow, id, || {
            format!("the {:?} {id} of tenant {} is in {tenant}, by {author:?}", made.kind, made.tenant)
        });
        found.unless(made.parents == parents, Class::ForeignRow, id, || {
            format!("the {:?} {id} was made in {:?} and lies in {parents:?}", made.kind, made.parents)
        });
        found.unless(!(self.is_purged && self.gone.contains(&tenant)), Class::Job, id, || {
            format!("the {:?} {id} is there and its workspace is purged", made.kind)
        });
    }

    fn titled(&mut self, kind: Kind, row: &Titled, parents: &[Uuid], found: &mut Found) {
        let marker = Marker::of(&row.title);
        let Some(made) = self.asked(kind, row.id, marker.map(|marker| marker.serial), found) else { return };
        self.belongs(&made, row.id, row.tenant, Some(row.author), parents, found);
        let deletions = self.model.own_deletions(row.id);
        let done = deletions.iter().any(|deletion| deletion.over != u64::MAX);
        found.unless(!done || row.is_deleted, Class::Missing, row.id, || {
            format!("the deletion of {} was acknowledged and is not there", row.id)
        });
        found.unless(!row.is_deleted || !deletions.is_empty(), Class::Unasked, row.id, || {
            format!("nobody deleted {}", row.id)
        });
        found.unless(!(self.is_purged && row.is_deleted), Class::Job, row.id, || {
            format!("{} was deleted and is not purged", row.id)
        });
        let Some(marker) =
            marker.filter(|marker| self.model.cast.tenants.get(marker.tenant) == Some(&row.tenant))
        else {
            found.add(Class::ForeignRow, [row.id], format!("{} has the title {}", row.id, row.title));
            return;
        };
        let renames = self.model.renames(row.id);
        if self.model.made.contains_key(&row.id) {
            let may = self.model.may_show(row.id, marker.serial, u64::MAX, u64::MAX);
            found.unless(may, Class::Missing, row.id, || {
                format!("{} is titled as step {} left it, which was overwritten", row.id, marker.serial)
            });
        }
        let least = renames.iter().filter(|rename| rename.over != u64::MAX).count();
        let changes =
            usize::try_from(row.version).unwrap_or(0).saturating_sub(1 + usize::from(row.is_deleted));
        found.unless(least <= changes, Class::Missing, row.id, || {
            format!("{} was changed {least} times and shows {changes}", row.id)
        });
        found.unless(changes <= renames.len(), Class::Twice, row.id, || {
            format!("{} was to be changed {} times and shows {changes}", row.id, renames.len())
        });
    }

    fn revision(&mut self, row: &Revision, found: &mut Found) {
        let marker = Marker::of(&row.filename);
        let Some(made) = self.asked(Kind::Revision, row.id, marker.map(|marker| marker.serial), found) else {
            return;
        };
        self.belongs(&made, row.id, row.tenant, Some(row.author), &[row.project, row.manuscript], found);
        let Some(marker) = marker.filter(|marker| made.origin == Some(marker.serial)) else {
            found.add(Class::ForeignRow, [row.id], format!("{} is called {}", row.id, row.filename));
            return;
        };
        let text = marker.text();
        let right =
            usize::try_from(row.bytes) == Ok(text.len()) && row.sha256 == crate::sha256(text.as_bytes());
        found.unless(right, Class::ForeignRow, row.id, || format!("{} is not of the declared bytes", row.id));
        let own = format!("{}/{}/{}/", row.tenant, row.author, row.project);
        found.unless(row.object_key.starts_with(&own), Class::ForeignObject, row.id, || {
            format!("the object of {} is to lie at {}", row.id, row.object_key)
        });
        let completions = self.model.completions(row.id);
        let acknowledged = completions.iter().any(|completion| completion.over != u64::MAX);
        let gone = self.model.may_be_gone(row.id, &made.parents, u64::MAX);
        let (allowed, class) = match row.state.as_str() {
            "stored" => (!completions.is_empty(), Class::Unasked),
            // Every ticket has had its time.
            "pending" if !acknowledged => (self.gone.contains(&row.tenant), Class::Job),
            "pending" | "expired" => (!acknowledged, Class::Missing),
            _ => (gone, Class::Unasked),
        };
        found.unless(allowed, class, row.id, || {
            format!("{} is {} after {} completions", row.id, row.state, completions.len())
        });
    }

    fn analysis(
        &mut self,
        row: &Analysis,
        keyed: &HashMap<Uuid, u64>,
        snapshot: &Snapshot,
        found: &mut Found,
    ) {
        self.there.insert(row.id);
        let parents = [row.project, row.manuscript, row.revision];
        let revision = snapshot.revisions.iter().find(|revision| revision.id == row.revision);
        let Some(revision) = revision.filter(|revision| revision.tenant == row.tenant) else {
            found.add(
                Class::ForeignRow,
                [row.id],
                format!("the analysis {} is of no revision of its workspace", row.id),
            );
            return;
        };
        let first = revision.analysis == row.id && !self.model.completions(row.revision).is_empty();
        let unkeyed = |made: &Made| made.kind == Kind::Analysis && made.parents == parents;
        let unknown = self.model.unknown.iter().find(|(origin, made)| {
            unkeyed(made)
                && keyed.get(&row.id).is_none_or(|key| key == *origin)
                && !self.origins.contains_key(origin)
        });
        if let Some(made) = self.model.made.get(&row.id) {
            self.belongs(made, row.id, row.tenant, None, &parents, found);
        } else if let Some((origin, _)) = unknown.filter(|_| !first) {
            self.origins.insert(*origin, 1);
        } else {
            found.unless(first, Class::Unasked, row.id, || {
                format!("nobody asked for the analysis {}", row.id)
            });
        }
        let deleted = self.model.own_deletions(row.id).iter().any(|deletion| deletion.over != u64::MAX);
        found.unless(!deleted, Class::Missing, row.id, || {
            format!("the deletion of {} was acknowledged and is not there", row.id)
        });
        if self.gone.contains(&row.tenant) {
            // Whatever was going on has stopped.
            return;
        }
        let gone = self.model.may_be_gone(row.id, &parents, u64::MAX);
        let words = Marker::of(&revision.filename).map(|marker| marker.words());
        let right = match row.state.as_str() {
            "succeeded" => row.words.and_then(|words| u64::try_from(words).ok()) == words,
            "cancelled" => gone,
            _ => false,
        };
        found.unless(right, Class::Job, row.id, || {
            format!(
                "the analysis {} is {} with {:?} words instead of {words:?}",
                row.id, row.state, row.words
            )
        });
    }

    fn missing(&self, found: &mut Found) {
        for (id, made) in &self.model.made {
            let gone = matches!(made.kind, Kind::Workspace | Kind::Invitation)
                || self.there.contains(id)
                || self.model.may_be_gone(*id, &made.parents, u64::MAX);
            found.unless(gone, Class::Missing, *id, || {
                format!("the {:?} {id} was acknowledged and is not there", made.kind)
            });
        }
    }
}
