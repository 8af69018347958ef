//! What the API and the embedded object store, two HTTP servers with different protocols, guard their connections with.

mod stall;

pub use stall::Stall;
