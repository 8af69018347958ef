//! One good token, and every way found to spoil it.

use aws_lc_rs::hmac;
use novelfoundry_core::ProblemCode;
use novelfoundry_identity::{ConfigError, Verifier, VerifyError};
use serde_json::{Value, json};
use url::Url;

use crate::issuer::{
    self, ISSUER, Issuer, NOW, RSA, SESSION, SigningKey, TENANT, USER, claims, encode, header, token,
};

fn with(path: &str, value: Value) -> String {
    let mut claims = claims();
    *claims.pointer_mut(path).unwrap() = value;
    claims.to_string()
}

fn added(name: &str, value: Value) -> String {
    let mut claims = claims();
    claims[name] = value;
    claims.to_string()
}

fn without(name: &str) -> String {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name).unwrap();
    claims.to_string()
}

/// Replaces text in the ordinary claims, for what a JSON library would not write.
fn rewritten(from: &str, to: &str) -> String {
    let text = claims().to_string();
    assert!(text.contains(from), "{text}");
    text.replace(from, to)
}

#[tokio::test]
async fn a_good_token_is_read_whole() {
    for key in [&SigningKey::ec(), &*RSA] {
        let issuer = Issuer::start(&[key.jwk("k1")]).await;
        let (verifier, _) = issuer.verifier();
        let token = token(key, &header(key, "k1").to_string(), &claims().to_string());
        let read = verifier.verify(&token).await.unwrap();
        assert_eq!(read.user_id().to_string(), USER);
        assert_eq!(read.tenant_id().unwrap().to_string(), TENANT);
        assert_eq!(read.session_id().unwrap().to_string(), SESSION);
        assert_eq!(read.email(), Some("ada@example.com"));
        assert_eq!(read.expires_at().as_second(), NOW + 3600);
        assert!(!format!("{read:?}").contains("ada@"));
    }
}

#[tokio::test]
async fn acceptable_claims_are_accepted() {
    let key = SigningKey::ec();
    let issuer = Issuer::start(&[key.jwk("k1")]).await;
    let (verifier, clock) = issuer.verifier();
    let verify =
        async |payload: &str| verifier.verify(&token(&key, &header(&key, "k1").to_string(), payload)).await;

    for absent in ["role", "is_anonymous", "session_id", "email", "user_metadata"] {
        let read = verify(&without(absent)).await;
        assert_eq!(read.unwrap().tenant_id().unwrap().to_string(), TENANT, "{absent}");
    }
    for payload in [
        without("app_metadata"),
        with("/app_metadata", json!({})),
        with("/app_metadata", Value::Null),
        with("/app_metadata/tenant_id", Value::Null),
        // What a person can write themselves grants nothing.
        without("app_metadata")
            .replace("\"name\"", "\"tenant_id\":\"0190b3f8-1c2d-7a3b-8c4d-5e6f70819294\",\"n\""),
        without("app_metadata")
            .replace("\"phone\"", "\"tenant_id\":\"0190b3f8-1c2d-7a3b-8c4d-5e6f70819294\",\"p\""),
    ] {
        assert_eq!(verify(&payload).await.unwrap().tenant_id(), None, "{payload}");
    }
    assert_eq!(verify(&with("/email", json!(""))).await.unwrap().email(), None);

    for payload in [added("nbf", json!(NOW + 5)), with("/iat", json!(NOW + 5))] {
        assert!(verify(&payload).await.is_ok(), "within the leeway: {payload}");
    }
    let payload = claims().to_string();
    clock.advance(3_604_999);
    assert!(verify(&payload).await.is_ok());
    clock.advance(1);
    assert_eq!(verify(&payload).await.unwrap_err(), VerifyError::Expired);
}

#[tokio::test]
async fn claims_that_do_not_hold_are_refused() {
    let key = SigningKey::ec();
    let issuer = Issuer::start(&[key.jwk("k1")]).await;
    let (verifier, _) = issuer.verifier();
    let malformed = VerifyError::Malformed("the payload");
    let tenant = VerifyError::Claim("app_metadata.tenant_id");
    let two = format!("\"tenant_id\":\"{TENANT}\",\"tenant_id\":\"{USER}\"");
    let cases = [
        (with("/exp", json!(NOW - 5)), VerifyError::Expired),
        (with("/exp", json!(i64::MIN)), VerifyError::Claim("exp")),
        (with("/exp", json!(i64::MAX)), VerifyError::Claim("exp")),
        (with("/exp", json!(u64::MAX)), malformed),
        (with("/exp", json!("9999999999")), malformed),
        (rewritten("\"exp\":", "\"exp\":9999999999,\"exp\":"), malformed),
        (without("exp"), VerifyError::Claim("exp")),
        (without("iat"), VerifyError::Claim("iat")),
        (with("/iat", json!(NOW + 6)), VerifyError::NotYetValid),
        (added("nbf", json!(NOW + 6)), VerifyError::NotYetValid),
        (
            rewritten(&format!("\"iat\":{NOW}"), &format!("\"iat\":{},\"nbf\":{NOW}", NOW + 6)),
            VerifyError::NotYetValid,
        ),
        (added("nbf", json!("soon")), malformed),
        (without("iss"), VerifyError::Claim("iss")),
        (with("/iss", json!("supabase")), VerifyError::WrongIssuer),
        (with("/iss", json!(format!("{ISSUER}/"))), VerifyError::WrongIssuer),
        (with("/iss", json!([ISSUER])), malformed),
        (without("aud"), VerifyError::Claim("aud")),
        (with("/aud", json!("anon")), VerifyError::WrongAudience),
        (with("/aud", json!("")), VerifyError::WrongAudience),
        (with("/aud", json!(["authenticated", "other"])), malformed),
        (without("sub"), VerifyError::Claim("sub")),
        (with("/sub", json!("")), VerifyError::Claim("sub")),
        (with("/sub", json!(USER.to_uppercase())), VerifyError::Claim("sub")),
        (with("/sub", json!(USER.replace('-', ""))), VerifyError::Claim("sub")),
        (with("/sub", json!(7)), malformed),
        (with("/role", json!("anon")), VerifyError::NotAPerson),
        (with("/role", json!("service_role")), VerifyError::NotAPerson),
        (with("/role", json!("")), VerifyError::NotAPerson),
        (with("/is_anonymous", json!(true)), VerifyError::NotAPerson),
        (with("/is_anonymous", json!("true")), malformed),
        (with("/session_id", json!("1")), VerifyError::Claim("session_id")),
        (with("/app_metadata/tenant_id", json!("")), tenant),
        (with("/app_metadata/tenant_id", json!(format!("{TENANT} "))), tenant),
        (with("/app_metadata/tenant_id", json!(format!("{{{TENANT}}}"))), tenant),
        (with("/app_metadata/tenant_id", json!(TENANT.to_uppercase())), tenant),
        (with("/app_metadata/tenant_id", json!([TENANT])), malformed),
        (with("/app_metadata/tenant_id", json!(1)), malformed),
        (with("/app_metadata", json!([TENANT])), malformed),
        (with("/app_metadata", json!(TENANT)), malformed),
        (rewritten(&format!("\"tenant_id\":\"{TENANT}\""), &two), malformed),
        (
            rewritten(
                "\"provider\":\"email\"",
                &format!("\"tenant\\u005fid\":\"{USER}\",\"provider\":\"email\""),
            ),
            malformed,
        ),
        (
            rewritten("\"aud\":", &format!("\"app_metadata\":{{\"tenant_id\":\"{USER}\"}},\"aud\":")),
            malformed,
        ),
        (format!("{}x", claims()), malformed),
        ("[]".into(), malformed),
        ("null".into(), malformed),
        (
            json!([NOW + 3600, NOW, null, ISSUER, "authenticated", USER, null, null, null, null, null])
                .to_string(),
            malformed,
        ),
        (String::new(), malformed),
        ("[".repeat(5000), malformed),
    ];
    for (payload, expected) in cases {
        let token = token(&key, &header(&key, "k1").to_string(), &payload);
        assert_eq!(verifier.verify(&token).await.unwrap_err(), expected, "{payload}");
        assert_eq!(expected.problem(), ProblemCode::InvalidToken);
    }
}

#[tokio::test]
async fn headers_cannot_choose_how_they_are_checked() {
    let (key, other) = (SigningKey::ec(), SigningKey::ec());
    let issuer = Issuer::start(&[key.jwk("ec"), RSA.jwk("rsa")]).await;
    let (verifier, _) = issuer.verifier();
    let payload = claims().to_string();
    let malformed = |what| VerifyError::Malformed(what);
    let long = "k".repeat(201);

    let cases = [
        (json!({ "alg": "none", "kid": "ec" }), VerifyError::WrongAlgorithm),
        (json!({ "alg": "HS256", "kid": "ec" }), VerifyError::WrongAlgorithm),
        (json!({ "alg": "ES384", "kid": "ec" }), VerifyError::WrongAlgorithm),
        (json!({ "alg": "PS256", "kid": "rsa" }), VerifyError::WrongAlgorithm),
        (json!({ "alg": "es256", "kid": "ec" }), VerifyError::WrongAlgorithm),
        (json!({ "alg": "RS256", "kid": "ec" }), VerifyError::WrongAlgorithm),
        (json!({ "alg": "ES256", "kid": "rsa" }), VerifyError::WrongAlgorithm),
        (json!({ "kid": "ec" }), malformed("the header")),
        (json!({ "alg": 256, "kid": "ec" }), malformed("the header")),
        (json!(["ES256", "ec", null]), malformed("the header")),
        (json!({ "alg": "ES256" }), malformed("its key's name")),
        (json!({ "alg": "ES256", "kid": "" }), malformed("its key's name")),
        (json!({ "alg": "ES256", "kid": long }), malformed("its key's name")),
        (json!({ "alg": "ES256", "kid": ["ec"] }), malformed("the header")),
        (
            json!({ "alg": "ES256", "kid": "ec", "crit": ["exp"] }),
            malformed("an extension it calls critical"),
        ),
        (json!({ "alg": "ES256", "kid": "EC" }), VerifyError::UnknownKey),
        (json!({ "alg": "ES256", "kid": "../../etc/passwd" }), VerifyError::UnknownKey),
        (json!({ "alg": "ES256", "kid": "ec' or '1'='1\r\n\u{202e}\0" }), VerifyError::UnknownKey),
    ];
    for (header, expected) in cases {
        let forged = token(&key, &header.to_string(), &payload);
        assert_eq!(verifier.verify(&forged).await.unwrap_err(), expected, "{header}");
    }
    let twice = r#"{"alg":"ES256","kid":"ec","kid":"rsa"}"#;
    assert_eq!(verifier.verify(&token(&key, twice, &payload)).await.unwrap_err(), malformed("the header"));

    // A key brought along in the header is not used: neither to accept a forgery, nor to refuse the real one.
    let brought = json!({ "alg": "ES256", "kid": "ec", "jwk": other.jwk("ec"), "x5c": ["AAAA"],
        "jku": issuer.url().as_str(), "x5u": issuer.url().as_str() });
    let before = issuer.requests();
    let forged = token(&other, &brought.to_string(), &payload);
    assert_eq!(verifier.verify(&forged).await.unwrap_err(), VerifyError::WrongSignature);
    assert!(verifier.verify(&token(&key, &brought.to_string(), &payload)).await.is_ok());
    assert_eq!(issuer.requests(), before);

    // The public key is public: a MAC made with it proves nothing, whatever the header says.
    for (kid, public, alg) in
        [("ec", &key, "ES256"), ("ec", &key, "HS256"), ("rsa", &RSA, "HS256"), ("rsa", &RSA, "RS256")]
    {
        let message =
            format!("{}.{}", encode(json!({ "alg": alg, "kid": kid }).to_string()), encode(&payload));
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &public.public_bytes());
        let forged = format!("{message}.{}", encode(hmac::sign(&secret, message.as_bytes())));
        assert!(verifier.verify(&forged).await.is_err(), "{kid} {alg}");
    }
}

#[tokio::test]
async fn a_token_has_one_spelling() {
    let key = SigningKey::ec();
    let issuer = Issuer::start(&[key.jwk("k1")]).await;
    let (verifier, _) = issuer.verifier();
    let good = token(&key, &header(&key, "k1").to_string(), &claims().to_string());
    assert!(verifier.verify(&good).await.is_ok());
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (head, body) = message.split_once('.').unwrap();

    // 64 bytes leave four unused bits in the last of 86 characters.
    assert!(matches!(signature.as_bytes()[85], b'A' | b'Q' | b'g' | b'w'));
    let stray = char::from(signature.as_bytes()[85] + 1);
    let mut spoilt = vec![
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        "a.b.c".into(),
        "\u{202e}.\u{1f4a9}.\0".into(),
        format!("{message}."),
        format!("{message}.{signature}."),
        format!("{message}.{signature}="),
        format!("{message}.{}", &signature[..84]),
        format!("{message}.{}{stray}", &signature[..85]),
        format!("{message}.{}", encode([0_u8; 64])),
        format!("{message}.{signature}{signature}"),
        format!("{head}..{signature}"),
        format!("{head}.{body}.{body}.{signature}"),
        format!("{head}={}.{signature}", &message[head.len()..]),
        format!(" {good}"),
        format!("{good}\n"),
        format!("Bearer {good}"),
        "A".repeat(8 * 1024 + 1),
        format!("{good}{}", "A".repeat(8 * 1024)),
        good.replace('.', "%2e"),
    ];
    spoilt.extend((0..good.len()).step_by(7).map(|end| good[..end].to_owned()));
    spoilt.extend((0..good.len()).step_by(5).map(|at| {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    }));
    for token in spoilt {
        let error = verifier.verify(&token).await.expect_err(&token);
        assert_eq!(error.problem(), ProblemCode::InvalidToken, "{token}");
    }

    // Padding in both parts, because not every length can be reached by the payload's alone.
    let sized = |header_padding: usize, padding: usize| {
        let mut header = header(&key, "k1");
        header["typ"] = json!("x".repeat(header_padding));
        token(&key, &header.to_string(), &added("padding", json!("x".repeat(padding))))
    };
    let of_length = |length: usize| {
        let fits =
            |h: usize| (5_000..6_000).map(move |p| (h, p)).find(|(h, p)| sized(*h, *p).len() == length);
        (0..3).find_map(fits).map(|(h, p)| sized(h, p)).unwrap()
    };
    assert!(verifier.verify(&of_length(8192)).await.is_ok());
    assert_eq!(verifier.verify(&of_length(8193)).await.unwrap_err(), VerifyError::Malformed("its size"));
}

#[test]
fn a_verifier_that_would_trust_anyone_is_not_set_up() {
    for (address, right) in [
        ("https://auth.example.com/jwks.json", true),
        ("http://127.0.0.1:9999/jwks.json", true),
        ("http://[::1]:9999/jwks.json", true),
        ("http://localhost/jwks.json", true),
        ("http://auth.example.com/jwks.json", false),
        ("http://127.0.0.1.example.com/jwks.json", false),
        ("http://10.0.0.1/jwks.json", false),
        ("file:///etc/passwd", false),
        ("data:application/json,{}", false),
    ] {
        let (options, _) = issuer::options(address.parse::<Url>().unwrap());
        assert_eq!(Verifier::new(options).is_ok(), right, "{address}");
    }
    let address: Url = "https://auth.example.com/".parse().unwrap();
    let (mut options, _) = issuer::options(address.clone());
    options.issuer.clear();
    assert!(matches!(Verifier::new(options), Err(ConfigError::Empty)));
    let (mut options, _) = issuer::options(address.clone());
    options.audience.clear();
    assert!(matches!(Verifier::new(options), Err(ConfigError::Empty)));
    let (mut options, _) = issuer::options(address);
    options.leeway = std::time::Duration::from_secs(61);
    assert!(matches!(Verifier::new(options), Err(ConfigError::Leeway)));
}
