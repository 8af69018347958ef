//! Failures as RFC 9457 problem documents. A handler says what failed; the request's id and the docs' address are
//! filled in on the way out, and the cause is logged there, once.

use std::error::Error as StdError;

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use novelfoundry_core::{ProblemCode, report};
use novelfoundry_database::{DbError, Refusal};
use novelfoundry_identity::VerifyError;
use novelfoundry_objects::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

type Cause = Box<dyn StdError + Send + Sync>;

/// A failure on its way to the client.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) code: ProblemCode,
    pub(crate) detail: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
    cause: Option<Cause>,
}

/// What a client reads: RFC 9457 `application/problem+json`.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProblemDocument<'a> {
    /// The address of the code's page of documentation.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// What went wrong, in words that do not vary.
    pub(crate) title: &'a str,
    /// The HTTP status.
    pub(crate) status: u16,
    /// The stable code.
    pub(crate) code: &'a str,
    /// What went wrong this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<&'a str>,
    /// The request's id, also in the header `x-request-id`.
    pub(crate) instance: &'a str,
}

/// Seconds after which a passing condition is worth another try.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("2");

impl Problem {
    pub(crate) fn new(code: ProblemCode) -> Self {
        Self { code, detail: None, headers: Vec::new(), cause: None }
    }

    /// Says what it is this time: about the request only, never a cause on the server.
    pub(crate) fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub(crate) fn with_cause(mut self, cause: impl Into<Cause>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    fn retryable(code: ProblemCode, cause: impl Into<Cause>) -> Self {
        let mut problem = Self::new(code).with_cause(cause);
        problem.headers.push((header::RETRY_AFTER, RETRY_AFTER));
        problem
    }

    /// Does not say that nothing was changed, where something was before this failed.
    pub(crate) fn after_a_change(mut self) -> Self {
        if self.code == ProblemCode::DatabaseUnavailable {
            self.code = ProblemCode::CommitUnknown;
        }
        self
    }

    /// A token that has not run out, but whose session is over or whose person has left.
    pub(crate) fn signed_out() -> Self {
        Self::new(ProblemCode::InvalidToken).with_detail("its session has ended; sign in again")
    }

    pub(crate) fn field(name: &str, accepts: impl std::fmt::Display) -> Self {
        Self::new(ProblemCode::InvalidField).with_detail(format!("{name}: {accepts}"))
    }

    pub(crate) fn parameter(name: &str, accepts: impl std::fmt::Display) -> Self {
        Self::new(ProblemCode::InvalidParameter).with_detail(format!("{name}: {accepts}"))
    }

    /// Writes the document; what only the server may know goes to the log.
    pub(crate) fn render(&self, request_id: &str, docs: &str) -> Response {
        let row = self.code.definition();
        if let Some(cause) = &self.cause {
            let chain = report(cause.as_ref());
            if row.status >= 500 {
                tracing::error!(request_id, code = row.code, cause = chain, "request failed");
            } else {
                tracing::debug!(request_id, code = row.code, cause = chain, "request refused");
            }
        }
        let document = ProblemDocument {
            kind: format!("{docs}/docs/problems/{}", row.code),
            title: row.title,
            status: row.status,
            code: row.code,
            detail: self.detail.as_deref(),
            instance: request_id,
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let status = StatusCode::from_u16(row.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if row.status == 401 {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
        response
    }
}

/// Carries a problem from a handler to the middleware that renders it.
#[derive(Clone)]
pub(crate) struct Raised(pub(crate) std::sync::Arc<Problem>);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.definition().status);
        let mut response = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response();
        response.extensions_mut().insert(Raised(std::sync::Arc::new(self)));
        response
    }
}

impl From<DbError> for Problem {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Refused(refusal) => Self::from(refusal),
            DbError::Unavailable(_) => Self::retryable(ProblemCode::DatabaseUnavailable, error),
            DbError::CommitUnknown(_) => Self::retryable(ProblemCode::CommitUnknown, error),
            DbError::Defect(_) => Self::new(ProblemCode::Internal).with_cause(error),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotAMember => Self::new(ProblemCode::NotAMember),
            Refusal::RoleTooLow => Self::new(ProblemCode::RoleTooLow),
            Refusal::TooManyWorkspaces => Self::new(ProblemCode::TooManyWorkspaces),
            Refusal::WorkspaceNotFound => Self::new(ProblemCode::TenantNotFound),
            Refusal::LastOwner => Self::new(ProblemCode::LastOwner),
            Refusal::ProjectNotFound => Self::new(ProblemCode::ProjectNotFound),
            Refusal::ManuscriptNotFound => Self::new(ProblemCode::ManuscriptNotFound),
            Refusal::RevisionNotFound => Self::new(ProblemCode::RevisionNotFound),
            Refusal::MemberNotFound => Self::new(ProblemCode::MemberNotFound),
            Refusal::InvitationNotFound => Self::new(ProblemCode::InvitationNotFound),
            Refusal::Departed => Self::signed_out(),
            Refusal::DailyLimit => {
                let mut problem = Self::new(ProblemCode::RateLimited).with_detail(
                    "a hundred invitations a day, of a person and of a workspace; a hundred workspaces a person; ten \
                     links to one invitation",
                );
                problem.headers.push((header::RETRY_AFTER, HeaderValue::from_static("3600")));
                problem
            }
            Refusal::RevisionNotStored | Refusal::RevisionNotPending => {
                Self::new(ProblemCode::RevisionNotStored)
            }
            Refusal::IdempotencyInFlight => {
                let mut problem = Self::new(ProblemCode::IdempotencyInFlight);
                problem.headers.push((header::RETRY_AFTER, HeaderValue::from_static("1")));
                problem
            }
            Refusal::IdempotencyMismatch => Self::new(ProblemCode::IdempotencyMismatch),
            Refusal::FileTooLarge { limit } => {
                Self::new(ProblemCode::FileTooLarge).with_detail(format!("the limit is {limit} bytes a file"))
            }
            Refusal::QuotaExceeded { used, limit } => Self::new(ProblemCode::QuotaExceeded)
                .with_detail(format!("{used} of {limit} bytes are stored or reserved")),
            // These are settled where they can arise; elsewhere they are defects.
            Refusal::IdempotencyReplayed | Refusal::LeaseLost | Refusal::WorkspaceExists => {
                Self::new(ProblemCode::Internal).with_cause(DbError::Refused(refusal))
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.is_retryable() || matches!(error, StoreError::Denied { .. }) {
            return Self::retryable(ProblemCode::StorageUnavailable, error);
        }
        Self::new(ProblemCode::Internal).with_cause(error)
    }
}

impl From<VerifyError> for Problem {
    fn from(error: VerifyError) -> Self {
        match error.problem() {
            ProblemCode::IssuerUnavailable => Self::retryable(ProblemCode::IssuerUnavailable, error),
            code => Self::new(code).with_cause(error),
        }
    }
}
