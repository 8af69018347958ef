//! What can go wrong in the database, sorted by what a caller can do about it.

use tokio_postgres::error::SqlState;

/// Why a transaction or statement had no result.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// A guard raised; nothing was changed.
    #[error("refused: {0:?}")]
    Refused(Refusal),
    /// The database was not reached, was too busy, or was lost before COMMIT was sent; nothing was changed.
    #[error("the database is unavailable")]
    Unavailable(#[source] Cause),
    /// The connection was lost once COMMIT may have been sent; the change took effect or did not.
    #[error("the connection was lost at COMMIT")]
    CommitUnknown(#[source] Cause),
    /// The statement is wrong, or a row is not what the code expects: a defect, not a condition.
    #[error("a statement failed")]
    Defect(#[source] Cause),
}

/// The underlying error of any kind.
pub(crate) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What a guard of the schema refused, by its SQLSTATE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The person is not a member of the workspace.
    NotAMember,
    /// The member's role is too low.
    RoleTooLow,
    /// The job's lease was lost to another worker, or the job has ended.
    LeaseLost,
    /// A request with the same idempotency key has not ended.
    IdempotencyInFlight,
    /// The same request was already answered.
    IdempotencyReplayed,
    /// The idempotency key belongs to another request.
    IdempotencyMismatch,
    /// The person is in as many workspaces as a person may be.
    TooManyWorkspaces,
    /// The workspace was made before.
    WorkspaceExists,
    /// The workspace was never made, or is deleted.
    WorkspaceNotFound,
    /// Nobody would be left who owns the workspace.
    LastOwner,
    /// There is no such project.
    ProjectNotFound,
    /// There is no such manuscript.
    ManuscriptNotFound,
    /// There is no such revision.
    RevisionNotFound,
    /// The revision's file is not stored.
    RevisionNotStored,
    /// The file is over the plan's limit, in bytes.
    FileTooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The plan's storage is used up.
    QuotaExceeded {
        /// Bytes stored and reserved.
        used: u64,
        /// The plan's limit in bytes.
        limit: u64,
    },
    /// The revision is not pending any more, or does not exist.
    RevisionNotPending,
    /// There is no such member.
    MemberNotFound,
    /// There is no such invitation, or it is used, expired or withdrawn.
    InvitationNotFound,
    /// The person, or the workspace, has made as many as they may in a day.
    DailyLimit,
    /// The person has left since their token was issued.
    Departed,
}

impl DbError {
    /// Makes a defect of any error.
    pub(crate) fn defect(cause: impl Into<Cause>) -> Self {
        Self::Defect(cause.into())
    }

    /// Sorts an error that arrived before COMMIT was sent.
    pub(crate) fn before_commit(error: tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else {
            return if lost(&error) { Self::Unavailable(error.into()) } else { Self::Defect(error.into()) };
        };
        if let Some(refusal) = refusal(db.code().code(), db.detail().unwrap_or_default()) {
            return Self::Refused(refusal);
        }
        match db.code() {
            code if is_outage(code) => Self::Unavailable(error.into()),
            _ => Self::Defect(error.into()),
        }
    }

    /// Sorts an error of COMMIT itself, or of a pipeline that held one behind a write.
    pub(crate) fn at_commit(error: tokio_postgres::Error) -> Self {
        if error.as_db_error().is_none() && lost(&error) {
            return Self::CommitUnknown(error.into());
        }
        // A backend told to stop while it committed, or a pooler that lost it, does not say whether it had.
        let unknown = |code: &str| code.starts_with("08") || code.starts_with("57P") || code == "40003";
        if error.code().is_some_and(|code| unknown(code.code())) {
            return Self::CommitUnknown(error.into());
        }
        Self::before_commit(error)
    }

    /// Tells whether the database itself asks for the transaction to be run again.
    pub(crate) fn is_retryable(&self) -> bool {
        let Self::Unavailable(cause) = self else { return false };
        cause.downcast_ref::<tokio_postgres::Error>().and_then(tokio_postgres::Error::code).is_some_and(
            |code| *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED,
        )
    }

    /// Tells whether the connection was lost, as against a database that answered.
    pub(crate) fn is_lost_connection(&self) -> bool {
        let Self::Unavailable(cause) = self else { return false };
        cause.downcast_ref::<tokio_postgres::Error>().is_some_and(|error| {
            error.as_db_error().map_or_else(|| lost(error), |db| db.code().code().starts_with("57P"))
        })
    }
}

fn lost(error: &tokio_postgres::Error) -> bool {
    use std::error::Error as _;
    error.is_closed() || error.source().is_some_and(<dyn std::error::Error + 'static>::is::<std::io::Error>)
}

/// Conditions that pass: the server stops or starts, is full, or gave up waiting; classes 08, 53, 57P, 40 and timeouts.
fn is_outage(code: &SqlState) -> bool {
    let text = code.code();
    ["08", "53", "57P", "40"].iter().any(|class| text.starts_with(class))
        || *code == SqlState::READ_ONLY_SQL_TRANSACTION
        || *code == SqlState::QUERY_CANCELED
        || *code == SqlState::LOCK_NOT_AVAILABLE
        || *code == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
}

fn refusal(code: &str, detail: &str) -> Option<Refusal> {
    Some(match code {
        "NF001" => Refusal::NotAMember,
        "NF002" => Refusal::RoleTooLow,
        "NF003" => Refusal::LeaseLost,
        "NF004" => Refusal::IdempotencyInFlight,
        "NF005" => Refusal::IdempotencyReplayed,
        "NF006" => Refusal::IdempotencyMismatch,
        "NF007" => Refusal::WorkspaceExists,
        "NF008" => Refusal::TooManyWorkspaces,
        "NF009" => Refusal::WorkspaceNotFound,
        "NF010" => Refusal::ProjectNotFound,
        "NF011" => Refusal::ManuscriptNotFound,
        "NF012" => Refusal::RevisionNotFound,
        "NF031" => Refusal::RevisionNotStored,
        "NF020" => Refusal::FileTooLarge { limit: detail.parse().unwrap_or(0) },
        "NF021" => {
            let (used, limit) = detail.split_once(" of ").unwrap_or_default();
            Refusal::QuotaExceeded { used: used.parse().unwrap_or(0), limit: limit.parse().unwrap_or(0) }
        }
        "NF030" => Refusal::RevisionNotPending,
        "NF040" => Refusal::LastOwner,
        "NF041" => Refusal::MemberNotFound,
        "NF042" => Refusal::InvitationNotFound,
        "NF013" => Refusal::Departed,
        "NF043" => Refusal::DailyLimit,
        _ => return None,
    })
}
