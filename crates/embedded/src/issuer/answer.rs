//! Refusals, in Supabase Auth's shape and with its codes: `{code, error_code, msg}`.

use std::error::Error;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use novelfoundry_core::report;
use novelfoundry_database::DbError;
use serde_json::json;

use super::{AccountError, limit::Limited, password::HashError};

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AuthError {
    status: StatusCode,
    code: &'static str,
    message: &'static str,
    /// Seconds to wait.
    retry_after: Option<u64>,
}

macro_rules! refusals {
    ($($name:ident $status:ident $code:literal $message:literal;)+) => {
        $(pub(super) const $name: AuthError = AuthError {
            status: StatusCode::$status,
            code: $code,
            message: $message,
            retry_after: None,
        };)+
    };
}

refusals! {
    BAD_JSON BAD_REQUEST "bad_json" "Could not parse request body as JSON";
    NOT_JSON UNSUPPORTED_MEDIA_TYPE "bad_json" "Send content-type: application/json";
    TOO_LARGE PAYLOAD_TOO_LARGE "validation_failed" "The request body is larger than 16 KiB";
    INVALID_EMAIL BAD_REQUEST "validation_failed" "Unable to validate email address: invalid format";
    NO_PASSWORD BAD_REQUEST "validation_failed" "Signup requires a valid password";
    LONG_PASSWORD UNPROCESSABLE_ENTITY "validation_failed" "Password cannot be longer than 1024 bytes";
    INVALID_METADATA BAD_REQUEST "validation_failed" "data must be an object of at most 4096 bytes, numbers written out, without NUL characters";
    INVALID_CHALLENGE BAD_REQUEST "validation_failed" "code_challenge must be 43 to 128 of A-Z a-z 0-9 - . _ ~ with code_challenge_method s256 or plain";
    INVALID_VERIFICATION BAD_REQUEST "validation_failed" "Only type recovery with a token_hash can be verified here";
    INVALID_FORM BAD_REQUEST "validation_failed" "The form is not complete";
    NO_EMAIL_CHANGE UNPROCESSABLE_ENTITY "validation_failed" "Changing the email address is not supported";
    INVALID_SCOPE BAD_REQUEST "validation_failed" "Unsupported logout scope; use global, local or others";
    UNSUPPORTED_GRANT BAD_REQUEST "validation_failed" "unsupported_grant_type; use password, refresh_token or pkce";
    NO_PHONES UNPROCESSABLE_ENTITY "phone_provider_disabled" "Phone signups are disabled";
    NO_ANONYMOUS UNPROCESSABLE_ENTITY "anonymous_provider_disabled" "Anonymous sign-ins are disabled";
    SIGNUP_DISABLED FORBIDDEN "signup_disabled" "Signups not allowed for this instance";
    WEAK_PASSWORD UNPROCESSABLE_ENTITY "weak_password" "Password should be at least 8 characters.";
    SAME_PASSWORD UNPROCESSABLE_ENTITY "same_password" "New password should be different from the old password.";
    LINK_EXPIRED FORBIDDEN "otp_expired" "Email link is invalid or has expired";
    NO_FLOW NOT_FOUND "flow_state_not_found" "invalid flow state, no valid flow state found";
    BAD_VERIFIER BAD_REQUEST "bad_code_verifier" "code challenge does not match previously saved code verifier";
    USER_EXISTS UNPROCESSABLE_ENTITY "user_already_exists" "User already registered";
    INVALID_CREDENTIALS BAD_REQUEST "invalid_credentials" "Invalid login credentials";
    USER_BANNED FORBIDDEN "user_banned" "User is banned";
    TOKEN_UNKNOWN BAD_REQUEST "refresh_token_not_found" "Invalid Refresh Token: Refresh Token Not Found";
    TOKEN_REUSED BAD_REQUEST "refresh_token_already_used" "Invalid Refresh Token: Already Used";
    SESSION_EXPIRED BAD_REQUEST "session_expired" "Invalid Refresh Token: Session Expired";
    NO_AUTHORIZATION UNAUTHORIZED "no_authorization" "This endpoint requires a valid Bearer token";
    BAD_JWT FORBIDDEN "bad_jwt" "invalid JWT: unable to parse or verify signature, or the token has expired";
    SESSION_GONE FORBIDDEN "session_not_found" "Session from session_id claim in JWT does not exist";
    USER_NOT_FOUND NOT_FOUND "user_not_found" "User not found";
    NOT_FOUND NOT_FOUND "not_found" "There is nothing at this address";
    METHOD_NOT_ALLOWED METHOD_NOT_ALLOWED "method_not_allowed" "The method is not allowed here";
    SLOW_BODY REQUEST_TIMEOUT "request_timeout" "The request did not arrive in time, please retry";
    TIMEOUT GATEWAY_TIMEOUT "request_timeout" "Processing this request timed out, please retry after a moment";
    UNAVAILABLE SERVICE_UNAVAILABLE "unexpected_failure" "The service is unavailable, please retry after a moment";
    UNEXPECTED INTERNAL_SERVER_ERROR "unexpected_failure" "Unexpected failure, please check server logs for more information";
}

impl AuthError {
    /// Refuses for this many seconds.
    pub(super) const fn limited(retry_after: u64) -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            code: "over_request_rate_limit",
            message: "Request rate limit reached",
            retry_after: Some(retry_after),
        }
    }

    /// Refuses another mail for this many seconds.
    pub(super) fn mail_limited(limited: Limited) -> Self {
        let code = "over_email_send_rate_limit";
        Self { code, message: "Email rate limit exceeded", ..Self::limited(limited.retry_after) }
    }

    pub(super) const fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) const fn code(&self) -> &'static str {
        self.code
    }

    pub(super) const fn message(&self) -> &'static str {
        self.message
    }

    pub(super) const fn retry_after(&self) -> Option<u64> {
        self.retry_after
    }

    /// Logs what went wrong in the program itself, and says no more than that.
    pub(super) fn defect(error: &(dyn Error + 'static)) -> Self {
        tracing::error!(error = report(error), "the issuer failed");
        UNEXPECTED
    }
}

/// Goes with the answer that a refusal was made, so that another can be made of it.
#[derive(Clone, Debug)]
pub(super) struct Refused(pub(super) AuthError);

/// An outage is worth repeating the request for; only a defect is a 500.
impl From<DbError> for AuthError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Unavailable(_) | DbError::CommitUnknown(_) => {
                tracing::warn!(error = report(&error), "the issuer's database cannot be reached");
                Self { retry_after: Some(1), ..UNAVAILABLE }
            }
            DbError::Refused(_) | DbError::Defect(_) => Self::defect(&error),
        }
    }
}

impl From<Limited> for AuthError {
    fn from(limited: Limited) -> Self {
        Self::limited(limited.retry_after)
    }
}

impl From<HashError> for AuthError {
    fn from(error: HashError) -> Self {
        AccountError::from(error).into()
    }
}

impl From<AccountError> for AuthError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Email => INVALID_EMAIL,
            AccountError::Password => WEAK_PASSWORD,
            AccountError::Metadata => INVALID_METADATA,
            AccountError::Exists => USER_EXISTS,
            AccountError::Unknown | AccountError::Disabled => USER_NOT_FOUND,
            AccountError::Busy => Self::limited(1),
            AccountError::Database(error) => error.into(),
            AccountError::Hashing => Self::defect(&error),
        }
    }
}

impl IntoResponse for AuthError {
    fn into_response(self) -> Response {
        let mut body = json!({"code": self.status.as_u16(), "error_code": self.code, "msg": self.message});
        if self == WEAK_PASSWORD {
            body["weak_password"] = json!({"reasons": ["length"]});
        }
        let mut response = (self.status, axum::Json(body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(Refused(self));
        response
    }
}
