//! What functions are called with.

use crate::{
    attack::{
        Hunt,
        choices::{Choice, Wanted, choices_for},
        stage::Tenant,
    },
    catalog::Function,
    session::literal,
};

/// Calls of one function in one context.
const CALLS: usize = 80;

/// Arguments of a function whose values are mixed with one's own.
const HALVED: usize = 6;

/// Queries tried in place of one value.
const QUERIES: usize = 6;

/// The likeliest of an argument's values.
const PREFERRED: usize = 4;

/// Returns the arguments of the calls to make: the victim's values, and beside each what nobody has.
pub(in crate::attack) fn arguments(hunt: &Hunt, function: &Function) -> Vec<(Vec<String>, Vec<String>)> {
    arguments_of(hunt, function, &hunt.stage.victim)
}

/// Returns the arguments of the calls to make with a tenant's values, and beside each what nobody has.
pub(in crate::attack) fn arguments_of(
    hunt: &Hunt,
    function: &Function,
    whose: &Tenant,
) -> Vec<(Vec<String>, Vec<String>)> {
    let count = function.argument_types.len();
    if count == 0 {
        return vec![(Vec::new(), Vec::new())];
    }
    let source = said(hunt, function);
    let mut choices: Vec<Vec<Choice>> = Vec::new();
    for (index, kind) in function.argument_types.iter().enumerate() {
        let name = function.argument_names.get(index).map_or("", String::as_str);
        let wanted = Wanted { name, source: &source, whose };
        let mut of_argument = choices_for(hunt, &hunt.stage.catalog, *kind, wanted);
        if function.variadic && index + 1 == count {
            variadic(&mut of_argument);
        }
        of_argument.sort_by_key(|choice| std::cmp::Reverse(choice.likely));
        choices.push(of_argument);
    }
    let mut calls: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    let mut first = true;
    let mut push = |picked: Vec<usize>| {
        let pick = |nobody: bool| -> Vec<String> {
            picked
                .iter()
                .enumerate()
                .map(|(argument, at)| {
                    let choice = choices[argument].get(*at);
                    choice.map_or_else(
                        || "null".to_owned(),
                        |choice| if nobody { choice.nobodys.clone() } else { choice.theirs.clone() },
                    )
                })
                .collect()
        };
        let call = (pick(false), pick(true));
        if !calls.contains(&call) {
            calls.push(call.clone());
        }
        // One value of the victim's among others that say nothing: what is told of its row is then not what was asked.
        if first && count > 1 {
            for argument in 0..count {
                let mut mixed = call.1.clone();
                mixed[argument].clone_from(&call.0[argument]);
                calls.push((mixed, call.1.clone()));
            }
            first = false;
        }
    };
    push(vec![0; count]);
    for argument in 0..count {
        for at in 0..choices[argument].len().min(24) {
            let mut picked = vec![0; count];
            picked[argument] = at;
            push(picked);
        }
    }
    if count > 1 {
        for one in 0..choices[0].len().min(9) {
            for other in 0..choices[1].len().min(9) {
                let mut picked = vec![0; count];
                picked[0] = one;
                picked[1] = other;
                push(picked);
            }
        }
    }
    let mut pairs = tied(hunt, &choices);
    pairs.extend(halves(hunt, function, &source, &choices, whose));
    calls.splice(calls.len().min(1)..calls.len().min(1), pairs);
    let needed = count - usize::try_from(function.defaults).unwrap_or_default();
    let shorter: Vec<(Vec<String>, Vec<String>)> = (needed..count)
        .rev()
        .filter_map(|length| {
            calls.first().map(|(theirs, nobodys)| (theirs[..length].to_vec(), nobodys[..length].to_vec()))
        })
        .collect();
    // What has a default may be left out of every call.
    if needed > 0 && needed < count {
        let short: Vec<_> = calls
            .iter()
            .map(|(theirs, nobodys)| (theirs[..needed].to_vec(), nobodys[..needed].to_vec()))
            .collect();
        calls = short.into_iter().zip(calls).flat_map(|(one, other)| [one, other]).collect();
    }
    let mut seen = Vec::new();
    calls.retain(|call| {
        let new = !seen.contains(call);
        seen.push(call.clone());
        new
    });
    calls.truncate(CALLS);
    calls.splice(0..0, shorter);
    calls
}

/// Returns calls for oneself with everything else another's, and then with one thing of it nobody's: what a function
/// writes has to be something else than what stands there.
fn tied(hunt: &Hunt, choices: &[Vec<Choice>]) -> Vec<(Vec<String>, Vec<String>)> {
    let own = literal(&hunt.stage.attacker.id);
    let Some((at, oneself)) = choices.iter().enumerate().find_map(|(at, choices)| {
        let oneself = choices.iter().take(PREFERRED).find(|choice| choice.theirs == own)?;
        Some((at, oneself.clone()))
    }) else {
        return Vec::new();
    };
    let pick = |nobodys: &dyn Fn(usize) -> bool| -> Vec<String> {
        choices
            .iter()
            .enumerate()
            .map(|(argument, choices)| match choices.first() {
                _ if argument == at => oneself.theirs.clone(),
                None => "null".to_owned(),
                Some(choice) if nobodys(argument) => choice.nobodys.clone(),
                Some(choice) => choice.theirs.clone(),
            })
            .collect()
    };
    let nobodys = pick(&|_| true);
    let mut calls = vec![pick(&|_| false)];
    for argument in (0..choices.len()).filter(|argument| *argument != at) {
        calls.push(pick(&|other| other == argument));
        calls.push(pick(&|other| other != argument));
    }
    calls.into_iter().map(|call| (call, nobodys.clone())).collect()
}

/// Returns calls with one value of one's own among another's, and with one of another's among one's own: a function may
/// look at the one and take the other from anybody.
fn halves(
    hunt: &Hunt,
    function: &Function,
    source: &str,
    choices: &[Vec<Choice>],
    whose: &Tenant,
) -> Vec<(Vec<String>, Vec<String>)> {
    let attacker = &hunt.stage.attacker;
    if choices.len() < 2 || choices.len() > HALVED || whose.id == attacker.id {
        return Vec::new();
    }
    let first = |choices: &[Choice]| choices.first().cloned();
    let mut pairs = Vec::new();
    for (index, (kind, theirs)) in function.argument_types.iter().zip(choices).enumerate() {
        let name = function.argument_names.get(index).map_or("", String::as_str);
        let mut own = choices_for(hunt, &hunt.stage.catalog, *kind, Wanted { name, source, whose: attacker });
        own.sort_by_key(|choice| std::cmp::Reverse(choice.likely));
        let (Some(own), Some(theirs)) = (first(&own), first(theirs)) else { return Vec::new() };
        pairs.push((own.theirs, theirs));
    }
    let mut calls = Vec::new();
    for odd in 0..pairs.len() {
        for of_victim in [true, false] {
            let pick = |nobodys: bool| -> Vec<String> {
                let of = |(at, (own, theirs)): (usize, &(String, Choice))| match (at == odd) == of_victim {
                    false => own.clone(),
                    true if nobodys => theirs.nobodys.clone(),
                    true => theirs.theirs.clone(),
                };
                pairs.iter().enumerate().map(of).collect()
            };
            calls.push((pick(false), pick(true)));
        }
    }
    // A query in place of a value is run only where there is a row of one's own.
    for (at, choices) in choices.iter().enumerate() {
        for query in choices.iter().filter(|choice| choice.theirs.contains("string_agg(")).take(QUERIES) {
            let mut own: Vec<String> = pairs.iter().map(|(own, _)| own.clone()).collect();
            own[at].clone_from(&query.theirs);
            let mut any = own.clone();
            for (other, kind) in function.argument_types.iter().enumerate().filter(|(other, _)| *other != at)
            {
                if hunt.stage.catalog.base_type(*kind).is_some_and(|info| info.category == "S") {
                    "''".clone_into(&mut any[other]);
                }
            }
            calls.extend([own, any].map(|call| (call.clone(), call)));
        }
    }
    calls
}

/// Any number of values is given as an array.
fn variadic(choices: &mut [Choice]) {
    for choice in choices {
        for text in [&mut choice.theirs, &mut choice.nobodys] {
            if text.starts_with("array[") || text.starts_with("null::") && text.ends_with("[]") {
                text.insert_str(0, "variadic ");
            }
        }
    }
}

/// Returns what a function says: an aggregate by the functions that work for it.
pub(in crate::attack) fn said(hunt: &Hunt, function: &Function) -> String {
    let mut source = function.source.clone();
    for part in parts(hunt, function) {
        source.push('\n');
        source.push_str(&part.source);
    }
    source
}

/// Returns the functions that work for an aggregate.
pub(in crate::attack) fn parts(hunt: &Hunt, function: &Function) -> Vec<Function> {
    let parts = function.aggregate.iter().flat_map(|aggregate| &aggregate.functions);
    parts.filter_map(|oid| hunt.stage.catalog.function(*oid)).cloned().collect()
}
