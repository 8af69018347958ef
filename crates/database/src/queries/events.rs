//! Logs of events: written and read, never changed.

use uuid::Uuid;

use crate::{
    Call,
    query::{Query, nothing, parameters, query},
};

static RECORD_USAGE: Query = query!(
    "events.record_usage",
    [UUID, UUID, TEXT, INT8, UUID],
    "insert into app.usage_events (tenant_id, event_id, kind, quantity, subject_id)
     values ($1, $2, $3, $4, $5)
         on conflict (tenant_id, event_id) do nothing"
);

/// Records that something was used, once an event; the quantity is in the unit of the kind.
pub fn record_usage(event: Uuid, kind: &'static str, quantity: i64, subject: Uuid) -> Call<()> {
    Call::new(&RECORD_USAGE, parameters![event, kind, quantity, Some(subject)], nothing)
}
