//! Whatever is killed, the next start is a normal one, nothing acknowledged is lost and no process is left.

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Installation, Running, gone, send};

const EMAIL: &str = "anna@example.com";
const PASSWORD: &str = "a long password";

#[tokio::test(flavor = "multi_thread")]
async fn kills_lose_nothing_and_leave_nothing() {
    let installation = Installation::new();
    let up = installation.up(&[]);
    let token = up.sign_in("signup", EMAIL, PASSWORD).await;
    make(&up, &token, "before any kill").await;

    // PostgreSQL alone: it is started again while the API stays.
    let first = up.postgres();
    send(first, Signal::KILL);
    // It is told at once to whoever balances the load, and the program lives.
    let begun = std::time::Instant::now();
    loop {
        let (status, problem) = up.call("GET", "/readyz", "", None).await;
        if status != 200 {
            assert_eq!((status, &problem["code"]), (503, &json!("database-unavailable")), "{problem}");
            break;
        }
        assert!(begun.elapsed().as_secs() < 30, "it is ready without a database");
    }
    assert_eq!(up.call("GET", "/healthz", "", None).await.0, 200);
    gone(first);
    let begun = std::time::Instant::now();
    while titles(&up, &token).await.is_none() {
        assert!(begun.elapsed().as_secs() < 60, "the API does not recover");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    make(&up, &token, "after PostgreSQL was killed").await;
    assert_eq!(titles(&up, &token).await.unwrap().len(), 2);
    assert_eq!(up.call("GET", "/readyz", "", None).await.0, 200);

    // This program alone.
    let (pid, postgres) = (up.pid(), up.postgres());
    send(pid, Signal::KILL);
    gone(pid);
    let up = started_after(up, &installation, postgres);
    let token = up.sign_in("token?grant_type=password", EMAIL, PASSWORD).await;
    assert_eq!(titles(&up, &token).await.unwrap().len(), 2);
    make(&up, &token, "after the program was killed").await;

    // Both.
    let (pid, postgres) = (up.pid(), up.postgres());
    send(postgres, Signal::KILL);
    send(pid, Signal::KILL);
    gone(pid);
    let up = started_after(up, &installation, postgres);
    // The token of before the kill is still good: keys and addresses are the same.
    assert_eq!(titles(&up, &token).await.unwrap().len(), 3);
    let postgres = up.postgres();
    assert_eq!(up.stop(Signal::TERM).0.code(), Some(0));
    gone(postgres);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_was_acknowledged_is_analysed_after_everything_was_killed() {
    const STORY: &[u8] = include_bytes!("../../src/demo/story.md");
    let installation = Installation::new();
    // A worker that is killed keeps its job until the lease lapses.
    let lease = ["--worker-lease-seconds", "5"];
    let up = installation.up(&lease);
    let token = up.sign_in("signup", EMAIL, PASSWORD).await;
    let (revision, analysis) = up.upload(&token, STORY).await;
    let (pid, postgres) = (up.pid(), up.postgres());
    send(pid, Signal::KILL);
    send(postgres, Signal::KILL);
    gone(pid);
    drop(up);

    let up = installation.up(&lease);
    gone(postgres);
    let done = up.analysis(&token, &analysis).await;
    assert_eq!((&done["state"], &done["result"]["words"]), (&"succeeded".into(), &839.into()));
    let (_, download) = up.call("GET", &format!("{revision}/download"), &token, None).await;
    let bytes = reqwest::get(download["url"].as_str().unwrap()).await.unwrap().bytes().await.unwrap();
    assert_eq!(bytes, STORY);
    assert_eq!(up.stop(Signal::TERM).0.code(), Some(0));
}

fn started_after(killed: Running, installation: &Installation, postgres: u32) -> Running {
    let before = killed.summary.clone();
    drop(killed);
    let up = installation.up(&[]);
    gone(postgres);
    assert_eq!(up.summary, before);
    up
}

async fn make(up: &Running, token: &str, title: &str) {
    let (status, made) = up.call("POST", "/v1/projects", token, Some(json!({ "title": title }))).await;
    assert_eq!(status, 201, "{made}");
}

async fn titles(up: &Running, token: &str) -> Option<Vec<String>> {
    let (status, list) = up.call("GET", "/v1/projects", token, None).await;
    let items = list["items"].as_array()?;
    (status == 200).then(|| items.iter().map(|item| item["title"].as_str().unwrap().to_owned()).collect())
}
