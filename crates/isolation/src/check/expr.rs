//! Expressions and function bodies taken apart just as far as a rule looks: words, literals, operators and brackets.
//! The server writes expressions out with every bracket in place, so brackets are all the grammar that is needed.

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword, number or name with its dots; lower case unless it was quoted.
    Word(String),
    /// A literal's text.
    Text(String),
    /// An operator, comma or cast.
    Symbol(String),
    /// What stands in brackets.
    Group(Vec<Node>),
}

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) token: Token,
    start: usize,
    end: usize,
}

impl Node {
    /// Returns the word that it is.
    pub(super) fn word(&self) -> Option<&str> {
        match &self.token {
            Token::Word(word) => Some(word),
            _ => None,
        }
    }

    fn is_word(&self, wanted: &str) -> bool {
        self.word() == Some(wanted)
    }

    fn is_symbol(&self, wanted: &str) -> bool {
        matches!(&self.token, Token::Symbol(symbol) if symbol == wanted)
    }
}

/// A text and its nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Expr {
    text: String,
    nodes: Vec<Node>,
}

/// A comparison: left side, operator, right side.
pub(super) type Comparison<'a> = (&'a [Node], &'a str, &'a [Node]);

impl Expr {
    /// Takes a text apart; what is not understood becomes a symbol.
    pub(super) fn parse(text: &str) -> Self {
        let mut reader = Reader { text, at: 0 };
        let mut nodes = Vec::new();
        while reader.at < text.len() {
            nodes.extend(reader.group());
            // A closing bracket too many.
            reader.at += 1;
        }
        Self { text: text.to_owned(), nodes }
    }

    /// Returns all nodes.
    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Returns the text of some of its nodes.
    pub(super) fn text_of(&self, nodes: &[Node]) -> &str {
        match (nodes.first(), nodes.last()) {
            (Some(first), Some(last)) => self.text.get(first.start..last.end).unwrap_or_default(),
            _ => "",
        }
    }

    /// Returns what it is a disjunction of.
    pub(super) fn disjuncts(&self) -> Vec<&[Node]> {
        split(&self.nodes, "or")
    }
}

/// Takes away the brackets around everything.
pub(super) fn strip(mut nodes: &[Node]) -> &[Node] {
    while let [Node { token: Token::Group(inner), .. }] = nodes {
        nodes = inner;
    }
    nodes
}

/// Splits by a keyword, through the brackets around each part.
pub(super) fn split<'a>(nodes: &'a [Node], by: &str) -> Vec<&'a [Node]> {
    let nodes = strip(nodes);
    // The parts of a CASE are no parts of a condition.
    if nodes.iter().any(|node| node.is_word("case")) || !nodes.iter().any(|node| node.is_word(by)) {
        return vec![nodes];
    }
    nodes.split(|node| node.is_word(by)).flat_map(|part| split(part, by)).collect()
}

/// Takes away brackets and casts; gives the types that it is cast to, as written.
pub(super) fn strip_casts(nodes: &[Node]) -> (&[Node], Vec<String>) {
    let mut nodes = strip(nodes);
    let mut types = Vec::new();
    while let Some(at) = nodes.iter().rposition(|node| node.is_symbol("::")) {
        let written = nodes[at + 1..].iter().map(|node| node.word().unwrap_or("(").to_owned());
        types.push(written.collect::<Vec<_>>().join(" "));
        nodes = strip(&nodes[..at]);
    }
    (nodes, types)
}

const COMPARISONS: &[&str] = &[
    "=", "<>", "<", ">", "<=", ">=", "~~", "~~*", "!~~", "!~~*", "~", "~*", "^@", "@>", "<@", "&&", "%", "~=",
];

/// Returns the comparison that it is.
pub(super) fn comparison(nodes: &[Node]) -> Option<Comparison<'_>> {
    let nodes = strip(nodes);
    let mut found = None;
    for (at, node) in nodes.iter().enumerate() {
        if let Token::Symbol(symbol) = &node.token
            && COMPARISONS.contains(&symbol.as_str())
        {
            if found.is_some() {
                return None;
            }
            found = Some((&nodes[..at], symbol.as_str(), &nodes[at + 1..]));
        }
    }
    found.filter(|(left, _, right)| !left.is_empty() && !right.is_empty())
}

/// Visits every list of nodes, outermost first.
pub(super) fn visit<'a>(nodes: &'a [Node], seen: &mut impl FnMut(&'a [Node])) {
    seen(nodes);
    for node in nodes {
        if let Token::Group(inner) = &node.token {
            visit(inner, seen);
        }
    }
}

/// Tells whether a word occurs; a name does with or without what stands before its last dot.
pub(super) fn mentions(nodes: &[Node], name: &str) -> bool {
    any_word(nodes, &mut |word| {
        word == name || word.strip_suffix(name).is_some_and(|before| before.ends_with('.'))
    })
}

/// Tells whether a column is named; a function of that name is none.
pub(super) fn names_column(nodes: &[Node], name: &str) -> bool {
    let mut found = false;
    visit(nodes, &mut |list| {
        found |= list.iter().enumerate().any(|(at, node)| {
            let called = matches!(list.get(at + 1), Some(Node { token: Token::Group(_), .. }));
            !called && mentions(std::slice::from_ref(node), name) && node.word().is_some()
        });
    });
    found
}

/// Tells whether some word is as wanted.
pub(super) fn any_word(nodes: &[Node], wanted: &mut impl FnMut(&str) -> bool) -> bool {
    nodes.iter().any(|node| match &node.token {
        Token::Word(word) => wanted(word),
        Token::Group(inner) => any_word(inner, wanted),
        _ => false,
    })
}

/// Returns every call: its name and what stands in its brackets.
pub(super) fn calls(nodes: &[Node]) -> Vec<(&str, &[Node])> {
    let mut found = Vec::new();
    visit(nodes, &mut |list| {
        for pair in list.windows(2) {
            if let (Token::Word(name), Token::Group(arguments)) = (&pair[0].token, &pair[1].token) {
                found.push((name.as_str(), arguments.as_slice()));
            }
        }
    });
    found
}

/// Tells whether it has a sub-select.
pub(super) fn has_select(nodes: &[Node]) -> bool {
    any_word(nodes, &mut |word| word == "select")
}

/// Returns the settings that it reads by name.
pub(super) fn settings(nodes: &[Node]) -> Vec<&str> {
    calls(nodes)
        .into_iter()
        .filter(|(name, _)| last(name) == "current_setting")
        .filter_map(|(_, arguments)| match &strip(arguments).first()?.token {
            Token::Text(text) => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

/// Returns the part of a name behind its last dot.
pub(super) fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let taken: String = self.rest().chars().take_while(|c| wanted(*c)).collect();
        self.at += taken.len();
        taken
    }

    /// Reads up to the closing bracket, and not that.
    fn group(&mut self) -> Vec<Node> {
        let mut nodes = Vec::new();
        while let Some(next) = self.peek() {
            let start = self.at;
            let token = if next.is_whitespace() {
                self.take_while(char::is_whitespace);
                continue;
            } else if self.rest().starts_with("--") {
                self.take_while(|c| c != '\n');
                continue;
            } else if self.rest().starts_with("/*") {
                self.at = self.rest().find("*/").map_or(self.text.len(), |found| self.at + found + 2);
                continue;
            } else if matches!(next, ')' | ']') {
                return nodes;
            } else if matches!(next, '(' | '[') {
                self.at += 1;
                let inner = self.group();
                self.at = (self.at + 1).min(self.text.len());
                Token::Group(inner)
            } else if next == '\'' {
                Token::Text(self.literal())
            } else if let Some(tag) = self.dollar_tag() {
                let inside = &self.rest()[tag.len()..];
                let length = inside.find(&tag).unwrap_or(inside.len());
                let text = inside[..length].to_owned();
                self.at = (self.at + 2 * tag.len() + length).min(self.text.len());
                Token::Text(text)
            } else if next == '"' || next == '_' || next.is_alphanumeric() {
                self.name()
            } else {
                Token::Symbol(self.symbol(next))
            };
            nodes.push(Node { token, start, end: self.at });
        }
        nodes
    }

    fn literal(&mut self) -> String {
        let mut text = String::new();
        self.at += 1;
        while let Some(next) = self.peek() {
            self.at += next.len_utf8();
            if next == '\'' {
                if self.peek() != Some('\'') {
                    break;
                }
                self.at += 1;
            }
            text.push(next);
        }
        text
    }

    fn dollar_tag(&self) -> Option<String> {
        let inside = self.rest().strip_prefix('$')?;
        let length = inside.find('$')?;
        let tag = &inside[..length];
        let is_name = tag.chars().all(|c| c == '_' || c.is_alphanumeric())
            && !tag.starts_with(|c: char| c.is_ascii_digit());
        is_name.then(|| format!("${tag}$"))
    }

    fn name(&mut self) -> Token {
        let mut name = String::new();
        loop {
            if self.peek() == Some('"') {
                self.at += 1;
                while let Some(next) = self.peek() {
                    self.at += next.len_utf8();
                    if next == '"' {
                        if self.peek() != Some('"') {
                            break;
                        }
                        self.at += 1;
                    }
                    name.push(next);
                }
            } else {
                name.push_str(
                    &self.take_while(|c| c == '_' || c == '$' || c.is_alphanumeric()).to_lowercase(),
                );
            }
            let mut after = self.rest().chars();
            let continues = after.next() == Some('.')
                && after.next().is_some_and(|c| c == '"' || c == '_' || c.is_alphanumeric());
            if !continues {
                break;
            }
            name.push('.');
            self.at += 1;
        }
        // A literal with a prefix: its text counts, not the prefix.
        if matches!(name.as_str(), "e" | "b" | "x" | "n") && self.peek() == Some('\'') {
            return Token::Text(self.literal());
        }
        Token::Word(name)
    }

    fn symbol(&mut self, first: char) -> String {
        if matches!(first, ',' | ';') {
            self.at += 1;
            return first.to_string();
        }
        let symbol = self.take_while(|c| "+-*/<>=~!@#%^&|`?:.".contains(c));
        if symbol.is_empty() {
            self.at += first.len_utf8();
            return first.to_string();
        }
        symbol
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_condition_comes_apart_at_its_brackets() {
        let expr = Expr::parse(
            "((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid) OR (status = 'open'::text))",
        );
        let parts = expr.disjuncts();
        assert_eq!(parts.len(), 2);
        let (left, operator, right) = comparison(parts[0]).unwrap();
        assert_eq!((expr.text_of(left), operator), ("tenant_id", "="));
        assert_eq!(settings(right), ["app.tenant_id"]);
        assert_eq!(strip_casts(right).1, ["uuid"]);
        assert!(settings(parts[1]).is_empty());
    }

    #[test]
    fn names_keep_their_dots_and_quotes_their_case() {
        let expr = Expr::parse(r#"(app."Own er".Tenant = m.tenant_id) -- a remark ("#);
        let (left, _, right) = comparison(expr.nodes()).unwrap();
        assert_eq!(left[0].word(), Some("app.Own er.tenant"));
        assert!(mentions(right, "tenant_id") && !mentions(right, "enant_id"));
    }

    #[test]
    fn an_arrow_is_no_comparison() {
        let expr = Expr::parse("(org = (((auth.jwt() -> 'app_metadata'::text) ->> 'org'::text))::uuid)");
        assert_eq!(comparison(expr.nodes()).unwrap().1, "=");
    }

    proptest! {
        #[test]
        fn any_text_is_taken_apart(text in "[a-z()'\"$\\[\\]:=. ä\n/*-]{0,60}") {
            let expr = Expr::parse(&text);
            let mut seen = 0;
            visit(expr.nodes(), &mut |list| seen += expr.text_of(list).len());
            prop_assert!(expr.disjuncts().len() <= text.len() + 1);
        }
    }
}
