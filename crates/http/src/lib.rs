//! What the API and the embedded object store, two HTTP servers with different protocols, guard their connections with.

mod arrival;
mod page;
mod serve;
mod stall;

pub use arrival::{Arrival, Watched};
pub use page::page;
pub use serve::{ConnectionLimits, serve};
pub use stall::Stall;
