//! What the API and the embedded object store, two HTTP servers with different protocols, guard their connections with.

mod activity;
mod crowd;
mod pace;
mod page;
mod serve;
mod stall;

pub use pace::{Meter, Pace};
pub use page::page;
pub use serve::{ConnectionLimits, serve};
