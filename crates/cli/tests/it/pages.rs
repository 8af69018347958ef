//! The pages that people meet, in a real browser.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::support::{Installation, ended};

/// Names the browser's program, where there is one.
fn browser() -> Option<&'static str> {
    let answers = |program: &str| {
        let mut command = Command::new(program);
        command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    };
    ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|program| answers("node") && answers(program))
}

#[tokio::test(flavor = "multi_thread")]
async fn people_join_by_the_page_of_an_invitation_and_are_told_what_to_do_where_it_is_used() {
    let Some(browser) = browser() else {
        println!("skipped: there is no browser, or no node to speak to it");
        return;
    };
    let installation = Installation::new();
    let up = installation.up(&[]);
    let anna = up.sign_in("signup", "anna@example.com", "a long password").await;
    let invite = async || {
        let (status, made) =
            up.call("POST", "/v1/invitations", &anna, Some(json!({ "role": "viewer" }))).await;
        assert_eq!(status, 201, "{made}");
        made["link"].as_str().unwrap().split_once("#token=").unwrap().1.to_owned()
    };
    let (used, good) = (invite().await, invite().await);
    let berta = up.sign_in("signup", "berta@example.com", "a long password").await;
    let accept = json!({ "token": used });
    let (status, joined): (u16, Value) =
        up.call("POST", "/v1/invitations/accept", &berta, Some(accept)).await;
    assert_eq!(status, 200, "{joined}");

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/invitation_page.mjs");
    let mut node = Command::new("node");
    node.arg(script).args([browser, up.text("/api"), &used, &good, "carla@example.com"]);
    let done = ended(&mut node);
    assert_eq!((done.code, done.stdout.as_str()), (Some(0), "done\n"), "{done:?}");
}
