//! Objects against rows: each under its owner's key with its owner's text, none too few, none too many.

use std::collections::{HashMap, HashSet};

use crate::{
    history::Class,
    marker::{Marker, ids},
    model::Model,
    snapshot::Snapshot,
};

use super::Found;

pub(super) fn check(model: &Model, snapshot: &Snapshot, found: &mut Found) {
    let rows: HashMap<_, _> = snapshot.revisions.iter().map(|row| (row.object_key.as_str(), row)).collect();
    if rows.len() != snapshot.revisions.len() {
        found.add(Class::ForeignObject, [], "two revisions have the same object");
    }
    let buried: HashSet<_> = snapshot.tombstones.iter().map(|(_, key)| key.as_str()).collect();
    for (tenant, key) in &snapshot.tombstones {
        found.unless(key.starts_with(&format!("{tenant}/")), Class::ForeignObject, *tenant, || {
            format!("{tenant} buries another's object {key}")
        });
    }
    let mut there = HashSet::new();
    for object in &snapshot.objects {
        there.insert(object.key.as_str());
        let marker = std::str::from_utf8(&object.body).ok().and_then(Marker::of);
        let tenant = marker.and_then(|marker| model.cast.tenants.get(marker.tenant));
        let owner = tenant.is_some_and(|tenant| object.key.starts_with(&format!("{tenant}/")));
        let whole = marker.is_some_and(|marker| marker.text().as_bytes() == object.body);
        if !owner || !whole {
            let text = format!("{} holds what {marker:?} wrote", object.key);
            found.add(Class::ForeignObject, tenant.copied().into_iter().collect::<Vec<_>>(), text);
        }
        match rows.get(object.key.as_str()) {
            Some(row) => {
                let right = marker.is_some_and(|marker| Marker::of(&row.filename) == Some(marker));
                found.unless(right, Class::ForeignObject, row.id, || {
                    format!("the object of {} is another's text", row.id)
                });
                // A file may arrive after its ticket was settled: its tombstone takes it away then.
                let kept = row.state != "expired" || buried.contains(object.key.as_str());
                found.unless(kept, Class::Unasked, row.id, || {
                    format!("{} expired and its file is kept", row.id)
                });
            }
            None => {
                if !buried.contains(object.key.as_str()) {
                    // The key ends with the revision's id and name: its events tell how it came to this.
                    let revision = ids(object.key.as_bytes()).pop();
                    let text = format!("{} belongs to no row", object.key);
                    found.add(Class::Unasked, Vec::from_iter(revision), text);
                }
            }
        }
    }
    for row in snapshot.revisions.iter().filter(|row| row.state == "stored") {
        found.unless(there.contains(row.object_key.as_str()), Class::Missing, row.id, || {
            format!("the file of {} is not there", row.id)
        });
    }
}
