//! What keeps others out: rate limits, origins, the shape of requests, grants.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use novelfoundry_embedded::issuer::Limit;
use reqwest::{Method, header};
use serde_json::json;

use super::fixture::{Answer, Fixture, PASSWORD, text, token};

const LONG: Duration = Duration::from_secs(50);

#[tokio::test]
async fn guessing_at_an_account_is_slowed_down_for_that_account() {
    let fixture = Fixture::with(|options| options.limits.credentials_by_account = Limit::new(3, LONG)).await;
    fixture.sign_up("anna@example.com").await;
    for _ in 0..2 {
        fixture.sign_in_with("ANNA@example.com", "wrong password").await.is(400, "invalid_credentials");
    }
    let limited = fixture.sign_in("anna@example.com").await;
    limited.is(429, "over_request_rate_limit");
    let seconds: u64 = limited.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=50).contains(&seconds));
    fixture.sign_up("berta@example.com").await;
}

#[tokio::test]
async fn an_address_is_slowed_down_for_passwords_but_not_for_refreshing() {
    let fixture = Fixture::with(|options| options.limits.credentials_by_address = Limit::new(3, LONG)).await;
    let session = fixture.sign_up("anna@example.com").await;
    fixture.sign_up("berta@example.com").await;
    fixture.sign_in("nobody@example.com").await.is(400, "invalid_credentials");
    fixture.sign_in("anna@example.com").await.is(429, "over_request_rate_limit");
    fixture.refresh(&session["refresh_token"]).await.ok();
    assert_eq!(fixture.key_set().await.len(), 1);
}

#[tokio::test]
async fn behind_a_proxy_each_client_has_a_limit_of_its_own() {
    let fixture = Fixture::with(|options| {
        options.limits.requests_by_address = Limit::new(1, LONG);
        options.trusted_proxies = vec![std::net::Ipv4Addr::LOCALHOST.into()];
    })
    .await;
    let ask = async |client: &str| {
        let request = fixture.http.get(format!("{}/user", fixture.url)).header("x-forwarded-for", client);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask("1.1.1.1").await, ask("2.2.2.2").await);
    assert_eq!((ask("1.1.1.1").await, ask("9.9.9.9, 2.2.2.2").await), (429, 429));
    assert_ne!(ask("3.3.3.3").await, 429);
}

#[tokio::test]
async fn requests_of_any_kind_have_an_end() {
    let fixture = Fixture::with(|options| options.limits.requests_by_address = Limit::new(5, LONG)).await;
    for _ in 0..5 {
        fixture.refresh(&json!("x")).await.is(400, "refresh_token_not_found");
    }
    fixture.refresh(&json!("x")).await.is(429, "over_request_rate_limit");
    fixture.as_bearer(Method::GET, "/user", "x").await.is(429, "over_request_rate_limit");
}

#[tokio::test]
async fn only_pages_of_the_allowed_origins_may_call() {
    let fixture = Fixture::with(|options| {
        options.allowed_origins = vec!["https://app.example.com".parse().unwrap()];
    })
    .await;
    let preflight = async |origin: &str| {
        let request = fixture
            .http
            .request(Method::OPTIONS, format!("{}/token?grant_type=password", fixture.url))
            .header(header::ORIGIN, origin)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .header(
                header::ACCESS_CONTROL_REQUEST_HEADERS,
                "apikey,authorization,content-type,x-client-info,x-supabase-api-version",
            );
        Answer::read(request.send().await.unwrap()).await
    };
    let allowed = preflight("https://app.example.com").await;
    assert!(allowed.status.is_success());
    assert_eq!(allowed.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://app.example.com");
    let methods = allowed.headers[header::ACCESS_CONTROL_ALLOW_METHODS].to_str().unwrap();
    assert!(["GET", "POST", "PUT"].iter().all(|method| methods.contains(method)), "{methods}");
    let headers = allowed.headers[header::ACCESS_CONTROL_ALLOW_HEADERS].to_str().unwrap();
    for name in ["authorization", "apikey", "content-type", "x-client-info", "x-supabase-api-version"] {
        assert!(headers.contains(name), "{headers}");
    }
    for origin in ["https://evil.example.com", "http://app.example.com", "null"] {
        assert!(!preflight(origin).await.headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
    }
    // A refusal can be read by the page as well.
    let request =
        fixture.http.post(format!("{}/signup", fixture.url)).header("origin", "https://app.example.com");
    let refused = Answer::read(request.json(&json!({})).send().await.unwrap()).await;
    assert_eq!(refused.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://app.example.com");
}

#[tokio::test]
async fn no_garbage_is_a_server_error() {
    let fixture = Fixture::start().await;
    let bodies: Vec<Vec<u8>> = vec![
        vec![],
        b"{".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"\"\"".to_vec(),
        b"{\"email\":1,\"password\":{}}".to_vec(),
        b"{\"email\":\"a@b.example\",\"email\":\"a@b.example\",\"password\":\"12345678\"}".to_vec(),
        b"{\"email\":\"a@b.example\",\"password\":\"\\ud800\"}".to_vec(),
        b"{\"refresh_token\":\"\xff\xfe\"}".to_vec(),
        b"{\"email\":\"a@b.example\",\"password\":\"12345678\",\"data\":{\"n\":1e999}}".to_vec(),
        format!("{}1{}", "[".repeat(6000), "]".repeat(6000)).into_bytes(),
        format!("{{\"data\":{}{}}}", "{\"a\":".repeat(500), "1").into_bytes(),
        vec![0; 1000],
        vec![b' '; 20_000],
    ];
    let paths = [
        "/signup",
        "/token",
        "/token?grant_type=password",
        "/token?grant_type=refresh_token",
        "/token?grant_type=%00",
        "/token?grant_type=password&grant_type=password",
        "/logout?scope=%ff",
        "/token?grant_type=pkce",
        "/verify",
        "/user",
        "/nothing",
        "",
        "/../../etc/passwd",
        "/admin/users",
    ];
    for path in paths {
        for body in &bodies {
            for (method, content_type) in [
                (Method::POST, "application/json"),
                (Method::POST, "text/plain"),
                (Method::PUT, "application/json"),
            ] {
                let request = fixture
                    .http
                    .request(method.clone(), format!("{}{path}", fixture.url))
                    .header(header::CONTENT_TYPE, content_type)
                    .header(header::AUTHORIZATION, "Bearer a.b.c")
                    .body(body.clone());
                let answer = Answer::read(request.send().await.unwrap()).await;
                let status = answer.status.as_u16();
                assert!((400..500).contains(&status), "{method} {path} {body:?}: {answer:?}");
                if !path.contains("..") {
                    assert!(answer.json()["error_code"].is_string(), "{answer:?}");
                }
            }
        }
    }
    assert_eq!(fixture.value("select count(*) from issuer.accounts").await.as_deref(), Some("0"));
}

#[tokio::test]
async fn bodies_are_small_and_json() {
    let fixture = Fixture::start().await;
    let send = async |content_type: &'static str, body: String| {
        let request =
            fixture.http.post(format!("{}/signup", fixture.url)).header("content-type", content_type);
        Answer::read(request.body(body).send().await.unwrap()).await
    };
    let body = json!({"email": "anna@example.com", "password": PASSWORD}).to_string();
    send("text/plain", body.clone()).await.is(415, "bad_json");
    send("application/json", format!("{body}{}", " ".repeat(17_000))).await.is(413, "validation_failed");
    send("application/json;charset=UTF-8", body).await.ok();
}

#[tokio::test]
async fn forged_and_foreign_tokens_are_refused() {
    let fixture = Fixture::start().await;
    let session = fixture.sign_up("anna@example.com").await;
    let token = text(&session["access_token"]);
    let parts: Vec<_> = token.split('.').collect();
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    for forged in [
        format!("{}.{}.", parts[0], parts[1]),
        format!("{none}.{}.", parts[1]),
        format!("{none}.{}.{}", parts[1], parts[2]),
        format!("{}.{}.{}", parts[0], parts[1], "A".repeat(86)),
        "x".repeat(5000),
    ] {
        fixture.as_bearer(Method::GET, "/user", &forged).await.is(403, "bad_jwt");
    }
    // The same keys under another issuer's name sign tokens that are none of this one's.
    let mut options = fixture.options.clone();
    options.issuer_url = "https://other.example.com/auth/v1".to_owned();
    let other = Box::pin(super::fixture::open(&options, &fixture.database)).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/auth/v1/token?grant_type=password", listener.local_addr().unwrap());
    tokio::spawn(async move { super::fixture::serve(&other, listener).await });
    let body = json!({"email": "anna@example.com", "password": PASSWORD});
    let foreign = Answer::read(fixture.http.post(url).json(&body).send().await.unwrap()).await.ok();
    fixture.user(&foreign).await.is(403, "bad_jwt");
    fixture.pass(Duration::from_hours(1));
    fixture.user(&session).await.is(403, "bad_jwt");
}

#[tokio::test]
async fn the_key_set_may_be_cached_and_tokens_may_not() {
    let fixture = Fixture::start().await;
    let get = async |path: &str| {
        Answer::read(fixture.http.get(format!("{}{path}", fixture.url)).send().await.unwrap()).await
    };
    let key_set = get("/.well-known/jwks.json").await;
    assert_eq!(key_set.headers["cache-control"], "public, max-age=600");
    assert_eq!(key_set.headers["content-type"], "application/json");
    let key = &key_set.ok()["keys"][0];
    assert_eq!(
        (&key["alg"], &key["use"], &key["kty"], &key["crv"]),
        (&json!("ES256"), &json!("sig"), &json!("EC"), &json!("P-256"))
    );
    assert!(key.get("d").is_none());
    get("/health").await.ok();
    assert_eq!(get("/settings").await.headers["cache-control"], "no-store");
    get("/user").await.is(401, "no_authorization");
    get("/signup").await.is(405, "method_not_allowed");
    get("/factors").await.is(404, "not_found");
}

#[tokio::test]
async fn the_database_holds_no_password_and_no_token_and_shows_nobody_else() {
    let fixture = Fixture::start().await;
    let session = fixture.sign_up("anna@example.com").await;
    let refreshed = fixture.refresh(&session["refresh_token"]).await.ok();
    let link = token(&fixture.recover("anna@example.com", "", json!({})).await);
    let tables = ["accounts", "sessions", "refresh_tokens", "recoveries", "signing_keys"];
    for table in tables {
        let dump = fixture.value(&format!("select json_agg(t)::text from issuer.{table} t")).await.unwrap();
        for secret in [
            PASSWORD,
            text(&session["refresh_token"]),
            text(&refreshed["refresh_token"]),
            text(&session["access_token"]),
            &link,
        ] {
            assert!(!dump.contains(secret), "{table}");
        }
        for login in [&fixture.database.tenant, &fixture.database.control] {
            let refused = fixture.database.sql_as(login, &format!("select from issuer.{table}")).await;
            assert_eq!(refused.unwrap_err().code().unwrap().code(), "42501", "{table}");
        }
        let forced = format!(
            "select relrowsecurity and relforcerowsecurity from pg_class where oid = 'issuer.{table}'::regclass"
        );
        assert_eq!(fixture.value(&forced).await.as_deref(), Some("t"));
    }
    let app_tables = fixture
        .database
        .sql("select relname from pg_class where relnamespace = 'app'::regnamespace and relkind = 'r'")
        .await
        .unwrap();
    for name in app_tables.into_iter().flatten().flatten().filter(|name| name != "schema_history") {
        let refused =
            fixture.database.sql_as(&fixture.database.issuer, &format!("select from app.{name}")).await;
        assert_eq!(refused.unwrap_err().code().unwrap().code(), "42501", "{name}");
    }
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_names_people_by_their_ids_only() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // The test's runtime has this one thread.
    let _guard = tracing_subscriber::util::SubscriberInitExt::set_default(subscriber);
    let fixture = Fixture::start().await;
    let session = fixture.sign_up("anna@example.com").await;
    let refreshed = fixture.refresh(&session["refresh_token"]).await.ok();
    fixture.sign_in_with("anna@example.com", "mistaken passphrase").await.is(400, "invalid_credentials");
    fixture.sign_in("berta@example.com").await.is(400, "invalid_credentials");
    let link = token(&fixture.recover("anna@example.com", "", json!({})).await);
    fixture.recover("anna@example.com", "", json!({})).await;
    fixture.put_user(&refreshed, &json!({"password": "another passphrase"})).await.ok();
    fixture.pass(Duration::from_mins(1));
    fixture.refresh(&session["refresh_token"]).await.is(400, "refresh_token_already_used");
    fixture.set_disabled("anna@example.com", true).await;
    fixture.set_disabled("anna@example.com", false).await;
    let text_of_log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text_of_log.contains(text(&session["user"]["id"])), "{text_of_log}");
    assert!(text_of_log.contains("used again"), "{text_of_log}");
    for done in ["the operator shut an account", "the operator opened an account again"] {
        assert_eq!(text_of_log.matches(done).count(), 1, "{text_of_log}");
    }
    let signature =
        |session: &serde_json::Value| text(&session["access_token"]).rsplit('.').next().unwrap().to_owned();
    for secret in [
        "anna@",
        "berta@",
        PASSWORD,
        "mistaken passphrase",
        "another passphrase",
        &link,
        text(&session["refresh_token"]),
        text(&refreshed["refresh_token"]),
        &signature(&session),
        &signature(&refreshed),
    ] {
        assert!(!text_of_log.contains(secret), "{secret} is in {text_of_log}");
    }
}
