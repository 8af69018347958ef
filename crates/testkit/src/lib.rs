//! What tests share: one real database that is prepared once, an issuer of real tokens, a delaying proxy, and the npm
//! client that the embedded issuer is made for.
//!
//! Most tests take a fresh *tenant* in the shared database and so run amid other tenants' noise.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot be set up fails by panicking"
)]

mod clients;
mod cluster;
mod database;
mod issuer;
mod proxy;
mod supabase_js;

pub use clients::can_dump;
pub use cluster::citus_bin_dir;
pub use database::{Database, ENVIRONMENT, Nodes, Testbed};
pub use issuer::TestIssuer;
pub use proxy::DelayingProxy;
pub use supabase_js::SupabaseJs;

use std::path::PathBuf;

/// Returns a file or folder of the material beside the checkout, or prints that the test is skipped.
pub fn shared(path: &str) -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path);
    if root.exists() {
        return Some(root);
    }
    println!("skipped: ../shared/{path} is not here");
    None
}
