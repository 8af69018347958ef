//! The only way to the database: tenant transactions opened from an authority, control statements behind named
//! functions, migrations, and the catalogue of tables. No other crate has an SQL client, so none can go around them.

mod authority;
mod catalogue;
mod connect;
mod control;
mod error;
mod issuer_db;
mod login;
mod migrate;
mod operator;
mod pool;
pub mod probe;
mod queries;
mod query;
mod tenant;

pub use novelfoundry_connection::{DatabaseUrl, SslMode, UrlError};

pub use authority::{Authority, ConfirmedMembership, NewWorkspace, RedeemedInvitation};
pub use catalogue::{Kind, Purge, TABLES, Table};
pub use connect::{Statements, connect_check};
pub use control::ControlDb;
pub use error::{DbError, Refusal};
pub use issuer_db::IssuerDb;
pub use login::LoginError;
pub use migrate::{
    MIGRATIONS, MigrateError, Migration, Migrator, Passwords, Progress, RoleNames, RuntimeLogins,
    newest_version,
};
pub use operator::{Operator, OperatorError};
pub use pool::PoolOptions;
pub use queries::{
    analyses, departure, directory, events, idempotency, invitations, issuer, jobs, manuscripts, memberships,
    projects, purge, reconcile, restored, revisions, tombstones, workspaces,
};
pub use query::{Call, Page, Position};
pub use tenant::{Pipeline, TenantDb, TenantTx};
