//! A copy of the objects that is older than the rows: what was deleted since is deleted again.

use std::{fs, path::Path, process::Command};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Installation, poll};

const STORY: &[u8] = b"Chapter 1\n\nThe lamp went out. Nobody spoke of it again.\n";

/// Returns how many files below a directory hold the story.
fn copies(directory: &Path) -> usize {
    // What is gone by now holds nothing.
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    let entries = entries.flatten().map(|entry| entry.path());
    let holds = |path: &Path| {
        fs::read(path).is_ok_and(|bytes| bytes.windows(STORY.len()).any(|window| window == STORY))
    };
    entries.map(|path| if path.is_dir() { copies(&path) } else { usize::from(holds(&path)) }).sum()
}

fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(done.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_an_older_copy_brings_back_are_deleted_again() {
    let installation = Installation::new();
    let objects = installation.data_dir().join("objects");
    let up = installation.up(&["--api-purge-after-seconds", "0"]);
    let token = up.sign_in("signup", "anna@example.com", "a long password").await;
    let (gone, analysis) = up.upload(&token, STORY).await;
    up.analysis(&token, &analysis).await;
    let (_, analysis) = up.upload(&token, STORY).await;
    up.analysis(&token, &analysis).await;
    assert_eq!(copies(&objects), 2);
    let backup = installation.root().join("backup");
    copy(&objects, &backup);
    let project = gone.split("/manuscripts").next().unwrap();
    assert_eq!(up.call("DELETE", project, &token, None).await.0, 204);
    poll("the purge", || (copies(&objects) == 1).then_some(()));
    assert_eq!(up.stop(Signal::TERM).0.code(), Some(0));

    let stopped = installation.run(&["tombstones", "apply"]);
    assert_eq!((stopped.code, stopped.stdout.as_str()), (Some(3), ""), "{stopped:?}");

    fs::remove_dir_all(&objects).unwrap();
    copy(&backup, &objects);
    let up = installation.up(&[]);
    assert_eq!(copies(&objects), 2);
    for found in [1, 0] {
        let applied = installation.run(&["tombstones", "apply", "--json"]);
        assert_eq!(applied.code, Some(0), "{applied:?}");
        let counts: Value = serde_json::from_str(&applied.stdout).unwrap();
        let place = &counts["installation"];
        let expected = serde_json::json!({ "installation": place, "applied": 1, "found": found, "failed": 0, "complete": true });
        assert_eq!(counts, expected);
        assert_eq!(copies(&objects), 1, "what lives is left alone");
    }
    let said = installation.run(&["tombstones", "apply"]);
    assert_eq!(said.stdout, "1 applied, 0 had come back and were deleted, 0 failed\n", "{said:?}");
    assert_eq!(up.stop(Signal::TERM).0.code(), Some(0));
}
