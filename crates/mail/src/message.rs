//! Messages: plain text, one recipient, and no header that anybody but this program writes.

use std::fmt;

use jiff::Timestamp;
use lettre::{
    Address,
    message::{
        Body, Mailbox,
        header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue},
    },
};
use novelfoundry_core::random_token;

use crate::MailError;

/// As RFC 5322 has it, without the line end.
const MAX_LINE_BYTES: usize = 998;

/// A message. Its text may hold a secret link, so `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The address of the recipient, without a name.
    pub to: String,
    /// One line.
    pub subject: String,
    /// Plain text; lines end with `\n`.
    pub body: String,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Message")
    }
}

/// Whom messages come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender(Mailbox);

impl Sender {
    /// Reads `mail@example.com` or `Name <mail@example.com>`.
    pub fn parse(text: &str) -> Option<Self> {
        let one_line = !text.chars().any(char::is_control);
        one_line.then(|| text.parse().ok().map(Self)).flatten()
    }
}

/// The longest address that SMTP carries.
const MAX_ADDRESS_BYTES: usize = 254;

/// Tells whether a text is an address that a message can be sent to.
pub fn is_address(text: &str) -> bool {
    text.len() <= MAX_ADDRESS_BYTES && text.parse::<Address>().is_ok() && !text.chars().any(char::is_control)
}

impl Message {
    /// Writes the message down as it is sent.
    pub(crate) fn compose(&self, from: &Sender, now: Timestamp) -> Result<lettre::Message, MailError> {
        let to: Address =
            self.to.parse().map_err(|_| MailError::Message("the recipient's address is not one"))?;
        // What comes next would be a header of somebody else's making.
        if self.to.chars().chain(self.subject.chars()).any(char::is_control) {
            return Err(MailError::Message("the recipient and the subject are one line each"));
        }
        let id = format!("<{}@{}>", random_token(16).expose(), from.0.email.domain());
        // Tells an absence notice not to answer.
        let automatic =
            HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned());
        lettre::Message::builder()
            .from(from.0.clone())
            .to(Mailbox::new(None, to))
            .subject(self.subject.clone())
            .date(now.into())
            .message_id(Some(id))
            .raw_header(automatic)
            .header(ContentType::TEXT_PLAIN)
            .body(body(&self.body))
            .map_err(|_| MailError::Message("it cannot be written down"))
    }
}

/// Leaves plain lines as they are, so that a link can be copied out of a kept message; what cannot go so is encoded.
fn body(text: &str) -> Body {
    let goes =
        |line: &str| line.len() <= MAX_LINE_BYTES && line.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if text.split('\n').all(goes) {
        Body::dangerous_pre_encoded(
            text.replace('\n', "\r\n").into_bytes(),
            ContentTransferEncoding::SevenBit,
        )
    } else {
        Body::new(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(to: &str, subject: &str, body: &str) -> Result<String, MailError> {
        let from = Sender::parse("Novels <novels@example.com>").unwrap();
        let message = Message { to: to.to_owned(), subject: subject.to_owned(), body: body.to_owned() };
        let letter = message.compose(&from, Timestamp::from_second(1_790_000_000).unwrap())?;
        Ok(String::from_utf8(letter.formatted()).unwrap())
    }

    /// Returns the names of the headers, and the body.
    fn parts(letter: &str) -> (Vec<&str>, &str) {
        let (head, body) = letter.split_once("\r\n\r\n").unwrap();
        let names = head.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
        (names.map(|line| line.split_once(':').unwrap().0).collect(), body)
    }

    const HEADERS: [&str; 8] = [
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "Content-Type",
        "Content-Transfer-Encoding",
    ];

    fn is_ours(letter: &str) -> bool {
        let mut names = parts(letter).0;
        names.retain(|name| *name != "MIME-Version");
        let mut expected = HEADERS.to_vec();
        names.sort_unstable();
        expected.sort_unstable();
        names == expected
    }

    #[test]
    fn a_message_is_written_as_others_read_it() {
        let letter =
            written("anna@example.com", "Grüße", "One\n.two\n\nhttps://x.example/?a=b&c=d\n").unwrap();
        assert!(is_ours(&letter), "{letter}");
        assert!(letter.contains("From: Novels <novels@example.com>\r\n"), "{letter}");
        assert!(letter.contains("\r\nTo: anna@example.com\r\n"), "{letter}");
        assert!(letter.contains("Date: Mon, 21 Sep 2026 14:13:20 +0000\r\n"), "{letter}");
        assert!(letter.contains("Content-Type: text/plain; charset=utf-8\r\n"), "{letter}");
        assert_eq!(parts(&letter).1, "One\r\n.two\r\n\r\nhttps://x.example/?a=b&c=d\r\n");
        let long = format!("https://x.example/?{}=\n", "a".repeat(900));
        let letter = written("anna@example.com", "x", &long).unwrap();
        assert_eq!(parts(&letter).1, long.replace('\n', "\r\n"), "a link stays whole");
        let longer = written("anna@example.com", "x", &"a".repeat(999)).unwrap();
        assert!(longer.lines().all(|line| line.len() <= 998), "{longer}");
        let umlauts = written("anna@example.com", "x", "Grüße").unwrap();
        assert!(umlauts.is_ascii(), "{umlauts}");
    }

    #[test]
    fn nobody_else_writes_a_header() {
        for (to, subject) in [
            ("anna@example.com\r\nBcc: all@example.com", "x"),
            ("anna@example.com\nBcc: all@example.com", "x"),
            ("anna@example.com, berta@example.com", "x"),
            ("anna@example.com>\r\nRCPT TO:<berta@example.com", "x"),
            ("Anna <anna@example.com>", "x"),
            ("anna@example.com", "x\r\nBcc: all@example.com"),
            ("anna@example.com", "x\rBcc: all@example.com"),
            ("anna@example.com", "x\n\nA body"),
            ("anna@example.com", "x\0"),
            ("", "x"),
        ] {
            assert!(matches!(written(to, subject, "x"), Err(MailError::Message(_))), "{to:?} {subject:?}");
        }
        for from in ["", "x", "a@b.example\r\nBcc: c@d.example", "a@b.example, c@d.example"] {
            assert_eq!(Sender::parse(from), None, "{from:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_given_the_headers_are_these(
            local in "[a-z]{0,5}[ -~\r\n\u{85}\u{2028}]{0,12}", subject in any::<String>(), body in any::<String>()
        ) {
            if let Ok(letter) = written(&format!("{local}@example.com"), &subject, &body) {
                prop_assert!(is_ours(&letter), "{}", letter);
            }
            if let Ok(letter) = written("anna@example.com", &subject, &body) {
                prop_assert!(is_ours(&letter), "{}", letter);
            }
        }
    }
}
