//! The unmodified npm client, against a running issuer.

use std::{path::PathBuf, sync::Arc};

use novelfoundry_core::{IdSource, SystemClock};
use novelfoundry_testkit::SupabaseJs;

use super::fixture::Fixture;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_supabase_client_signs_up_in_and_out_and_sets_a_new_password() {
    let Some(client) = SupabaseJs::install().await else { return };
    // The client compares tokens with its own clock.
    let fixture = Fixture::with(|options| {
        options.clock = Arc::new(SystemClock);
        options.ids = IdSource::default();
        options.allowed_origins = vec!["https://app.example.com".parse().unwrap()];
    })
    .await;
    let base = fixture.url.strip_suffix("/auth/v1").unwrap();
    let scripts = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/supabase-js");
    let node = async |script: &str, arguments: &[&str]| client.run(&scripts.join(script), arguments).await;
    assert!(node("session.mjs", &[base]).await.ends_with("done\n"));
    let outbox = fixture.outbox();
    let said = node("recovery.mjs", &[base, outbox.to_str().unwrap()]).await;
    let refresh_token = said.lines().last().unwrap();
    fixture.set_disabled("berta@example.com", true).await;
    assert!(node("disabled.mjs", &[base, refresh_token]).await.ends_with("done\n"));
}
