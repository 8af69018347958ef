//! What the API and the embedded object store, two HTTP servers with different protocols, guard their connections with.

mod activity;
mod arrival;
mod crowd;
mod pace;
mod page;
mod serve;
mod stall;

pub use arrival::{Arrival, Watched};
pub use pace::{Meter, Pace};
pub use page::page;
pub use serve::{ConnectionLimits, serve};
