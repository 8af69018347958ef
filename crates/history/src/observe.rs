//! Watches every answer for what is another workspace's, and remembers whose each id is.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use uuid::Uuid;

use crate::{
    history::{Class, Violation},
    marker::{Marker, ids},
};

/// To whom an id may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Tenant(usize),
    User(usize),
    /// Whoever is in this workspace, and this person wherever they are.
    Lent {
        tenant: usize,
        user: usize,
    },
    Anyone,
}

/// Who looks at an answer.
#[derive(Clone, Debug)]
pub(crate) struct Viewer {
    pub(crate) tenant: usize,
    pub(crate) user: usize,
    /// Their own id.
    pub(crate) person: Uuid,
    /// Whether the answer is about the person, not about a workspace.
    pub(crate) personal: bool,
    /// The workspaces that the person is in.
    pub(crate) homes: Vec<usize>,
}

/// Whose each id is that was ever shown.
#[derive(Debug, Default)]
pub(crate) struct Observer {
    owners: Mutex<HashMap<Uuid, Owner>>,
    /// Texts that another workspace is shown too.
    lent: Mutex<HashMap<Marker, usize>>,
    violations: Mutex<Vec<Violation>>,
}

impl Observer {
    pub(crate) fn introduce(&self, id: Uuid, owner: Owner) {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner).insert(id, owner);
    }

    /// Lets a workspace see a text of another's.
    pub(crate) fn lend(&self, text: Marker, tenant: usize) {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner).insert(text, tenant);
    }

    pub(crate) fn report(&self, violation: Violation) {
        self.violations.lock().unwrap_or_else(PoisonError::into_inner).push(violation);
    }

    pub(crate) fn take(&self) -> Vec<Violation> {
        std::mem::take(&mut *self.violations.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks through an answer, headers included; what a successful one shows first is its viewer's.
    pub(crate) fn see(&self, viewer: &Viewer, answer: &[u8], succeeded: bool, request: &str) {
        let may = |owner: Owner| match owner {
            Owner::Tenant(tenant) => {
                tenant == viewer.tenant || viewer.personal && viewer.homes.contains(&tenant)
            }
            Owner::User(user) => user == viewer.user,
            Owner::Lent { tenant, user } => tenant == viewer.tenant || user == viewer.user && viewer.personal,
            Owner::Anyone => true,
        };
        for marker in Marker::find(answer) {
            let own = marker.user == viewer.user && viewer.personal;
            let lent = self.lent.lock().unwrap_or_else(PoisonError::into_inner).get(&marker).copied();
            if !own && lent != Some(viewer.tenant) && !may(Owner::Tenant(marker.tenant)) {
                let text = format!("{viewer:?} was shown {marker} by {request}");
                self.report(Violation::new(Class::ForeignShown, [], text));
            }
        }
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        let first = if viewer.personal { Owner::User(viewer.user) } else { Owner::Tenant(viewer.tenant) };
        let mut foreign = Vec::new();
        for id in ids(answer) {
            match owners.get(&id) {
                Some(owner) if !may(*owner) && id != viewer.person => foreign.push((id, *owner)),
                None if succeeded => {
                    owners.insert(id, first);
                }
                _ => {}
            }
        }
        drop(owners);
        for (id, owner) in foreign {
            let text = format!("{viewer:?} was shown {id} of {owner:?} by {request}");
            self.report(Violation::new(Class::ForeignShown, [id], text));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn viewer(tenant: usize) -> Viewer {
        Viewer { tenant, user: tenant, person: Uuid::nil(), personal: false, homes: vec![tenant] }
    }

    proptest! {
        #[test]
        fn a_foreign_id_or_text_is_seen_wherever_it_stands(
            id: u128, serial: u64, before in "[^-zq]*", after in "[^-zq]*", by_id: bool,
        ) {
            let observer = Observer::default();
            let id = Uuid::from_u128(id);
            observer.see(&viewer(1), id.to_string().as_bytes(), true, "");
            let leak = if by_id { id.to_string() } else { Marker { tenant: 1, user: 1, serial }.to_string() };
            let answer = format!("{before}{leak}{after}");
            observer.see(&viewer(1), answer.as_bytes(), true, "");
            prop_assert!(observer.take().is_empty());
            observer.see(&viewer(2), answer.as_bytes(), false, "");
            prop_assert_eq!(observer.take()[0].class, Class::ForeignShown);
        }
    }

    #[test]
    fn whoever_is_shown_an_id_first_another_may_not_be() {
        let observer = Observer::default();
        let id = Uuid::from_u128(7).to_string();
        observer.see(&viewer(1), id.as_bytes(), true, "");
        observer.see(&viewer(2), id.as_bytes(), true, "");
        assert_eq!(observer.take().len(), 1);
    }
}
