//! An issuer whose tokens are real: signed with ES256 and verified through a JWKS endpoint on loopback.

use std::sync::Arc;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use axum::{Json, Router, routing::get};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use novelfoundry_core::{Clock, IdSource, SystemClock, TenantId, UserId};
use novelfoundry_database::{NewWorkspace, TenantDb, workspaces};
use novelfoundry_identity::{VerifiedClaims, Verifier, VerifierOptions};
use serde_json::{Value, json};
use uuid::Uuid;

/// Signs tokens and offers the verifier that accepts them.
pub struct TestIssuer {
    /// The verifier, which fetches the public key over HTTP.
    pub verifier: Verifier,
    /// The `iss` of the tokens.
    pub issuer: String,
    /// The public key as a forger knows it: an uncompressed point.
    pub public_key: Vec<u8>,
    key: EncodingKey,
    ids: IdSource,
}

impl TestIssuer {
    /// Makes a key and serves its public half on a loopback port.
    ///
    /// # Panics
    /// Where no port can be opened.
    pub async fn start() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
        let point = pair.public_key().as_ref().to_vec();
        let jwks = json!({"keys": [{
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "test",
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..]),
        }]});
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}/auth/v1", listener.local_addr().unwrap());
        let router = Router::new().route("/auth/v1/.well-known/jwks.json", get(async move || Json(jwks)));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let verifier = Verifier::new(VerifierOptions {
            issuer: issuer.clone(),
            audience: "authenticated".into(),
            jwks_url: format!("{issuer}/.well-known/jwks.json").parse().unwrap(),
            clock: Arc::new(SystemClock),
            leeway: std::time::Duration::from_secs(5),
        })
        .unwrap();
        let key = EncodingKey::from_ec_der(pkcs8.as_ref());
        Self { verifier, issuer, public_key: point, key, ids: IdSource::default() }
    }

    /// Returns a new id.
    pub fn id(&self) -> Uuid {
        self.ids.next()
    }

    /// Signs claims as they are given.
    ///
    /// # Panics
    /// Where they cannot be signed.
    pub fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some("test".into()), ..Header::new(Algorithm::ES256) };
        encode(&header, claims, &self.key).unwrap()
    }

    /// Signs a header and a payload that no library would write.
    ///
    /// # Panics
    /// Where they cannot be signed.
    pub fn sign_text(&self, header: &str, payload: &str) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &self.key, Algorithm::ES256).unwrap();
        format!("{message}.{signature}")
    }

    /// Returns the claims of a person's token, with a workspace or without, for an hour from now.
    pub fn payload(&self, user: UserId, tenant: Option<TenantId>) -> Value {
        let now = SystemClock.now().as_second();
        let mut app_metadata = json!({"provider": "email"});
        if let Some(tenant) = tenant {
            app_metadata["tenant_id"] = json!(tenant);
        }
        json!({
            "iss": self.issuer, "aud": "authenticated", "sub": user, "role": "authenticated",
            "iat": now, "exp": now + 3600, "session_id": self.id(), "email": format!("{user}@example.com"),
            "app_metadata": app_metadata, "user_metadata": {},
        })
    }

    /// Signs a token for a person, with a workspace or without.
    pub fn token(&self, user: UserId, tenant: Option<TenantId>) -> String {
        self.sign(&self.payload(user, tenant))
    }

    /// Returns verified claims of a person.
    ///
    /// # Panics
    /// Where the verifier refuses its own issuer's token.
    pub async fn claims(&self, user: UserId, tenant: Option<TenantId>) -> VerifiedClaims {
        self.verifier.verify(&self.token(user, tenant)).await.unwrap()
    }

    /// Makes a person with a workspace of their own, and returns the claims that name it.
    ///
    /// # Panics
    /// Where the database refuses.
    pub async fn writer(&self, db: &TenantDb) -> VerifiedClaims {
        let user = UserId::from_uuid(self.id());
        let workspace = NewWorkspace::for_claims(&self.claims(user, None).await, &self.ids);
        workspaces::create(db, &workspace, "A workspace", None).await.unwrap();
        self.claims(user, Some(workspace.tenant_id())).await
    }
}
