//! What every text says about its writer, so that it is known again wherever it turns up: in an answer, a row, a file.

use std::fmt;

use uuid::Uuid;

/// Who wrote a text, and in which step of the history. Plain letters and digits: they survive slugs and word counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Marker {
    pub(crate) tenant: usize,
    pub(crate) user: usize,
    pub(crate) serial: u64,
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "zq{}t{}u{}s", self.tenant, self.user, self.serial)
    }
}

impl Marker {
    /// Finds the markers in any bytes.
    pub(crate) fn find(bytes: &[u8]) -> Vec<Self> {
        let starts = bytes.windows(2).enumerate().filter(|(_, pair)| *pair == b"zq");
        starts.filter_map(|(at, _)| Self::read(&bytes[at + 2..])).collect()
    }

    /// Returns the only marker of a text.
    pub(crate) fn of(text: &str) -> Option<Self> {
        match Self::find(text.as_bytes())[..] {
            [marker] => Some(marker),
            _ => None,
        }
    }

    fn read(mut bytes: &[u8]) -> Option<Self> {
        let mut number = |end: u8| {
            let length = bytes.iter().position(|byte| !byte.is_ascii_digit())?;
            let (digits, rest) = bytes.split_at(length);
            bytes = rest.strip_prefix(&[end])?;
            std::str::from_utf8(digits).ok()?.parse::<u64>().ok()
        };
        let (tenant, user, serial) = (number(b't')?, number(b'u')?, number(b's')?);
        Some(Self { tenant: usize::try_from(tenant).ok()?, user: usize::try_from(user).ok()?, serial })
    }

    /// Writes a manuscript's text that bears the marker.
    pub(crate) fn text(&self) -> String {
        const WORDS: [&str; 8] = ["salt", "wind", "harbour", "letters", "winter", "glass", "tide", "lamp"];
        let length = usize::try_from(self.serial % 40).unwrap_or(0);
        let words = WORDS.iter().cycle().take(length).map(|word| format!(" {word}"));
        format!("{self}{}.\n", words.collect::<String>())
    }

    /// Returns how many words [`Self::text`] has.
    pub(crate) const fn words(&self) -> u64 {
        self.serial % 40 + 1
    }
}

/// Finds the ids in any bytes.
pub(crate) fn ids(bytes: &[u8]) -> Vec<Uuid> {
    let shaped = |window: &&[u8]| [8, 13, 18, 23].iter().all(|dash| window[*dash] == b'-');
    bytes.windows(36).filter(shaped).filter_map(|window| Uuid::try_parse_ascii(window).ok()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_marker_is_found_amid_anything(
            tenant in 0_usize..100, user in 0_usize..100, serial: u64, before in "[^q]*", after in "[^z]*",
        ) {
            let marker = Marker { tenant, user, serial };
            let text = format!("{before}{marker}{after}");
            prop_assert_eq!(Marker::of(&text), Some(marker));
        }

        #[test]
        fn an_id_is_found_amid_anything(id: u128, before in "[^-]*", after in "[^-]*") {
            let id = Uuid::from_u128(id);
            let text = format!("{before}{id}{after}");
            prop_assert!(ids(text.as_bytes()).contains(&id));
        }

        #[test]
        fn garbage_is_no_marker(bytes: Vec<u8>) {
            Marker::find(&bytes);
            ids(&bytes);
        }
    }

    #[test]
    fn a_text_has_as_many_words_as_it_says() {
        for serial in 0..100 {
            let marker = Marker { tenant: 1, user: 2, serial };
            assert_eq!(u64::try_from(marker.text().split_whitespace().count()).unwrap(), marker.words());
        }
    }
}
