//! Contexts that nobody has opened: a tenant that connections begin with, that a function falls back on, or that is left
//! behind for the next user of the connection.

use std::collections::BTreeSet;

use super::{
    context::Text,
    expr::{Expr, Node, Token, calls, has_select, last, settings, strip, strip_casts, visit},
    judge::{Judge, Parsed},
};
use crate::{finding::Finding, rules, session::identifier};

/// A fixed tenant for whoever has set none: `coalesce(current_setting(…), '…')`.
pub(super) fn falls_back(judge: &Judge<'_>, text: &Text<'_>, expr: &Expr) -> Option<Finding> {
    let mut hit = None;
    visit(expr.nodes(), &mut |list| {
        for pair in list.windows(2) {
            let (Some("coalesce"), Token::Group(arguments)) = (pair[0].word().map(last), &pair[1].token)
            else {
                continue;
            };
            let parts: Vec<&[Node]> =
                arguments.split(|node| node.token == Token::Symbol(",".to_owned())).collect();
            let custom =
                settings(arguments).iter().any(|name| name.contains('.') && !name.contains("claims"));
            let fixed = parts.last().is_some_and(|part| {
                has_select(part) && !judge.context_in(part)
                    || matches!(strip_casts(part).0, [node] if match &node.token {
                        // Nobody is called so.
                        Token::Text(text) => text.chars().any(|c| c.is_alphanumeric() && c != '0'),
                        Token::Word(word) => word.starts_with(|c: char| ('1'..='9').contains(&c)),
                        _ => false,
                    })
            });
            if let (true, true, Some(first)) = (custom, fixed, parts.first().filter(|_| parts.len() == 2)) {
                hit.get_or_insert((expr.text_of(pair), expr.text_of(first)));
            }
        }
    });
    let (whole, first) = hit?;
    Some(
        text.finding(&rules::DEFAULT_CONTEXT)
            .evidence(format!("{}: without a context it is {whole}, a tenant like any other", text.name()))
            .fix(text.replace(whole, &format!("({first})"))),
    )
}

/// A context that a function opens for the session instead of the transaction.
pub(super) fn outlives(judge: &Judge<'_>, called: &BTreeSet<u32>, found: &mut Vec<Finding>) {
    let read = settings_of_policies(judge, called);
    for function in judge.catalog.functions.iter().filter(|function| !function.extension) {
        let body = Expr::parse(&function.source);
        let call = calls(body.nodes()).into_iter().filter(|(name, _)| last(name) == "set_config").find(
            |(_, arguments)| {
                let parts: Vec<&[Node]> =
                    arguments.split(|node| node.token == Token::Symbol(",".to_owned())).collect();
                let ours = parts.first().is_some_and(|part| {
                matches!(strip_casts(part).0, [Node { token: Token::Text(name), .. }] if read.contains(name))
            });
                ours && parts
                    .last()
                    .is_some_and(|part| strip(part).first().and_then(Node::word) == Some("false"))
            },
        );
        let Some((_, arguments)) = call else { continue };
        let shown = body.text_of(arguments);
        let local = shown.trim_end().trim_end_matches("false").to_owned() + "true";
        let text = Text::Function(function);
        found.push(
            text.finding(&rules::OUTLIVES)
                .evidence(
                    "it opens the context for the whole session: whoever gets the connection next is in it",
                )
                .fix(text.replace(shown, &local)),
        );
    }
}

/// The settings that policies read, themselves or by functions.
fn settings_of_policies(judge: &Judge<'_>, called: &BTreeSet<u32>) -> BTreeSet<String> {
    let mut read: BTreeSet<String> = BTreeSet::new();
    for table in &judge.catalog.relations {
        for expr in judge.policies(table.oid).iter().flat_map(Parsed::expressions) {
            read.extend(settings(expr.nodes()).into_iter().map(ToOwned::to_owned));
        }
    }
    for oid in called {
        read.extend(settings(judge.body(*oid)).into_iter().map(ToOwned::to_owned));
    }
    read
}

/// A value that a role or the database gives a setting that policies read.
pub(super) fn default_context(judge: &Judge<'_>, called: &BTreeSet<u32>, found: &mut Vec<Finding>) {
    let read = settings_of_policies(judge, called);
    for setting in &judge.catalog.settings {
        let Some((name, value)) = setting.setting.split_once('=') else { continue };
        let ours = setting.role == 0 || setting.role == judge.subject.role;
        if !ours || value.is_empty() || !name.contains('.') || !read.contains(name) {
            continue;
        }
        let database = identifier(&judge.catalog.database);
        let role = if setting.role == 0 { None } else { judge.role(setting.role) };
        let (object, whose) = match (role, setting.here) {
            (Some(role), true) => {
                (role.name.clone(), format!("ROLE {} IN DATABASE {database}", identifier(&role.name)))
            }
            (Some(role), false) => (role.name.clone(), format!("ROLE {}", identifier(&role.name))),
            (None, true) => (judge.app().to_owned(), format!("DATABASE {database}")),
            (None, false) => (judge.app().to_owned(), "ROLE ALL".to_owned()),
        };
        found.push(
            Finding::new(&rules::DEFAULT_CONTEXT, format!("role:{object}"), None, name)
                .evidence(format!("every connection begins with {name} set, which policies read"))
                .fix(format!("ALTER {whose} RESET {};", setting_name(name))),
        );
    }
}

fn setting_name(name: &str) -> String {
    name.split('.').map(identifier).collect::<Vec<_>>().join(".")
}
