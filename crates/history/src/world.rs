//! What clients have heard of: the things of their workspaces, to pick from.

use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use uuid::Uuid;

use crate::random::index;

/// Picks are among the newest: there something happens.
const NEWEST: usize = 30;
/// One pick in so many is of a deleted thing.
const DELETED: u64 = 24;

/// Things that live and some that are gone, as paths of ids.
#[derive(Debug)]
pub(crate) struct Things<const DEPTH: usize>(Mutex<[Vec<[Uuid; DEPTH]>; 2]>);

impl<const DEPTH: usize> Default for Things<DEPTH> {
    fn default() -> Self {
        Self(Mutex::new([Vec::new(), Vec::new()]))
    }
}

impl<const DEPTH: usize> Things<DEPTH> {
    pub(crate) fn add(&self, thing: [Uuid; DEPTH]) {
        let [live, gone] = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !live.contains(&thing) && !gone.contains(&thing) {
            live.push(thing);
        }
    }

    /// Takes a thing, and what lies in it, from those that live.
    pub(crate) fn remove(&self, id: Uuid) {
        let [live, gone] = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gone.extend(live.extract_if(.., |thing| thing.contains(&id)));
    }

    pub(crate) fn pick(&self, pick: u64) -> Option<[Uuid; DEPTH]> {
        let [live, gone] = &*self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let from = if pick % DELETED == 7 && !gone.is_empty() { gone } else { live };
        let newest = from.len().min(NEWEST);
        (newest > 0).then(|| from[from.len() - 1 - index(pick / DELETED, newest)])
    }
}

/// What is known of one workspace.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) projects: Things<1>,
    pub(crate) manuscripts: Things<2>,
    pub(crate) revisions: Things<3>,
    /// Project, manuscript, revision, analysis.
    pub(crate) analyses: Things<4>,
    pub(crate) invitations: Things<1>,
    pub(crate) cursors: Mutex<Vec<String>>,
}

/// A creation that was acknowledged, to be repeated.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) path: String,
    pub(crate) body: Value,
    pub(crate) kind: crate::history::Kind,
    pub(crate) parents: Vec<Uuid>,
    pub(crate) origin: u64,
}
