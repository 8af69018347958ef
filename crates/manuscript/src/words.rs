//! What counts as a word, so that a count can be explained and compared.
//!
//! A word is a run of letters and digits of any script, with the marks that combine with them. Apostrophes, hyphens,
//! underscores and dots join two such runs into one word (`don't`, `well-known`, `p.m.`, `3.14`), and so does a comma
//! between digits (`1,000`). Dashes part words, two hyphens in a row included, and so does everything else. A run of
//! ideographs without a space counts as one word, as it does for word processors that count by spaces.

use unicode_segmentation::UnicodeSegmentation;

/// Returns the words of a text in order.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let start = rest.find(char::is_alphanumeric)?;
        rest = rest.get(start..)?;
        let (word, tail) = rest.split_at(word_length(rest));
        rest = tail;
        Some(word)
    })
}

/// Counts the words of a text.
pub fn count_words(text: &str) -> u64 {
    words(text).count() as u64
}

/// Returns the bytes of the word a text starts with; its first character is a letter or digit.
fn word_length(text: &str) -> usize {
    let mut end = 0;
    let mut last = '\0';
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if !(c.is_alphanumeric() || combines(c)) {
            let next = chars.peek().map(|(_, next)| *next).filter(|next| next.is_alphanumeric());
            let joined = next.is_some_and(|next| joins(c, last, next));
            if !joined {
                break;
            }
        }
        end = at + c.len_utf8();
        last = c;
    }
    end
}

/// Says whether a character between two letters or digits makes one word of them.
fn joins(c: char, before: char, after: char) -> bool {
    match c {
        '\'' | '’' | '‘' | 'ʼ' | '＇' | '-' | '‐' | '‑' | '.' | '_' | '·' | '\u{ad}' | '\u{2060}'
        | '\u{feff}' => true,
        ',' => before.is_ascii_digit() && after.is_ascii_digit(),
        _ => false,
    }
}

/// Says whether a character attaches to the letter before it: accents, vowel signs, joiners.
fn combines(c: char) -> bool {
    if c.is_ascii() || matches!(c, '\u{2010}'..='\u{2027}' | '\u{3000}'..='\u{3020}') {
        return false;
    }
    let mut utf8 = [0; 5];
    let (base, mark) = utf8.split_at_mut(1);
    base.copy_from_slice(b"a");
    let length = 1 + c.encode_utf8(mark).len();
    utf8.get(..length)
        .and_then(|bytes| str::from_utf8(bytes).ok())
        .is_some_and(|pair| pair.graphemes(true).nth(1).is_none())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn joiners_join_and_dashes_part() {
        for (text, expected) in [
            ("don't well-known l’été o'clock", vec!["don't", "well-known", "l’été", "o'clock"]),
            ("yes--no a—b c–d e - f", vec!["yes", "no", "a", "b", "c", "d", "e", "f"]),
            ("p.m. 3.14 1,000 one,two U.S.A.", vec!["p.m", "3.14", "1,000", "one", "two", "U.S.A"]),
            ("_nil_ ’tis rock ’n’ roll", vec!["nil", "tis", "rock", "n", "roll"]),
            ("* * * … ““ 👍🏽 —", vec![]),
            (
                "cafe\u{301} Z\u{351}\u{36b}algo สวัสดีชาวโลก",
                vec!["cafe\u{301}", "Z\u{351}\u{36b}algo", "สวัสดีชาวโลก"],
            ),
            ("他说：“你好。”", vec!["他说", "你好"]),
            ("x'' y.. z-", vec!["x", "y", "z"]),
        ] {
            assert_eq!(words(text).collect::<Vec<_>>(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn words_are_slices_in_order_that_hold_every_letter(text in "\\PC{0,200}") {
            let mut at = 0;
            for word in words(&text) {
                let found = at + text[at..].find(word).unwrap();
                prop_assert!(!text[at..found].contains(char::is_alphanumeric));
                at = found + word.len();
            }
            prop_assert!(!text[at..].contains(char::is_alphanumeric));
        }

        #[test]
        fn a_space_between_texts_adds_their_words(a in "\\PC{0,80}", b in "\\PC{0,80}") {
            prop_assert_eq!(count_words(&format!("{a} {b}")), count_words(&a) + count_words(&b));
        }
    }
}
