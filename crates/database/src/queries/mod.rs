//! One file of statements an aggregate. `$1` of every tenant statement is the tenant, put there by the transaction.

pub mod analyses;
pub mod departure;
pub mod directory;
pub mod events;
pub mod idempotency;
pub mod invitations;
pub mod issuer;
pub mod jobs;
pub mod manuscripts;
pub mod memberships;
pub mod projects;
pub mod purge;
pub mod reconcile;
pub mod restored;
pub mod revisions;
pub mod tombstones;
pub mod workspaces;
