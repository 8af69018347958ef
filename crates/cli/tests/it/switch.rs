//! The active workspace of a session, from the API to the token that the issuer gives next.

use std::path::Path;

use novelfoundry_testkit::SupabaseJs;

use crate::support::Installation;

#[tokio::test(flavor = "multi_thread")]
async fn the_supabase_client_gets_the_workspace_that_its_session_switched_to_with_the_next_token() {
    let Some(client) = SupabaseJs::install().await else { return };
    let installation = Installation::new();
    let up = installation.up(&[]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/switch.mjs");
    assert_eq!(client.run(&script, &[up.text("/api")]).await, "done\n");
}
