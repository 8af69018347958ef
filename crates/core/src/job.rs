//! The kinds of jobs and what each is told: written by whoever enqueues one, read by the worker. They stand here so
//! that neither has to know the other.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{ManuscriptId, ProjectId, RevisionId};

/// What a job does. Its payload is the structure of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobKind {
    /// Analyses a stored revision; the job's id is the analysis's.
    AnalyzeManuscript,
    /// Ends an upload that was never completed; the job's id is the revision's.
    SettleUpload,
    /// Deletes the objects and rows of what was marked deleted.
    PurgeObjects,
    /// Deletes the objects and rows of a deleted workspace.
    PurgeWorkspace,
    /// Puts back what a crash between two nodes' commits has lost; the job's id is the workspace's.
    ReconcileWorkspace,
}

/// Says that a text names no kind of job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a kind of job")]
pub struct UnknownJobKind;

impl JobKind {
    /// Every kind there is.
    pub const ALL: &'static [Self] = &[
        Self::AnalyzeManuscript,
        Self::SettleUpload,
        Self::PurgeObjects,
        Self::PurgeWorkspace,
        Self::ReconcileWorkspace,
    ];

    /// Returns the name that is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AnalyzeManuscript => "analyze_manuscript",
            Self::SettleUpload => "settle_upload",
            Self::PurgeObjects => "purge_objects",
            Self::PurgeWorkspace => "purge_workspace",
            Self::ReconcileWorkspace => "reconcile_workspace",
        }
    }
}

impl fmt::Display for JobKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for JobKind {
    type Err = UnknownJobKind;

    fn from_str(text: &str) -> Result<Self, UnknownJobKind> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text).ok_or(UnknownJobKind)
    }
}

/// What a job is told; its type names the job's kind.
pub trait JobPayload: Serialize {
    /// The kind.
    const KIND: JobKind;
}

impl JobPayload for AnalyzeManuscript {
    const KIND: JobKind = JobKind::AnalyzeManuscript;
}

impl JobPayload for SettleUpload {
    const KIND: JobKind = JobKind::SettleUpload;
}

impl JobPayload for PurgeObjects {
    const KIND: JobKind = JobKind::PurgeObjects;
}

impl JobPayload for PurgeWorkspace {
    const KIND: JobKind = JobKind::PurgeWorkspace;
}

impl JobPayload for ReconcileWorkspace {
    const KIND: JobKind = JobKind::ReconcileWorkspace;
}

/// Names the revision that [`JobKind::AnalyzeManuscript`] reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnalyzeManuscript {
    /// The project.
    pub project_id: ProjectId,
    /// The manuscript.
    pub manuscript_id: ManuscriptId,
    /// The revision.
    pub revision_id: RevisionId,
}

/// Names the revision that [`JobKind::SettleUpload`] ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettleUpload {
    /// The project.
    pub project_id: ProjectId,
    /// The manuscript.
    pub manuscript_id: ManuscriptId,
    /// The revision.
    pub revision_id: RevisionId,
}

/// Needs nothing but the workspace: [`JobKind::ReconcileWorkspace`] looks at all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconcileWorkspace {}

/// Names what [`JobKind::PurgeObjects`] clears away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeObjects {
    /// The project.
    pub project_id: ProjectId,
    /// The one manuscript, or none where the whole project was deleted.
    pub manuscript_id: Option<ManuscriptId>,
}

/// What [`JobKind::PurgeWorkspace`] clears away is the job's own workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeWorkspace {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own_that_the_table_accepts() {
        for kind in JobKind::ALL {
            let name = kind.as_str();
            assert_eq!(name.parse(), Ok(*kind));
            assert!(name.len() <= 41 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
        }
        assert_eq!("".parse::<JobKind>(), Err(UnknownJobKind));
    }
}
