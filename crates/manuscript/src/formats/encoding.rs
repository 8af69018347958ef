//! Bytes to Unicode text, for the formats that do not say how they are encoded.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// A decoded text and how many replacement characters decoding put into it.
pub(crate) struct Decoded {
    pub(crate) text: String,
    pub(crate) replaced: u64,
}

/// Names the encoding: by byte order mark, else by zero bytes (UTF-16), else UTF-8 unless hardly any of it is.
pub(crate) fn guess(bytes: &[u8]) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return encoding;
    }
    if let Some(encoding) = guess_utf16(bytes) {
        return encoding;
    }
    let (sequences, errors) = utf8_evidence(bytes);
    // A damaged UTF-8 file keeps most of its multi-byte sequences; in Windows-1252 text they arise by rare chance.
    if errors == 0 || sequences > errors { UTF_8 } else { WINDOWS_1252 }
}

/// Decodes the whole input in the guessed encoding, without its byte order mark.
pub(crate) fn decode(bytes: &[u8]) -> Decoded {
    let encoding = guess(bytes);
    let (text, malformed) = encoding.decode_with_bom_removal(bytes);
    let text = text.into_owned();
    let mut replaced = 0;
    if malformed {
        let own = if encoding == UTF_8 { count_replacements(bytes) } else { 0 };
        let total = text.chars().filter(|&c| c == char::REPLACEMENT_CHARACTER).count();
        replaced = total.saturating_sub(own) as u64;
    }
    Decoded { text, replaced }
}

/// Counts replacement characters that stood in the file already.
fn count_replacements(bytes: &[u8]) -> usize {
    bytes.windows(3).filter(|window| *window == b"\xef\xbf\xbd").count()
}

/// Recognises UTF-16 without a byte order mark by zero bytes on one side only.
fn guess_utf16(bytes: &[u8]) -> Option<&'static Encoding> {
    let sample = bytes.get(..bytes.len().min(4096)).unwrap_or_default();
    let pairs = sample.len() / 2;
    let zeros = |side: usize| sample.chunks_exact(2).filter(|pair| pair.get(side) == Some(&0)).count();
    let (high, low) = (zeros(0), zeros(1));
    if pairs == 0 || high.max(low) * 10 < pairs * 4 || high.min(low) * 50 > pairs {
        return None;
    }
    Some(if high > low { UTF_16BE } else { UTF_16LE })
}

/// Counts well-formed multi-byte sequences and malformed ones.
fn utf8_evidence(bytes: &[u8]) -> (usize, usize) {
    let (mut sequences, mut errors) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        sequences += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        errors += usize::from(!chunk.invalid().is_empty());
    }
    (sequences, errors)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn utf16_text_survives_with_and_without_its_mark(words in "[ -~\n]{20,200}", mark in any::<bool>(), big in any::<bool>()) {
            let mut units: Vec<u16> = words.encode_utf16().collect();
            if mark {
                units.insert(0, 0xfeff);
            }
            let bytes: Vec<u8> =
                units.iter().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect();
            let decoded = decode(&bytes);
            prop_assert_eq!(decoded.text, words);
            prop_assert_eq!(decoded.replaced, 0);
        }

        #[test]
        fn valid_utf8_is_never_taken_for_anything_else(text in "\\PC{0,200}") {
            prop_assert_eq!(decode(text.as_bytes()).text, text.strip_prefix('\u{feff}').unwrap_or(&text));
        }
    }

    #[test]
    fn windows_1252_keeps_its_accents_and_quotes() {
        let decoded = decode(b"\x93Cun\xe9gonde\x94 \x97 l'\xe9t\xe9");
        assert_eq!(decoded.text, "“Cunégonde” — l'été");
        assert_eq!(decoded.replaced, 0);
    }

    #[test]
    fn a_pair_of_windows_1252_that_looks_like_utf8_decides_nothing() {
        assert_eq!(decode(b"caf\xe9, \xc3\xa9t\xe9, na\xefve").text, "café, Ã©té, naïve");
    }

    #[test]
    fn a_few_bad_bytes_are_counted_and_the_replacement_that_stood_there_is_not() {
        let decoded = decode(b"d\xc3\xa9j\xc3\xa0 \xff vu \xef\xbf\xbd \xc3\xa9t\xc3\xa9");
        assert_eq!(decoded.text, "déjà \u{fffd} vu \u{fffd} été");
        assert_eq!(decoded.replaced, 1);
    }
}
