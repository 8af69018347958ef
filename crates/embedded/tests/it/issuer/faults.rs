//! Outages and clients that leave.

use std::time::Duration;

use serde_json::json;

use super::fixture::{Fixture, PASSWORD, open, text};

#[tokio::test]
async fn an_outage_of_the_database_is_a_503_and_costs_nobody_the_session() {
    let fixture = Fixture::start().await;
    let session = fixture.sign_up("anna@example.com").await;
    let name = &fixture.database.admin.database;
    let elsewhere = novelfoundry_testkit::Database::shared().await;
    let cut = format!(
        "alter database {name} allow_connections false;
         select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"
    );
    elsewhere.sql(&cut).await.unwrap();
    for _ in 0..3 {
        for answer in [
            fixture.refresh(&session["refresh_token"]).await,
            fixture.sign_in("anna@example.com").await,
            fixture.user(&session).await,
        ] {
            assert_eq!(answer.status, 503, "{answer:?}");
            assert_eq!(answer.headers["retry-after"], "1");
        }
    }
    assert_eq!(fixture.key_set().await.len(), 1, "verifiers are served from memory");
    fixture.pass(Duration::from_mins(20));
    assert_eq!(fixture.key_set().await.len(), 1, "also when it is time to look again");
    elsewhere.sql(&format!("alter database {name} allow_connections true")).await.unwrap();
    fixture.refresh(&session["refresh_token"]).await.ok();
    fixture.sign_in("anna@example.com").await.ok();
}

#[tokio::test]
async fn a_client_that_leaves_at_any_moment_can_come_back() {
    let fixture = Fixture::start().await;
    for round in 0..40_u64 {
        let email = format!("writer{round}@example.com");
        let body = json!({"email": email, "password": PASSWORD});
        let request = fixture.http.post(format!("{}/signup", fixture.url)).json(&body).send();
        let patience = Duration::from_micros(round * 1500);
        let left = tokio::time::timeout(patience, request).await.is_err();
        let answer = fixture.post("/signup", &body).await;
        if !answer.status.is_success() {
            answer.is(422, "user_already_exists");
        }
        let session = fixture.sign_in(&email).await.ok();
        let claims = fixture.verify(&session).await.unwrap();
        assert!(claims.tenant_id().is_some(), "round {round}, left early: {left}");

        let request = fixture.refresh(&session["refresh_token"]);
        let _ = tokio::time::timeout(patience / 8, request).await;
        fixture.refresh(&session["refresh_token"]).await.ok();
    }
    let halves = "select count(*) from issuer.accounts where provisioned_at is null";
    assert_eq!(fixture.value(halves).await.as_deref(), Some("0"));
}

#[tokio::test]
async fn a_token_survives_the_restart_of_its_issuer() {
    let fixture = Fixture::start().await;
    let session = fixture.sign_up("anna@example.com").await;
    let again = Box::pin(open(&fixture.options, &fixture.database)).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/auth/v1", listener.local_addr().unwrap());
    tokio::spawn(async move { super::fixture::serve(&again, listener).await });
    let user = fixture.http.get(format!("{url}/user")).bearer_auth(text(&session["access_token"]));
    assert_eq!(user.send().await.unwrap().status(), 200);
    let body = json!({"refresh_token": session["refresh_token"]});
    let refresh = fixture.http.post(format!("{url}/token?grant_type=refresh_token")).json(&body);
    assert_eq!(refresh.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_body_that_never_ends_is_given_up() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let fixture = Fixture::with(|options| options.deadline = Duration::from_millis(200)).await;
    let address = fixture.url.trim_start_matches("http://").trim_end_matches("/auth/v1");
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = "POST /auth/v1/signup HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let read =
        tokio::time::timeout(Duration::from_secs(20), stream.read(&mut answer)).await.unwrap().unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
    assert!(answer.contains("request_timeout"), "{answer}");
}
