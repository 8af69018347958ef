//! Logs of events: written and read, never changed.

use novelfoundry_core::UserId;
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

static RECORD_AUDIT: Query = query!(
    "events.record_audit",
    [UUID, UUID, UUID, TEXT, UUID],
    "insert into app.audit_events (tenant_id, event_id, actor_id, action, subject_id)
     values ($1, $2, $3, $4, $5)"
);

/// Records who changed what; no actor is the system or its operator.
pub fn record_audit(
    event: Uuid,
    actor: Option<UserId>,
    action: &'static str,
    subject: Option<Uuid>,
) -> Call<()> {
    Call::new(&RECORD_AUDIT, parameters![event, actor.map(UserId::as_uuid), action, subject], nothing)
}
