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

/// Sends a head and a little of the body, and returns all that is answered until the connection is closed.
async fn half_a_request(fixture: &Fixture, path: &str, kind: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = fixture.url.trim_start_matches("http://").trim_end_matches("/auth/v1");
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /auth/v1{path} HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\ncontent-length: 100\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    tokio::time::timeout(Duration::from_secs(20), read).await.unwrap().unwrap();
    answer
}

#[tokio::test]
async fn a_body_that_never_ends_is_given_up_and_is_the_client_s_fault() {
    let fixture = Fixture::with(|options| options.deadline = Duration::from_millis(200)).await;
    let answer = half_a_request(&fixture, "/signup", "application/json").await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("request_timeout"), "{answer}");
    let page = half_a_request(&fixture, "/verify", "application/x-www-form-urlencoded").await;
    assert!(page.starts_with("HTTP/1.1 408 ") && page.contains("<h1>That did not work</h1>"), "{page}");
}

#[tokio::test]
async fn a_server_that_is_slow_itself_says_so() {
    let fixture = Fixture::with(|options| options.deadline = Duration::from_secs(1)).await;
    fixture.sign_up("anna@example.com").await;
    let holder = fixture.database.connect_as(&fixture.database.admin).await.unwrap();
    holder.batch_execute("begin; lock table issuer.accounts in access exclusive mode").await.unwrap();
    fixture.sign_in("anna@example.com").await.is(504, "request_timeout");
    holder.batch_execute("rollback").await.unwrap();
    holder.batch_execute("begin; lock table issuer.recoveries in access exclusive mode").await.unwrap();
    let link = format!("{}/verify?type=recovery&token={}", fixture.url, "0".repeat(64));
    let page = fixture.http.get(link).send().await.unwrap();
    assert_eq!(page.status(), 504);
    assert!(page.text().await.unwrap().contains("<h1>That did not work</h1>"));
    holder.batch_execute("rollback").await.unwrap();
}
