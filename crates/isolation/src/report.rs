//! What a run has found, as it is written down.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::finding::Finding;

/// An object that could not be judged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NotAttacked {
    /// The object, as in a finding.
    pub object: String,
    /// Why not.
    pub reason: String,
}

/// Something that was worked out from the catalogue, and from what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inferred {
    /// What was taken.
    pub value: serde_json::Value,
    /// Why.
    pub because: String,
}

/// One cell of the matrix: what was tried on an object with a verb, and how it went.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cell {
    /// The role that acted.
    pub role: String,
    /// The object, as in a finding.
    pub object: String,
    /// What was tried.
    pub verb: String,
    /// `leaks`, `holds`, `denied` (no privilege) or `not attacked`.
    pub outcome: String,
}

/// Everything that `check` or `attack` has to say.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// The faults and traps, worst first.
    pub findings: Vec<Finding>,
    /// What could not be judged.
    pub not_attacked: Vec<NotAttacked>,
    /// How many different attacks ran: object × verb × context × oracle.
    pub attacks: usize,
    /// How many objects were reached by them.
    pub objects: usize,
    /// How long it took.
    pub seconds: f64,
    /// What was worked out, by the name of the setting.
    pub inferred: BTreeMap<String, Inferred>,
    /// What was tried on each object.
    #[serde(default)]
    pub matrix: Vec<Cell>,
}

/// Begins the name of a sort of attack, which is no object.
pub(crate) const ATTACK: &str = "attack:";

/// Begins the names of what is attacked and is no object of the schema's.
const BESIDE: &[&str] = &["role:", "setting ", "pg_catalog."];

impl Report {
    /// Adds what did not come along into the copy.
    pub fn leave_out(&mut self, left_out: Vec<NotAttacked>) {
        self.not_attacked.extend(left_out);
        self.not_attacked.sort();
        self.not_attacked.dedup();
        self.count_objects();
    }

    /// Counts the objects that somebody could reach and that were attacked with every verb that is granted.
    pub(crate) fn count_objects(&mut self) {
        let missed = self.missed();
        let reached: BTreeSet<&str> = self
            .matrix
            .iter()
            .filter(|cell| cell.outcome != "denied" && !missed.contains(cell.object.as_str()))
            .filter(|cell| !BESIDE.iter().any(|prefix| cell.object.starts_with(prefix)))
            .map(|cell| cell.object.as_str())
            .collect();
        self.objects = reached.len();
    }

    /// Returns the objects that could not be judged, or not altogether.
    pub(crate) fn missed(&self) -> BTreeSet<&str> {
        let objects = self.not_attacked.iter().map(|missed| missed.object.as_str());
        objects.filter(|object| !object.starts_with(ATTACK)).collect()
    }
}
