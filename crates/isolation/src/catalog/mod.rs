//! What the database says of itself: one read of the system catalogues, in which neither a row of a table nor any
//! function of the schema is touched.

mod ask;
mod load;
mod model;

pub use ask::mentions;
pub use load::load;
pub use model::{
    Aggregate, Catalog, Column, Constraint, DefaultGrant, Field, ForeignServer, Function, Grant, Index,
    IndexHead, Membership, Policy, Relation, RelationKind, Role, Rule as RewriteRule, Schema, Sequence,
    Setting, Trigger, TypeInfo,
};
