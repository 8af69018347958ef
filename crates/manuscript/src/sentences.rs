//! Where sentences end, told from the dots that end none.

/// Abbreviations that a name or a number follows, in lower case without their dot.
const BEFORE_NAMES: &[&str] = &[
    "mr", "mrs", "ms", "mme", "mlle", "dr", "prof", "st", "ste", "sr", "jr", "rev", "hon", "col", "capt",
    "lt", "gen", "sgt", "maj", "mt", "vol", "fig", "vs", "cf", "etc", "hr", "fr", "nr", "bzw", "sra", "srta",
];

/// Counts the sentences of a paragraph.
///
/// A sentence ends at `.`, `!`, `?`, `…` or its counterpart in another script, where closing quotes and brackets and
/// then a space and no lower-case letter follow, or the paragraph ends. An unfinished rest of two words or more
/// counts as well; an initial's or an abbreviation's dot ends nothing.
pub(crate) fn count_sentences(text: &str) -> u64 {
    let mut sentences = 0;
    let mut words = 0_u64;
    let mut word = Word::default();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_alphanumeric() {
            words += u64::from(word.is_over());
            word.add(c);
            continue;
        }
        if !is_terminator(c) {
            word.end_unless(matches!(c, '\'' | '’' | '-'));
            continue;
        }
        let only_dot = c == '.' && !chars.peek().is_some_and(|next| is_terminator(*next));
        let abbreviated = only_dot && word.abbreviates();
        word.end_unless(false);
        while chars.next_if(|next| is_terminator(*next) || is_closer(*next)).is_some() {}
        let ends = match chars.peek() {
            None => true,
            Some(next) if is_wide(c) => !is_terminator(*next),
            Some(next) if !next.is_whitespace() => false,
            Some(_) => {
                while chars.next_if(|next| next.is_whitespace() || is_opener(*next)).is_some() {}
                !abbreviated && !chars.peek().is_some_and(|next| next.is_lowercase() || is_terminator(*next))
            }
        };
        if ends && words > 0 {
            sentences += 1;
            words = 0;
        }
    }
    sentences + u64::from(words >= 2)
}

/// The beginning of the word being read, as much as an abbreviation needs.
#[derive(Default)]
struct Word {
    start: String,
    length: usize,
    over: bool,
}

impl Word {
    fn is_over(&self) -> bool {
        self.over || self.length == 0
    }

    fn add(&mut self, c: char) {
        if self.over {
            self.start.clear();
            self.length = 0;
            self.over = false;
        }
        self.length += 1;
        if self.length <= 5 {
            self.start.push(c);
        }
    }

    fn end_unless(&mut self, joined: bool) {
        self.over |= !joined;
    }

    fn abbreviates(&self) -> bool {
        if self.over || self.length > 5 {
            return false;
        }
        // "I" ends sentences far more often than it abbreviates a name.
        let initial = self.length == 1 && self.start != "I" && self.start.chars().all(char::is_uppercase);
        initial || BEFORE_NAMES.contains(&self.start.to_lowercase().as_str())
    }
}

fn is_terminator(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '…' | '‽' | '؟' | '۔' | '।' | '։') || is_wide(c)
}

/// Terminators of scripts that put no space behind them.
fn is_wide(c: char) -> bool {
    matches!(c, '。' | '！' | '？' | '｡')
}

fn is_closer(c: char) -> bool {
    matches!(c, '"' | '\'' | '”' | '’' | '»' | '›' | ')' | ']' | '」' | '』' | '_' | '*')
}

fn is_opener(c: char) -> bool {
    matches!(c, '"' | '\'' | '“' | '‘' | '„' | '«' | '‹' | '(' | '[' | '「' | '_' | '*' | '—' | '–')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_ends_a_sentence_counts() {
        for (text, expected) in [
            ("It was dark. It rained!", 2),
            ("“My dear Mr. Bennet,” said she. “No.”", 2),
            ("“What?” he asked. (Nobody spoke.) J. R. Smith left.", 3),
            ("Wait . . . what… now?", 1),
            ("It was I. Then nothing.", 2),
            ("It cost 3.14 and www.example.org was down.", 1),
            ("他说：“你好，世界。”然后离开了。", 2),
            ("No end here", 1),
            ("Word", 0),
            ("* * *", 0),
            ("", 0),
            ("He said no. She left.", 2),
        ] {
            assert_eq!(count_sentences(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn there_is_at_most_one_sentence_a_word(text in "\\PC{0,200}") {
            let letters = text.chars().filter(|c| c.is_alphanumeric()).count() as u64;
            prop_assert!(count_sentences(&text) <= letters);
        }
    }
}
