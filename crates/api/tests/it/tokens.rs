//! Tokens that would get in if one check were missing, each tried against a read and a write over HTTP: all are
//! refused by name, none is a defect. How a verifier reads a token in every detail is tested in its own crate.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use novelfoundry_core::TenantId;
use novelfoundry_testkit::TestIssuer;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Answer, App, Writer};

const HEADER: &str = r#"{"alg":"ES256","kid":"test","typ":"JWT"}"#;

/// The claims of a good token with one value changed, or taken out where it is null.
fn with(app: &App, anna: &Writer, pointer: &str, value: Value) -> String {
    let mut claims = app.issuer.payload(anna.user, Some(anna.tenant));
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = claims.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        parent.remove(name);
    } else {
        parent.insert(name.to_owned(), value);
    }
    app.issuer.sign(&claims)
}

/// What a MAC with the public key for its secret is: HMAC-SHA-256, written out.
fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    let mut block = [0_u8; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().to_vec()
}

/// Tokens whose header or signature is wrong around good claims.
fn forged(app: &App, stranger: &TestIssuer, anna: &Writer) -> Vec<(String, String)> {
    let claims = app.issuer.payload(anna.user, Some(anna.tenant));
    let payload = claims.to_string();
    let (message, signature) = anna.token.rsplit_once('.').unwrap();
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let mut tokens = vec![
        ("no signature".to_owned(), format!("{message}.")),
        ("no signature part".to_owned(), message.to_owned()),
        ("a signature of zeros".to_owned(), format!("{message}.{}", URL_SAFE_NO_PAD.encode([0_u8; 64]))),
        ("a shortened signature".to_owned(), anna.token[..anna.token.len() - 4].to_owned()),
        ("other claims under the signature".to_owned(), {
            let header = message.split('.').next().unwrap();
            format!("{header}.{}.{signature}", encode(&payload))
        }),
        ("another key of the same name".to_owned(), stranger.sign(&claims)),
        ("twice the token".to_owned(), format!("{0}{0}", anna.token)),
        ("no token".to_owned(), "a.b.c".to_owned()),
        ("one letter".to_owned(), "x".to_owned()),
        ("oversized".to_owned(), format!("{}{}", anna.token, "A".repeat(9 * 1024))),
        ("very oversized".to_owned(), "A".repeat(60 * 1024)),
    ];
    for alg in ["none", "None", "NONE", ""] {
        let header = json!({"alg": alg, "kid": "test"}).to_string();
        for signature in ["", signature] {
            let token = format!("{}.{}.{signature}", encode(&header), encode(&payload));
            tokens.push((format!("alg {alg:?} with signature {signature:?}"), token));
        }
    }
    for key in [app.issuer.public_key.clone(), app.issuer.public_key[1..].to_vec()] {
        for alg in ["HS256", "ES256"] {
            let header = json!({"alg": alg, "kid": "test"}).to_string();
            let message = format!("{}.{}", encode(&header), encode(&payload));
            let signature = URL_SAFE_NO_PAD.encode(mac(&key, message.as_bytes()));
            tokens.push((format!("a MAC with the public key as {alg}"), format!("{message}.{signature}")));
        }
    }
    for kid in [
        "unknown",
        "",
        "TEST",
        "../../../etc/passwd",
        "/dev/null",
        "test' or '1'='1",
        "test\0",
        "http://127.0.0.1:1/jwks.json",
        "\u{202e}\u{1f4a9}",
        &"k".repeat(4000),
    ] {
        let header = json!({"alg": "ES256", "kid": kid}).to_string();
        tokens.push((format!("the kid {kid:?}"), app.issuer.sign_text(&header, &payload)));
    }
    for header in [
        r#"{"alg":"ES256"}"#,
        r#"{"alg":"ES256","kid":["test"]}"#,
        r#"{"alg":"ES256","kid":"test","crit":["exp"]}"#,
        r#"{"alg":"ES384","kid":"test"}"#,
        r#"{"alg":"RS256","kid":"test"}"#,
    ] {
        tokens.push((format!("the header {header}"), app.issuer.sign_text(header, &payload)));
    }
    tokens
}

/// Tokens of the right key whose claims do not hold.
fn untrue(app: &App, anna: &Writer, bruno: &Writer) -> Vec<(String, String)> {
    let now = app.issuer.payload(anna.user, None)["iat"].as_i64().unwrap();
    let changes = [
        ("/exp", Value::Null),
        ("/exp", json!(now - 60)),
        ("/exp", json!(u64::MAX)),
        ("/exp", json!("9999999999")),
        ("/nbf", json!(now + 60)),
        ("/iat", json!(now + 60)),
        ("/iat", Value::Null),
        ("/iss", Value::Null),
        ("/iss", json!("https://elsewhere.example/auth/v1")),
        ("/iss", json!("supabase")),
        ("/aud", Value::Null),
        ("/aud", json!("another")),
        ("/aud", json!(["authenticated", "another"])),
        ("/sub", Value::Null),
        ("/sub", json!("")),
        ("/role", json!("anon")),
        ("/role", json!("service_role")),
        ("/is_anonymous", json!(true)),
        ("/app_metadata/tenant_id", json!([anna.tenant, bruno.tenant])),
        ("/app_metadata/tenant_id", json!(format!("{},{}", anna.tenant, bruno.tenant))),
        ("/app_metadata/tenant_id", json!("*")),
    ];
    let mut tokens: Vec<_> = changes
        .into_iter()
        .map(|(pointer, value)| (format!("{pointer} is {value}"), with(app, anna, pointer, value)))
        .collect();
    let payload = app.issuer.payload(anna.user, Some(anna.tenant)).to_string();
    let one = format!("\"tenant_id\":\"{}\"", anna.tenant);
    assert!(payload.contains(&one));
    for two in [
        payload.replace(&one, &format!("{one},\"tenant_id\":\"{}\"", bruno.tenant)),
        payload.replace(&one, &format!("\"tenant_id\":\"{}\",{one}", bruno.tenant)),
        format!("{{\"app_metadata\":{{\"tenant_id\":\"{}\"}},{}", bruno.tenant, &payload[1..]),
    ] {
        tokens.push(("two tenants at once".to_owned(), app.issuer.sign_text(HEADER, &two)));
    }
    // The keys that a Supabase project hands out: of no person and no session.
    for role in ["anon", "service_role"] {
        let claims = json!({"iss": "supabase", "ref": "abc", "role": role, "iat": now, "exp": now + 3600});
        tokens.push((format!("the {role} key"), app.issuer.sign(&claims)));
    }
    tokens
}

async fn is_refused(app: &App, token: &str, project: &str, (status, code): (u16, &str), what: &str) {
    let check = |answer: Answer| {
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{what}: {}", answer.body);
        let challenge = answer.headers.get("www-authenticate").map(|value| value.to_str().unwrap());
        assert_eq!(challenge, (status == 401).then_some("Bearer"), "{what}");
        assert!(answer.body["detail"].is_null(), "{what} is told more than it should: {}", answer.body);
    };
    check(app.send(app.request(token, Method::GET, project)).await);
    let write = app.request(token, Method::POST, "/v1/projects").json(&json!({"title": "In"}));
    check(app.send(write).await);
}

async fn titles(app: &App, writer: &Writer) -> usize {
    let sql = format!("select count(*) from app.projects where tenant_id = '{}'", writer.tenant);
    app.database.sql(&sql).await.unwrap()[0][0].as_ref().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_spoilt_token_is_refused_and_none_is_a_defect() {
    let app = App::start().await;
    let (anna, bruno) = (app.writer().await, app.writer().await);
    let project = app.project(&anna).await;
    let stranger = TestIssuer::start().await;
    app.get(&anna, &project).await.expect(200);
    let tokens = [forged(&app, &stranger, &anna), untrue(&app, &anna, &bruno)].concat();
    assert!(tokens.len() >= 55, "only {} tokens", tokens.len());
    for (what, token) in tokens {
        is_refused(&app, &token, &project, (401, "invalid-token"), &what).await;
    }
    assert_eq!((titles(&app, &anna).await, titles(&app, &bruno).await), (1, 0), "a refused token wrote");
    app.get(&anna, &project).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_counts_only_where_the_person_cannot_write_it() {
    let app = App::start().await;
    let (anna, bruno) = (app.writer().await, app.writer().await);
    let project = app.project(&anna).await;
    let tenant = anna.tenant;
    for (pointer, value) in [
        ("/user_metadata", json!({"tenant_id": tenant, "app_metadata": {"tenant_id": tenant}})),
        ("/tenant_id", json!(tenant)),
        (
            "/app_metadata",
            json!({"provider": "email", "tenant": tenant, "tenantId": tenant, "tenant_ids": [tenant]}),
        ),
    ] {
        let mut claims = app.issuer.payload(bruno.user, None);
        claims[&pointer[1..]] = value;
        is_refused(&app, &app.issuer.sign(&claims), &project, (403, "no-workspace"), pointer).await;
    }
    // Named where it counts, it needs a membership.
    let named = app.issuer.token(bruno.user, Some(tenant));
    is_refused(&app, &named, &project, (403, "not-a-member"), "a tenant of others").await;
    let unknown = app.issuer.token(bruno.user, Some(TenantId::from_uuid(app.issuer.id())));
    is_refused(&app, &unknown, &project, (403, "not-a-member"), "a tenant that never was").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_removed_a_moment_ago_and_a_workspace_that_is_gone_are_out() {
    let app = App::start().await;
    let (anna, bruno) = (app.writer().await, app.writer().await);
    let project = app.project(&anna).await;
    app.get(&anna, &project).await.expect(200);
    let removal = format!("delete from app.memberships where tenant_id = '{}'", anna.tenant);
    app.database.sql(&removal).await.unwrap();
    is_refused(&app, &anna.token, &project, (403, "not-a-member"), "removed").await;

    app.get(&bruno, "/v1/projects").await.expect(200);
    for table in ["memberships", "user_tenants", "tenant_usage", "idempotency_keys", "tenants"] {
        let sql = format!("delete from app.{table} where tenant_id = '{}'", bruno.tenant);
        app.database.sql(&sql).await.unwrap();
    }
    is_refused(&app, &bruno.token, "/v1/projects", (403, "not-a-member"), "a workspace that is gone").await;
    for writer in [&anna, &bruno] {
        let me = app.get(writer, "/v1/me").await.expect(200);
        assert!(me["workspace"].is_null(), "{me}");
        app.post(writer, "/v1/tenants", json!({"name": "Another"})).await.expect(201);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_header_that_carries_a_token_is_read_strictly() {
    let app = App::start().await;
    let anna = app.writer().await;
    let url = format!("{}/v1/projects", app.url);
    let ask = async |values: &[&str]| {
        let mut request = app.http.get(&url);
        for value in values {
            request = request.header("authorization", *value);
        }
        let answer = app.send(request).await;
        if answer.status == 401 {
            assert_eq!(answer.headers["www-authenticate"], "Bearer", "{values:?}");
        }
        (answer.status.as_u16(), answer.code().to_owned())
    };
    let token = anna.token.as_str();
    assert_eq!(ask(&[&format!("bearer {token}")]).await.0, 200);
    for value in [token, "Bearer", "Bearer ", &format!("Basic {token}"), &format!("Token {token}"), ""] {
        assert_eq!(ask(&[value]).await, (401, "unauthenticated".to_owned()), "{value}");
    }
    let once = format!("Bearer {token}");
    let joined = format!("{once}, {once}");
    for values in [&[once.as_str(), once.as_str()][..], &[joined.as_str()]] {
        assert_eq!(ask(values).await, (401, "invalid-token".to_owned()), "{values:?}");
    }
    for path in ["?access_token=", "?token=", "?apikey="] {
        let answer = app.send(app.http.get(format!("{url}{path}{token}"))).await;
        assert_eq!(answer.status, 401, "a token in the address is none");
    }
    let cookie =
        app.http.get(&url).header("cookie", format!("access_token={token}; sb-access-token={token}"));
    assert_eq!(app.send(cookie).await.status, 401, "a cookie is no token");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_workspace_is_created_and_activated_for_a_session() {
    let app = App::start().await;
    let anna = app.writer().await;
    let made = app.post(&anna, "/v1/tenants", json!({"name": "Second"})).await.expect(201);
    let second = made["tenant_id"].as_str().unwrap();
    let done = app.post(&anna, &format!("/v1/tenants/{second}/activate"), json!({})).await.expect(200);
    assert_eq!(done["name"], "Second");
    let me = app.get(&anna, "/v1/me").await.expect(200);
    assert_eq!(me["workspaces"].as_array().unwrap().len(), 2);
    assert_eq!(me["workspace"]["tenant_id"], anna.tenant.to_string(), "the old token stays where it was");
}
