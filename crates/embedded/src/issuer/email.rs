//! E-mail addresses: which ones are accepted, and which are the same.

use novelfoundry_core::Secret;

const MAX_BYTES: usize = 254;
const MAX_LOCAL_BYTES: usize = 64;
const MAX_LABEL_BYTES: usize = 63;

/// An address that may be one. Kept out of logs.
#[derive(Clone, Debug)]
pub(super) struct Email {
    /// As it was typed, without the space around it.
    pub(super) typed: Secret,
    /// In lower case: the form no two accounts share.
    pub(super) normalised: Secret,
}

impl Email {
    /// Reads an address in ASCII without quotes or comments, as Supabase Auth does.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@')?;
        let fits = text.len() <= MAX_BYTES
            && (1..=MAX_LOCAL_BYTES).contains(&local.len())
            && local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atom_byte))
            && domain.split('.').all(is_label);
        fits.then(|| Self { typed: Secret::new(text), normalised: Secret::new(text.to_ascii_lowercase()) })
    }
}

fn is_atom_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&byte)
}

fn is_label(label: &str) -> bool {
    (1..=MAX_LABEL_BYTES).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_told_from_other_texts() {
        let longest = format!("{}@{}.example", "a".repeat(64), ["b".repeat(59).as_str(); 3].join("."));
        assert!(longest.len() <= MAX_BYTES);
        for good in ["anna@example.com", " A.b+c@x-y.example ", "o'neil@localhost", "1@2.3", &longest] {
            assert!(Email::parse(good).is_some(), "{good}");
        }
        let too_long = format!("a@{}", ["b".repeat(63).as_str(); 4].join("."));
        let long_local = format!("{}@example.com", "a".repeat(65));
        for bad in [
            "",
            "@",
            "a@",
            "@b",
            "a b@c",
            "a..b@c",
            ".a@b",
            "a@b..c",
            "a@-b",
            "a@b-",
            "a@b@",
            "ä@b.de",
            "a@b\0",
            "a\n@b",
            "\"a\"@b",
            "a@[::1]",
            &too_long,
            &long_local,
        ] {
            assert!(Email::parse(bad).is_none(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn case_and_space_around_do_not_make_another_account(local in "[a-zA-Z0-9+]{1,20}", domain in "[a-zA-Z0-9]{1,20}") {
            let text = format!("{local}@{domain}.example");
            let one = Email::parse(&text).unwrap();
            let other = Email::parse(&format!("\t{} ", text.to_uppercase())).unwrap();
            prop_assert_eq!(one.normalised.expose(), other.normalised.expose());
            prop_assert_eq!(one.typed.expose(), text);
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            if let Some(email) = Email::parse(&text) {
                prop_assert!(email.typed.expose().is_ascii() && email.typed.expose().len() <= MAX_BYTES);
            }
        }
    }
}
