//! Every table of the schema, where it lives on a cluster, and what becomes of it when a workspace is deleted, in one list
//! that is compared with the live database both ways. A table cannot be listed without saying all of that.

use crate::query::Query;

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

/// What the purge of a deleted workspace does with its rows of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purge {
    /// Deletes them.
    Rows,
    /// Deletes their objects, remembers these in tombstones, and deletes the rows.
    Objects,
    /// Leaves the one row, with nothing in it that says anything of anybody: the id cannot be used again.
    Marker,
    /// Leaves them: they name nobody, and accounts must be kept.
    Kept,
    /// Leaves them: they are forgotten by their age.
    Ages,
    /// Finds none: the table is not a workspace's.
    None,
}

/// One table.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its name in the schema `app`.
    pub name: &'static str,
    /// Where it lives.
    pub kind: Kind,
    /// What the purge of a deleted workspace does with it.
    pub purge: Purge,
    /// Counts the rows of a workspace.
    pub(crate) count: &'static Query,
    /// Deletes at most `$2` rows of a workspace.
    pub(crate) delete: &'static Query,
}

macro_rules! tables {
    ($($name:literal $kind:ident $purge:ident;)+) => {
        /// The tables of the schema `app`, parents before children.
        pub static TABLES: &[Table] = &[$(Table {
            name: $name,
            kind: Kind::$kind,
            purge: Purge::$purge,
            count: {
                static COUNT: Query = Query {
                    text: concat!(
                        "-- purge.count_", $name, "\n",
                        "select count(*) as rows\n  from app.", $name, "\n where tenant_id = $1"
                    ),
                    types: &[tokio_postgres::types::Type::UUID],
                };
                &COUNT
            },
            delete: {
                static DELETE: Query = Query {
                    text: concat!(
                        "-- purge.delete_", $name, "\n",
                        "delete from app.", $name, "\n where tenant_id = $1\n",
                        "   and ctid = any (array(select ctid from app.", $name, " where tenant_id = $1 limit $2))\n",
                        "returning tenant_id"
                    ),
                    types: &[tokio_postgres::types::Type::UUID, tokio_postgres::types::Type::INT8],
                };
                &DELETE
            },
        }),+];
    };
}

tables! {
    "schema_history" Control None;
    "plans" Reference None;
    "users" Control None;
    "user_tenants" Control Rows;
    "session_tenants" Control Ages;
    "invitation_tokens" Control Rows;
    "jobs" Control Ages;
    "object_tombstones" Control Ages;
    "tenants" Tenant Marker;
    "memberships" Tenant Rows;
    "invitations" Tenant Rows;
    "projects" Tenant Rows;
    "manuscripts" Tenant Rows;
    "revisions" Tenant Objects;
    "analyses" Tenant Rows;
    "tenant_usage" Tenant Rows;
    "idempotency_keys" Tenant Rows;
    "usage_events" Tenant Rows;
    "billing_events" Tenant Kept;
    "audit_events" Tenant Rows;
}
