//! The key set over time: rotation, floods, and an issuer that is down.

use axum::http::StatusCode;
use novelfoundry_core::ProblemCode;
use novelfoundry_identity::VerifyError;
use serde_json::json;

use crate::issuer::{Issuer, RSA, SigningKey, eventually, long_token, verifier_for};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

#[tokio::test]
async fn a_rotated_key_is_picked_up_and_a_withdrawn_one_dropped() {
    let (old, new) = (SigningKey::ec(), SigningKey::ec());
    let issuer = Issuer::start(&[old.jwk("old")]).await;
    let (verifier, clock) = issuer.verifier();
    let (old_token, new_token) = (long_token(&old, "old"), long_token(&new, "new"));
    assert!(verifier.verify(&old_token).await.is_ok());
    assert_eq!(issuer.requests(), 1);

    issuer.publish(&[old.jwk("old"), new.jwk("new")]);
    clock.advance(5_000);
    assert!(verifier.verify(&new_token).await.is_ok());
    assert!(verifier.verify(&old_token).await.is_ok());
    assert_eq!(issuer.requests(), 2);

    issuer.publish(&[new.jwk("new")]);
    clock.advance(10 * MINUTE - 1);
    assert!(verifier.verify(&old_token).await.is_ok());
    assert_eq!(issuer.requests(), 2, "younger than ten minutes");
    clock.advance(1);
    assert!(verifier.verify(&old_token).await.is_ok(), "a known key waits for nobody");
    eventually("the withdrawn key is refused", async || {
        verifier.verify(&old_token).await.err() == Some(VerifyError::UnknownKey)
    })
    .await;
    assert!(verifier.verify(&new_token).await.is_ok());
    assert_eq!(issuer.requests(), 3);
}

#[tokio::test]
async fn a_swapped_key_under_the_same_name_is_not_the_old_one() {
    let (first, second) = (SigningKey::ec(), SigningKey::ec());
    let issuer = Issuer::start(&[first.jwk("k1"), second.jwk("k1")]).await;
    let (verifier, _) = issuer.verifier();
    assert!(verifier.verify(&long_token(&first, "k1")).await.is_ok());
    assert_eq!(verifier.verify(&long_token(&second, "k1")).await.unwrap_err(), VerifyError::WrongSignature);
}

#[tokio::test]
async fn a_flood_of_unknown_keys_costs_one_fetch_in_five_seconds() {
    let key = SigningKey::ec();
    let issuer = Issuer::start(&[key.jwk("k1")]).await;
    let (verifier, clock) = issuer.verifier();
    for round in 1..=3 {
        let flood: Vec<_> = (0..200)
            .map(|n| {
                let (verifier, token) = (verifier.clone(), long_token(&key, &format!("unknown-{round}-{n}")));
                tokio::spawn(async move { verifier.verify(&token).await.unwrap_err() })
            })
            .collect();
        for refused in flood {
            assert_eq!(refused.await.unwrap(), VerifyError::UnknownKey);
        }
        assert_eq!(issuer.requests(), round);
        clock.advance(4_999);
        assert_eq!(verifier.verify(&long_token(&key, "x")).await.unwrap_err(), VerifyError::UnknownKey);
        assert!(verifier.verify(&long_token(&key, "k1")).await.is_ok());
        assert_eq!(issuer.requests(), round);
        clock.advance(1);
    }
    clock.advance(-HOUR);
    assert_eq!(verifier.verify(&long_token(&key, "x")).await.unwrap_err(), VerifyError::UnknownKey);
    assert_eq!(issuer.requests(), 4, "a clock that steps back does not stop refreshing");
}

#[tokio::test]
async fn one_fetch_serves_everyone_who_waits_and_outlives_who_started_it() {
    let key = SigningKey::ec();
    let issuer = Issuer::start(&[key.jwk("k1")]).await;
    let (verifier, _) = issuer.verifier();
    issuer.close();
    let verify = || {
        let (verifier, token) = (verifier.clone(), long_token(&key, "k1"));
        tokio::spawn(async move { verifier.verify(&token).await })
    };
    let first = verify();
    eventually("the fetch has begun", async || issuer.requests() == 1).await;
    let waiting: Vec<_> = (0..50).map(|_| verify()).collect();
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    issuer.open();
    for verified in waiting {
        assert!(verified.await.unwrap().is_ok());
    }
    assert_eq!(issuer.requests(), 1);
}

#[tokio::test]
async fn an_issuer_that_is_down_stops_new_keys_only_and_not_for_ever() {
    let (known, new) = (SigningKey::ec(), SigningKey::ec());
    let issuer = Issuer::start(&[known.jwk("known")]).await;
    let (verifier, clock) = issuer.verifier();
    let (known_token, new_token) = (long_token(&known, "known"), long_token(&new, "new"));
    assert!(verifier.verify(&known_token).await.is_ok());

    issuer.answer_with(StatusCode::BAD_GATEWAY, String::new());
    clock.advance(23 * HOUR);
    assert!(verifier.verify(&known_token).await.is_ok());
    eventually("the refresh has failed", async || {
        verifier.verify(&new_token).await.err() == Some(VerifyError::KeysUnavailable)
    })
    .await;
    assert_eq!(VerifyError::KeysUnavailable.problem(), ProblemCode::IssuerUnavailable);
    assert!(verifier.verify(&known_token).await.is_ok());

    clock.advance(HOUR);
    assert_eq!(verifier.verify(&known_token).await.unwrap_err(), VerifyError::KeysUnavailable);

    issuer.publish(&[known.jwk("known"), new.jwk("new")]);
    assert_eq!(
        verifier.verify(&known_token).await.unwrap_err(),
        VerifyError::KeysUnavailable,
        "cooling down"
    );
    clock.advance(5_000);
    assert!(verifier.verify(&known_token).await.is_ok());
    assert!(verifier.verify(&new_token).await.is_ok());
}

#[tokio::test]
async fn nobody_listening_is_unavailable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    let (verifier, _) = verifier_for(url);
    let token = long_token(&SigningKey::ec(), "k1");
    assert_eq!(verifier.verify(&token).await.unwrap_err(), VerifyError::KeysUnavailable);
}

#[tokio::test]
async fn answers_that_are_no_key_set_leave_the_old_one() {
    let key = SigningKey::ec();
    let issuer = Issuer::start(&[key.jwk("k1")]).await;
    let (verifier, clock) = issuer.verifier();
    assert!(verifier.verify(&long_token(&key, "k1")).await.is_ok());

    let keys = json!({ "keys": [key.jwk("k2")] }).to_string();
    let large = format!("{keys}{}", " ".repeat(256 * 1024));
    for (status, body) in [
        (StatusCode::FOUND, keys.clone()),
        (StatusCode::NOT_FOUND, keys),
        (StatusCode::OK, large),
        (StatusCode::OK, "<html>".into()),
        (StatusCode::OK, "{}".into()),
        (StatusCode::OK, String::new()),
    ] {
        issuer.answer_with(status, body);
        clock.advance(5_000);
        let before = issuer.requests();
        assert_eq!(verifier.verify(&long_token(&key, "k2")).await.unwrap_err(), VerifyError::KeysUnavailable);
        assert_eq!(issuer.requests(), before + 1, "{status}: no redirect is followed");
        assert!(verifier.verify(&long_token(&key, "k1")).await.is_ok());
    }

    issuer.publish(&[]);
    clock.advance(5_000);
    assert_eq!(verifier.verify(&long_token(&key, "k2")).await.unwrap_err(), VerifyError::UnknownKey);
    assert_eq!(verifier.verify(&long_token(&key, "k1")).await.unwrap_err(), VerifyError::UnknownKey);
}

#[tokio::test]
async fn keys_of_no_use_are_skipped() {
    let key = SigningKey::ec();
    let spoil = |kid: &str, member: &str, value: serde_json::Value| {
        let mut jwk = key.jwk(kid);
        jwk[member] = value;
        jwk
    };
    let mut nameless = key.jwk("nameless");
    nameless.as_object_mut().unwrap().remove("kid");
    let mut plain = key.jwk("plain");
    plain.as_object_mut().unwrap().retain(|name, _| !["use", "alg"].contains(&name.as_str()));
    let issuer = Issuer::start(&[
        json!(null),
        json!("k"),
        json!({ "kty": "oct", "k": "c2VjcmV0", "kid": "oct", "alg": "HS256" }),
        json!({ "kty": "OKP", "crv": "Ed25519", "x": "AAAA", "kid": "okp" }),
        json!({ "kty": "new-fangled", "kid": "unheard-of" }),
        spoil("encrypts", "use", json!("enc")),
        spoil("signs-only", "key_ops", json!(["sign"])),
        spoil("other-algorithm", "alg", json!("ES384")),
        spoil("unknown-algorithm", "alg", json!("XX256")),
        spoil("private", "d", json!("AAAA")),
        spoil("other-curve", "crv", json!("P-384")),
        spoil("garbled", "x", json!("***")),
        nameless,
        spoil("verifies", "key_ops", json!(["verify"])),
        plain,
        RSA.jwk("rsa"),
    ])
    .await;
    let (verifier, _) = issuer.verifier();
    for kid in ["verifies", "plain"] {
        assert!(verifier.verify(&long_token(&key, kid)).await.is_ok(), "{kid}");
    }
    assert!(verifier.verify(&long_token(&RSA, "rsa")).await.is_ok());
    for kid in [
        "oct",
        "okp",
        "unheard-of",
        "encrypts",
        "signs-only",
        "other-algorithm",
        "unknown-algorithm",
        "private",
        "other-curve",
        "garbled",
        "nameless",
    ] {
        assert_eq!(
            verifier.verify(&long_token(&key, kid)).await.unwrap_err(),
            VerifyError::UnknownKey,
            "{kid}"
        );
    }
    // A point that is not on the curve is found out at the first signature.
    let issuer = Issuer::start(&[spoil("k1", "x", key.jwk("k1")["y"].clone())]).await;
    let (verifier, _) = issuer.verifier();
    assert_eq!(verifier.verify(&long_token(&key, "k1")).await.unwrap_err(), VerifyError::WrongSignature);
}

#[tokio::test]
async fn a_signature_that_was_right_vouches_for_no_other_token_and_not_past_its_end() {
    let key = SigningKey::ec();
    let issuer = Issuer::start(&[key.jwk("k1")]).await;
    let (verifier, clock) = issuer.verifier();
    let token = long_token(&key, "k1");
    for _ in 0..3 {
        assert!(verifier.verify(&token).await.is_ok());
    }
    let other = long_token(&SigningKey::ec(), "k1");
    let (message, _) = token.rsplit_once('.').unwrap();
    let (_, foreign) = other.rsplit_once('.').unwrap();
    for forged in [format!("{message}.{foreign}"), other.clone(), format!("{}x", &token[..token.len() - 1])] {
        assert!(verifier.verify(&forged).await.is_err());
    }
    clock.advance(400 * 24 * HOUR);
    assert!(verifier.verify(&token).await.is_err(), "its claims are checked every time");
}
