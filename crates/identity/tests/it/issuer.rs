//! An issuer to test against: real keys, hand-made tokens, and a key set over HTTP that can be made to fail.

use std::{
    net::SocketAddr,
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use axum::{Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use novelfoundry_core::ManualClock;
use novelfoundry_identity::{Verifier, VerifierOptions};
use serde_json::{Value, json};
use tokio::{sync::Semaphore, task::JoinHandle};
use url::Url;

pub(crate) const ISSUER: &str = "https://auth.example.com/auth/v1";
pub(crate) const NOW: i64 = 1_790_000_000;
pub(crate) const USER: &str = "0190b3f8-1c2d-7a3b-8c4d-5e6f70819293";
pub(crate) const TENANT: &str = "0190b3f8-1c2d-7a3b-8c4d-5e6f70819294";
pub(crate) const SESSION: &str = "0190b3f8-1c2d-7a3b-8c4d-5e6f70819295";

/// A key that signs, of either kind.
pub(crate) enum SigningKey {
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

/// RSA keys take long to make; one serves every test.
pub(crate) static RSA: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()));

impl SigningKey {
    pub(crate) fn ec() -> Self {
        Self::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub(crate) fn alg(&self) -> &'static str {
        match self {
            Self::Ec(_) => "ES256",
            Self::Rsa(_) => "RS256",
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Ec(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }

    pub(crate) fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Ec(key) => {
                let point = key.public_key().as_ref();
                json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": kid,
                        "x": encode(&point[1..33]), "y": encode(&point[33..]) })
            }
            Self::Rsa(key) => {
                let public = key.public_key();
                let n = public.modulus().big_endian_without_leading_zero();
                let e = public.exponent().big_endian_without_leading_zero();
                json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": encode(n), "e": encode(e) })
            }
        }
    }

    /// The public key's bytes, as a forger would know them.
    pub(crate) fn public_bytes(&self) -> Vec<u8> {
        match self {
            Self::Ec(key) => key.public_key().as_ref().to_vec(),
            Self::Rsa(key) => key.public_key().as_ref().to_vec(),
        }
    }
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Signs a token from texts, so that a test can write what no JSON library would.
pub(crate) fn token(key: &SigningKey, header: &str, payload: &str) -> String {
    let message = format!("{}.{}", encode(header), encode(payload));
    let signature = encode(key.sign(message.as_bytes()));
    format!("{message}.{signature}")
}

pub(crate) fn header(key: &SigningKey, kid: &str) -> Value {
    json!({ "alg": key.alg(), "kid": kid, "typ": "JWT" })
}

/// The claims of an ordinary token, good for an hour.
pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": "authenticated", "sub": USER, "exp": NOW + 3600, "iat": NOW,
        "role": "authenticated", "aal": "aal1", "session_id": SESSION, "email": "ada@example.com",
        "phone": "", "is_anonymous": false,
        "app_metadata": { "provider": "email", "tenant_id": TENANT },
        "user_metadata": { "name": "Ada" },
    })
}

/// The ordinary token of a key, good for three days.
pub(crate) fn long_token(key: &SigningKey, kid: &str) -> String {
    let mut claims = claims();
    claims["exp"] = json!(NOW + 3 * 86_400);
    token(key, &header(key, kid).to_string(), &claims.to_string())
}

/// A key set served over loopback HTTP.
pub(crate) struct Issuer {
    address: SocketAddr,
    served: Arc<Served>,
    task: JoinHandle<()>,
}

struct Served {
    answer: Mutex<(StatusCode, String)>,
    requests: AtomicUsize,
    gate: Semaphore,
}

impl Issuer {
    pub(crate) async fn start(keys: &[Value]) -> Self {
        let served = Arc::new(Served {
            answer: Mutex::default(),
            requests: AtomicUsize::new(0),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
        });
        let app = Router::new()
            .route("/jwks.json", get(answer))
            .route("/elsewhere.json", get(answer))
            .with_state(Arc::clone(&served));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let issuer = Self { address, served, task };
        issuer.publish(keys);
        issuer
    }

    pub(crate) fn publish(&self, keys: &[Value]) {
        self.answer_with(StatusCode::OK, json!({ "keys": keys }).to_string());
    }

    pub(crate) fn answer_with(&self, status: StatusCode, body: String) {
        *self.served.answer.lock().unwrap() = (status, body);
    }

    pub(crate) fn requests(&self) -> usize {
        self.served.requests.load(Ordering::SeqCst)
    }

    /// Holds answers back until [`Issuer::open`].
    pub(crate) fn close(&self) {
        self.served.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn open(&self) {
        self.served.gate.add_permits(1000);
    }

    pub(crate) fn url(&self) -> Url {
        format!("http://{}/jwks.json", self.address).parse().unwrap()
    }

    pub(crate) fn verifier(&self) -> (Verifier, ManualClock) {
        verifier_for(self.url())
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn options(jwks_url: Url) -> (VerifierOptions, ManualClock) {
    let clock = ManualClock::new(Timestamp::from_second(NOW).unwrap());
    let options = VerifierOptions {
        issuer: ISSUER.into(),
        audience: "authenticated".into(),
        jwks_url,
        clock: Arc::new(clock.clone()),
        leeway: Duration::from_secs(5),
    };
    (options, clock)
}

pub(crate) fn verifier_for(jwks_url: Url) -> (Verifier, ManualClock) {
    let (options, clock) = options(jwks_url);
    (Verifier::new(options).unwrap(), clock)
}

async fn answer(State(served): State<Arc<Served>>) -> impl IntoResponse {
    served.requests.fetch_add(1, Ordering::SeqCst);
    let _permit = served.gate.acquire().await.unwrap();
    let (status, body) = served.answer.lock().unwrap().clone();
    (status, [("location", "/elsewhere.json")], body)
}

/// Polls until `ready`, and fails when that takes more than ten seconds.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut ready: impl FnMut() -> F) {
    let poll = async {
        while !ready().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), poll).await.is_ok(), "{what}");
}
