//! Comparisons in policies that say less than they seem to: a column held against itself, and values that are alike
//! without being the same.

use super::{
    expr::{
        Comparison, Expr, Node, Token, calls, comparison, has_select, last, names_column, split, strip_casts,
        visit,
    },
    judge::{Judge, same},
    policies::Case,
};
use crate::{catalog::Column, finding::Finding, rules, session::identifier};

/// A column compared with itself: what an unqualified name in a sub-select turns into.
pub(super) fn tautology(case: &Case<'_, '_>, found: &mut Vec<Finding>) {
    for expr in case.parsed.expressions() {
        let mut hit: Option<&[Node]> = None;
        visit(expr.nodes(), &mut |list| {
            let Some((left, "=", right)) = comparison(list) else { return };
            let (left, right) = (strip_casts(left).0, strip_casts(right).0);
            let is_name = |nodes: &[Node]| matches!(nodes, [node] if node.word().is_some_and(|word| !word.starts_with(|c: char| c.is_ascii_digit())));
            if is_name(left) && same(left, right) && hit.is_none() {
                hit = Some(list);
            }
        });
        let Some(part) = hit else { continue };
        let shown = expr.text_of(part);
        // The outer table's column of that name was probably meant.
        let inner = strip_casts(comparison(part).map_or(part, |(left, _, _)| left)).0;
        let bare = inner.first().and_then(Node::word).map_or("", last);
        let own = case.relation.columns.iter().any(|column| column.name == bare);
        let qualified = inner.first().and_then(Node::word).is_some_and(|word| word.contains('.'));
        let fix = if own && qualified {
            let outer = format!("{}.{}", identifier(&case.relation.name), identifier(bare));
            let meant = format!("{} = {outer}", expr.text_of(inner));
            let replace = |expr: &Expr| expr.text_of(expr.nodes()).replace(shown, &meant);
            let using = case.parsed.using.as_ref().map(|e| format!(" USING ({})", replace(e)));
            let check = case.parsed.check.as_ref().map(|e| format!(" WITH CHECK ({})", replace(e)));
            format!(
                "ALTER POLICY {} ON {}{}{};",
                identifier(case.name()),
                case.relation.quoted(),
                using.unwrap_or_default(),
                check.unwrap_or_default()
            )
        } else {
            case.judge.narrow(case.relation, case.parsed)
        };
        found.push(
            case.finding(&rules::TAUTOLOGY, None)
                .evidence(format!("policy {} compares a column with itself: {shown}", case.name()))
                .fix(fix),
        );
        return;
    }
}

/// Operators and functions under which two tenants can look the same.
const LOOSE_OPERATORS: &[&str] = &["~~", "~~*", "!~~", "!~~*", "~", "~*", "^@", "%", "&&", "@>", "<@"];
const LOOSE_FUNCTIONS: &[&str] = &[
    "lower",
    "upper",
    "initcap",
    "left",
    "right",
    "substr",
    "substring",
    "starts_with",
    "trim",
    "btrim",
    "ltrim",
    "rtrim",
    "strpos",
    "position",
    "hashtext",
    "hashtextextended",
    "md5",
    "abs",
    "round",
    "floor",
    "ceil",
    "trunc",
    "mod",
    "length",
    "split_part",
    "replace",
    "translate",
    "regexp_replace",
    "unaccent",
    "soundex",
    "similarity",
];

pub(super) fn lossy(case: &Case<'_, '_>, found: &mut Vec<Finding>) {
    let Some(column) = case.column else { return };
    for expr in case.parsed.expressions() {
        let part = expr.disjuncts().into_iter().flat_map(|part| split(part, "and")).find(|part| {
            comparison(part).is_some_and(|comparison| is_lossy(case.judge, comparison, column))
                || calls(part).into_iter().any(|(name, arguments)| {
                    LOOSE_FUNCTIONS.contains(&last(name))
                        && names_column(arguments, &column.name)
                        && case.judge.context_in(arguments)
                })
        });
        let Some(part) = part else { continue };
        found.push(
            case.finding(&rules::LOSSY, None)
                .evidence(format!(
                    "policy {}: {} holds for more than one tenant",
                    case.name(),
                    expr.text_of(part)
                ))
                .fix(replace_part(case, expr, part)),
        );
        return;
    }
}

/// Writes the policy with one part replaced by the plain comparison.
fn replace_part(case: &Case<'_, '_>, expr: &Expr, part: &[Node]) -> String {
    let Some(condition) = case.judge.tenant_condition(case.relation) else { return String::new() };
    let shown = expr.text_of(part);
    let write = |expr: &Expr| expr.text_of(expr.nodes()).replace(shown, &condition);
    let using = case.parsed.using.as_ref().map(|e| format!(" USING ({})", write(e))).unwrap_or_default();
    let check = case.parsed.check.as_ref().map(|e| format!(" WITH CHECK ({})", write(e))).unwrap_or_default();
    let name = identifier(case.name());
    format!("ALTER POLICY {name} ON {}{using}{check};", case.relation.quoted())
}

fn is_lossy(judge: &Judge<'_>, (left, operator, right): Comparison<'_>, column: &Column) -> bool {
    let (of_left, of_right) = (names_column(left, &column.name), names_column(right, &column.name));
    if of_left == of_right || has_select(left) || has_select(right) {
        return false;
    }
    let (side, other) = if of_left { (left, right) } else { (right, left) };
    if !judge.context_in(other) {
        return false;
    }
    if LOOSE_OPERATORS.contains(&operator) {
        // `tenant = ANY (list)` aside, containment of the column in a list is no loose comparison.
        return !matches!(operator, "@>" | "<@" | "&&");
    }
    if operator != "=" {
        return matches!(operator, "<" | ">" | "<=" | ">=");
    }
    let (bare, casts) = strip_casts(side);
    let narrowing = |written: &String| {
        written.contains('(')
            || matches!(
                written.as_str(),
                "real" | "double precision" | "character" | "bpchar" | "name" | "\"char\""
            )
            || (matches!(written.as_str(), "integer" | "smallint") && column.type_name == "bigint")
    };
    if casts.iter().any(narrowing) {
        return true;
    }
    if matches!(bare, [node] if node.word().is_some_and(|word| last(word) == column.name)) {
        // The other side folded while the column is not: two contexts mean one tenant.
        let text = matches!(column.type_name.as_str(), "text" | "citext")
            || column.type_name.starts_with("character");
        let (bare, casts) = strip_casts(other);
        return text
            && (casts.iter().any(narrowing)
                || calls(bare)
                    .first()
                    .is_some_and(|(name, _)| bare.len() == 2 && LOOSE_FUNCTIONS.contains(&last(name))));
    }
    // Some function of the column, or arithmetic with it.
    let user_function =
        |name: &str| judge.catalog.functions.iter().any(|function| function.name == last(name));
    calls(bare).into_iter().any(|(name, arguments)| {
        names_column(arguments, &column.name) && (LOOSE_FUNCTIONS.contains(&last(name)) || user_function(name))
    }) || comparison(bare).is_some()
        || bare.iter().any(|node| {
            matches!(&node.token, Token::Symbol(s) if matches!(s.as_str(), "/" | "%" | "&" | "|" | "#" | ">>"))
        })
}
