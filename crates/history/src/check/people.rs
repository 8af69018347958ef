//! Workspaces, members and keys.

use std::collections::{HashMap, HashSet};

use crate::{
    history::{Class, Kind},
    marker::Marker,
    model::Model,
    snapshot::Snapshot,
};

use super::Found;

pub(super) fn check(model: &Model, snapshot: &Snapshot, found: &mut Found) {
    let members: HashSet<_> = snapshot.members.iter().collect();
    if members != snapshot.indexed_members.iter().collect() {
        found.add(Class::ForeignRow, [], "the memberships and their index by person differ");
    }
    for session in &snapshot.sessions {
        found.unless(members.contains(session), Class::ForeignRow, session.0, || {
            format!("a session of {} is in {}, which they are no member of", session.1, session.0)
        });
    }
    workspaces(model, snapshot, found);
    keys(model, snapshot, found);
}

fn workspaces(model: &Model, snapshot: &Snapshot, found: &mut Found) {
    let mut times: HashMap<u64, usize> = HashMap::new();
    for (id, name) in &snapshot.workspaces {
        if model.cast.tenants.contains(id) {
            continue;
        }
        let marker = Marker::of(name);
        let asked = marker.and_then(|marker| {
            let unknown = model.unknown.get(&marker.serial);
            model.made.get(id).or(unknown).filter(|made| made.kind == Kind::Workspace)
        });
        let (Some(marker), Some(made)) = (marker, asked) else {
            found.add(Class::Unasked, [*id], format!("nobody asked for the workspace {name}"));
            continue;
        };
        *times.entry(marker.serial).or_default() += 1;
        found.unless(times[&marker.serial] == 1, Class::Twice, *id, || format!("two workspaces {name}"));
        let owner = model.cast.users[made.user];
        let inside: Vec<_> = snapshot.members.iter().filter(|(tenant, _)| tenant == id).collect();
        found.unless(inside == [&(*id, owner)], Class::ForeignRow, *id, || {
            format!("the workspace {name} is not its maker's alone")
        });
    }
    for (id, _) in model.made.iter().filter(|(_, made)| made.kind == Kind::Workspace) {
        let there = snapshot.workspaces.iter().any(|(workspace, _)| workspace == id);
        found.unless(there, Class::Missing, *id, || format!("the workspace {id} is not there"));
    }
}

fn keys(model: &Model, snapshot: &Snapshot, found: &mut Found) {
    for key in &snapshot.keys {
        let Some(marker) = Marker::of(&key.key) else {
            found.add(Class::Unasked, [key.resource], format!("nobody sent the key {}", key.key));
            continue;
        };
        found.unless(
            model.cast.users.get(marker.user) == Some(&key.user),
            Class::ForeignRow,
            key.resource,
            || format!("the key {} is kept as another's", key.key),
        );
        if let Some(made) = model.by_origin.get(&marker.serial) {
            found.unless(*made == key.resource, Class::Twice, *made, || {
                format!("the key {} stands for {}, its answer named {made}", key.key, key.resource)
            });
            let workspace = model.made.get(made).is_some_and(|made| made.kind == Kind::Workspace);
            let tenant = if workspace { Some(made) } else { model.cast.tenants.get(marker.tenant) };
            found.unless(tenant == Some(&key.tenant), Class::ForeignRow, *made, || {
                format!("the key {} is in another workspace", key.key)
            });
        } else {
            found.unless(model.unknown.contains_key(&marker.serial), Class::Unasked, key.resource, || {
                format!("the key {} was recorded though every request with it was refused", key.key)
            });
        }
    }
}
