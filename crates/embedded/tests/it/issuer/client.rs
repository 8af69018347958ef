//! The unmodified npm client, against a running issuer.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Arc,
};

use novelfoundry_core::{IdSource, SystemClock};

use super::fixture::Fixture;

async fn run(directory: &Path, program: &str, arguments: &[&str]) -> std::io::Result<Output> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory).stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_supabase_client_signs_up_in_and_out_and_sets_a_new_password() {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/supabase-js");
    let directory = tempfile::tempdir().unwrap();
    for file in ["package.json", "package-lock.json", "session.mjs", "recovery.mjs", "disabled.mjs"] {
        std::fs::copy(source.join(file), directory.path().join(file)).unwrap();
    }
    let arguments =
        ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-timeout=30000"];
    match run(directory.path(), "npm", &arguments).await {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            let complaint = String::from_utf8_lossy(&output.stderr);
            // A lock file that does not fit is a fault of ours; a registry that does not answer is not.
            assert!(!complaint.contains("EUSAGE") && !complaint.contains("EINTEGRITY"), "{complaint}");
            let reason = complaint.lines().find(|line| line.contains("code ")).unwrap_or_default();
            println!("skipped: npm cannot install @supabase/supabase-js: {reason}");
            return;
        }
        Err(error) => {
            println!("skipped: npm cannot be run: {error}");
            return;
        }
    }
    // The client compares tokens with its own clock.
    let fixture = Fixture::with(|options| {
        options.clock = Arc::new(SystemClock);
        options.ids = IdSource::default();
        options.allowed_origins = vec!["https://app.example.com".parse().unwrap()];
    })
    .await;
    let base = fixture.url.strip_suffix("/auth/v1").unwrap();
    let node = async |arguments: &[&str]| {
        let output = run(directory.path(), "node", arguments).await.unwrap();
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{}{}", said(&output.stdout), said(&output.stderr));
        said(&output.stdout)
    };
    assert!(node(&["session.mjs", base]).await.ends_with("done\n"));
    let outbox = fixture.outbox();
    let said = node(&["recovery.mjs", base, outbox.to_str().unwrap()]).await;
    let refresh_token = said.lines().last().unwrap();
    fixture.set_disabled("berta@example.com", true).await;
    assert!(node(&["disabled.mjs", base, refresh_token]).await.ends_with("done\n"));
}
