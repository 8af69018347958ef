//! Cuts a migration into its statements: a Citus coordinator sends the text that a statement came in to its workers, so
//! one text must be one statement.

/// Returns the statements of an SQL text, without the semicolons that end them. Knows quotes, dollar quotes and
/// comments; not the BEGIN ATOMIC of a function's body.
pub(super) fn split(sql: &str) -> Vec<&str> {
    let mut statements = Vec::new();
    let (mut start, mut at, mut says) = (0, 0, false);
    while at < sql.len() {
        let rest = &sql[at..];
        let length = match rest.as_bytes()[0] {
            b';' => {
                if says {
                    statements.push(sql[start..at].trim());
                }
                (start, says) = (at + 1, false);
                1
            }
            b'-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            b'/' if rest.starts_with("/*") => through(rest, 2, "*/"),
            quote @ (b'\'' | b'"') => {
                says = true;
                // A doubled quote reads as the end of one text and the beginning of another.
                through(rest, 1, if quote == b'"' { "\"" } else { "'" })
            }
            b'$' => {
                says = true;
                dollar_tag(&sql[..at], rest).map_or(1, |tag| through(rest, tag.len(), tag))
            }
            _ => {
                let character = rest.chars().next().unwrap_or_default();
                says |= !character.is_whitespace();
                character.len_utf8()
            }
        };
        at += length;
    }
    if says {
        statements.push(sql[start..].trim());
    }
    statements
}

/// The length of what begins with an opening of `open` bytes and ends with `close`.
fn through(text: &str, open: usize, close: &str) -> usize {
    text[open..].find(close).map_or(text.len(), |end| open + end + close.len())
}

/// Returns the `$tag$` that `rest` begins with; a dollar inside a name or before a number begins none.
fn dollar_tag<'a>(before: &str, rest: &'a str) -> Option<&'a str> {
    let in_name = |c: char| c.is_alphanumeric() || c == '_';
    if before.chars().next_back().is_some_and(|c| in_name(c) || c == '$') {
        return None;
    }
    let end = rest[1..].find('$')? + 1;
    let tag = &rest[1..end];
    (tag.chars().all(in_name) && !tag.starts_with(|c: char| c.is_ascii_digit())).then(|| &rest[..=end])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::MIGRATIONS;

    #[test]
    fn a_semicolon_ends_a_statement_only_outside_of_quotes_and_comments() {
        let pieces = [
            "select 'a;''b' || \"c;\"\"d\"",
            "do $$ begin; end $$",
            "select $x$ ; $$ ; $x$, $1, a$b",
            "select 1 -- not; here\n + 1",
            "select /* nor; here */ 2",
        ];
        assert_eq!(split(&(pieces.join(";\n") + ";")), pieces);
        assert_eq!(split(&pieces.join(" ; ; ")), pieces);
        assert_eq!(split("-- only; a comment\n;;"), Vec::<&str>::new());
    }

    #[test]
    fn own_migrations_begin_each_statement_with_a_command() {
        for migration in MIGRATIONS {
            let statements = split(migration.sql);
            assert!(!statements.is_empty());
            for statement in statements {
                let command = statement.lines().find(|line| !line.is_empty() && !line.starts_with("--"));
                let word = command.and_then(|line| line.split(' ').next()).unwrap_or_default();
                let known =
                    ["alter", "comment", "create", "do", "drop", "grant", "insert", "revoke", "update"];
                assert!(known.contains(&word), "{}: {statement}", migration.name);
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_but_semicolons_and_space_is_lost(text in "[a;'\"$ \né]{0,60}") {
            let mut rest = text.as_str();
            for statement in split(&text) {
                prop_assert!(!statement.is_empty());
                let (before, after) = rest.split_once(statement).unwrap();
                prop_assert_eq!(before.trim_matches([';', ' ', '\n']), "");
                rest = after;
            }
            prop_assert_eq!(rest.trim_matches([';', ' ', '\n']), "");
        }

        #[test]
        fn any_text_can_be_cut(text in "[a;'\"$ \n/*é-]{0,60}") {
            prop_assert!(split(&text).iter().map(|statement| statement.len()).sum::<usize>() <= text.len());
        }
    }
}
