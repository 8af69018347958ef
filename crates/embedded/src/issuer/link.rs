//! Tokens of links and codes: 256 random bits, kept by the database as their SHA-256 only; and the challenge by which a
//! client proves that it is the one that asked for a link (RFC 7636).

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use novelfoundry_core::{Secret, random_token};
use novelfoundry_database::issuer::Challenge;
use sha2::{Digest, Sha256};

const BYTES: usize = 32;

/// A token of a link, or the code it is changed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LinkToken(Secret);

impl LinkToken {
    pub(super) fn random() -> Self {
        Self(random_token(BYTES))
    }

    /// Reads what a client sent; `None` for what never was a token.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let fits = text.len() == BYTES * 2
            && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        fits.then(|| Self(Secret::new(text)))
    }

    /// Returns what the client is given: lower-case hexadecimal digits.
    pub(super) fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Returns what the database knows it by.
    pub(super) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.expose()).into()
    }
}

/// Reads a challenge as a client sends it; `None` for what is not one.
pub(super) fn challenge(text: &str, method: Option<&str>) -> Option<Challenge> {
    let is_hashed = match method {
        Some(method) if method.eq_ignore_ascii_case("s256") => true,
        Some(method) if method.eq_ignore_ascii_case("plain") => false,
        _ => return None,
    };
    let fits = (43..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    fits.then(|| Challenge { text: text.to_owned(), is_hashed })
}

/// Tells whether the verifier is the one that the challenge was made of.
pub(super) fn is_met(challenge: &Challenge, verifier: &str) -> bool {
    let made = if challenge.is_hashed {
        BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
    } else {
        verifier.to_owned()
    };
    // Digests, so that the time tells nothing of the texts.
    Sha256::digest(made) == Sha256::digest(&challenge.text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tokens_differ_and_are_read_back() {
        let token = LinkToken::random();
        assert_ne!(token, LinkToken::random());
        assert_eq!(LinkToken::parse(token.expose()).as_ref(), Some(&token));
        assert_ne!(token.hash(), LinkToken::random().hash());
        for bad in ["", "x", &"A".repeat(64), &"0".repeat(63), &"0".repeat(65), &"g".repeat(64)] {
            assert_eq!(LinkToken::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_example_of_rfc_7636_is_met() {
        let challenge = challenge("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", Some("S256")).unwrap();
        assert!(is_met(&challenge, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        assert!(!is_met(&challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"));
    }

    proptest! {
        #[test]
        fn only_the_verifier_meets_a_plain_challenge(text in "[A-Za-z0-9._~-]{43,128}", other in ".{0,128}") {
            let challenge = challenge(&text, Some("plain")).unwrap();
            prop_assert!(is_met(&challenge, &text));
            prop_assert_eq!(is_met(&challenge, &other), other == text);
        }

        #[test]
        fn other_texts_are_no_challenges(text in ".{0,42}|.{129,200}|.{20} .{40}") {
            prop_assert_eq!(challenge(&text, Some("s256")), None);
            prop_assert_eq!(challenge(&"a".repeat(43), Some(&text)), None);
        }
    }
}
