//! Signing up and in.

use std::time::{Duration, Instant};

use novelfoundry_embedded::issuer::{AccountError, SignUp};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::fixture::{Fixture, PASSWORD, text};

#[tokio::test]
async fn signing_up_gives_a_session_and_a_workspace() {
    let fixture = Fixture::start().await;
    let body = json!({
        "email": " Anna@Example.com ", "password": PASSWORD, "data": {"name": "Anna Seghers"},
        "gotrue_meta_security": {}, "code_challenge": null, "code_challenge_method": null,
    });
    let answer = fixture.post("/signup", &body).await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    let session = answer.ok();
    assert_eq!((&session["token_type"], &session["expires_in"]), (&json!("bearer"), &json!(3600)));
    assert_eq!(session["expires_at"], 1_790_003_600);
    let user = &session["user"];
    assert_eq!(
        (&user["email"], &user["aud"], &user["role"]),
        (&json!("Anna@Example.com"), &json!("authenticated"), &json!("authenticated"))
    );
    assert_eq!(user["user_metadata"], json!({"name": "Anna Seghers"}));
    assert_eq!(user["app_metadata"], json!({"provider": "email", "providers": ["email"]}));
    assert_eq!(user["identities"].as_array().map(Vec::len), Some(1));

    let claims = fixture.verify(&session).await.unwrap();
    assert_eq!(claims.user_id().to_string(), text(&user["id"]));
    let tenant = claims.tenant_id().unwrap();
    let made = format!(
        "select t.name || '/' || m.role || '/' || ut.tenant_name || '/' || u.email
           from app.tenants t join app.memberships m using (tenant_id)
           join app.user_tenants ut using (tenant_id, user_id) join app.users u using (user_id)
          where tenant_id = '{tenant}' and user_id = '{}'",
        claims.user_id()
    );
    let expected = "Anna Seghers's workspace/owner/Anna Seghers's workspace/Anna@Example.com";
    assert_eq!(fixture.value(&made).await.as_deref(), Some(expected));

    let me = fixture.user(&session).await.ok();
    assert_eq!(me["id"], user["id"]);
}

#[tokio::test]
async fn a_token_says_what_supabase_s_says() {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let fixture = Fixture::start().await;
    let body =
        json!({"email": "anna@example.com", "password": PASSWORD, "data": {"tenant_id": "x", "n": 1e300}});
    let session = fixture.post("/signup", &body).await.ok();
    let part = |index| -> Value {
        let part = text(&session["access_token"]).split('.').nth(index).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    let (header, claims) = (part(0), part(1));
    assert_eq!((&header["alg"], &header["typ"]), (&json!("ES256"), &json!("JWT")));
    assert_eq!(fixture.key_set().await, [text(&header["kid"])]);
    let tenant = fixture.value("select first_tenant_id from issuer.accounts").await.unwrap();
    let session_id = fixture.value("select session_id from issuer.sessions").await.unwrap();
    assert_eq!(
        claims,
        json!({
            "iss": fixture.url, "aud": "authenticated", "sub": session["user"]["id"], "role": "authenticated",
            "iat": 1_790_000_000, "exp": 1_790_003_600, "aal": "aal1", "session_id": session_id,
            "email": "anna@example.com", "phone": "", "is_anonymous": false,
            "app_metadata": {"provider": "email", "providers": ["email"], "tenant_id": tenant},
            "user_metadata": {"tenant_id": "x", "n": 1e300},
            "amr": [{"method": "password", "timestamp": 1_790_000_000}],
        })
    );
}

#[tokio::test]
async fn the_largest_metadata_still_makes_a_token_that_the_api_takes() {
    let fixture = Fixture::start().await;
    let email = format!("{}@{}.example", "a".repeat(64), ["b".repeat(59).as_str(); 3].join("."));
    let data = json!({"a": "\u{1}".repeat(681)});
    assert!((4090..=4096).contains(&data.to_string().len()));
    let body = json!({"email": email, "password": PASSWORD, "data": data});
    let session = fixture.post("/signup", &body).await.ok();
    fixture.verify(&session).await.unwrap();
    fixture.user(&session).await.ok();
}

#[tokio::test]
async fn an_address_has_one_account() {
    let fixture = Fixture::start().await;
    let sign_ups = (0..8).map(|index| {
        let email = if index % 2 == 0 { "anna@example.com" } else { "ANNA@example.COM" };
        let fixture = &fixture;
        async move { fixture.post("/signup", &json!({"email": email, "password": PASSWORD})).await }
    });
    let answers = futures_util::future::join_all(sign_ups).await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status.is_success());
    assert_eq!(made.len(), 1);
    for answer in refused {
        answer.is(422, "user_already_exists");
    }
    assert_eq!(fixture.value("select count(*) from app.tenants").await.as_deref(), Some("1"));
    fixture.sign_in("aNNa@example.com").await.ok();
}

#[tokio::test]
async fn only_the_right_password_signs_in_and_a_refusal_does_not_say_why() {
    let fixture = Fixture::start().await;
    let signed_up = fixture.sign_up("anna@example.com").await;
    let again = fixture.sign_in("anna@example.com").await.ok();
    assert_eq!(again["user"]["id"], signed_up["user"]["id"]);
    let (first, second) = (fixture.verify(&signed_up).await.unwrap(), fixture.verify(&again).await.unwrap());
    assert_ne!(first.session_id(), second.session_id());
    assert_eq!(first.tenant_id(), second.tenant_id());

    let wrong = fixture.sign_in_with("anna@example.com", "wrong password").await;
    let unknown = fixture.sign_in("berta@example.com").await;
    let malformed = fixture.sign_in("no address").await;
    wrong.is(400, "invalid_credentials");
    assert_eq!((&wrong.text, &wrong.text), (&unknown.text, &malformed.text));
    fixture.sign_in_with("anna@example.com", &"x".repeat(2000)).await.is(400, "invalid_credentials");
    fixture.sign_in_with("anna@example.com", "").await.is(400, "invalid_credentials");
}

#[tokio::test]
async fn an_unknown_address_takes_as_long_as_a_wrong_password() {
    let fixture = Fixture::start().await;
    fixture.sign_up("anna@example.com").await;
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for _ in 0..9 {
        for (email, times) in [("anna@example.com", &mut known), ("berta@example.com", &mut unknown)] {
            let started = Instant::now();
            fixture.sign_in_with(email, "wrong password").await.is(400, "invalid_credentials");
            times.push(started.elapsed());
        }
    }
    let (known, unknown) = (known.iter().min().unwrap(), unknown.iter().min().unwrap());
    // Without the decoy the quotient is far below a half.
    assert!(*unknown > *known / 2, "{unknown:?} against {known:?}");
}

#[tokio::test]
async fn what_cannot_be_an_account_is_refused_by_its_code() {
    let fixture = Fixture::start().await;
    let password = PASSWORD;
    for (body, status, code) in [
        (json!({"email": "a@b.example", "password": "short"}), 422, "weak_password"),
        (json!({"email": "a@b.example", "password": ""}), 400, "validation_failed"),
        (json!({"email": "a@b.example"}), 400, "validation_failed"),
        (json!({"email": "a@b.example", "password": "x".repeat(1025)}), 422, "validation_failed"),
        (json!({"email": "nobody", "password": password}), 400, "validation_failed"),
        (
            json!({"email": format!("{}@b.example", "a".repeat(300)), "password": password}),
            400,
            "validation_failed",
        ),
        (
            json!({"email": "a@b.example", "password": password, "data": {"a": "\u{0}"}}),
            400,
            "validation_failed",
        ),
        (
            json!({"email": "a@b.example", "password": password, "data": {"a": "x".repeat(5000)}}),
            400,
            "validation_failed",
        ),
        (json!({"email": "a@b.example", "password": password, "data": []}), 400, "bad_json"),
        (json!({"phone": "+49", "password": password}), 422, "phone_provider_disabled"),
        (json!({"data": {}}), 422, "anonymous_provider_disabled"),
    ] {
        fixture.post("/signup", &body).await.is(status, code);
    }
    let weak = fixture.post("/signup", &json!({"email": "a@b.example", "password": "short"})).await;
    assert_eq!(weak.json()["weak_password"]["reasons"], json!(["length"]));
    assert_eq!(fixture.value("select count(*) from issuer.accounts").await.as_deref(), Some("0"));
}

#[tokio::test]
async fn a_disabled_account_is_out_at_once() {
    let fixture = Fixture::start().await;
    let session = fixture.sign_up("anna@example.com").await;
    fixture.value("update issuer.accounts set disabled_at = now()").await;
    fixture.sign_in_with("anna@example.com", "wrong password").await.is(400, "invalid_credentials");
    fixture.sign_in("anna@example.com").await.is(403, "user_banned");
    fixture.refresh(&session["refresh_token"]).await.is(403, "user_banned");
    fixture.user(&session).await.is(403, "user_banned");
}

#[tokio::test]
async fn a_closed_issuer_lets_only_the_operator_create_accounts() {
    for mode in [SignUp::Closed, SignUp::Invite] {
        let fixture = Fixture::with(|options| options.sign_up = mode).await;
        let body = json!({"email": "anna@example.com", "password": PASSWORD});
        fixture.post("/signup", &body).await.is(403, "signup_disabled");
        let settings = fixture.as_bearer(Method::GET, "/settings", "none").await.ok();
        assert_eq!(settings["disable_signup"], true);

        let create = |password| fixture.issuer.create_account("anna@example.com", password, Map::new());
        assert!(matches!(create("short").await, Err(AccountError::Password)));
        let made = create(PASSWORD).await.unwrap();
        assert!(matches!(create(PASSWORD).await, Err(AccountError::Exists)));
        let session = fixture.sign_in("anna@example.com").await.ok();
        let claims = fixture.verify(&session).await.unwrap();
        assert_eq!((claims.user_id(), claims.tenant_id()), (made.user_id, Some(made.tenant_id)));
    }
}

#[tokio::test]
async fn an_open_invitation_admits_where_only_the_invited_may_sign_up() {
    let token = "0123456789abcdef".repeat(4);
    for (mode, admitted) in [(SignUp::Invite, true), (SignUp::Closed, false), (SignUp::Open, true)] {
        let fixture = Fixture::with(|options| options.sign_up = mode).await;
        let sign_up = async |email: &str, token: Value| {
            let data = json!({"name": "Anna", "invitation_token": token});
            fixture.post("/signup", &json!({"email": email, "password": PASSWORD, "data": data})).await
        };
        let refused =
            [json!(token), json!(null), json!(7), json!("x"), json!({"a": 1}), json!("A".repeat(64))];
        for (number, wrong) in refused.into_iter().enumerate() {
            let answer = sign_up(&format!("nobody{number}@example.com"), wrong).await;
            if mode == SignUp::Open {
                assert_eq!(answer.ok()["user"]["user_metadata"], json!({"name": "Anna"}));
            } else {
                answer.is(403, "signup_disabled");
            }
        }
        let invitation = format!(
            "insert into app.invitation_tokens (token_hash, tenant_id, invitation_id, expires_at)
             values (sha256('{token}'), gen_random_uuid(), gen_random_uuid(), now() + interval '1 hour')"
        );
        fixture.value(&invitation).await;
        let answer = sign_up("anna@example.com", json!(token)).await;
        if !admitted {
            answer.is(403, "signup_disabled");
            continue;
        }
        assert_eq!(answer.ok()["user"]["user_metadata"], json!({"name": "Anna"}), "the token is not kept");
        let kept = fixture
            .value("select count(*) from issuer.accounts where user_metadata::text like '%0123456789%'");
        assert_eq!(kept.await.as_deref(), Some("0"));
        if mode == SignUp::Invite {
            for ended in [
                "expires_at = now()",
                "expires_at = now() + interval '1 hour', accepted_by = gen_random_uuid()",
            ] {
                fixture.value(&format!("update app.invitation_tokens set {ended}")).await;
                sign_up("berta@example.com", json!(token)).await.is(403, "signup_disabled");
            }
        }
    }
}

#[tokio::test]
async fn the_next_sign_in_does_what_a_crash_left_undone() {
    let fixture = Fixture::start().await;
    let session = fixture.sign_up("anna@example.com").await;
    let before = fixture.verify(&session).await.unwrap();

    // All was done but the mark.
    fixture.value("update issuer.accounts set provisioned_at = null").await;
    let session = fixture.sign_in("anna@example.com").await.ok();
    assert_eq!(fixture.verify(&session).await.unwrap().tenant_id(), before.tenant_id());
    assert_eq!(fixture.value("select count(*) from app.tenants").await.as_deref(), Some("1"));

    // Nothing was done.
    fixture
        .value(
            "update issuer.accounts set provisioned_at = null;
             delete from app.memberships; delete from app.user_tenants; delete from app.tenant_usage;
             delete from app.tenants; delete from app.users",
        )
        .await;
    let sign_ins = futures_util::future::join_all((0..4).map(|_| fixture.sign_in("anna@example.com"))).await;
    for session in sign_ins {
        assert_eq!(fixture.verify(&session.ok()).await.unwrap().tenant_id(), before.tenant_id());
    }
    let marked = "select provisioned_at is not null from issuer.accounts";
    assert_eq!(fixture.value(marked).await.as_deref(), Some("t"));

    // A workspace that was left for good is not made again.
    fixture.value("delete from app.memberships; delete from app.user_tenants").await;
    let session = fixture.sign_in("anna@example.com").await.ok();
    assert_eq!(fixture.verify(&session).await.unwrap().tenant_id(), None);
}

#[tokio::test]
async fn the_token_names_the_workspace_the_session_has_activated() {
    let fixture = Fixture::start().await;
    let session = fixture.sign_up("anna@example.com").await;
    let claims = fixture.verify(&session).await.unwrap();
    let other = "0190b3f8-1c2d-7a3b-8c4d-5e6f70819293";
    let switch = format!(
        "insert into app.user_tenants (tenant_id, user_id, tenant_name) values ('{other}', '{user}', 'Other');
         insert into app.session_tenants (session_id, user_id, tenant_id) values ('{session}', '{user}', '{other}')",
        user = claims.user_id(),
        session = claims.session_id().unwrap(),
    );
    fixture.value(&switch).await;
    fixture.pass(Duration::from_mins(1));
    let refreshed = fixture.refresh(&session["refresh_token"]).await.ok();
    let claims = fixture.verify(&refreshed).await.unwrap();
    assert_eq!(claims.tenant_id().map(|id| id.to_string()).as_deref(), Some(other));
    let elsewhere = fixture.sign_in("anna@example.com").await.ok();
    assert_ne!(fixture.verify(&elsewhere).await.unwrap().tenant_id(), claims.tenant_id());
}
