//! The issuer's published keys, read once into the form that checks signatures. What cannot be used safely is
//! left out, so that a token naming it is refused like one naming no key at all.

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

use crate::signature::Signatures;

/// Longest key name that is looked up, in bytes.
pub(crate) const MAX_KID_BYTES: usize = 200;

/// Members that only private or symmetric keys have.
const SECRET_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A public key together with the one algorithm it may be used with.
pub(crate) struct PublicKey {
    pub(crate) algorithm: Algorithm,
    pub(crate) key: DecodingKey,
    pub(crate) signatures: Signatures,
}

/// The keys of one successful fetch, by name.
#[derive(Default)]
pub(crate) struct KeySet {
    keys: HashMap<String, Arc<PublicKey>>,
    pub(crate) fetched_at: Timestamp,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl KeySet {
    /// Reads a JWKS document; keys of no use here are skipped, and of two with one name the first counts.
    pub(crate) fn parse(document: &[u8], fetched_at: Timestamp) -> Result<Self, serde_json::Error> {
        let document: Document = serde_json::from_slice(document)?;
        let mut keys = HashMap::new();
        for (name, key) in document.keys.into_iter().filter_map(public_key) {
            keys.entry(name).or_insert_with(|| Arc::new(key));
        }
        Ok(Self { keys, fetched_at })
    }

    pub(crate) fn get(&self, kid: &str) -> Option<Arc<PublicKey>> {
        self.keys.get(kid).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }
}

/// Counts the keys of a JWKS document that can verify a token; `None` where it is not a key set.
pub fn usable_keys(document: &[u8]) -> Option<usize> {
    KeySet::parse(document, Timestamp::UNIX_EPOCH).ok().map(|keys| keys.len())
}

fn public_key(value: Value) -> Option<(String, PublicKey)> {
    if SECRET_MEMBERS.iter().any(|member| value.get(member).is_some()) {
        return None;
    }
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        _ => return None,
    };
    let common = &jwk.common;
    let signs = common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature)
        && common.key_operations.as_ref().is_none_or(|list| list.contains(&KeyOperations::Verify))
        && common.key_algorithm.is_none_or(|algorithm| algorithm == named);
    let name = common.key_id.clone().filter(|kid| (1..=MAX_KID_BYTES).contains(&kid.len()))?;
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    signs.then_some((name, PublicKey { algorithm, key, signatures: Signatures::default() }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_keys_that_verify_count() {
        let count = |keys: Value| usable_keys(json!({ "keys": keys }).to_string().as_bytes());
        // RFC 7517, appendix A.1.
        let good = json!({
            "kty": "EC", "crv": "P-256", "kid": "a", "use": "sig",
            "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        });
        let with = |member: &str, value: Value| {
            let mut key = good.clone();
            key[member] = value;
            key
        };
        assert_eq!(count(json!([good, { "kty": "oct", "kid": "b", "k": "AA" }])), Some(1));
        assert_eq!(count(json!([good, with("kid", json!("c"))])), Some(2));
        let useless = [with("use", json!("enc")), with("kid", json!(null)), with("d", json!("AA"))];
        assert_eq!(count(json!(useless)), Some(0));
        assert_eq!((usable_keys(b"{}"), usable_keys(b"<html>")), (None, None));
    }
}
