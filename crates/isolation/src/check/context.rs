//! How the context is read: settings that raise or are not read anew, fields that a person edits themselves, and
//! policies that do not all read the same.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    defaults,
    expr::{Expr, Node, Token, calls, has_select, last, settings, strip, visit},
    judge::{Act, Judge},
    names::{is_table, routine},
    policies::plain_tenant,
};
use crate::{
    catalog::{Function, Policy, Relation},
    finding::{Finding, Level},
    rules::{self, Rule},
    session::{identifier, literal},
};

pub(super) fn run(judge: &mut Judge<'_>) {
    let mut found = Vec::new();
    let called = called_by_policies(judge);
    let direct: BTreeSet<u32> =
        judge.catalog.policies.iter().flat_map(|policy| policy.functions.iter().copied()).collect();
    for relation in judge.catalog.relations.iter().filter(|relation| is_table(relation)) {
        for parsed in judge.app_policies(relation.oid) {
            for expr in parsed.expressions() {
                if let Some(finding) = reading(&Text::Policy(relation, parsed.policy), expr) {
                    found.push(finding);
                    break;
                }
            }
            for expr in parsed.expressions() {
                if let Some(finding) = editable_claim(&Text::Policy(relation, parsed.policy), expr) {
                    found.push(finding);
                    break;
                }
            }
            let fallback = parsed
                .expressions()
                .find_map(|expr| defaults::falls_back(judge, &Text::Policy(relation, parsed.policy), expr));
            found.extend(fallback);
            reads_writable(judge, relation, parsed.policy, &mut found);
        }
    }
    for function in judge.catalog.functions.iter().filter(|function| !function.extension) {
        let text = Text::Function(function);
        if called.contains(&function.oid) {
            let body = Expr::parse(&function.source);
            found.extend(defaults::falls_back(judge, &text, &body));
            if direct.contains(&function.oid) && !asks_first(&body) {
                found.extend(reading(&text, &body));
            }
            found.extend(editable_claim(&text, &body));
            volatile(function, &mut found);
        }
        immutable(judge, function, called.contains(&function.oid), &mut found);
    }
    defaults::outlives(judge, &called, &mut found);
    differ(judge, &mut found);
    defaults::default_context(judge, &called, &mut found);
    judge.findings.extend(found);
}

/// Tells whether a body compares something with the empty text before it goes on.
fn asks_first(body: &Expr) -> bool {
    let mut asks = false;
    visit(body.nodes(), &mut |list| {
        asks |= list.windows(2).any(|pair| {
            matches!(&pair[0].token, Token::Symbol(symbol) if matches!(symbol.as_str(), "=" | "<>" | "!="))
                && pair[1].token == Token::Text(String::new())
        });
    });
    asks
}

/// The functions that policies call, through other functions too.
pub(super) fn called_by_policies(judge: &Judge<'_>) -> BTreeSet<u32> {
    let mut open: Vec<u32> =
        judge.catalog.policies.iter().flat_map(|policy| policy.functions.clone()).collect();
    let mut all = BTreeSet::new();
    while let Some(oid) = open.pop() {
        if !all.insert(oid) {
            continue;
        }
        for (name, _) in calls(judge.body(oid)) {
            let (schema, name) =
                name.rsplit_once('.').map_or((None, name), |(schema, name)| (Some(schema), name));
            let named = judge.catalog.functions.iter().filter(|function| {
                function.name == name
                    && schema.is_none_or(|schema| schema == function.schema)
                    && !function.extension
            });
            open.extend(named.map(|function| function.oid));
        }
    }
    all
}

/// What a text belongs to.
pub(super) enum Text<'a> {
    Policy(&'a Relation, &'a Policy),
    Function(&'a Function),
}

impl Text<'_> {
    pub(super) fn finding(&self, rule: &'static Rule) -> Finding {
        match self {
            Self::Policy(relation, policy) => Finding::new(rule, relation.object(), None, &policy.name),
            Self::Function(function) => Finding::new(rule, function.object(), None, &function.signature),
        }
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::Policy(_, policy) => format!("policy {}", policy.name),
            Self::Function(function) => format!("function {}", function.object()),
        }
    }

    /// Writes it anew with some text replaced.
    pub(super) fn replace(&self, old: &str, new: &str) -> String {
        match self {
            Self::Policy(relation, policy) => {
                let part = |word: &str, text: &Option<String>| {
                    text.as_ref()
                        .map(|text| format!(" {word} ({})", text.replace(old, new)))
                        .unwrap_or_default()
                };
                format!(
                    "ALTER POLICY {} ON {}{}{};",
                    identifier(&policy.name),
                    relation.quoted(),
                    part("USING", &policy.using),
                    part("WITH CHECK", &policy.check)
                )
            }
            Self::Function(function) => {
                let name = format!("{}({})", function.quoted(), types(function));
                let (old, new) = (literal(old), literal(new));
                format!(
                    "DO $fix$\nBEGIN\n  EXECUTE replace(pg_get_functiondef({}::regprocedure), {old}, {new});\nEND\n$fix$;",
                    literal(&name)
                )
            }
        }
    }
}

/// The types of a function's arguments, as `regprocedure` takes them: the signature without names and modes.
fn types(function: &Function) -> String {
    let mut signature = function.signature.clone();
    for name in function.argument_names.iter().filter(|name| !name.is_empty()) {
        for written in [name.clone(), identifier(name)] {
            signature = signature.replacen(&format!("{written} "), "", 1);
        }
    }
    let plain = signature.split(", ").filter(|argument| !argument.starts_with("OUT "));
    plain
        .map(|argument| argument.trim_start_matches("INOUT ").trim_start_matches("VARIADIC "))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A reading of a setting that raises where the connection is fresh, or where it was used before.
fn reading(text: &Text<'_>, expr: &Expr) -> Option<Finding> {
    let mut strict: Option<&str> = None;
    let mut cast: Option<(&str, String)> = None;
    look(expr.nodes(), false, &mut |call, arguments, guarded, next| {
        let parts: Vec<&[Node]> =
            arguments.split(|node| node.token == Token::Symbol(",".to_owned())).collect();
        let custom = settings(call).iter().any(|name| name.contains('.'));
        if !custom {
            return;
        }
        let tolerant =
            parts.get(1).is_some_and(|part| strip(part).first().and_then(Node::word) == Some("true"));
        if !tolerant {
            strict.get_or_insert(expr.text_of(call));
        } else if !guarded && next.is_some_and(|kind| !matches!(kind, "text" | "character" | "name")) {
            cast.get_or_insert((expr.text_of(call), next.unwrap_or_default().to_owned()));
        }
    });
    if let Some((call, kind)) = cast {
        return Some(
            text.finding(&rules::SETTING_CAST)
                .evidence(format!(
                    "{}: {call} is '' on a connection that served before, which is no {kind}",
                    text.name()
                ))
                .fix(text.replace(call, &format!("NULLIF({call}, '')"))),
        );
    }
    let call = strict?;
    let tolerant = format!("{}, true)", call.trim_end_matches(')').trim_end());
    Some(
        text.finding(&rules::SETTING_STRICT)
            .evidence(format!("{}: {call} raises where nobody has set it", text.name()))
            .fix(text.replace(call, &format!("NULLIF({tolerant}, '')"))),
    )
}

/// Visits the calls of `current_setting`: the call, its arguments, whether NULLIF stands around it, and the type that it
/// is cast to.
fn look<'a>(
    nodes: &'a [Node],
    guarded: bool,
    seen: &mut impl FnMut(&'a [Node], &'a [Node], bool, Option<&'a str>),
) {
    for (at, node) in nodes.iter().enumerate() {
        let Token::Group(inner) = &node.token else { continue };
        let name = at.checked_sub(1).and_then(|before| nodes[before].word()).map(last);
        if name == Some("current_setting") {
            let kind = match &nodes[at + 1..] {
                [cast, kind, ..] if cast.token == Token::Symbol("::".to_owned()) => kind.word(),
                _ => None,
            };
            seen(&nodes[at - 1..=at], inner, guarded, kind);
            continue;
        }
        let around = guarded || matches!(name, Some("nullif"));
        // `(current_setting(…))::uuid`: the cast stands outside the brackets.
        if let ([call, arguments], [cast, kind, ..]) = (strip(inner), &nodes[at + 1..]) {
            let reads = call.word().map(last) == Some("current_setting");
            if let (true, Token::Group(arguments)) = (reads && name.is_none(), &arguments.token) {
                let kind = (cast.token == Token::Symbol("::".to_owned())).then(|| kind.word()).flatten();
                seen(strip(inner), arguments, guarded, kind);
                continue;
            }
        }
        look(inner, around, seen);
    }
}

const EDITABLE: &[&str] = &["user_metadata", "raw_user_meta_data"];

fn editable_claim(text: &Text<'_>, expr: &Expr) -> Option<Finding> {
    let mut hit = None;
    visit(expr.nodes(), &mut |list| {
        for node in list {
            let said = match &node.token {
                Token::Text(said) => said.as_str(),
                Token::Word(word) => last(word),
                _ => continue,
            };
            let field = EDITABLE.iter().find(|field| {
                said == **field || said.trim_matches(['{', '}']).split(',').any(|part| part.trim() == **field)
            });
            hit = hit.or(field.copied());
        }
    });
    let field = hit?;
    let instead = if field == "user_metadata" { "app_metadata" } else { "raw_app_meta_data" };
    Some(
        text.finding(&rules::USER_METADATA)
            .evidence(format!("{} reads {field}, which the person it speaks of may edit", text.name()))
            .fix(text.replace(field, instead)),
    )
}

fn volatile(function: &Function, found: &mut Vec<Finding>) {
    if function.volatility != "v" || function.definer && function.returns_set {
        return;
    }
    found.push(
        Finding::new(&rules::VOLATILE, function.object(), None, &function.signature)
            .evidence("a policy calls it, so it runs once a row and keeps indexes from being used")
            .fix(format!("ALTER {} STABLE;", routine(function))),
    );
}

fn immutable(judge: &Judge<'_>, function: &Function, in_policy: bool, found: &mut Vec<Finding>) {
    if function.volatility != "i" || !judge.reads_context(function.oid) {
        return;
    }
    let mut finding = Finding::new(&rules::IMMUTABLE, function.object(), None, &function.signature)
        .evidence(if in_policy {
            "a policy calls it: a prepared statement keeps the value of the tenant that it was planned for"
        } else {
            "a prepared statement keeps the value of the context that it was planned in"
        })
        .fix(format!("ALTER {} STABLE;", routine(function)));
    if !in_policy {
        finding.level = Level::Warning;
    }
    found.push(finding);
}

/// A policy that asks a table in which the app writes as it likes.
fn reads_writable(judge: &Judge<'_>, relation: &Relation, policy: &Policy, found: &mut Vec<Finding>) {
    for table in
        policy.relations.iter().filter_map(|oid| judge.relation(*oid)).filter(|table| is_table(table))
    {
        if table.rls {
            continue;
        }
        let writes: Vec<&str> = judge
            .acts(table)
            .into_iter()
            .filter(|act| matches!(act, Act::Insert | Act::Update))
            .map(Act::privilege)
            .collect();
        if writes.is_empty() {
            continue;
        }
        let grants: Vec<_> = table
            .grants
            .iter()
            .chain(table.columns.iter().flat_map(|column| &column.grants))
            .cloned()
            .collect();
        found.push(
            Finding::new(&rules::READS_WRITABLE, table.object(), None, &relation.object())
                .evidence(format!(
                    "policy {} of {} asks it, and {} may {}",
                    policy.name,
                    relation.object(),
                    judge.app(),
                    writes.join(", ")
                ))
                .fix(judge.revoke(&writes, &table.quoted(), &grants)),
        );
    }
}

/// Policies that compare the tenant with something else than most do.
fn differ(judge: &Judge<'_>, found: &mut Vec<Finding>) {
    let mut said: BTreeMap<String, BTreeSet<(u32, &str)>> = BTreeMap::new();
    let mut shown = BTreeMap::new();
    for (relation, column) in judge.tenant_tables() {
        for parsed in judge.app_policies(relation.oid) {
            let texts = parsed.expressions().filter_map(|expr| plain_tenant(expr, &column.name));
            for text in texts.filter(|text| !has_select(Expr::parse(text).nodes())) {
                let plain = plain_form(text);
                said.entry(plain.clone()).or_default().insert((relation.oid, &parsed.policy.name));
                shown.entry(plain).or_insert_with(|| text.to_owned());
            }
        }
    }
    let all: usize = said.values().map(BTreeSet::len).sum();
    let Some((usual, most)) = said.iter().max_by_key(|(_, policies)| policies.len()) else { return };
    if said.len() < 2 || most.len() * 3 < all * 2 {
        return;
    }
    for (form, policies) in said.iter().filter(|(form, _)| *form != usual) {
        for (table, name) in policies {
            let Some(relation) = judge.relation(*table) else { continue };
            let parsed = judge.policies(*table).iter().find(|parsed| parsed.policy.name == *name);
            let (Some(parsed), Some(was), Some(other)) = (parsed, shown.get(form), shown.get(usual)) else {
                continue;
            };
            found.push(
                Finding::new(&rules::DIFFER, relation.object(), None, name)
                    .evidence(format!(
                        "policy {name} compares the tenant with {was}; {} others with {other}",
                        most.len()
                    ))
                    .fix(Text::Policy(relation, parsed.policy).replace(was, other)),
            );
        }
    }
}

/// Leaves out brackets and casts that say nothing.
fn plain_form(text: &str) -> String {
    text.replace("::text", "").replace(['(', ')', ' '], "").to_lowercase()
}
