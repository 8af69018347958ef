//! What a download tells the browser: to save the file, under its own name, and never to render it.

use std::fmt::Write as _;

/// Longest name that is sent, in characters, the extension included.
const MAX_CHARACTERS: usize = 120;
const MAX_EXTENSION_CHARACTERS: usize = 10;
const FALLBACK: &str = "file";

/// Media types that a download may name; a browser that renders one after all finds nothing to run in it.
const INERT: [&str; 3] = [
    "text/plain",
    "text/markdown",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
];

/// Returns the media type where it is known to be inert, else that of plain bytes.
pub(crate) fn inert_media_type(media_type: &str) -> &'static str {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    INERT.into_iter().find(|inert| essence.eq_ignore_ascii_case(inert)).unwrap_or("application/octet-stream")
}

/// Returns a `content-disposition` of RFC 6266 that saves the file as `filename`.
///
/// Path separators, control characters and marks that reorder text are taken out of the name. The plain form is for
/// clients that do not know the extended one of RFC 8187.
pub(crate) fn attachment(filename: &str) -> String {
    let name = tidy(filename);
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') || c == ' ' { c } else { '_' })
        .collect();
    let mut text = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''");
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

fn tidy(filename: &str) -> String {
    let kept: Vec<char> = filename
        .chars()
        .filter(|c| !c.is_control() && !is_invisible(*c))
        .map(|c| if "/\\:*?\"<>|".contains(c) { '_' } else { c })
        .collect();
    // Dots and spaces at the ends hide a file, or are cut off by the system it is saved on.
    let text: String = kept.into_iter().collect();
    let text = text.trim_matches(|c: char| c == '.' || c.is_whitespace());
    if text.is_empty() {
        return FALLBACK.into();
    }
    let length = text.chars().count();
    if length <= MAX_CHARACTERS {
        return text.into();
    }
    let extension = text
        .rsplit_once('.')
        .map(|(_, extension)| extension)
        .filter(|extension| extension.chars().count() <= MAX_EXTENSION_CHARACTERS);
    match extension {
        Some(extension) => {
            let room = MAX_CHARACTERS - 1 - extension.chars().count();
            let stem: String = text.chars().take(room).collect();
            format!("{stem}.{extension}")
        }
        None => text.chars().take(MAX_CHARACTERS).collect(),
    }
}

/// Says whether a character takes no room or changes the direction of what follows.
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn odd_names_are_saved_under_what_can_be_read_of_them() {
        for (name, plain, extended) in [
            ("novel.docx", "novel.docx", "novel.docx"),
            ("My Novel.docx", "My Novel.docx", "My%20Novel.docx"),
            ("Émile.txt", "_mile.txt", "%C3%89mile.txt"),
            ("Война.md", "_____.md", "%D0%92%D0%BE%D0%B9%D0%BD%D0%B0.md"),
            ("\u{1f4d6}.txt", "_.txt", "%F0%9F%93%96.txt"),
            ("a\"; filename=\"evil.exe", "a_; filename=_evil.exe", "a_%3B%20filename%3D_evil.exe"),
            ("a\r\nset-cookie: x=1", "aset-cookie_ x=1", "aset-cookie_%20x%3D1"),
            ("../../etc/passwd", "_.._etc_passwd", "_.._etc_passwd"),
            ("..\\x\\y.txt", "_x_y.txt", "_x_y.txt"),
            ("100%.txt", "100_.txt", "100%25.txt"),
            ("it's (1).txt", "it's (1).txt", "it%27s%20%281%29.txt"),
            ("cod\u{202e}txt.exe", "codtxt.exe", "codtxt.exe"),
            (".htaccess", "htaccess", "htaccess"),
            ("novel. ", "novel", "novel"),
            ("", "file", "file"),
            ("...", "file", "file"),
            ("\0\u{200b}", "file", "file"),
        ] {
            let expected = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{extended}");
            assert_eq!(attachment(name), expected, "{name:?}");
        }
        let long = format!("{}.docx", "é".repeat(4000));
        assert_eq!(attachment(&long).rsplit('.').next(), Some("docx"));
        assert!(attachment(&long).len() < 1000);
    }

    #[test]
    fn only_inert_types_are_named() {
        for (given, sent) in [
            ("text/plain", "text/plain"),
            ("Text/Plain; charset=utf-8", "text/plain"),
            ("text/markdown", "text/markdown"),
            ("text/html", "application/octet-stream"),
            ("text/plain,text/html", "application/octet-stream"),
            ("image/svg+xml", "application/octet-stream"),
            ("text/plain\r\nx: y", "application/octet-stream"),
            ("", "application/octet-stream"),
        ] {
            assert_eq!(inert_media_type(given), sent, "{given:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_name_gives_a_short_header_of_two_names(name in "(?s).{0,400}") {
            let text = attachment(&name);
            prop_assert!(text.len() <= 2000);
            prop_assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            prop_assert_eq!(text.matches('"').count(), 2);
            let (_, extended) = text.split_once("filename*=UTF-8''").unwrap();
            prop_assert!(!extended.is_empty());
            prop_assert!(extended.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~%".contains(&byte)));
        }
    }
}
