//! Workspaces, members and keys.

use std::collections::{HashMap, HashSet};

use novelfoundry_core::Role;
use uuid::Uuid;

use crate::{
    history::{Class, Kind},
    marker::Marker,
    model::Model,
    snapshot::{Snapshot, Workspace},
};

use super::Found;

pub(super) fn check(model: &Model, snapshot: &Snapshot, found: &mut Found) {
    let members: HashSet<_> = snapshot.members.iter().map(|(tenant, user, _)| (*tenant, *user)).collect();
    if members != snapshot.indexed_members.iter().copied().collect() {
        found.add(Class::ForeignRow, [], "the memberships and their index by person differ");
    }
    seats(model, snapshot, &members, found);
    for session in &snapshot.sessions {
        found.unless(members.contains(session), Class::ForeignRow, session.0, || {
            format!("a session of {} is in {}, which they are no member of", session.1, session.0)
        });
    }
    workspaces(model, snapshot, found);
    keys(model, snapshot, found);
}

/// Everybody is where they ought to be, and nobody where they ought not.
fn seats(model: &Model, snapshot: &Snapshot, members: &HashSet<(Uuid, Uuid)>, found: &mut Found) {
    let cast = &model.cast;
    for (tenant, user, role) in &snapshot.members {
        if !cast.members.iter().any(|(founded, ..)| founded == tenant) {
            continue;
        }
        let here = (*tenant, *user);
        let founder = cast.members.contains(&(*tenant, *user, *role));
        let guest = model.seats.get(&here).is_some_and(|seat| seat.may && seat.roles.contains(role));
        found.unless(founder || guest, Class::ForeignRow, *user, || {
            format!("{user} is {role} in {tenant} and ought not to be")
        });
    }
    let founders = cast.members.iter().map(|(tenant, user, _)| (*tenant, *user));
    let guests = model.seats.iter().filter(|(_, seat)| seat.must).map(|(place, _)| *place);
    for (tenant, user) in founders.chain(guests) {
        found.unless(members.contains(&(tenant, user)), Class::Missing, user, || {
            format!("{user} ought to be a member of {tenant}")
        });
    }
    for person in &model.erased {
        let left = members.iter().any(|(_, user)| user == person) || snapshot.persons.contains(person);
        found.unless(!left, Class::Missing, *person, || format!("{person} deleted themselves and is there"));
    }
}

fn workspaces(model: &Model, snapshot: &Snapshot, found: &mut Found) {
    let mut times: HashMap<u64, usize> = HashMap::new();
    for Workspace { id, name, is_deleted } in &snapshot.workspaces {
        let (may_be_gone, must_be_gone) = model.workspace_gone(*id);
        let right = if *is_deleted { may_be_gone } else { !must_be_gone };
        found.unless(right, if *is_deleted { Class::Unasked } else { Class::Missing }, *id, || {
            format!("the workspace {name} is deleted: {is_deleted}, was to be: {may_be_gone}")
        });
        if *is_deleted {
            let inside = snapshot.members.iter().any(|(tenant, ..)| tenant == id);
            found.unless(!inside, Class::ForeignRow, *id, || {
                format!("the deleted workspace {id} has members")
            });
        }
        if *is_deleted || model.cast.members.iter().any(|(founded, ..)| founded == id) {
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
        let founder = model.cast.users[made.user];
        let inside = || snapshot.members.iter().filter(|(tenant, ..)| tenant == id);
        let invited = |user: &Uuid| model.seats.get(&(*id, *user)).is_some_and(|seat| seat.may);
        let right = inside().all(|(_, user, _)| *user == founder || invited(user))
            && inside().any(|(_, user, _)| *user == founder)
            && inside().any(|(.., role)| *role == Role::Owner);
        found.unless(right, Class::ForeignRow, *id, || {
            format!("the workspace {name} has not its maker, an owner and nobody uninvited")
        });
    }
    for (id, _) in model.made.iter().filter(|(_, made)| made.kind == Kind::Workspace) {
        let there = snapshot.workspaces.iter().any(|workspace| workspace.id == *id);
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
