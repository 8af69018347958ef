//! Refresh tokens: used once, forgiving for seconds, unforgiving later.

use std::{collections::HashSet, time::Duration};

use serde_json::{Value, json};

use super::fixture::{Fixture, text};

const GRACE: Duration = Duration::from_secs(10);
const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_session_goes_on_token_by_token() {
    let fixture = Fixture::start().await;
    let mut session = fixture.sign_up("anna@example.com").await;
    let first = fixture.verify(&session).await.unwrap();
    let mut seen = HashSet::new();
    for _ in 0..5 {
        assert!(seen.insert(text(&session["refresh_token"]).to_owned()));
        fixture.pass(Duration::from_hours(1));
        assert!(fixture.verify(&session).await.is_err(), "an hour is over");
        session = fixture.refresh(&session["refresh_token"]).await.ok();
        let claims = fixture.verify(&session).await.unwrap();
        assert_eq!((claims.session_id(), claims.tenant_id()), (first.session_id(), first.tenant_id()));
    }
    // Only what the grace still needs can make a token out of its parent.
    let salts = "select count(salt) from issuer.refresh_tokens";
    assert_eq!(fixture.value(salts).await.as_deref(), Some("1"));
}

#[tokio::test]
async fn twenty_tabs_refresh_at_once_and_none_is_signed_out() {
    let fixture = Fixture::start().await;
    let session = fixture.sign_up("anna@example.com").await;
    let mut tokens = vec![session["refresh_token"].clone(); 20];
    for _ in 0..3 {
        fixture.pass(Duration::from_hours(1));
        let answers = futures_util::future::join_all(tokens.iter().map(|token| fixture.refresh(token))).await;
        let sessions: Vec<Value> = answers.iter().map(super::fixture::Answer::ok).collect();
        for session in &sessions {
            fixture.verify(session).await.unwrap();
        }
        tokens = sessions.into_iter().map(|session| session["refresh_token"].clone()).collect();
        let distinct: HashSet<_> = tokens.iter().map(text).collect();
        assert_eq!(distinct.len(), 1, "all tabs go on with the same token");
    }
    let chain = "select count(*) from issuer.refresh_tokens";
    assert_eq!(fixture.value(chain).await.as_deref(), Some("4"));
}

#[tokio::test]
async fn within_the_grace_an_old_token_leads_to_the_newest() {
    let fixture = Fixture::start().await;
    let session = fixture.sign_up("anna@example.com").await;
    let first = &session["refresh_token"];
    let second = fixture.refresh(first).await.ok()["refresh_token"].clone();
    fixture.pass(SECOND * 4);
    let third = fixture.refresh(&second).await.ok()["refresh_token"].clone();
    let fourth = fixture.refresh(&third).await.ok()["refresh_token"].clone();
    fixture.pass(SECOND * 5);
    for token in [first, &second, &third] {
        assert_eq!(fixture.refresh(token).await.ok()["refresh_token"], fourth);
    }
    fixture.pass(GRACE);
    fixture.refresh(&fourth).await.ok();
}

#[tokio::test]
async fn a_stolen_token_ends_the_session_once_the_grace_is_over() {
    let fixture = Fixture::start().await;
    let stolen = fixture.sign_up("anna@example.com").await;
    let elsewhere = fixture.sign_in("anna@example.com").await.ok();
    let kept = fixture.refresh(&stolen["refresh_token"]).await.ok();
    fixture.pass(GRACE);
    fixture.refresh(&stolen["refresh_token"]).await.is(400, "refresh_token_already_used");
    fixture.refresh(&kept["refresh_token"]).await.is(400, "refresh_token_not_found");
    fixture.refresh(&stolen["refresh_token"]).await.is(400, "refresh_token_already_used");
    fixture.user(&kept).await.is(403, "session_not_found");
    // Other sessions of the person go on.
    fixture.user(&elsewhere).await.ok();
    fixture.refresh(&elsewhere["refresh_token"]).await.ok();
}

#[tokio::test]
async fn a_thief_and_the_owner_at_once_end_the_session_too() {
    let fixture = Fixture::start().await;
    let session = fixture.sign_up("anna@example.com").await;
    let newest = fixture.refresh(&session["refresh_token"]).await.ok();
    fixture.pass(GRACE);
    let tokens = [&session["refresh_token"], &newest["refresh_token"]].repeat(5);
    futures_util::future::join_all(tokens.into_iter().map(|token| fixture.refresh(token))).await;
    fixture.user(&newest).await.is(403, "session_not_found");
    let live = "select count(*) from issuer.sessions where revoked_at is null";
    assert_eq!(fixture.value(live).await.as_deref(), Some("0"));
}

#[tokio::test]
async fn what_never_was_a_token_is_not_found() {
    let fixture = Fixture::start().await;
    let session = fixture.sign_up("anna@example.com").await;
    let good = text(&session["refresh_token"]);
    for bad in [json!(""), json!("x"), json!("0".repeat(64)), json!(&good[1..]), json!("\u{0}"), Value::Null]
    {
        fixture.refresh(&bad).await.is(400, "refresh_token_not_found");
    }
    fixture.refresh(&json!(good)).await.ok();
}

#[tokio::test]
async fn a_session_with_a_lifetime_ends_for_good() {
    let fixture = Fixture::with(|options| options.session_lifetime = Some(Duration::from_mins(90))).await;
    let session = fixture.sign_up("anna@example.com").await;
    assert_eq!(session["expires_in"], 3600);
    fixture.pass(Duration::from_mins(50));
    let session = fixture.refresh(&session["refresh_token"]).await.ok();
    assert_eq!(session["expires_in"], 2400, "no token outlives its session");
    fixture.pass(Duration::from_mins(40));
    fixture.refresh(&session["refresh_token"]).await.is(400, "session_expired");
    fixture.user(&session).await.is(403, "bad_jwt");
}

#[tokio::test]
async fn ended_sessions_and_used_tokens_are_forgotten_after_a_month() {
    let fixture = Fixture::start().await;
    let session = fixture.sign_up("anna@example.com").await;
    let kept = fixture.refresh(&session["refresh_token"]).await.ok();
    let doomed = fixture.sign_in("anna@example.com").await.ok();
    let token = text(&doomed["access_token"]);
    let answer = fixture.as_bearer(reqwest::Method::POST, "/logout?scope=local", token).await;
    assert_eq!(answer.status, 204);
    fixture.pass(Duration::from_hours(24 * 31));
    fixture.refresh(&kept["refresh_token"]).await.ok();
    fixture.refresh(&session["refresh_token"]).await.is(400, "refresh_token_not_found");
    fixture.sign_in("anna@example.com").await.ok();
    let counts = "select (select count(*) from issuer.sessions) || '/' || (select count(*) from issuer.refresh_tokens)";
    assert_eq!(fixture.value(counts).await.as_deref(), Some("2/3"));
}
