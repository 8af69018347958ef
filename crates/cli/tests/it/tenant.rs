//! The operator deletes a workspace: told before, asked, done once.

use std::collections::BTreeSet;

use novelfoundry_database::{Purge, TABLES};
use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Installation, ended};

const STORY: &[u8] = b"Chapter 1\n\nThe lamp went out.\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_deletes_a_workspace_after_looking_at_it() {
    let installation = Installation::new();
    let up = installation.up(&[]);
    let token = up.sign_in("signup", "anna@example.com", "a long password").await;
    let (_, analysis) = up.upload(&token, STORY).await;
    up.analysis(&token, &analysis).await;
    let listed = installation.run(&["tenant", "list", "--json"]);
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["members"]), (1, &Value::from(1)));
    let id = listed[0]["tenant_id"].as_str().unwrap().to_owned();

    let looked = installation.run(&["tenant", "delete", &id, "--dry-run", "--json"]);
    assert_eq!(looked.code, Some(0), "{looked:?}");
    let looked: Value = serde_json::from_str(&looked.stdout).unwrap();
    assert_eq!((&looked["objects"], &looked["bytes"]), (&1.into(), &STORY.len().into()));
    let rows = |table: &str| {
        let tables = looked["tables"].as_array().unwrap();
        tables.iter().find(|row| row["table"] == table).unwrap()["rows"].clone()
    };
    assert_eq!((rows("projects"), rows("revisions"), rows("analyses")), (1.into(), 1.into(), 1.into()));
    // Every table that a purge touches, by the catalogue; which workspace a session is in is no tenant's to count.
    let told: BTreeSet<_> =
        looked["tables"].as_array().unwrap().iter().map(|row| row["table"].as_str().unwrap()).collect();
    let touched = TABLES.iter().filter(|table| table.purge != Purge::None).map(|table| table.name);
    assert_eq!(told, touched.filter(|name| *name != "session_tenants").collect());
    assert!(told.len() >= 12, "{told:?}");
    let words = installation.run(&["tenant", "delete", &id, "--dry-run"]);
    assert!(words.stdout.contains("billing_events") && words.stdout.contains("files"), "{words:?}");

    // A shell may still have the lines of another installation's `env`.
    let elsewhere = "postgres://novelfoundry_tenant:x@127.0.0.1:1/other";
    let mut confused = installation.command(&["tenant", "delete", &id, "--yes"]);
    let confused = ended(confused.env("DATABASE_URL", elsewhere));
    assert_eq!(confused.code, Some(4), "{confused:?}");
    assert!(confused.stderr.contains("names another database"), "{confused:?}");

    let unasked = installation.run(&["tenant", "delete", &id]);
    assert_eq!(unasked.code, Some(4), "{unasked:?}");
    assert_eq!(up.call("GET", "/v1/projects", &token, None).await.0, 200);
    let done = installation.run(&["tenant", "delete", &id, "--yes"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(up.call("GET", "/v1/projects", &token, None).await.0, 403);
    let again = installation.run(&["tenant", "delete", &id, "--yes"]);
    assert_eq!(again.code, Some(2), "{again:?}");
    let listed = installation.run(&["tenant", "list", "--json"]);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    assert!(listed[0]["name"].is_null() && listed[0]["purge_at"].is_string(), "{listed}");

    // The person is left, may go too, and is then unknown to the issuer.
    let (status, gone) = up.call("DELETE", "/v1/me", &token, None).await;
    assert_eq!((status, gone["account"].as_str()), (200, Some("erased")));
    let users = installation.run(&["user", "list", "--json"]);
    assert!(!users.stdout.contains("anna@example.com"), "{users:?}");
    assert_eq!(up.stop(Signal::TERM).0.code(), Some(0));
}
