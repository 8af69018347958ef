//! Signing keys: rotated without a token being refused, lost without a lasting outage.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use novelfoundry_embedded::issuer::{IssuerError, KeyFileError};

use super::fixture::{Fixture, open, text};

#[tokio::test]
async fn a_rotation_refuses_no_token_at_any_time() {
    let fixture = Fixture::start().await;
    // A verifier that caches for as long as it is allowed to.
    let verifier = fixture.verifier();
    let mut session = fixture.sign_up("anna@example.com").await;
    let old = fixture.key_set().await;
    assert_eq!(old.len(), 1);
    verifier.verify(text(&session["access_token"])).await.unwrap();

    assert!(fixture.issuer.rotate_keys().await.unwrap());
    assert!(!fixture.issuer.rotate_keys().await.unwrap(), "one rotation at a time");
    let both = fixture.key_set().await;
    assert_eq!(both.len(), 2);

    let mut kids = Vec::new();
    for _ in 0..30 {
        fixture.pass(Duration::from_mins(5));
        let next = fixture.refresh(&session["refresh_token"]).await.ok();
        for session in [&session, &next] {
            verifier.verify(text(&session["access_token"])).await.unwrap();
            fixture.user(session).await.ok();
        }
        kids.push(kid(text(&next["access_token"])));
        session = next;
    }
    kids.dedup();
    assert_eq!(kids.len(), 2, "the old key signs, then the new one");
    assert_eq!(kids[0], old[0]);
    assert_eq!(fixture.key_set().await, [kids[1].clone()], "the old key is gone once its tokens are");
    let files = fixture.key_files();
    assert_eq!(files.len(), 1, "{files:?}");
    assert!(files[0].to_string_lossy().contains(&kids[1]));
    assert!(fixture.issuer.rotate_keys().await.unwrap(), "and the next rotation can begin");
}

#[tokio::test]
async fn an_old_token_verifies_until_it_runs_out_after_its_key_stopped_signing() {
    let fixture = Fixture::start().await;
    fixture.issuer.rotate_keys().await.unwrap();
    fixture.pass(Duration::from_secs(14 * 60 + 59));
    let last = fixture.sign_up("anna@example.com").await;
    fixture.pass(Duration::from_secs(1));
    let first = fixture.sign_in("anna@example.com").await.ok();
    assert_ne!(kid(text(&last["access_token"])), kid(text(&first["access_token"])));
    fixture.pass(Duration::from_secs(59 * 60 + 58));
    fixture.verify(&last).await.unwrap();
    assert_eq!(fixture.key_set().await.len(), 2);
    fixture.pass(Duration::from_mins(3));
    assert_eq!(fixture.key_set().await.len(), 1);
}

#[tokio::test]
async fn a_key_is_rotated_by_its_age_over_restarts_too() {
    const SECOND: Duration = Duration::from_secs(1);
    const AGE: Duration = Duration::from_hours(90 * 24);
    let fixture = Fixture::start().await;
    assert!(!fixture.issuer.rotate_keys_older_than(AGE).await.unwrap());
    fixture.pass(AGE.saturating_sub(SECOND));
    let again = Box::pin(open(&fixture.options, &fixture.database)).await.unwrap();
    assert!(!again.rotate_keys_older_than(AGE).await.unwrap());
    fixture.pass(SECOND);
    assert!(again.rotate_keys_older_than(AGE).await.unwrap());
    assert!(!again.rotate_keys_older_than(AGE).await.unwrap(), "one rotation at a time");
    fixture.pass(Duration::from_hours(3));
    assert!(!again.rotate_keys_older_than(AGE).await.unwrap(), "the new key is young");
    fixture.pass(AGE);
    assert!(again.rotate_keys_older_than(AGE).await.unwrap());

    // A key from a future that a wrong clock saw; what the key says of itself does not count.
    for (change, rotated) in [
        ("created_at = '5138-11-16Z'", true),
        ("public_jwk = public_jwk || '{\"iat\": 99999999999}'", false),
        ("public_jwk = public_jwk || '{\"iat\": 1}'", false),
    ] {
        let fixture = Fixture::start().await;
        fixture.value(&format!("update issuer.signing_keys set {change}")).await;
        fixture.pass(Duration::from_mins(1));
        assert_eq!(fixture.issuer.rotate_keys_older_than(AGE).await.unwrap(), rotated, "{change}");
    }
}

#[tokio::test]
async fn a_restart_keeps_the_key() {
    let fixture = Fixture::start().await;
    let before = fixture.key_set().await;
    let again = Box::pin(open(&fixture.options, &fixture.database)).await.unwrap();
    again.rotate_keys().await.unwrap();
    // The first process notices within a minute.
    fixture.pass(Duration::from_mins(1));
    let after = fixture.key_set().await;
    assert_eq!(after.len(), 2);
    assert!(after.contains(&before[0]));
    let session = fixture.sign_up("anna@example.com").await;
    assert_eq!(kid(text(&session["access_token"])), before[0]);
}

#[tokio::test]
async fn issuers_that_open_at_once_agree_on_one_key() {
    let fixture = Fixture::start().await;
    fixture.value("delete from issuer.signing_keys").await;
    let opened =
        futures_util::future::join_all((0..6).map(|_| open(&fixture.options, &fixture.database))).await;
    assert!(opened.iter().all(Result::is_ok));
    let active = "select count(*) from issuer.signing_keys where state = 'active'";
    assert_eq!(fixture.value(active).await.as_deref(), Some("1"));
    // The one in use, and the one whose row was deleted.
    assert_eq!(fixture.key_files().len(), 2);
}

#[tokio::test]
async fn a_lost_private_key_is_replaced_and_its_tokens_stay_good() {
    for damage in [None, Some("garbage")] {
        let fixture = Fixture::start().await;
        let verifier = fixture.verifier();
        let session = fixture.sign_up("anna@example.com").await;
        let old = fixture.key_set().await;
        // The next key is lost too.
        fixture.issuer.rotate_keys().await.unwrap();
        for file in fixture.key_files() {
            match damage {
                None => fs::remove_file(file).unwrap(),
                Some(text) => fs::write(file, text).unwrap(),
            }
        }
        Box::pin(open(&fixture.options, &fixture.database)).await.unwrap();
        fixture.pass(Duration::from_mins(1));
        let keys = fixture.key_set().await;
        assert_eq!(keys.len(), 2, "the fresh one and the lost one, whose tokens are still out");
        assert!(keys.contains(&old[0]));
        verifier.verify(text(&session["access_token"])).await.unwrap();
        let fresh = fixture.refresh(&session["refresh_token"]).await.ok();
        fixture.verify(&fresh).await.unwrap();
        assert_ne!(kid(text(&fresh["access_token"])), old[0]);
    }
}

#[tokio::test]
async fn private_keys_are_shut_to_others_and_stay_out_of_the_database() {
    let fixture = Fixture::start().await;
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&fixture.options.keys_dir), 0o700);
    let file = &fixture.key_files()[0];
    assert_eq!(mode(file), 0o600);
    let jwk = fixture.value("select public_jwk from issuer.signing_keys").await.unwrap();
    assert!(!jwk.contains("\"d\""), "{jwk}");

    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    let refused = Box::pin(open(&fixture.options, &fixture.database)).await.err().unwrap();
    assert!(matches!(refused, IssuerError::Keys(KeyFileError::Exposed { mode: 0o644, .. })), "{refused:?}");
}

fn kid(token: &str) -> String {
    jsonwebtoken::decode_header(token).unwrap().kid.unwrap()
}
