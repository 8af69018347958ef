//! What single policies let through: conditions that are always true, that leave the tenant out, that open without a
//! context, or that compare loosely.

use super::{
    expr::{
        Expr, Node, any_word, calls, comparison, has_select, last, mentions, split, strip, strip_casts, visit,
    },
    fixes::compared_with,
    judge::{Act, Holds, Judge, Parsed, always, is_true, same},
    names::{Named, is_table},
    rls::{verb, words},
};
use crate::{
    catalog::{Column, Relation},
    finding::{Finding, Level},
    rules::{self, Rule},
};

pub(super) fn run(judge: &mut Judge<'_>) {
    let mut found = Vec::new();
    for relation in judge.catalog.relations.iter().filter(|relation| is_table(relation) && relation.rls) {
        let acts = judge.acts(relation);
        if acts.is_empty() {
            continue;
        }
        for parsed in judge.app_policies(relation.oid) {
            let case = Case { judge, relation, parsed, column: judge.tenant_column(relation.oid) };
            tautology(&case, &mut found);
            lossy(&case, &mut found);
            if parsed.policy.permissive && judge.holds(relation.oid) != Holds::Shared {
                opens(&case, &acts, &mut found);
                demands(&case, &acts, &mut found);
                null_tenant(&case, &acts, &mut found);
                implicit_check(&case, &acts, &mut found);
            }
        }
    }
    judge.findings.extend(found);
}

struct Case<'a, 'j> {
    judge: &'a Judge<'j>,
    relation: &'a Relation,
    parsed: &'a Parsed<'j>,
    column: Option<&'a Column>,
}

impl Case<'_, '_> {
    fn finding(&self, rule: &'static Rule, act: Option<Act>) -> Finding {
        Finding::new(rule, self.relation.object(), act.map(verb), &self.parsed.policy.name)
    }

    fn name(&self) -> &str {
        &self.parsed.policy.name
    }

    /// Tells whether a restrictive policy still keeps the tenants apart.
    fn restricted(&self, act: Act) -> bool {
        self.judge.app_policies(self.relation.oid).filter(|other| !other.policy.permissive).any(|other| {
            let expr = match act {
                Act::Insert => other.demand(act),
                _ => other.condition(act),
            };
            expr.is_some_and(|expr| {
                expr.disjuncts().iter().all(|part| {
                    self.judge.context_in(part) || self.column.is_some_and(|c| mentions(part, &c.name))
                })
            })
        })
    }
}

/// Parts of conditions that open rows: always true, without a context, or by what has nothing to do with the tenant.
fn opens(case: &Case<'_, '_>, acts: &[Act], found: &mut Vec<Finding>) {
    let using = acts
        .iter()
        .copied()
        .filter(|act| case.parsed.condition(*act).is_some() && !case.restricted(*act))
        .collect::<Vec<_>>();
    let (Some(expr), Some(act)) = (&case.parsed.using, using.first()) else { return };
    let shown = format!("policy {}: USING ({})", case.name(), expr.text_of(expr.nodes()));
    let fix = || case.judge.narrow(case.relation, case.parsed);
    if is_true(expr) {
        let mut finding = case
            .finding(&rules::POLICY_TRUE, Some(*act))
            .evidence(format!("{shown}; {} may {} every tenant's rows", case.judge.app(), words(&using)))
            .fix(fix());
        if case.judge.is_root(case.relation.oid) && using == [Act::Select] {
            finding.level = Level::Warning;
        }
        found.push(finding);
        return;
    }
    for part in expr.disjuncts() {
        if opens_without_context(case, part) {
            found.push(
                case.finding(&rules::POLICY_UNSET, Some(*act))
                    .evidence(format!(
                        "{shown}; without a context this holds for every row: {}",
                        expr.text_of(part)
                    ))
                    .fix(without_part(case, expr, part).unwrap_or_else(fix)),
            );
            return;
        }
    }
    if let Some(part) = expr.disjuncts().into_iter().find(|part| leaves_tenant_out(case, part)) {
        let mut finding = case
            .finding(&rules::POLICY_IGNORES, Some(*act))
            .evidence(format!("{shown}; this part does not ask whose the row is: {}", expr.text_of(part)))
            .fix(without_part(case, expr, part).unwrap_or_else(fix));
        if case.judge.context_in(part) && super::expr::settings(part).is_empty() {
            // A function of the schema decides: for operators, perhaps.
            finding.level = Level::Info;
        }
        found.push(finding);
    }
}

/// Writes the policy without one part of its USING.
fn without_part(case: &Case<'_, '_>, expr: &Expr, part: &[Node]) -> Option<String> {
    let rest: Vec<&str> = expr
        .disjuncts()
        .into_iter()
        .filter(|other| !same(other, part))
        .map(|other| expr.text_of(other))
        .collect();
    if rest.is_empty() {
        return None;
    }
    let rest = rest.iter().map(|text| format!("({text})")).collect::<Vec<_>>().join(" OR ");
    let name = crate::session::identifier(case.name());
    Some(format!("ALTER POLICY {name} ON {} USING ({rest});", case.relation.quoted()))
}

/// `setting IS NULL`, `setting = ''`, or a tenant that falls back on the column itself.
fn opens_without_context(case: &Case<'_, '_>, part: &[Node]) -> bool {
    let Some(column) = case.column else { return false };
    if has_select(part) {
        return false;
    }
    let falls_back = calls(part).into_iter().any(|(name, arguments)| {
        matches!(last(name), "coalesce" | "nullif" | "greatest" | "least" | "ifnull")
            && mentions(arguments, &column.name)
            && case.judge.context_in(arguments)
    });
    if falls_back {
        return true;
    }
    let conjuncts = split(part, "and");
    !conjuncts.iter().any(|conjunct| mentions(conjunct, &column.name))
        && conjuncts.iter().all(|conjunct| {
            let conjunct = strip(conjunct);
            if !case.judge.context_in(conjunct) {
                return false;
            }
            if let [rest @ .., is, null] = conjunct
                && is.word() == Some("is")
                && null.word() == Some("null")
            {
                return case.judge.context_in(rest);
            }
            comparison(conjunct).is_some_and(|(left, operator, right)| {
                let empty = |side: &[Node]| {
                    matches!(strip_casts(side).0, [node] if node.token == super::expr::Token::Text(String::new()))
                };
                operator == "=" && (empty(left) || empty(right))
            })
        })
}

/// A part that ties the row to nobody: no column of it is held against the context, no other table is asked.
fn leaves_tenant_out(case: &Case<'_, '_>, part: &[Node]) -> bool {
    let Some(column) = case.column else { return false };
    let is_column = |word: &str| case.relation.columns.iter().any(|column| column.name == last(word));
    !mentions(part, &column.name)
        && !has_select(part)
        && split(part, "and").into_iter().all(|conjunct| {
            strip(conjunct).first().and_then(Node::word) != Some("false")
                && !(case.judge.context_in(conjunct) && any_word(conjunct, &mut |word| is_column(word)))
        })
}

/// WITH CHECK that lets a row be another's.
fn demands(case: &Case<'_, '_>, acts: &[Act], found: &mut Vec<Finding>) {
    let Some(check) = &case.parsed.check else {
        // INSERT alone has no USING to fall back on; without either nothing can be inserted.
        return;
    };
    let Some(column) = case.column else { return };
    let open: Vec<Act> = acts
        .iter()
        .copied()
        .filter(|act| case.parsed.demand(*act).is_some() && !case.restricted(*act))
        .filter(|act| case.judge.may_column(case.relation, column, act.privilege()))
        .collect();
    let Some(act) = open.first() else { return };
    let ignoring = check.disjuncts().into_iter().find(|part| {
        !always(part)
            && !mentions(part, &column.name)
            && !has_select(part)
            && !any_word(part, &mut |w| w == "false")
    });
    let always_true = is_true(check);
    if !always_true && ignoring.is_none() {
        return;
    }
    if always_true && case.parsed.using.as_ref().is_some_and(is_true) {
        // Said of the policy as a whole already.
        return;
    }
    let name = crate::session::identifier(case.name());
    let fix = case.judge.tenant_condition(case.relation).map_or_else(String::new, |condition| {
        let condition = if always_true {
            condition
        } else {
            format!("({condition}) AND ({})", check.text_of(check.nodes()))
        };
        format!("ALTER POLICY {name} ON {} WITH CHECK ({condition});", case.relation.quoted())
    });
    let mut finding = case
        .finding(&rules::POLICY_CHECK, Some(*act))
        .evidence(format!(
            "policy {}: WITH CHECK ({}); by {} a row can be any tenant's",
            case.name(),
            check.text_of(check.nodes()),
            words(&open)
        ))
        .fix(fix);
    let table = case.relation.oid;
    let stamped =
        case.judge.catalog.triggers.iter().any(|trigger| {
            trigger.table == table && trigger.enabled && trigger.definition.contains(" BEFORE ")
        });
    // A trigger may say whose the row is.
    if !always_true || stamped {
        finding.level = Level::Warning;
    }
    found.push(finding);
}

/// Rows without a tenant that policies let through.
fn null_tenant(case: &Case<'_, '_>, acts: &[Act], found: &mut Vec<Finding>) {
    let Some(column) = case.column else { return };
    let is_null = |part: &[Node]| {
        split(part, "and").into_iter().any(|conjunct| {
            matches!(strip(conjunct), [name, is, null]
                if name.word() == Some(&column.name) && is.word() == Some("is") && null.word() == Some("null"))
        })
    };
    let writes: Vec<Act> = acts
        .iter()
        .copied()
        .filter(|act| *act != Act::Select && !case.restricted(*act))
        .filter(|act| {
            let asked = [case.parsed.condition(*act), case.parsed.demand(*act)];
            asked.into_iter().flatten().any(|expr| expr.disjuncts().into_iter().any(is_null))
        })
        .collect();
    let reads = acts.contains(&Act::Select)
        && case.parsed.condition(Act::Select).is_some_and(|expr| expr.disjuncts().into_iter().any(is_null));
    if writes.is_empty() && !reads {
        return;
    }
    let with = |expr: Option<&Expr>, word: &str| {
        let expr = expr?;
        let rest: Vec<String> = expr
            .disjuncts()
            .into_iter()
            .filter(|part| !is_null(part))
            .map(|part| format!("({})", expr.text_of(part)))
            .collect();
        let rest = if rest.is_empty() { "false".to_owned() } else { rest.join(" OR ") };
        Some(format!(" {word} ({rest})"))
    };
    let using = with(case.parsed.using.as_ref(), "USING").unwrap_or_default();
    let check = with(case.parsed.check.as_ref(), "WITH CHECK").unwrap_or_default();
    let name = crate::session::identifier(case.name());
    let evidence = if writes.is_empty() {
        format!("policy {}: rows without a tenant are everybody's to read", case.name())
    } else {
        format!(
            "policy {}: by {} every tenant changes rows that all others see, or makes them",
            case.name(),
            words(&writes)
        )
    };
    let mut finding = case
        .finding(&rules::NULL_TENANT, writes.first().copied().or(Some(Act::Select)))
        .evidence(evidence)
        .fix(format!("ALTER POLICY {name} ON {}{using}{check};", case.relation.quoted()));
    if writes.is_empty() {
        finding.level = Level::Info;
    }
    found.push(finding);
}

/// USING that serves as WITH CHECK because none is written.
fn implicit_check(case: &Case<'_, '_>, acts: &[Act], found: &mut Vec<Finding>) {
    let writes = acts.iter().any(|act| matches!(act, Act::Insert | Act::Update) && case.parsed.covers(*act));
    let (None, Some(using), true) = (&case.parsed.check, &case.parsed.using, writes) else { return };
    let name = crate::session::identifier(case.name());
    found.push(
        case.finding(&rules::CHECK_IMPLICIT, None)
            .evidence(format!(
                "policy {}: what is written is held to USING, as long as nobody says otherwise",
                case.name()
            ))
            .fix(format!(
                "ALTER POLICY {name} ON {} WITH CHECK ({});",
                case.relation.quoted(),
                using.text_of(using.nodes())
            )),
    );
}

/// A column compared with itself: what an unqualified name in a sub-select turns into.
fn tautology(case: &Case<'_, '_>, found: &mut Vec<Finding>) {
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
            let outer = format!(
                "{}.{}",
                crate::session::identifier(&case.relation.name),
                crate::session::identifier(bare)
            );
            let meant = format!("{} = {outer}", expr.text_of(inner));
            let replace = |expr: &Expr| expr.text_of(expr.nodes()).replace(shown, &meant);
            let using = case.parsed.using.as_ref().map(|e| format!(" USING ({})", replace(e)));
            let check = case.parsed.check.as_ref().map(|e| format!(" WITH CHECK ({})", replace(e)));
            format!(
                "ALTER POLICY {} ON {}{}{};",
                crate::session::identifier(case.name()),
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

fn lossy(case: &Case<'_, '_>, found: &mut Vec<Finding>) {
    let Some(column) = case.column else { return };
    for expr in case.parsed.expressions() {
        let part = expr.disjuncts().into_iter().flat_map(|part| split(part, "and")).find(|part| {
            comparison(part).is_some_and(|comparison| is_lossy(case.judge, comparison, column))
                || calls(part).into_iter().any(|(name, arguments)| {
                    LOOSE_FUNCTIONS.contains(&last(name))
                        && mentions(arguments, &column.name)
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
    let name = crate::session::identifier(case.name());
    format!("ALTER POLICY {name} ON {}{using}{check};", case.relation.quoted())
}

fn is_lossy(
    judge: &Judge<'_>,
    (left, operator, right): super::expr::Comparison<'_>,
    column: &Column,
) -> bool {
    let (of_left, of_right) = (mentions(left, &column.name), mentions(right, &column.name));
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
        mentions(arguments, &column.name) && (LOOSE_FUNCTIONS.contains(&last(name)) || user_function(name))
    }) || comparison(bare).is_some()
        || bare.iter().any(|node| {
            matches!(&node.token, super::expr::Token::Symbol(s) if matches!(s.as_str(), "/" | "%" | "&" | "|" | "#" | ">>"))
        })
}

/// Returns what the plain part of a policy compares the tenant with.
pub(super) fn plain_tenant<'a>(expr: &'a Expr, column: &str) -> Option<&'a str> {
    expr.disjuncts()
        .into_iter()
        .flat_map(|part| split(part, "and"))
        .filter(|part| {
            // A cast column compares as something else: that has a rule of its own.
            comparison(part).is_some_and(|(left, _, right)| {
                [left, right].iter().any(|side| matches!(strip(side), [node] if node.word() == Some(column)))
            })
        })
        .find_map(|part| compared_with(part, column))
        .map(|with| expr.text_of(with))
}
