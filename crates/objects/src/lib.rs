//! The one way to objects: keys that cannot leave their tenant's prefix, URLs signed for exactly one transfer,
//! and the few calls the server makes itself. No document passes through here but by streaming.

mod body;
mod call;
mod disposition;
mod error;
mod key;
mod store;

pub use body::ObjectBody;
pub use error::{OptionsError, StoreError, UnavailableCause};
pub use key::{FileType, KeyError, ObjectKey, tenant_prefix};
pub use store::{ObjectInfo, PresignedPut, Store, StoreOptions};
