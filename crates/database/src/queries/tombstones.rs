//! Tombstones: objects that are deleted again and again, while a ticket or a backup could bring them back.

use std::time::Duration;

use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    ControlDb, DbError,
    query::{FromRow, Query, all, get, parameters, query},
};

/// An object that must stay deleted.
#[derive(Clone, Debug)]
pub struct Tombstone {
    tenant_id: Uuid,
    /// Where the object lay.
    pub object_key: String,
}

impl FromRow for Tombstone {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self { tenant_id: get(row, "tenant_id")?, object_key: get(row, "object_key")? })
    }
}

/// A tombstone whose time has come.
#[derive(Clone, Debug)]
pub struct Due {
    /// The tombstone.
    pub tombstone: Tombstone,
    /// Whether nothing can bring the object back after this time.
    is_last: bool,
}

impl FromRow for Due {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self { tombstone: Tombstone::from_row(row)?, is_last: get(row, "is_last")? })
    }
}

/// Whoever claims a tombstone has an hour; not settled by then, it is due again. The retention of today counts where it
/// is longer than that of the deletion.
static CLAIM: Query = query!(
    "tombstones.claim",
    [INT8, FLOAT8],
    "with due as (
       select tenant_id, object_key
         from app.object_tombstones
        where due_at <= now()
        order by due_at
        limit $1
          for update skip locked
     )
     update app.object_tombstones t
        set due_at = now() + interval '1 hour'
       from due
      where t.tenant_id = due.tenant_id and t.object_key = due.object_key
     returning t.tenant_id, t.object_key,
               greatest(t.keep_until, t.created_at + $2 * interval '1 second') <= now() as is_last"
);

/// Claims at most `limit` tombstones that are due, the longest due first. Backups are kept for `retention`.
pub async fn claim(db: &ControlDb, limit: usize, retention: Duration) -> Result<Vec<Due>, DbError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    all(&db.query(&CLAIM, parameters![limit, retention.as_secs_f64()]).await?)
}

/// The next time is as far off as the deletion lies back, a day at least and a week at most. Backups are mostly restored
/// soon after a mishap, so the first days are watched closely; a week bounds how long a file that came back stays; and
/// the whole costs nine deletions in the first five weeks.
static SETTLE: Query = query!(
    "tombstones.settle",
    [UUID_ARRAY, TEXT_ARRAY, BOOL_ARRAY, FLOAT8],
    "with applied as (
       select a.tenant_id, a.object_key, a.is_last
         from unnest($1::uuid[], $2::text[], $3::bool[]) as a (tenant_id, object_key, is_last)
     ), removed as (
       delete from app.object_tombstones t
        using applied a
        where t.tenant_id = a.tenant_id and t.object_key = a.object_key and a.is_last
     )
     update app.object_tombstones t
        set due_at = least(
              greatest(t.keep_until, t.created_at + $4 * interval '1 second'),
              now() + least(greatest(now() - t.created_at, interval '1 day'), interval '7 days'))
       from applied a
      where t.tenant_id = a.tenant_id and t.object_key = a.object_key and not a.is_last"
);

/// Settles claimed tombstones whose objects were deleted: those that are needed no more go, the others get their next
/// time.
pub async fn settle(db: &ControlDb, applied: Vec<Due>, retention: Duration) -> Result<(), DbError> {
    let (mut tenants, mut keys, mut last) = (Vec::new(), Vec::new(), Vec::new());
    for Due { tombstone, is_last } in applied {
        tenants.push(tombstone.tenant_id);
        keys.push(tombstone.object_key);
        last.push(is_last);
    }
    if tenants.is_empty() {
        return Ok(());
    }
    db.query(&SETTLE, parameters![tenants, keys, last, retention.as_secs_f64()]).await.map(drop)
}

static LIST: Query = query!(
    "tombstones.list",
    [UUID, TEXT, INT8],
    "select tenant_id, object_key
       from app.object_tombstones
      where (tenant_id, object_key) > ($1, $2)
      order by tenant_id, object_key
      limit $3"
);

/// Lists at most `limit` tombstones behind another, due or not.
pub async fn list(
    db: &ControlDb,
    after: Option<&Tombstone>,
    limit: usize,
) -> Result<Vec<Tombstone>, DbError> {
    // No key is empty.
    let (tenant, key) =
        after.map_or((Uuid::nil(), String::new()), |last| (last.tenant_id, last.object_key.clone()));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    all(&db.read(&LIST, parameters![tenant, key, limit]).await?)
}
