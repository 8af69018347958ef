//! Every table of the schema and where it lives on a cluster, in one list that is compared with the live database
//! both ways.

/// Where a table lives once the database is a Citus cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Distributed by `tenant_id`.
    Tenant,
    /// Copied to every node.
    Reference,
    /// A plain table on the coordinator.
    Control,
}

/// One table.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its name in the schema `app`.
    pub name: &'static str,
    /// Where it lives.
    pub kind: Kind,
}

const fn table(name: &'static str, kind: Kind) -> Table {
    Table { name, kind }
}

/// The tables of the schema `app`, parents before children.
pub const TABLES: &[Table] = &[
    table("schema_history", Kind::Control),
    table("plans", Kind::Reference),
    table("users", Kind::Control),
    table("user_tenants", Kind::Control),
    table("session_tenants", Kind::Control),
    table("invitation_tokens", Kind::Control),
    table("jobs", Kind::Control),
    table("object_tombstones", Kind::Control),
    table("tenants", Kind::Tenant),
    table("memberships", Kind::Tenant),
    table("invitations", Kind::Tenant),
    table("projects", Kind::Tenant),
    table("manuscripts", Kind::Tenant),
    table("revisions", Kind::Tenant),
    table("analyses", Kind::Tenant),
    table("tenant_usage", Kind::Tenant),
    table("idempotency_keys", Kind::Tenant),
    table("usage_events", Kind::Tenant),
    table("billing_events", Kind::Tenant),
    table("audit_events", Kind::Tenant),
];
