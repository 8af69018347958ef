//! What the database and the store really hold, read past every policy.

use std::collections::HashMap;

use novelfoundry_core::Role;
use uuid::Uuid;

#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) is_deleted: bool,
}

/// A project or a manuscript.
#[derive(Clone, Debug)]
pub(crate) struct Titled {
    pub(crate) tenant: Uuid,
    pub(crate) project: Uuid,
    pub(crate) id: Uuid,
    pub(crate) title: String,
    pub(crate) author: Uuid,
    pub(crate) version: i32,
    pub(crate) is_deleted: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Revision {
    pub(crate) tenant: Uuid,
    pub(crate) project: Uuid,
    pub(crate) manuscript: Uuid,
    pub(crate) id: Uuid,
    pub(crate) state: String,
    pub(crate) filename: String,
    pub(crate) bytes: i64,
    pub(crate) sha256: String,
    pub(crate) object_key: String,
    pub(crate) analysis: Uuid,
    pub(crate) author: Uuid,
}

#[derive(Clone, Debug)]
pub(crate) struct Analysis {
    pub(crate) tenant: Uuid,
    pub(crate) project: Uuid,
    pub(crate) manuscript: Uuid,
    pub(crate) revision: Uuid,
    pub(crate) id: Uuid,
    pub(crate) state: String,
    pub(crate) words: Option<i64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) tenant: Uuid,
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    pub(crate) state: String,
    /// What it works on, where that is not the whole workspace.
    pub(crate) project: Option<Uuid>,
    pub(crate) manuscript: Option<Uuid>,
    pub(crate) revision: Option<Uuid>,
}

impl Job {
    pub(crate) fn is_unfinished(&self) -> bool {
        matches!(self.state.as_str(), "queued" | "running")
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Usage {
    pub(crate) tenant: Uuid,
    pub(crate) stored: i64,
    pub(crate) reserved: i64,
}

/// A usage event.
#[derive(Clone, Debug)]
pub(crate) struct Used {
    pub(crate) tenant: Uuid,
    pub(crate) kind: String,
    pub(crate) quantity: i64,
    pub(crate) subject: Uuid,
}

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) tenant: Uuid,
    pub(crate) user: Uuid,
    pub(crate) key: String,
    pub(crate) resource: Uuid,
}

#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) key: String,
    pub(crate) body: Vec<u8>,
}

/// Everything, at a moment when nothing happens.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) workspaces: Vec<Workspace>,
    /// Workspace, person and role.
    pub(crate) members: Vec<(Uuid, Uuid, Role)>,
    /// Workspace and person.
    pub(crate) indexed_members: Vec<(Uuid, Uuid)>,
    /// The active workspaces of sessions, with their persons.
    pub(crate) sessions: Vec<(Uuid, Uuid)>,
    /// Whom the directory knows.
    pub(crate) persons: Vec<Uuid>,
    pub(crate) projects: Vec<Titled>,
    pub(crate) manuscripts: Vec<Titled>,
    pub(crate) revisions: Vec<Revision>,
    pub(crate) analyses: Vec<Analysis>,
    pub(crate) jobs: Vec<Job>,
    pub(crate) usage: Vec<Usage>,
    pub(crate) used: Vec<Used>,
    pub(crate) keys: Vec<Key>,
    pub(crate) tombstones: Vec<(Uuid, String)>,
    pub(crate) objects: Vec<Object>,
    /// Transactions that nobody will end.
    pub(crate) open_transactions: Vec<String>,
    /// What each workspace's owner is shown in the list of projects.
    pub(crate) listed: HashMap<Uuid, Vec<Uuid>>,
    /// Whether all that was deleted has had its time to go.
    pub(crate) is_purged: bool,
}
