//! A backup that is older than its installation is put beside it, and nothing that was taken away since comes back.

use std::{fs, process::Command};

use novelfoundry_core::{Clock as _, SystemClock};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Ended, Installation, Running, ended};

const PASSWORD: &str = "a long password";
const STORY: &[u8] = b"Chapter 1\n\nThe lamp went out.\n";

/// A person with a token of their own workspace.
struct Person {
    email: String,
    token: String,
    workspace: String,
}

async fn person(up: &Running, name: &str) -> Person {
    let email = format!("{name}@example.com");
    let token = up.sign_in("signup", &email, PASSWORD).await;
    let (_, me) = up.call("GET", "/v1/me", &token, None).await;
    Person { email, token, workspace: me["workspace"]["tenant_id"].as_str().unwrap().to_owned() }
}

async fn post(up: &Running, person: &Person, path: &str, body: Value) -> Value {
    let (status, made) = up.call("POST", path, &person.token, Some(body)).await;
    assert!((200..300).contains(&status), "{path}: {status} {made}");
    made
}

async fn delete(up: &Running, person: &Person, path: &str) {
    let (status, answer) = up.call("DELETE", path, &person.token, None).await;
    assert!((200..300).contains(&status), "{path}: {status} {answer}");
}

async fn signs_in(up: &Running, person: &Person, password: &str) -> u16 {
    let body = json!({ "email": person.email, "password": password });
    up.call("POST", "/auth/v1/token?grant_type=password", "", Some(body)).await.0
}

/// Has somebody sign in to another installation, whose tokens are its own.
async fn at(up: &Running, person: &Person, password: &str) -> Person {
    let Person { email, workspace, .. } = person;
    let token = up.sign_in("token?grant_type=password", email, password).await;
    Person { email: email.clone(), token, workspace: workspace.clone() }
}

/// Returns the token at the end of an invitation's link.
fn token(invited: &Value) -> &str {
    invited["link"].as_str().unwrap().split("#token=").nth(1).unwrap()
}

/// Has somebody join a workspace by an invitation.
async fn join(up: &Running, owner: &Person, guest: &Person, role: &str) {
    let invited = post(up, owner, "/v1/invitations", json!({ "role": role })).await;
    post(up, guest, "/v1/invitations/accept", json!({ "token": token(&invited) })).await;
}

async fn invitations(up: &Running, owner: &Person) -> usize {
    let (status, open) = up.call("GET", "/v1/invitations", &owner.token, None).await;
    assert_eq!(status, 200, "{open}");
    open["items"].as_array().unwrap().len()
}

/// Copies a stopped installation as a backup of it is restored: with addresses of its own.
fn restored(old: &Installation) -> Installation {
    let new = Installation::new();
    let copied = Command::new("cp").arg("-a").args([old.data_dir(), new.data_dir()]).status().unwrap();
    assert!(copied.success());
    fs::remove_file(new.data_dir().join("state.json")).unwrap();
    new
}

fn apply(new: &Installation, old: &Installation, args: &[&str]) -> Ended {
    let mut command = new.command(&["deletions", "apply", "--from"]);
    ended(command.arg(old.data_dir()).args(args))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_away_since_the_backup_stays_away() {
    let old = Installation::new();
    let up = old.up(&[]);
    let (anna, berta, carla) =
        (person(&up, "anna").await, person(&up, "berta").await, person(&up, "carla").await);
    let (dora, emil, fred) =
        (person(&up, "dora").await, person(&up, "emil").await, person(&up, "fred").await);
    let (revision, analysis) = up.upload(&anna.token, STORY).await;
    up.analysis(&anna.token, &analysis).await;
    let (_, doomed) = up.upload(&anna.token, STORY).await;
    let doomed = doomed.split("/analyses").next().unwrap();
    let manuscripts = format!("{}/manuscripts", analysis.split("/analyses").next().unwrap());
    let other = post(&up, &anna, &manuscripts, json!({ "title": "Other" })).await["manuscript_id"].clone();
    let other = format!("{manuscripts}/{}", other.as_str().unwrap());
    join(&up, &anna, &carla, "editor").await;
    join(&up, &anna, &emil, "owner").await;
    let withdrawn = post(&up, &anna, "/v1/invitations", json!({ "role": "owner" })).await;
    post(&up, &anna, "/v1/invitations", json!({ "role": "viewer" })).await;
    assert_eq!(up.stop(Signal::TERM).0.code(), Some(0));
    let new = restored(&old);

    let up = old.up(&[]);
    let members = |person: &Value| format!("/v1/members/{}", person["user_id"].as_str().unwrap());
    let (_, list) = up.call("GET", "/v1/members", &anna.token, None).await;
    let member = |email: &str| {
        let all = list["items"].as_array().unwrap();
        members(all.iter().find(|member| member["email"] == email).unwrap())
    };
    for path in [doomed, other.as_str(), analysis.as_str(), &member(&carla.email)] {
        delete(&up, &anna, path).await;
    }
    let lowered = json!({ "role": "viewer" });
    let (status, answer) = up.call("PATCH", &member(&emil.email), &anna.token, Some(lowered)).await;
    assert!((200..300).contains(&status), "{status} {answer}");
    let invitation = withdrawn["invitation_id"].as_str().unwrap();
    delete(&up, &anna, &format!("/v1/invitations/{invitation}")).await;
    delete(&up, &berta, &format!("/v1/tenants/{}", berta.workspace)).await;
    delete(&up, &dora, "/v1/me").await;
    let changed = json!({ "password": "quite another one" });
    assert_eq!(up.call("PUT", "/auth/v1/user", &emil.token, Some(changed)).await.0, 200);
    assert_eq!(old.run(&["user", "disable", &fred.email]).code, Some(0));

    let restored = new.up(&[]);
    assert_eq!(signs_in(&restored, &dora, PASSWORD).await, 200, "a backup brings everything back");
    let looked = apply(&new, &old, &["--dry-run"]);
    assert_eq!(looked.code, Some(0), "{looked:?}");
    let mut kinds: Vec<_> =
        looked.stdout.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    kinds.sort_unstable();
    let expected =
        ["account", "analysis", "invitation", "manuscript", "member", "password", "person", "project"];
    assert_eq!(kinds, [&expected[..], &["role", "workspace", "workspace"]].concat(), "{looked:?}");
    let unasked = apply(&new, &old, &[]);
    assert_eq!(unasked.code, Some(4), "{unasked:?}");
    let anna = at(&restored, &anna, PASSWORD).await;
    assert_eq!(restored.call("GET", doomed, &anna.token, None).await.0, 200, "only looked at");

    let done = apply(&new, &old, &["--yes", "--json"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let done: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((done["actions"].as_array().unwrap().len(), &done["left"]), (kinds.len(), &0.into()));
    assert!(!done.to_string().contains("argon2"), "{done}");
    let anna = at(&restored, &anna, PASSWORD).await;
    for path in [doomed, other.as_str(), analysis.as_str()] {
        assert_eq!(restored.call("GET", path, &anna.token, None).await.0, 404, "{path}");
    }
    assert_eq!(restored.call("GET", &revision, &anna.token, None).await.0, 200, "what was kept is");
    assert_eq!(invitations(&restored, &anna).await, 1);
    let (_, list) = restored.call("GET", "/v1/members", &anna.token, None).await;
    let roles: Vec<_> = list["items"].as_array().unwrap().iter().map(|member| &member["role"]).collect();
    assert_eq!(roles, ["viewer", "owner"], "{list}");
    let berta = at(&restored, &berta, PASSWORD).await;
    assert_eq!(restored.call("GET", "/v1/projects", &berta.token, None).await.0, 403);
    assert_eq!(signs_in(&restored, &dora, PASSWORD).await, 400);
    assert_eq!(signs_in(&restored, &emil, PASSWORD).await, 400);
    let emil = at(&restored, &emil, "quite another one").await;
    let late = json!({ "token": token(&withdrawn) });
    assert_eq!(restored.call("POST", "/v1/invitations/accept", &emil.token, Some(late)).await.0, 404);
    assert_eq!(signs_in(&restored, &fred, PASSWORD).await, 403);
    restored.sign_in("signup", &dora.email, PASSWORD).await;

    // Somebody works in it by now; what they make is none of the old one's.
    let unrelated = apply(&new, &old, &["--yes"]);
    assert_eq!(unrelated.code, Some(4), "{unrelated:?}");
    let before = new.data_dir().join("state.json").metadata().unwrap().modified().unwrap();
    let before = jiff::Timestamp::try_from(before).unwrap().to_string();
    let again = apply(&new, &old, &["--yes", "--made-before", &before]);
    assert_eq!((again.code, again.stdout.as_str()), (Some(0), ""), "once is enough: {again:?}");
    let itself = apply(&new, &new, &["--yes"]);
    assert_eq!(itself.code, Some(4), "{itself:?}");
    assert_eq!(restored.stop(Signal::TERM).0.code(), Some(0));
    assert_eq!(up.stop(Signal::TERM).0.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_whose_owner_came_later_is_kept_until_they_join_again() {
    let old = Installation::new();
    let up = old.up(&[]);
    let gerd = person(&up, "gerd").await;
    assert_eq!(up.stop(Signal::TERM).0.code(), Some(0));
    let new = restored(&old);
    let up = old.up(&[]);
    let ida = person(&up, "ida").await;
    join(&up, &gerd, &ida, "owner").await;
    delete(&up, &gerd, "/v1/me").await;

    let restored = new.up(&[]);
    let before = SystemClock.now().to_string();
    let stuck = apply(&new, &old, &["--yes", "--json"]);
    assert_eq!(stuck.code, Some(1), "{stuck:?}");
    let stuck: Value = serde_json::from_str(&stuck.stdout).unwrap();
    assert_eq!(stuck["left"], 2, "{stuck}");
    assert_eq!(signs_in(&restored, &gerd, PASSWORD).await, 403, "shut out meanwhile");

    let invited = new.run(&["user", "invite", &ida.email, "--tenant", &gerd.workspace, "--role", "owner"]);
    assert_eq!(invited.code, Some(0), "the workspace was not deleted with them: {invited:?}");
    let token = invited.stdout.trim_end().split("#token=").nth(1).unwrap();
    let ida = person(&restored, "ida").await;
    post(&restored, &ida, "/v1/invitations/accept", json!({ "token": token })).await;
    let done = apply(&new, &old, &["--yes", "--made-before", &before]);
    assert_eq!((done.code, done.stdout.lines().count()), (Some(0), 2), "{done:?}");
    assert_eq!(signs_in(&restored, &gerd, PASSWORD).await, 400, "erased");
    let workspaces = new.run(&["tenant", "list"]).stdout;
    let kept = workspaces.lines().find(|line| line.starts_with(&gerd.workspace)).unwrap();
    assert!(!kept.contains("deleted"), "{workspaces}");
    assert_eq!(restored.stop(Signal::TERM).0.code(), Some(0));
    assert_eq!(up.stop(Signal::TERM).0.code(), Some(0));
}
