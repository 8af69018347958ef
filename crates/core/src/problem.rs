//! Every problem the API can answer with, in one table: the code is stable, the rest may be reworded.

/// One row of the table of problems.
#[derive(Clone, Copy, Debug)]
pub struct ProblemDefinition {
    /// The stable, kebab-case name that programs match on.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong, in a few words that do not vary.
    pub title: &'static str,
    /// Why it happens and what to do next; shown on the code's page of documentation.
    pub explanation: &'static str,
}

macro_rules! problems {
    ($($variant:ident $code:literal $status:literal $title:literal $explanation:literal;)+) => {
        /// A stable problem code of the API.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ProblemCode {
            $(#[doc = $title] $variant,)+
        }

        impl ProblemCode {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the code's row of the table.
            pub const fn definition(self) -> &'static ProblemDefinition {
                match self {
                    $(Self::$variant => &ProblemDefinition {
                        code: $code,
                        status: $status,
                        title: $title,
                        explanation: $explanation,
                    },)+
                }
            }
        }
    };
}

problems! {
    InvalidJson "invalid-json" 400 "The body is not valid JSON"
        "The request body could not be read as JSON of the documented shape's outline. `detail` names line and column. Send `content-type: application/json` and a well-formed document.";
    InvalidField "invalid-field" 422 "A field is missing, unknown or has a value that is not accepted"
        "`detail` names the field and what it accepts. Unknown fields are refused so that a misspelt one is not silently ignored.";
    InvalidParameter "invalid-parameter" 400 "A query parameter or header is not accepted"
        "`detail` names the parameter and what it accepts.";
    InvalidCursor "invalid-cursor" 400 "The cursor does not belong to this list"
        "A cursor continues exactly the list that handed it out: same path, same filters, same workspace. Start again without `cursor`.";
    RequestTimeout "request-timeout" 408 "The request did not arrive in time"
        "The server waited for the rest of the body until its deadline and closed the connection. Nothing was changed. Repeat the request, and send the body without a pause.";
    BodyTooLarge "body-too-large" 413 "The request body is too large"
        "JSON bodies are limited to 64 KiB. Documents never go through the API: they are uploaded to the signed URL.";
    UnsupportedMediaType "unsupported-media-type" 415 "The content type is not supported"
        "Send `content-type: application/json`.";
    Unauthenticated "unauthenticated" 401 "A bearer token is required"
        "Send `authorization: Bearer <access token>` with a token from the issuer.";
    InvalidToken "invalid-token" 401 "The bearer token is not valid"
        "The token is malformed, expired, not signed by this installation's issuer, or not meant for this API. Refresh the session, or sign in again.";
    NoWorkspace "no-workspace" 403 "The token names no workspace"
        "Create a workspace with `POST /v1/tenants`, or activate one of yours with `POST /v1/tenants/{tenant_id}/activate`, then refresh the session.";
    NotAMember "not-a-member" 403 "You are not a member of this workspace"
        "The token's workspace no longer lists you as a member, or the workspace is gone. Activate another workspace, or ask its owner.";
    RoleTooLow "role-too-low" 403 "Your role does not allow this"
        "The operation needs a higher role in the workspace than yours. Ask an owner.";
    NotFound "not-found" 404 "There is nothing at this address"
        "The path is not one of the API's. The documentation lists them all.";
    MethodNotAllowed "method-not-allowed" 405 "The method is not allowed here"
        "The `allow` header names the methods of this path.";
    TenantNotFound "tenant-not-found" 404 "No such workspace"
        "There is no such workspace among those you are a member of.";
    ProjectNotFound "project-not-found" 404 "No such project"
        "There is no such project in your workspace. A deleted one counts as missing.";
    ManuscriptNotFound "manuscript-not-found" 404 "No such manuscript"
        "There is no such manuscript in this project. A deleted one counts as missing.";
    RevisionNotFound "revision-not-found" 404 "No such revision"
        "There is no such revision of this manuscript.";
    AnalysisNotFound "analysis-not-found" 404 "No such analysis"
        "There is no such analysis in this project. A deleted one counts as missing.";
    MemberNotFound "member-not-found" 404 "No such member"
        "The workspace has no such member.";
    InvitationNotFound "invitation-not-found" 404 "No such open invitation"
        "An invitation is good once and for seven days, unless an owner of the workspace withdraws it before, or whoever made it is no longer an owner. Ask for another one.";
    LastOwner "last-owner" 409 "The workspace would be left without an owner"
        "A workspace always has an owner. Hand it over with `POST /v1/members/{user_id}/hand-over`, or make another member an owner, first.";
    TooManyWorkspaces "too-many-workspaces" 409 "You are in as many workspaces as a person may be"
        "A person may be in a hundred workspaces. Leave or delete one before creating another.";
    PreconditionFailed "precondition-failed" 412 "The resource has changed since you read it"
        "`If-Match` names another version than the present one. Read the resource again and repeat the change on what you find.";
    IdempotencyMismatch "idempotency-key-reused" 422 "The idempotency key belongs to another request"
        "The same `Idempotency-Key` was used with another path or body during the last 24 hours. Use a new key for a new request.";
    IdempotencyInFlight "idempotency-key-in-flight" 409 "A request with this idempotency key is still running"
        "Repeat the request after a moment; it then answers with the first one's result.";
    FileTooLarge "file-too-large" 413 "The file is larger than the plan allows"
        "`detail` names the limit in bytes. Split the manuscript or change the plan.";
    QuotaExceeded "quota-exceeded" 409 "The workspace's storage is used up"
        "`detail` names what is used and the plan's limit, in bytes. Delete what is no longer needed or change the plan.";
    UnsupportedFormat "unsupported-format" 415 "This kind of file cannot be analysed"
        "Plain text (.txt), Markdown (.md) and Word (.docx) files are read. Save the manuscript as one of these.";
    UploadNotFound "upload-not-found" 409 "The file has not arrived"
        "Nothing was uploaded to the signed URL yet. PUT the file there with all the headers the ticket lists, then complete again.";
    UploadMismatch "upload-mismatch" 409 "The uploaded file is not the declared one"
        "Its size or checksum differs from what the revision declared. Create a new revision with the right numbers.";
    UploadExpired "upload-expired" 409 "The upload ticket has expired"
        "The revision was not completed in time. Create a new revision and upload again.";
    RevisionNotStored "revision-not-stored" 409 "The revision's file is not stored"
        "Only a completed revision can be downloaded or analysed. Upload the file and complete the revision first.";
    RateLimited "rate-limited" 429 "Too many requests"
        "Wait for the number of seconds in `retry-after`, then repeat the request.";
    CommitUnknown "commit-unknown" 503 "It is not known whether the change took effect"
        "The database was lost while the change was being made: it may have taken effect, as a whole or in part, or not. Repeat the request, with the same `Idempotency-Key` where it had one: what was begun is finished, and nothing takes effect twice.";
    DatabaseUnavailable "database-unavailable" 503 "The database cannot be reached"
        "Nothing was changed. Repeat the request after the number of seconds in `retry-after`.";
    StorageUnavailable "storage-unavailable" 503 "The object store cannot be reached"
        "Nothing was changed. Repeat the request after the number of seconds in `retry-after`.";
    IssuerUnavailable "issuer-unavailable" 503 "The token's signing key cannot be fetched"
        "The issuer of tokens is unreachable and the token is signed by a key not seen before. Repeat the request after the number of seconds in `retry-after`.";
    DeadlineExceeded "deadline-exceeded" 504 "The request took too long"
        "The server gave up at its deadline. A change may have taken effect: repeat the request with the same `Idempotency-Key`.";
    Internal "internal" 500 "Something went wrong on the server"
        "The cause was logged under the request id in `instance`. Report that id.";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_kebab_nouns_with_an_error_status() {
        let mut seen = HashSet::new();
        for problem in ProblemCode::ALL {
            let row = problem.definition();
            assert!(seen.insert(row.code), "{} stands twice", row.code);
            assert!(row.code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", row.code);
            assert!((400..=504).contains(&row.status), "{}", row.code);
            assert!(row.explanation.ends_with('.'), "{}", row.code);
        }
    }
}
