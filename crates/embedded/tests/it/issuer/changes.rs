//! What people change about themselves, and the operator about them.

use std::time::Duration;

use novelfoundry_embedded::issuer::{AccountError, Limit};
use novelfoundry_testkit::{Database, DelayingProxy};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::fixture::{Answer, Fixture, PASSWORD, open, serve, text, token};

const ANNA: &str = "anna@example.com";
const NEW: &str = "a wholly new passphrase";

#[tokio::test]
async fn a_new_password_ends_all_other_sessions() {
    let fixture = Fixture::start().await;
    let berta = fixture.sign_up("berta@example.com").await;
    let there = fixture.sign_up(ANNA).await;
    let here = fixture.sign_in(ANNA).await.ok();
    let made = fixture.issuer.recovery_link(ANNA).await.unwrap();
    let body = json!({"password": NEW, "code_challenge": null, "code_challenge_method": null, "nonce": "1"});
    let user = fixture.put_user(&here, &body).await.ok();
    assert_eq!(user["id"], here["user"]["id"]);
    fixture.user(&here).await.ok();
    fixture.refresh(&here["refresh_token"]).await.ok();
    fixture.user(&there).await.is(403, "session_not_found");
    fixture.refresh(&there["refresh_token"]).await.is(400, "refresh_token_not_found");
    fixture.put_user(&there, &json!({"password": PASSWORD})).await.is(403, "session_not_found");
    let stale = json!({"type": "recovery", "token_hash": token(made.expose())});
    fixture.post("/verify", &stale).await.is(403, "otp_expired");
    fixture.sign_in(ANNA).await.is(400, "invalid_credentials");
    fixture.sign_in_with(ANNA, NEW).await.ok();
    fixture.user(&berta).await.ok();
    fixture.sign_in("berta@example.com").await.ok();
}

#[tokio::test]
async fn of_two_sessions_that_change_the_password_at_once_one_ends_the_other() {
    let fixture = Fixture::start().await;
    let sessions = [fixture.sign_up(ANNA).await, fixture.sign_in(ANNA).await.ok()];
    let change = async |index: usize| {
        let body = json!({"password": format!("a new passphrase {index}")});
        fixture.put_user(&sessions[index], &body).await
    };
    let (first, second) = tokio::join!(change(0), change(1));
    let won: Vec<_> = [first, second].iter().map(|answer| answer.status.is_success()).collect();
    assert_eq!(won.iter().filter(|won| **won).count(), 1, "{won:?}");
    let winner = usize::from(won[1]);
    fixture.sign_in_with(ANNA, &format!("a new passphrase {winner}")).await.ok();
    fixture.user(&sessions[winner]).await.ok();
    fixture.user(&sessions[1 - winner]).await.is(403, "session_not_found");
}

#[tokio::test]
async fn a_change_that_is_not_accepted_is_refused_by_its_code() {
    let fixture = Fixture::start().await;
    let session = fixture.sign_up(ANNA).await;
    for (body, status, code) in [
        (json!({"password": PASSWORD}), 422, "same_password"),
        (json!({"password": "short"}), 422, "weak_password"),
        (json!({"password": ""}), 422, "weak_password"),
        (json!({"password": "x".repeat(1025)}), 422, "validation_failed"),
        (json!({"email": "other@example.com", "password": NEW}), 422, "validation_failed"),
        (json!({"email": "nonsense"}), 422, "validation_failed"),
        (json!({"phone": "+49", "password": NEW}), 422, "phone_provider_disabled"),
        (json!({"data": {"a": "x".repeat(5000)}, "password": NEW}), 400, "validation_failed"),
        (json!({"data": {"a": "\u{0}"}}), 400, "validation_failed"),
        (json!({"data": []}), 400, "bad_json"),
    ] {
        fixture.put_user(&session, &body).await.is(status, code);
    }
    fixture.sign_in(ANNA).await.ok();
    for same in [json!({"email": " ANNA@example.com "}), json!({}), json!({"email": "", "phone": ""})] {
        fixture.put_user(&session, &same).await.ok();
    }
    fixture.as_bearer(Method::PUT, "/user", "x").await.is(403, "bad_jwt");
}

#[tokio::test]
async fn a_found_session_does_not_help_to_guess_the_password() {
    let limit = Limit::new(3, Duration::from_secs(500));
    let fixture = Fixture::with(|options| options.limits.credentials_by_account = limit).await;
    let session = fixture.sign_up(ANNA).await;
    for _ in 0..2 {
        fixture.put_user(&session, &json!({"password": PASSWORD})).await.is(422, "same_password");
    }
    fixture.put_user(&session, &json!({"password": NEW})).await.is(429, "over_request_rate_limit");
}

#[tokio::test]
async fn metadata_is_merged_and_in_the_next_token() {
    let fixture = Fixture::start().await;
    let body = json!({"email": ANNA, "password": PASSWORD, "data": {"name": "Anna", "n": 123_456_789_012_345_678_u64}});
    let session = fixture.post("/signup", &body).await.ok();
    let data = json!({"name": null, "pen_name": "A. S.", "deep": {"a": null, "n": 1e300}});
    let user = fixture.put_user(&session, &json!({"data": data})).await.ok();
    let expected =
        json!({"pen_name": "A. S.", "deep": {"a": null, "n": 1e300}, "n": 123_456_789_012_345_678_u64});
    assert_eq!(user["user_metadata"], expected);
    let refreshed = fixture.refresh(&session["refresh_token"]).await.ok();
    assert_eq!(refreshed["user"]["user_metadata"], expected);
    assert_eq!(fixture.put_user(&session, &json!({"data": {}})).await.ok()["user_metadata"], expected);

    let fill = json!({"data": {"big": "x".repeat(3600)}});
    fixture.put_user(&session, &fill).await.ok();
    fixture
        .put_user(&session, &json!({"data": {"more": "x".repeat(300)}}))
        .await
        .is(400, "validation_failed");
    fixture.put_user(&session, &json!({"data": {"big": null}})).await.ok();

    // None of them is lost.
    let session = &session;
    let puts = (0..3).map(|index| {
        let body = json!({"data": {format!("k{index}"): index}});
        let fixture = &fixture;
        async move { fixture.put_user(session, &body).await.ok() }
    });
    futures_util::future::join_all(puts).await;
    let user = fixture.user(session).await.ok();
    let metadata = &user["user_metadata"];
    assert_eq!((&metadata["k0"], &metadata["k1"], &metadata["k2"]), (&json!(0), &json!(1), &json!(2)));
}

#[tokio::test]
async fn a_session_that_ends_meanwhile_changes_nothing() {
    let fixture = Fixture::start().await;
    let session = fixture.sign_up(ANNA).await;
    let state = "select user_metadata::text || password_hash from issuer.accounts";
    let before = fixture.value(state).await;
    for body in [json!({"data": {"a": 1}}), json!({"data": {"a": 1}, "password": NEW})] {
        let holder = fixture.database.connect_as(&fixture.database.admin).await.unwrap();
        holder.batch_execute("begin; update issuer.accounts set last_sign_in_at = now()").await.unwrap();
        let waits = async {
            // Whoever changes the account waits for the other transaction, which ends the session.
            let waiting = "select count(*) from pg_locks l
                             join pg_stat_activity a on a.pid = l.pid
                            where not l.granted and a.datname = current_database()";
            let begun = std::time::Instant::now();
            while fixture.value(waiting).await.as_deref() == Some("0") {
                assert!(begun.elapsed() < Duration::from_secs(30), "nobody waits");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let end = "update issuer.sessions set revoked_at = now(); commit";
            holder.batch_execute(end).await.unwrap();
        };
        let (answer, ()) = tokio::join!(fixture.put_user(&session, &body), waits);
        answer.is(403, "session_not_found");
        assert_eq!(fixture.value(state).await, before, "{body}");
        let open = "update issuer.sessions set revoked_at = null returning 1";
        assert_eq!(fixture.value(open).await.as_deref(), Some("1"));
    }
    let both = json!({"data": {"a": 1}, "password": NEW});
    assert_eq!(fixture.put_user(&session, &both).await.ok()["user_metadata"], json!({"a": 1}));
    fixture.sign_in_with(ANNA, NEW).await.ok();
}

#[tokio::test]
async fn metadata_is_measured_as_it_is_stored() {
    let fixture = Fixture::start().await;
    let session = fixture.sign_up(ANNA).await;
    for number in [1e308, -1e308, 1e-300, f64::MIN_POSITIVE] {
        let big = json!({"data": {"a": vec![number; 500]}});
        fixture.put_user(&session, &big).await.is(400, "validation_failed");
    }
    let fits = json!({"data": {"a": vec![1e300; 13]}});
    fixture.put_user(&session, &fits).await.ok();
    let stored = "select length(user_metadata::text) <= 4096 from issuer.accounts";
    assert_eq!(fixture.value(stored).await.as_deref(), Some("t"));
    fixture.put_user(&session, &json!({"data": {"a": vec![1e300; 14]}})).await.is(400, "validation_failed");
}

#[tokio::test]
async fn a_disabled_account_is_shut_until_it_is_enabled() {
    let fixture = Fixture::start().await;
    let session = fixture.sign_up(ANNA).await;
    let berta = fixture.sign_up("berta@example.com").await;
    let made = fixture.issuer.recovery_link(ANNA).await.unwrap();
    fixture.set_disabled("ANNA@example.com", true).await;
    let since = fixture.value("select disabled_at from issuer.accounts where email like 'anna%'").await;
    fixture.pass(Duration::from_mins(1));
    fixture.set_disabled(ANNA, true).await;
    let still = fixture.value("select disabled_at from issuer.accounts where email like 'anna%'").await;
    assert!(since.is_some() && since == still);

    fixture.sign_in(ANNA).await.is(403, "user_banned");
    fixture.refresh(&session["refresh_token"]).await.is(403, "user_banned");
    fixture.user(&session).await.is(403, "session_not_found");
    fixture.put_user(&session, &json!({"password": NEW})).await.is(403, "session_not_found");
    let redeem = json!({"type": "recovery", "token_hash": token(made.expose())});
    fixture.post("/verify", &redeem).await.is(403, "otp_expired");

    fixture.set_disabled(ANNA, false).await;
    fixture.refresh(&session["refresh_token"]).await.is(400, "refresh_token_not_found");
    fixture.post("/verify", &redeem).await.is(403, "otp_expired");
    fixture.sign_in(ANNA).await.ok();
    fixture.user(&berta).await.ok();
    for email in ["nobody@example.com", "nobody"] {
        let refused = fixture.issuer.disable_account(email).await;
        assert!(matches!(refused, Err(AccountError::Unknown | AccountError::Email)), "{email}");
    }
}

#[tokio::test]
async fn accounts_are_listed_page_by_page() {
    let fixture = Fixture::start().await;
    let mut expected = Vec::new();
    for name in ["anna", "berta", "carla"] {
        let email = format!("{name}@example.com");
        let session: Value = fixture.sign_up(&email).await;
        expected.push((text(&session["user"]["id"]).to_owned(), email, name == "berta"));
    }
    fixture.set_disabled("berta@example.com", true).await;
    let mut listed = Vec::new();
    let mut after = None;
    loop {
        let page = fixture.issuer.accounts(after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 2);
        after = Some(last.user_id());
        listed.extend(
            page.iter().map(|it| (it.user_id().to_string(), it.email().to_owned(), it.is_disabled())),
        );
    }
    assert_eq!(listed, expected);
}

/// Serves the same issuer once more, with its accounts through a line that can be cut; returns where.
async fn behind(fixture: &Fixture) -> (DelayingProxy, String) {
    let proxy = DelayingProxy::start(&fixture.database.issuer, Duration::ZERO).await;
    let database = Database { issuer: proxy.url(&fixture.database.issuer), ..fixture.database.clone() };
    let issuer = Box::pin(open(&fixture.options, &database)).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/auth/v1/user", listener.local_addr().unwrap());
    tokio::spawn(async move { serve(&issuer, listener).await });
    (proxy, url)
}

/// Else who repeats it would be told that the password is the same, and the rest would be lost.
#[tokio::test]
async fn password_and_metadata_change_together_or_not_at_all() {
    let fixture = Fixture::start().await;
    let session = fixture.sign_up(ANNA).await;
    let (proxy, url) = behind(&fixture).await;
    let body = json!({"data": {"a": 1}, "password": NEW});
    let put = async || {
        let token = session["access_token"].as_str().unwrap();
        let request = fixture.http.put(&url).bearer_auth(token).json(&body);
        Answer::read(request.send().await.unwrap()).await
    };
    let state = "select user_metadata::text || password_hash from issuer.accounts";
    let before = fixture.value(state).await;
    proxy.cut_before("-- issuer.replace_user_metadata\n", 0);
    put().await.is(503, "unexpected_failure");
    assert_eq!(fixture.value(state).await, before);
    proxy.mend();
    assert_eq!(put().await.ok()["user_metadata"], json!({"a": 1}));
    fixture.sign_in_with(ANNA, NEW).await.ok();
    assert_eq!(fixture.user(&session).await.ok()["user_metadata"], json!({"a": 1}));
}

/// A second attempt would find the account, whose password nobody was told.
#[tokio::test]
async fn an_account_whose_workspace_must_wait_is_made_all_the_same() {
    let fixture = Fixture::start().await;
    let proxy = DelayingProxy::start(&fixture.database.tenant, Duration::ZERO).await;
    let database = Database { tenant: proxy.url(&fixture.database.tenant), ..fixture.database.clone() };
    let issuer = Box::pin(open(&fixture.options, &database)).await.unwrap();
    proxy.cut_before_commit(true);
    let made = issuer.create_account(ANNA, PASSWORD, serde_json::Map::new()).await.unwrap();
    assert!(!made.is_provisioned);
    let tenants = "select count(*) from app.tenants";
    assert_eq!(fixture.value(tenants).await.as_deref(), Some("0"));
    fixture.sign_in(ANNA).await.ok();
    assert_eq!(fixture.value(tenants).await.as_deref(), Some("1"));
}
