//! The operator erases a person, as people erase themselves; and each command says and settles where it acts.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Installation, ended};

const PASSWORD: &str = "a long password";

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_erases_a_person_who_owes_no_hand_over() {
    let installation = Installation::new();
    let up = installation.up(&[]);
    let anna = up.sign_in("signup", "anna@example.com", PASSWORD).await;
    let berta = up.sign_in("signup", "berta@example.com", PASSWORD).await;
    let invite = json!({ "role": "editor" });
    let (_, invited) = up.call("POST", "/v1/invitations", &anna, Some(invite)).await;
    let token = invited["link"].as_str().unwrap().split("#token=").nth(1).unwrap();
    let accept = json!({ "token": token });
    assert_eq!(up.call("POST", "/v1/invitations/accept", &berta, Some(accept)).await.0, 200);
    let (_, me) = up.call("GET", "/v1/me", &anna, None).await;
    let workspace = me["workspace"]["tenant_id"].as_str().unwrap();

    let owes = installation.run(&["user", "erase", "anna@example.com", "--yes"]);
    assert_eq!(owes.code, Some(4), "{owes:?}");
    assert!(owes.stderr.contains(workspace) && owes.stderr.contains("--role owner"), "{owes:?}");
    assert_eq!(up.call("GET", "/v1/projects", &anna, None).await.0, 200, "nothing has happened");
    let unasked = installation.run(&["user", "erase", "berta@example.com"]);
    assert_eq!(unasked.code, Some(4), "{unasked:?}");
    for unknown in ["nobody@example.com", "00000000-0000-7000-8000-000000000000"] {
        let unknown = installation.run(&["user", "erase", unknown, "--yes"]);
        assert_eq!((unknown.code, unknown.stdout.as_str()), (Some(2), ""), "{unknown:?}");
    }

    let place = up.text("/data_dir").to_owned();
    let erased = installation.run(&["user", "erase", "Berta@example.com", "--yes", "--json"]);
    assert_eq!(erased.code, Some(0), "{erased:?}");
    let erased: Value = serde_json::from_str(&erased.stdout).unwrap();
    assert_eq!((&erased["installation"], &erased["erased"]), (&place.as_str().into(), &true.into()));
    assert_eq!(up.call("GET", "/v1/projects", &berta, None).await.0, 403, "also of a token given before");
    let (_, members) = up.call("GET", "/v1/members", &anna, None).await;
    assert_eq!(members["items"].as_array().unwrap().len(), 1, "{members}");
    // Whose erasing was cut off is found by the id.
    let again = installation.run(&["user", "erase", erased["user_id"].as_str().unwrap(), "--yes"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    up.sign_in("signup", "berta@example.com", PASSWORD).await;
    // Now that nobody else is in it, the workspace goes along.
    let erased = installation.run(&["user", "erase", "anna@example.com", "--yes"]);
    assert_eq!((erased.code, erased.stdout.as_str()), (Some(0), ""), "{erased:?}");
    assert!(erased.stderr.contains(&place), "{erased:?}");
    assert_eq!(up.call("GET", "/v1/projects", &anna, None).await.0, 403);
    assert_eq!(up.stop(Signal::TERM).0.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_in_a_shell_of_another_installation_is_refused() {
    let installation = Installation::new();
    let up = installation.up(&[]);
    let elsewhere = "postgres://novelfoundry_tenant:x@127.0.0.1:1/other";
    let made = installation.run(&["user", "create", "anna@example.com"]);
    assert!(made.code == Some(0) && made.stderr.contains(up.text("/data_dir")), "{made:?}");
    for args in [
        &["user", "create", "berta@example.com"][..],
        &["user", "invite", "berta@example.com"],
        &["user", "reset-password", "anna@example.com"],
        &["user", "disable", "anna@example.com"],
        &["user", "erase", "anna@example.com", "--yes"],
        &["user", "list"],
    ] {
        let refused = ended(installation.command(args).env("DATABASE_URL", elsewhere));
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(4), ""), "{args:?}: {refused:?}");
        assert!(refused.stderr.contains("names another database"), "{args:?}: {refused:?}");
        // The directory is where one is by default, and not what was named.
        let mut default = installation.command(args);
        default.env_remove("NOVELFOUNDRY_EMBEDDED_DATA_DIR").env("DATABASE_URL", elsewhere);
        let refused = ended(default.current_dir(installation.root()).env("HOME", installation.root()));
        assert!(refused.code != Some(0) && refused.stdout.is_empty(), "{args:?}: {refused:?}");
    }
    // Of its own it is welcome.
    let own = up.text("/tenant_database_url").to_owned();
    let listed = ended(installation.command(&["user", "list"]).env("DATABASE_URL", own));
    assert!(listed.code == Some(0) && listed.stdout.contains("anna@example.com"), "{listed:?}");
    assert_eq!(up.stop(Signal::TERM).0.code(), Some(0));
}
