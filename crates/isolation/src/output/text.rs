//! What all formats need before they escape for themselves. Names of objects are anybody's choice: they may hold line
//! ends, escape sequences for terminals, and marks that turn the direction of what follows.

use std::fmt::Write as _;

/// Shows what would be invisible or would act on a terminal as an escape; line ends and tabs stay.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '\n' | '\t') || !acts(character) {
            shown.push(character);
        } else {
            let _ = write!(shown, "{}", character.escape_unicode());
        }
    }
    shown
}

/// Shows a text in one line: line ends as `\n`, tabs as a space.
pub(crate) fn line(text: &str) -> String {
    visible(&text.trim().replace("\r\n", "\n")).replace('\n', "\\n").replace('\t', " ")
}

/// Writes what would be invisible or would act on a terminal as JSON's own escapes; only texts can hold it.
pub(crate) fn plain_json(json: &str) -> String {
    let mut plain = String::with_capacity(json.len());
    for character in json.chars() {
        if character == '\n' || !acts(character) {
            plain.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(plain, "\\u{unit:04x}");
            }
        }
    }
    plain
}

/// Cuts a line where it would be too long to be read.
pub(crate) fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        None => text.to_owned(),
        Some((at, _)) => format!("{} …", text[..at].trim_end()),
    }
}

/// Returns the first statement of a repair, so far as it fits into a line.
pub(crate) fn first_statement(fix: &str) -> String {
    let lines: Vec<&str> = fix.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let statement = lines.iter().find(|line| !line.starts_with("--")).or_else(|| lines.first());
    let more = if lines.len() > 1 { " …" } else { "" };
    statement.map_or_else(String::new, |statement| format!("{}{more}", line(statement)))
}

/// Puts each line of a text behind the mark of an SQL comment.
pub(crate) fn comment(text: &str) -> String {
    let shown = visible(&text.replace("\r\n", "\n"));
    shown.lines().map(|line| format!("-- {line}").trim_end().to_owned() + "\n").collect()
}

/// Counts in words: `1 object`, `2 objects`.
pub(crate) fn count(number: usize, one: &str) -> String {
    format!("{} {one}{}", thousands(number), if number == 1 { "" } else { "s" })
}

/// Writes a number with commas between thousands.
pub(crate) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut written = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            written.push(',');
        }
        written.push(digit);
    }
    written
}

fn acts(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_line_is_one_line_and_leaves_the_terminal_alone(text in any::<String>()) {
            let line = line(&text);
            prop_assert!(!line.chars().any(char::is_control), "{line:?}");
        }

        #[test]
        fn plain_text_stays(text in "[a-zA-Zäöü€\"'%<>&.]*") {
            prop_assert_eq!(visible(&text), text.clone());
            prop_assert_eq!(line(&text), text);
        }

        #[test]
        fn json_means_the_same_when_it_is_plain(text in any::<String>()) {
            let plain = plain_json(&serde_json::to_string(&text).unwrap());
            prop_assert!(!plain.chars().any(acts));
            prop_assert_eq!(serde_json::from_str::<String>(&plain).unwrap(), text);
        }

        #[test]
        fn every_line_of_a_comment_is_one(text in any::<String>()) {
            let comment = comment(&text);
            prop_assert!(comment.split_terminator(['\n', '\r']).all(|line| line.starts_with("--")));
        }
    }

    #[test]
    fn numbers_and_statements_are_short() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(count(1, "leak"), "1 leak");
        assert_eq!(cut("abcdef", 3), "abc …");
        assert_eq!(first_statement("-- why\nalter table t;\nalter table u;"), "alter table t; …");
        assert_eq!(first_statement("-- decide"), "-- decide");
        assert_eq!(line("a\u{1b}[31m\u{202e}b\r\nc"), "a\\u{1b}[31m\\u{202e}b\\nc");
    }
}
