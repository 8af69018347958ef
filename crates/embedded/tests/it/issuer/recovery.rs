//! Links to a new password: who is sent one, what it is good for, and how often.

use std::time::{Duration, Instant};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use novelfoundry_database::issuer as queries;
use novelfoundry_embedded::issuer::Limit;
use novelfoundry_mail::{Encryption, MailOptions, Mailer, Sender, SmtpOptions};
use reqwest::{Method, header, redirect::Policy};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::fixture::{Answer, Fixture, PASSWORD, issuer_db, link, text, token};

const ANNA: &str = "anna@example.com";
const NEW: &str = "a wholly new passphrase";
const APP: &str = "https://app.example.com";
const HOUR: Duration = Duration::from_hours(1);

async fn start() -> Fixture {
    let fixture = Fixture::with(|options| options.allowed_origins = vec![APP.parse().unwrap()]).await;
    fixture.sign_up(ANNA).await;
    fixture
}

/// Does as a browser does, but for following where it is sent.
async fn browse(request: reqwest::RequestBuilder) -> Answer {
    let (_, request) = request.build_split();
    let client = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
    Answer::read(client.execute(request.unwrap()).await.unwrap()).await
}

async fn get(fixture: &Fixture, link: &str) -> Answer {
    browse(fixture.http.get(link)).await
}

async fn submit(fixture: &Fixture, fields: &[(&str, &str)]) -> Answer {
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = fixture.http.post(format!("{}/verify", fixture.url));
    browse(request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(form)).await
}

async fn verify(fixture: &Fixture, token: &str) -> Answer {
    fixture.post("/verify", &json!({"type": "recovery", "token_hash": token})).await
}

#[tokio::test]
async fn asking_tells_nothing_about_an_account() {
    let fixture = start().await;
    fixture.sign_up("berta@example.com").await;
    fixture.set_disabled("berta@example.com", true).await;
    let mut answers = Vec::new();
    for email in ["nobody@example.com", "berta@example.com", "ANNA@example.com"] {
        let answer = fixture.post("/recover", &json!({"email": email})).await;
        let mut headers = answer.headers.clone();
        headers.remove(header::DATE);
        answers.push((answer.status, format!("{headers:?}"), answer.text));
    }
    assert_eq!((&answers[0], &answers[0]), (&answers[1], &answers[2]));
    assert_eq!(answers[0].2, "{}");
    fixture.options.mailer.as_ref().unwrap().close(Duration::from_secs(30)).await;
    let mail = fixture.mail().await;
    assert!(mail.contains("\r\nTo: anna@example.com\r\n"), "{mail}");
    assert_eq!(std::fs::read_dir(fixture.outbox()).unwrap().count(), 0, "nobody else is written to");
    fixture.post("/recover", &json!({"email": "nobody"})).await.is(400, "validation_failed");
    fixture.post("/recover", &json!({})).await.is(400, "validation_failed");
}

#[tokio::test]
async fn a_mail_server_that_is_stuck_keeps_nobody_waiting() {
    let stuck = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let fixture = Fixture::with(|options| {
        let from = Sender::parse("novels@example.com").unwrap();
        let mut mail = MailOptions::new(from, "/nonexistent/outbox", options.clock.clone());
        mail.smtp = Some(SmtpOptions {
            host: "127.0.0.1".to_owned(),
            port: stuck.local_addr().unwrap().port(),
            encryption: Encryption::None,
            login: None,
            root_certificate: None,
        });
        mail.deadline = Duration::from_mins(10);
        options.mailer = Some(Mailer::open(mail).unwrap());
    })
    .await;
    fixture.sign_up(ANNA).await;
    let started = Instant::now();
    fixture.post("/recover", &json!({"email": ANNA})).await.ok();
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn asking_is_limited_by_address_and_by_account_known_or_not() {
    let limit = Limit::new(2, Duration::from_secs(500));
    let fixture = Fixture::with(|options| options.limits.recoveries_by_account = limit).await;
    fixture.sign_up(ANNA).await;
    for email in [ANNA, "nobody@example.com"] {
        for _ in 0..2 {
            fixture.post("/recover", &json!({"email": email})).await.ok();
        }
        let limited = fixture.post("/recover", &json!({"email": email.to_uppercase()})).await;
        limited.is(429, "over_email_send_rate_limit");
        assert!(limited.headers.contains_key("retry-after"));
    }
    fixture.sign_in(ANNA).await.ok();
    let fixture = Fixture::with(|options| options.limits.recoveries_by_address = limit).await;
    for index in 0..2 {
        fixture.post("/recover", &json!({"email": format!("{index}@example.com")})).await.ok();
    }
    let limited = fixture.post("/recover", &json!({"email": "2@example.com"})).await;
    limited.is(429, "over_email_send_rate_limit");
}

#[tokio::test]
async fn a_link_opens_one_session_within_an_hour() {
    let fixture = start().await;
    let first = fixture.recover(ANNA, "", json!({})).await;
    assert!(first.starts_with(&format!("{}/verify?token=", fixture.url)), "{first}");
    let second = fixture.recover(ANNA, "", json!({})).await;
    let answers = futures_util::future::join_all((0..8).map(|_| verify(&fixture, &second))).await;
    assert!(answers.iter().all(|answer| answer.status == 403), "a link is no token");
    let second = token(&second);
    let answers = futures_util::future::join_all((0..8).map(|_| verify(&fixture, &second))).await;
    let (good, bad): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status.is_success());
    assert_eq!(good.len(), 1);
    for answer in bad {
        answer.is(403, "otp_expired");
    }
    let session = good[0].ok();
    fixture.user(&session).await.ok();
    assert!(fixture.verify(&session).await.unwrap().tenant_id().is_some());
    let claims = text(&session["access_token"]).split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!(claims["amr"][0]["method"], "otp");
    fixture.refresh(&session["refresh_token"]).await.ok();
    verify(&fixture, &token(&first)).await.is(403, "otp_expired");

    let late = token(&fixture.recover(ANNA, "", json!({})).await);
    fixture.pass(HOUR);
    verify(&fixture, &late).await.is(403, "otp_expired");
    for garbage in ["", "x", &"0".repeat(64)] {
        verify(&fixture, garbage).await.is(403, "otp_expired");
    }
    for body in [json!({"type": "signup", "token_hash": late}), json!({"type": "recovery"}), json!({})] {
        fixture.post("/verify", &body).await.is(400, "validation_failed");
    }
    // What has run out is forgotten with the next link.
    fixture.recover(ANNA, "", json!({})).await;
    assert_eq!(fixture.value("select count(*) from issuer.recoveries").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn looking_at_a_link_does_not_use_it_up() {
    let fixture = start().await;
    let link = fixture.recover(ANNA, "", json!({})).await;
    for method in [Method::GET, Method::HEAD, Method::GET] {
        let page = browse(fixture.http.request(method, &link)).await;
        assert_eq!(page.status, 200);
        assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
        assert_eq!(page.headers["cache-control"], "no-store");
        assert_eq!(page.headers["referrer-policy"], "no-referrer");
        assert_eq!(page.headers["x-frame-options"], "DENY");
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("script-src") && !policy.contains("unsafe"), "{policy}");
        assert!(!page.text.contains("<script") && !page.text.contains(" style="), "{page:?}");
        let style = page.text.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>"));
        if let Some((style, _)) = style {
            let hash = base64::prelude::BASE64_STANDARD.encode(Sha256::digest(style));
            assert!(policy.contains(&format!("style-src 'sha256-{hash}'")), "{policy}");
        }
    }
    verify(&fixture, &token(&link)).await.ok();
    assert_eq!(get(&fixture, &link).await.status, 403);
}

#[tokio::test]
async fn the_page_sets_a_password_and_ends_every_session() {
    let fixture = start().await;
    let before = fixture.sign_in(ANNA).await.ok();
    let link = fixture.recover(ANNA, "", json!({})).await;
    let other = fixture.recover(ANNA, "", json!({})).await;
    let page = get(&fixture, &link).await;
    let token = token(&link);
    assert!(page.text.contains(&format!("name=\"token\" value=\"{token}\"")), "{page:?}");
    assert!(page.text.contains("<form method=\"post\" action=\"verify\">"), "{page:?}");

    let fields = |password| [("token", token.as_str()), ("type", "recovery"), ("password", password)];
    let long = "x".repeat(1025);
    for bad in ["short", "", &long] {
        let again = submit(&fixture, &fields(bad)).await;
        assert_eq!(again.status, 422);
        assert!(again.text.contains("role=\"alert\"") && again.text.contains(&token), "{again:?}");
    }
    fixture.user(&before).await.ok();
    let done = submit(&fixture, &fields(NEW)).await;
    assert!(done.status == 200 && !done.text.contains("<form"), "{done:?}");
    fixture.user(&before).await.is(403, "session_not_found");
    fixture.refresh(&before["refresh_token"]).await.is(400, "refresh_token_not_found");
    fixture.sign_in(ANNA).await.is(400, "invalid_credentials");
    fixture.sign_in_with(ANNA, NEW).await.ok();

    assert_eq!(submit(&fixture, &fields("another passphrase")).await.status, 403);
    assert_eq!(get(&fixture, &other).await.status, 403, "a new password voids the other links");
    fixture.sign_in_with(ANNA, NEW).await.ok();
    assert_eq!(submit(&fixture, &[("type", "recovery")]).await.status, 403);
    assert_eq!(submit(&fixture, &[]).await.status, 400);
    assert_eq!(get(&fixture, &format!("{}/verify", fixture.url)).await.status, 400);
}

#[tokio::test]
async fn a_person_is_refused_by_a_page() {
    let limit = Limit::new(1, Duration::from_secs(500));
    let fixture = Fixture::with(|options| options.limits.credentials_by_address = limit).await;
    let form = [("type", "recovery"), ("token", "x")];
    let is_page = |answer: &Answer, status: u16| {
        assert_eq!(answer.status.as_u16(), status, "{answer:?}");
        assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8");
        assert!(answer.text.contains("<h1>"), "{answer:?}");
    };
    is_page(&submit(&fixture, &form).await, 403);
    let limited = submit(&fixture, &form).await;
    is_page(&limited, 429);
    assert!(limited.headers.contains_key("retry-after"));
    verify(&fixture, "x").await.is(429, "over_request_rate_limit");

    let fixture = Fixture::with(|options| options.limits.requests_by_address = limit).await;
    fixture.post("/recover", &json!({})).await.is(400, "validation_failed");
    let link = format!("{}/verify?type=recovery&token={}", fixture.url, "0".repeat(64));
    is_page(&get(&fixture, &link).await, 429);
    is_page(&submit(&fixture, &form).await, 429);
    verify(&fixture, "x").await.is(429, "over_request_rate_limit");
    fixture.post("/recover", &json!({})).await.is(429, "over_request_rate_limit");
    let large = "x".repeat(20_000);
    let fixture = start().await;
    is_page(&submit(&fixture, &[("password", large.as_str())]).await, 400);
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_is_given_the_session() {
    let fixture = start().await;
    let before = fixture.sign_in(ANNA).await.ok();
    let query = "?redirect_to=https%3A%2F%2Fapp.example.com%2Fnew%3Fa%3D%22b%22";
    let link = fixture.recover(ANNA, query, json!({})).await;
    let page = get(&fixture, &link).await;
    assert_eq!(page.status, 200);
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("form-action 'self' https://app.example.com;"), "{policy}");
    let token = token(&link);
    let address = "https://app.example.com/new?a=%22b%22";
    assert!(page.text.contains(&format!("name=\"redirect_to\" value=\"{address}\"")), "{page:?}");
    let fields = [("token", token.as_str()), ("type", "recovery"), ("redirect_to", address)];
    let gone = submit(&fixture, &fields).await;
    assert_eq!(gone.status, 303);
    let location = url::Url::parse(gone.headers["location"].to_str().unwrap()).unwrap();
    assert_eq!(&location[..url::Position::AfterQuery], address);
    let session: Value =
        url::form_urlencoded::parse(location.fragment().unwrap().as_bytes()).into_owned().collect();
    assert_eq!((&session["type"], &session["token_type"]), (&json!("recovery"), &json!("bearer")));
    assert_eq!(session["expires_in"], "3600");
    fixture.user(&session).await.ok();
    fixture.user(&before).await.ok();
    fixture.put_user(&session, &json!({"password": NEW})).await.ok();
    fixture.user(&before).await.is(403, "session_not_found");
    fixture.refresh(&session["refresh_token"]).await.ok();

    for answer in [submit(&fixture, &fields).await, get(&fixture, &link).await] {
        assert_eq!(answer.status, 303);
        let location = answer.headers["location"].to_str().unwrap();
        assert!(
            location.starts_with(&format!("{address}#error=access_denied&error_code=otp_expired&")),
            "{location}"
        );
    }
}

#[tokio::test]
async fn nobody_is_sent_to_a_page_of_somebody_else() {
    let fixture = start().await;
    for evil in ["https%3A%2F%2Fevil.example", "https%3A%2F%2Fapp.example.com.evil.example", "javascript%3A1"]
    {
        let link = fixture.recover(ANNA, &format!("?redirect_to={evil}"), json!({})).await;
        assert!(!link.contains("redirect_to"), "{link}");
        let tampered = format!("{link}&redirect_to={evil}");
        let page = get(&fixture, &tampered).await;
        assert!(page.status == 200 && page.text.contains("new-password"), "{page:?}");
        assert!(!page.text.contains("evil") && !page.text.contains("javascript"), "{page:?}");
        let token = token(&link);
        let evil = url::form_urlencoded::parse(evil.as_bytes()).next().unwrap().0.into_owned();
        let fields = [("token", token.as_str()), ("type", "recovery"), ("redirect_to", evil.as_str())];
        let refused = submit(&fixture, &fields).await;
        assert_eq!(refused.status, 400);
        assert!(!refused.headers.contains_key("location"));
        verify(&fixture, &token).await.ok();
    }
}

#[tokio::test]
async fn a_client_that_proves_itself_is_given_the_session_for_a_code() {
    let fixture = start().await;
    let verifier = "0123456789abcdef".repeat(7);
    let hashed = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
    let redirect = format!("{APP}/new");
    for (challenge, method) in [(hashed.as_str(), "s256"), (verifier.as_str(), "plain")] {
        let code = async || {
            let more = json!({"code_challenge": challenge, "code_challenge_method": method});
            let link = fixture.recover(ANNA, &format!("?redirect_to={redirect}"), more).await;
            let token = token(&link);
            let fields =
                [("token", token.as_str()), ("type", "recovery"), ("redirect_to", redirect.as_str())];
            let gone = submit(&fixture, &fields).await;
            let location = gone.headers["location"].to_str().unwrap().to_owned();
            verify(&fixture, &token).await.is(403, "otp_expired");
            location.strip_prefix(&format!("{redirect}?code=")).unwrap().to_owned()
        };
        let exchange = async |code: &str, verifier: &str| {
            let body = json!({"auth_code": code, "code_verifier": verifier});
            fixture.post("/token?grant_type=pkce", &body).await
        };
        let good = code().await;
        exchange(&good, "wrong").await.is(400, "bad_code_verifier");
        exchange(&"0".repeat(64), &verifier).await.is(404, "flow_state_not_found");
        verify(&fixture, &good).await.is(403, "otp_expired");
        let session = exchange(&good, &verifier).await.ok();
        fixture.user(&session).await.ok();
        exchange(&good, &verifier).await.is(404, "flow_state_not_found");
        let late = code().await;
        fixture.pass(Duration::from_mins(5));
        exchange(&late, &verifier).await.is(404, "flow_state_not_found");
    }
    for more in [
        json!({"code_challenge": "short", "code_challenge_method": "s256"}),
        json!({"code_challenge": hashed, "code_challenge_method": "md5"}),
        json!({"code_challenge": hashed}),
    ] {
        let mut body = json!({"email": ANNA});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fixture.post("/recover", &body).await.is(400, "validation_failed");
    }
}

#[tokio::test]
async fn the_operator_makes_a_link_without_any_mail() {
    let fixture = Fixture::with(|options| options.mailer = None).await;
    fixture.sign_up(ANNA).await;
    fixture.post("/recover", &json!({"email": ANNA})).await.ok();
    let made = fixture.issuer.recovery_link("Anna@example.com").await.unwrap();
    assert_eq!(get(&fixture, made.expose()).await.status, 200);
    verify(&fixture, &token(made.expose())).await.ok();
    let failed = async |email: &str| fixture.issuer.recovery_link(email).await.unwrap_err().to_string();
    assert_eq!(failed("nobody@example.com").await, "no account has this e-mail address");
    assert_eq!(failed("nobody").await, "the e-mail address is not valid");
    fixture.set_disabled(ANNA, true).await;
    assert_eq!(failed(ANNA).await, "the account is disabled");
}

/// The password was right when it was looked at.
#[tokio::test]
async fn a_sign_in_that_a_new_password_overtakes_opens_nothing() {
    let fixture = start().await;
    let db = issuer_db(&fixture.database).await;
    let looked_at = queries::account_by_email(&db, ANNA).await.unwrap().unwrap();
    let made = fixture.issuer.recovery_link(ANNA).await.unwrap();
    let fields = [("token", token(made.expose())), ("type", "recovery".into()), ("password", NEW.into())];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(submit(&fixture, &fields).await.status, 200);
    let session = novelfoundry_core::SessionId::from_uuid(fixture.options.ids.next());
    let now = novelfoundry_core::Clock::now(&fixture.clock);
    let opened = queries::open_session(&db, session, &looked_at, [7; 32], now).await.unwrap();
    assert!(opened.is_none());
    let live = "select count(*) from issuer.sessions where revoked_at is null";
    assert_eq!(fixture.value(live).await.as_deref(), Some("0"));
    fixture.sign_in_with(ANNA, PASSWORD).await.is(400, "invalid_credentials");
}

#[tokio::test]
async fn the_mail_says_what_it_is_for() {
    let fixture = start().await;
    fixture.post("/recover", &json!({"email": ANNA})).await.ok();
    let mail = fixture.mail().await;
    assert!(mail.contains("\r\nSubject: A new password for 127.0.0.1\r\n"), "{mail}");
    assert!(mail.contains("within an hour; it works once"), "{mail}");
    assert_eq!(token(&link(&mail)).len(), 64);
}
