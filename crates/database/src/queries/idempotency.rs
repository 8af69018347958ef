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

struct Made(Uuid);

impl FromRow for Made {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        get(row, "resource_id").map(Self)
    }
}

static RESOURCE: Query = query!(
    "idempotency.resource",
    [UUID, UUID, TEXT],
    "select resource_id
       from app.idempotency_keys
      where tenant_id = $1 and user_id = $2 and key = $3"
);

/// Reads which resource the key's request made.
pub fn resource(user: UserId, key: String) -> Call<Option<Uuid>> {
    Call::new(&RESOURCE, parameters![user.as_uuid(), key], |rows| {
        Ok(optional::<Made>(rows)?.map(|made| made.0))
    })
}

struct Hash(Vec<u8>);

impl FromRow for Hash {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        get(row, "request_hash").map(Self)
    }
}

static REQUEST_HASH: Query = query!(
    "idempotency.request_hash",
    [UUID, UUID, TEXT],
    "select request_hash
       from app.idempotency_keys
      where tenant_id = $1 and user_id = $2 and key = $3"
);

/// Reads the hash of the key's request.
pub fn request_hash(user: UserId, key: String) -> Call<Option<Vec<u8>>> {
    Call::new(&REQUEST_HASH, parameters![user.as_uuid(), key], |rows| {
        Ok(optional::<Hash>(rows)?.map(|hash| hash.0))
    })
}
