//! The marks inside a paragraph: taken off, so that neither `un*believ*able` nor a link counts as other words than
//! the reader sees.

/// The entities that prose is typed with; XML's own five included.
const ENTITIES: &[(&str, char)] = &[
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", '\u{a0}'),
    ("mdash", '—'),
    ("ndash", '–'),
    ("hellip", '…'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("emsp", '\u{2003}'),
    ("ensp", '\u{2002}'),
];

/// Returns the text as shown; every look ahead stops where the next could start, so the time is linear.
pub(crate) fn plain(source: &str) -> String {
    let mut shown = String::with_capacity(source.len());
    let mut at = 0;
    // Where the brackets of the link being read close, and where its target ends.
    let mut link: Option<(usize, usize)> = None;
    while let Some(c) = source.get(at..).and_then(|rest| rest.chars().next()) {
        let next = at + c.len_utf8();
        let rest = source.get(next..).unwrap_or_default();
        if let Some((close, end)) = link
            && at == close
        {
            link = None;
            at = end;
            continue;
        }
        at = next
            + match c {
                '\\' => escaped(&mut shown, rest),
                '*' | '_' | '`' | '~' => marks(&mut shown, c, rest),
                '!' if rest.starts_with('[') => match bracketed(rest.get(1..).unwrap_or_default()) {
                    // A picture's description is not part of the text.
                    Some((_, end)) => 1 + end,
                    None => literal(&mut shown, c),
                },
                '[' if rest.starts_with('^') => match rest.find([']', '[']) {
                    Some(end) if rest[end..].starts_with("]:") => end + 2,
                    Some(end) if rest[end..].starts_with(']') => end + 1,
                    _ => literal(&mut shown, c),
                },
                '[' => match bracketed(rest) {
                    Some((close, end)) => {
                        link = Some((next + close, next + end));
                        0
                    }
                    None => literal(&mut shown, c),
                },
                '<' => tag(&mut shown, rest),
                '&' => entity(&mut shown, rest),
                c => literal(&mut shown, c),
            };
    }
    shown
}

fn literal(shown: &mut String, c: char) -> usize {
    shown.push(c);
    0
}

fn escaped(shown: &mut String, rest: &str) -> usize {
    match rest.chars().next() {
        Some(c) if c.is_ascii_punctuation() => {
            shown.push(c);
            1
        }
        // At the end of a line it breaks the line.
        Some('\n') => 0,
        _ => literal(shown, '\\'),
    }
}

/// Drops a run of emphasis or code marks, unless it stands alone or in a number or, as `_` may, in a word.
fn marks(shown: &mut String, mark: char, rest: &str) -> usize {
    let after = rest.trim_start_matches(mark);
    let length = rest.len() - after.len();
    let (before, behind) = (shown.chars().next_back(), after.chars().next());
    let joins = |test: fn(char) -> bool| before.is_some_and(test) && behind.is_some_and(test);
    let alone = before.is_none_or(char::is_whitespace) && behind.is_none_or(char::is_whitespace);
    let kept = match mark {
        '~' => alone || length == 0,
        '_' => alone || joins(char::is_alphanumeric),
        _ => alone || joins(|c| c.is_ascii_digit()),
    };
    if kept {
        shown.extend(std::iter::repeat_n(mark, length + 1));
    }
    length
}

/// Finds the end of a link's or picture's brackets and of the target behind them.
fn bracketed(rest: &str) -> Option<(usize, usize)> {
    let close = rest.find(['[', ']'])?;
    let target = rest.get(close..)?.strip_prefix(']')?;
    let (open, shut) = match target.chars().next()? {
        '(' => ('(', ')'),
        '[' => ('[', ']'),
        _ => return None,
    };
    let inner = target.get(1..)?;
    let mut depth = 0_usize;
    let end = inner.find(|c: char| {
        depth += usize::from(c == open && c == '(');
        let shuts = c == shut && depth == 0;
        if c == shut {
            depth = depth.saturating_sub(1);
        }
        shuts || c == '[' || c == '\n'
    })?;
    let ends = inner.get(end..)?.starts_with(shut);
    ends.then_some((close, close + 1 + 1 + end + 1))
}

/// Drops a tag of HTML and keeps an address in angle brackets.
fn tag(shown: &mut String, rest: &str) -> usize {
    let is_tag = rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let Some(end) = rest.find(['<', '>']).filter(|&end| is_tag && rest[end..].starts_with('>')) else {
        return literal(shown, '<');
    };
    let inner = rest.get(..end).unwrap_or_default();
    if !inner.contains(char::is_whitespace) && (inner.contains("://") || inner.contains('@')) {
        shown.push_str(inner);
    } else if inner.starts_with("br") {
        shown.push('\n');
    }
    end + 1
}

fn entity(shown: &mut String, rest: &str) -> usize {
    let name = rest.bytes().take(12).position(|b| b == b';').and_then(|end| rest.get(..end));
    let decoded = name.and_then(|name| match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok().and_then(char::from_u32),
            None => number.parse().ok().and_then(char::from_u32),
        },
        None => ENTITIES.iter().find(|(known, _)| *known == name).map(|(_, c)| *c),
    });
    match (name, decoded) {
        (Some(name), Some(c)) if c != '\0' => {
            shown.push(c);
            name.len() + 1
        }
        // It joins the halves of a word.
        (Some("shy"), _) => 4,
        _ => literal(shown, '&'),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn marks_go_and_words_stay_whole() {
        for (source, shown) in [
            ("un*believ*able **bold** _it_ snake_case_name", "unbelievable bold it snake_case_name"),
            ("2*3 * 4 ~~gone~~ ~5", "2*3 * 4 gone ~5"),
            ("a [link *here*](http://x.org/a_(b) \"t\") b", "a link here b"),
            ("[Exit Lane.] [x][ref] ![alt text](p.png)!", "[Exit Lane.] x !"),
            ("note[^1] and [^2]: the note", "note and  the note"),
            ("a<br/>b <i class='x'>c</i> <http://x.org> 1 < 2", "a\nb c http://x.org 1 < 2"),
            ("AT&amp;T &mdash; caf&#233; two&shy;some &nope; &", "AT&T — café twosome &nope; &"),
            (r"\*not\* a\b", r"*not* a\b"),
            ("[a](", "[a]("),
        ] {
            assert_eq!(plain(source), shown, "{source}");
        }
    }

    proptest! {
        #[test]
        fn plain_words_pass_unchanged(text in "[a-zé’., \n]{0,200}") {
            prop_assert_eq!(plain(&text), text);
        }

        #[test]
        fn any_marks_end_in_a_text_no_longer_than_the_source(text in "[]a\\[()<>!^&;#*_`~\\\\ \n1]{0,200}") {
            prop_assert!(plain(&text).len() <= text.len());
        }
    }
}
