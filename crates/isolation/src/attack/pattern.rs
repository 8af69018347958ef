//! Texts that match a regular expression, as checks ask for them: `^[A-Z]{2}[0-9]{4}$` wants something to be written
//! that no list of examples holds.

/// What a pattern consists of.
#[derive(Clone, Debug)]
enum Node {
    /// One of these characters.
    Class(Vec<char>),
    /// One of these sequences.
    Either(Vec<Vec<(Node, usize, usize)>>),
}

/// Writes a text that a pattern matches, with letters and digits of `wish` where it leaves the choice.
pub(super) fn example(pattern: &str, wish: &str) -> Option<String> {
    let mut parser = Parser { text: pattern.chars().collect(), at: 0 };
    let sequences = parser.either()?;
    if parser.at != parser.text.len() {
        return None;
    }
    let anchored = pattern.starts_with('^');
    // The end of a mark tells more than its beginning.
    let mut wish: Vec<char> = wish.chars().rev().collect();
    let mut out = String::new();
    if !anchored {
        out.push('x');
    }
    write(sequences.first()?, &mut wish, &mut out);
    Some(out)
}

fn write(sequence: &[(Node, usize, usize)], wish: &mut Vec<char>, out: &mut String) {
    for (node, least, most) in sequence {
        let wanted = (*least).max((*most).min(if *least == *most { *least } else { 6 }));
        for _ in 0..wanted {
            match node {
                Node::Class(allowed) => {
                    let place = wish.iter().position(|c| {
                        allowed.contains(c)
                            || allowed.contains(&c.to_ascii_uppercase())
                            || allowed.contains(&c.to_ascii_lowercase())
                    });
                    let chosen = place.map(|place| wish.remove(place)).map(|c| {
                        [c, c.to_ascii_uppercase(), c.to_ascii_lowercase()]
                            .into_iter()
                            .find(|c| allowed.contains(c))
                            .unwrap_or(c)
                    });
                    out.extend(chosen.or_else(|| allowed.first().copied()));
                }
                Node::Either(sequences) => {
                    if let Some(first) = sequences.first() {
                        write(first, wish, out);
                    }
                }
            }
        }
    }
}

struct Parser {
    text: Vec<char>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    fn either(&mut self) -> Option<Vec<Vec<(Node, usize, usize)>>> {
        let mut sequences = vec![Vec::new()];
        while let Some(c) = self.peek() {
            match c {
                ')' => break,
                '|' => {
                    self.at += 1;
                    sequences.push(Vec::new());
                }
                '^' | '$' => self.at += 1,
                _ => {
                    let node = self.atom()?;
                    let (least, most) = self.quantity()?;
                    sequences.last_mut()?.push((node, least, most));
                }
            }
        }
        Some(sequences)
    }

    fn atom(&mut self) -> Option<Node> {
        match self.next()? {
            '(' => {
                if self.peek() == Some('?') {
                    self.at += 1;
                    // Looking ahead or behind is beyond this.
                    if self.next()? != ':' {
                        return None;
                    }
                }
                let inner = self.either()?;
                (self.next()? == ')').then_some(Node::Either(inner))
            }
            '[' => self.class(),
            '.' => Some(Node::Class(('a'..='z').chain('0'..='9').collect())),
            '\\' => {
                let c = self.next()?;
                Some(Node::Class(escaped(c).unwrap_or_else(|| vec![c])))
            }
            c => Some(Node::Class(vec![c])),
        }
    }

    fn class(&mut self) -> Option<Node> {
        let negated = self.peek() == Some('^');
        if negated {
            self.at += 1;
        }
        let mut members: Vec<char> = Vec::new();
        let mut first = true;
        loop {
            let c = self.next()?;
            match c {
                ']' if !first => break,
                '[' if self.peek() == Some(':') => {
                    let rest: String = self.text[self.at + 1..].iter().collect();
                    let name = rest.split(":]").next()?.to_owned();
                    self.at += name.chars().count() + 3;
                    members.extend(named(&name));
                }
                '\\' => {
                    let c = self.next()?;
                    members.extend(escaped(c).unwrap_or_else(|| vec![c]));
                }
                c if self.peek() == Some('-')
                    && self.text.get(self.at + 1).is_some_and(|end| *end != ']') =>
                {
                    self.at += 1;
                    let end = self.next()?;
                    members.extend(c..=end);
                }
                c => members.push(c),
            }
            first = false;
        }
        if negated {
            let all = ('a'..='z').chain('0'..='9').chain('A'..='Z').chain(['-', '.', ' ']);
            members = all.filter(|c| !members.contains(c)).collect();
        }
        Some(Node::Class(members))
    }

    fn quantity(&mut self) -> Option<(usize, usize)> {
        let found = match self.peek() {
            Some('*') => (0, 8),
            Some('+') => (1, 8),
            Some('?') => (0, 1),
            Some('{') => {
                let rest: String = self.text[self.at + 1..].iter().take_while(|c| **c != '}').collect();
                let (least, most) = match rest.split_once(',') {
                    None => {
                        let count = rest.parse().ok()?;
                        (count, count)
                    }
                    Some((least, "")) => {
                        let least: usize = least.parse().ok()?;
                        (least, least + 4)
                    }
                    Some((least, most)) => (least.parse().ok()?, most.parse().ok()?),
                };
                self.at += rest.chars().count() + 1;
                (least, most)
            }
            _ => return Some((1, 1)),
        };
        self.at += 1;
        if self.peek() == Some('?') {
            self.at += 1;
        }
        Some(found)
    }
}

fn escaped(c: char) -> Option<Vec<char>> {
    Some(match c {
        'd' => ('0'..='9').collect(),
        'w' => ('a'..='z').chain('0'..='9').chain('A'..='Z').chain(['_']).collect(),
        's' => vec![' '],
        'm' | 'M' | 'y' | 'A' | 'Z' | 'b' => Vec::new(),
        _ => return None,
    })
}

fn named(name: &str) -> Vec<char> {
    match name {
        "alpha" => ('a'..='z').chain('A'..='Z').collect(),
        "digit" => ('0'..='9').collect(),
        "alnum" => ('a'..='z').chain('0'..='9').chain('A'..='Z').collect(),
        "upper" => ('A'..='Z').collect(),
        "lower" => ('a'..='z').collect(),
        "xdigit" => ('0'..='9').chain('a'..='f').collect(),
        "space" | "blank" => vec![' '],
        "punct" => vec!['-', '.'],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use regex_lite::Regex;

    use super::*;

    #[test]
    fn an_example_matches_its_pattern() {
        for pattern in [
            "^[A-Z]{2}[0-9]{4}$",
            "^[a-z0-9]+(-[a-z0-9]+)*$",
            "^\\+?[0-9]{7,15}$",
            "^[^@\\s]+@[^@\\s]+\\.[a-z]{2,}$",
            "^(GB|DE)\\d{9}$",
            "^#[a-z0-9-]+$",
            "^[A-HJ-NPR-Z0-9]{17}$",
            "^L[0-9]{6}$",
            "^[A-Z]{1,3}-[A-Z0-9]{1,8}$",
            "^[0-9]{1,2}[a-f]$",
            "@",
            "^https?://.+",
            "^[[:alpha:]][[:alnum:]_]{2,20}$",
        ] {
            let text = example(pattern, "zqb1f2c001").unwrap();
            assert!(Regex::new(pattern).unwrap().is_match(&text), "{pattern}: {text}");
            let other = example(pattern, "zqa9e3d777").unwrap();
            assert!(Regex::new(pattern).unwrap().is_match(&other), "{pattern}: {other}");
        }
    }

    #[test]
    fn what_cannot_be_written_is_left_alone() {
        for pattern in ["(?=a)b", "[a", "a{x}", "(a"] {
            assert_eq!(example(pattern, "x"), None, "{pattern}");
        }
    }
}
