//! Idempotency keys: which request made which resource.

use tokio_postgres::Row;
use uuid::Uuid;

use novelfoundry_core::UserId;

use crate::{
    Call, DbError,
    query::{FromRow, Query, get, nothing, optional, parameters, query},
};

static CLAIM: Query = query!(
    "idempotency.claim",
    [UUID, UUID, TEXT, BYTEA, UUID],
    "select app.claim_idempotency_key($1, $2, $3, $4, $5)"
);

/// Records that this request makes `resource`; raises where the key is in flight, was answered, or is another's.
pub fn claim(user: UserId, key: String, request_hash: [u8; 32], resource: Uuid) -> Call<()> {
    Call::new(&CLAIM, parameters![user.as_uuid(), key, request_hash.to_vec(), resource], nothing)
}

/// What a key was used for.
pub struct Recorded {
    /// The hash of its request.
    pub request_hash: Vec<u8>,
    /// What that made.
    pub resource: Uuid,
}

impl FromRow for Recorded {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self { request_hash: get(row, "request_hash")?, resource: get(row, "resource_id")? })
    }
}

static RECORDED: Query = query!(
    "idempotency.recorded",
    [UUID, UUID, TEXT],
    "select request_hash, resource_id
       from app.idempotency_keys
      where tenant_id = $1 and user_id = $2 and key = $3"
);

/// Reads what the key was used for.
pub fn recorded(user: UserId, key: String) -> Call<Option<Recorded>> {
    Call::new(&RECORDED, parameters![user.as_uuid(), key], optional)
}
