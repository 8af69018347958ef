//! Signing out: which sessions end, and who may end them.

use reqwest::Method;
use serde_json::Value;

use super::fixture::{Fixture, text};

async fn sign_out(fixture: &Fixture, session: &Value, query: &str) -> u16 {
    let token = text(&session["access_token"]);
    fixture.as_bearer(Method::POST, &format!("/logout{query}"), token).await.status.as_u16()
}

#[tokio::test]
async fn a_scope_ends_the_sessions_it_names() {
    let fixture = Fixture::start().await;
    let other_person = fixture.sign_up("berta@example.com").await;
    fixture.sign_up("anna@example.com").await;
    for (query, here_lives, there_lives) in [
        ("?scope=local", false, true),
        ("?scope=others", true, false),
        ("?scope=global", false, false),
        ("", false, false),
    ] {
        let here = fixture.sign_in("anna@example.com").await.ok();
        let there = fixture.sign_in("anna@example.com").await.ok();
        assert_eq!(sign_out(&fixture, &here, query).await, 204);
        for (session, lives) in [(&here, here_lives), (&there, there_lives)] {
            let (user, refresh) =
                (fixture.user(session).await, fixture.refresh(&session["refresh_token"]).await);
            if lives {
                user.ok();
                refresh.ok();
            } else {
                user.is(403, "session_not_found");
                refresh.is(400, "refresh_token_not_found");
                fixture.verify(session).await.expect("an access token is good until it runs out");
            }
        }
    }
    fixture.user(&other_person).await.ok();
}

#[tokio::test]
async fn an_ended_session_ends_no_others() {
    let fixture = Fixture::start().await;
    let here = fixture.sign_up("anna@example.com").await;
    let there = fixture.sign_in("anna@example.com").await.ok();
    assert_eq!(sign_out(&fixture, &here, "?scope=local").await, 204);
    let token = text(&here["access_token"]);
    fixture.as_bearer(Method::POST, "/logout?scope=global", token).await.is(403, "session_not_found");
    fixture.user(&there).await.ok();
}

#[tokio::test]
async fn signing_out_takes_a_token_and_a_known_scope() {
    let fixture = Fixture::start().await;
    let session = fixture.sign_up("anna@example.com").await;
    let token = text(&session["access_token"]);
    fixture.as_bearer(Method::POST, "/logout?scope=everything", token).await.is(400, "validation_failed");
    fixture.as_bearer(Method::POST, "/logout", "garbage").await.is(403, "bad_jwt");
    fixture.as_bearer(Method::POST, "/logout", "").await.is(401, "no_authorization");
    fixture.user(&session).await.ok();
}
