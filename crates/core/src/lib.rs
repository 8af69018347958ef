//! The words every other crate shares: ids, roles, plans, operations, problem codes, and the sources of time and randomness.
//! It does no input or output, so that anything may depend on it.

mod clock;
mod id;
mod job;
mod operation;
mod problem;
mod report;
mod role;
mod secret;

pub use clock::{Clock, ManualClock, SystemClock};
pub use id::{
    AnalysisId, IdError, IdSource, InvitationId, JobId, ManuscriptId, ProjectId, RevisionId, SessionId,
    TenantId, UserId,
};
pub use job::{
    AnalyzeManuscript, JobKind, JobPayload, PurgeObjects, PurgeWorkspace, ReconcileWorkspace, SettleUpload,
    UnknownJobKind,
};
pub use operation::{Access, Operation, OperationDefinition};
pub use problem::{ProblemCode, ProblemDefinition};
pub use report::report;
pub use role::{Role, UnknownRole};
pub use secret::{Secret, random_token};
