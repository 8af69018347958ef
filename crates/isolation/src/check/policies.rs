//! What single policies let through: conditions that are always true, that leave the tenant out, that open without a
//! context, or that compare loosely.

use super::{
    comparisons,
    expr::{
        Expr, Node, any_word, calls, comparison, has_select, last, names_column, split, strip, strip_casts,
    },
    fixes::compared_with,
    judge::{Act, Holds, Judge, Parsed, always, is_true, same},
    names::is_table,
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
            comparisons::tautology(&case, &mut found);
            comparisons::lossy(&case, &mut found);
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

/// A policy that is asked where the app acts.
pub(super) struct Case<'a, 'j> {
    pub(super) judge: &'a Judge<'j>,
    pub(super) relation: &'a Relation,
    pub(super) parsed: &'a Parsed<'j>,
    pub(super) column: Option<&'a Column>,
}

impl Case<'_, '_> {
    pub(super) fn finding(&self, rule: &'static Rule, act: Option<Act>) -> Finding {
        Finding::new(rule, self.relation.object(), act.map(verb), &self.parsed.policy.name)
    }

    pub(super) fn name(&self) -> &str {
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
                    self.judge.context_in(part) || self.column.is_some_and(|c| names_column(part, &c.name))
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
            && names_column(arguments, &column.name)
            && case.judge.context_in(arguments)
    });
    if falls_back {
        return true;
    }
    let conjuncts = split(part, "and");
    !conjuncts.iter().any(|conjunct| names_column(conjunct, &column.name))
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
    !names_column(part, &column.name)
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
            && !names_column(part, &column.name)
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
