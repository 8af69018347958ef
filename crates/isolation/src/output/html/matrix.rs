//! The matrix of role × object × verb: what was tried, and how it went, so that silence can be told from safety.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use crate::report::{Cell, Report};

use super::{super::text, Safe};

/// The verbs in the order in which they are shown; others come after.
const VERBS: [&str; 8] =
    ["select", "insert", "update", "delete", "truncate", "execute", "existence", "listen"];

/// Writes one table a role.
pub(super) fn write(page: &mut String, report: &Report) {
    let mut roles: BTreeMap<&str, BTreeMap<&str, BTreeMap<&str, &Cell>>> = BTreeMap::new();
    for cell in &report.matrix {
        let place = roles
            .entry(&cell.role)
            .or_default()
            .entry(&cell.object)
            .or_default()
            .entry(&cell.verb)
            .or_insert(cell);
        if gravity(&cell.outcome) > gravity(&place.outcome) {
            *place = cell;
        }
    }
    if roles.is_empty() {
        return;
    }
    page.push_str("<h2 id=\"matrix\">What was tried</h2>\n");
    for (role, objects) in roles {
        let used: BTreeSet<&str> = objects.values().flat_map(BTreeMap::keys).copied().collect();
        let mut verbs: Vec<&str> = VERBS.into_iter().filter(|verb| used.contains(verb)).collect();
        verbs.extend(used.iter().filter(|verb| !VERBS.contains(verb)));
        let _ = write!(
            page,
            "<h4>As <code>{}</code></h4>\n<div class=\"scroll\" tabindex=\"0\"><table class=\"matrix\">\n\
             <thead><tr><th scope=\"col\">Object</th>",
            Safe(&text::line(role))
        );
        for verb in &verbs {
            let _ = write!(page, "<th scope=\"col\">{}</th>", Safe(verb));
        }
        page.push_str("</tr></thead>\n<tbody>\n");
        for (object, cells) in objects {
            let _ = write!(page, "<tr><th scope=\"row\"><code>{}</code></th>", breakable(object));
            for verb in &verbs {
                write_cell(page, report, cells.get(verb).copied());
            }
            page.push_str("</tr>\n");
        }
        page.push_str("</tbody></table></div>\n");
    }
    page.push_str(
        "<p class=\"quiet small\">“holds”: tried, and nothing of another tenant was reached. “denied”: the role has no \
         privilege. “–”: the verb does not apply.</p>\n",
    );
}

fn write_cell(page: &mut String, report: &Report, cell: Option<&Cell>) {
    let Some(cell) = cell else {
        page.push_str("<td class=\"none\">–</td>");
        return;
    };
    let _ = match cell.outcome.as_str() {
        "leaks" => {
            // Another verb's finding of the object is better than none: a chain ends elsewhere than it begins.
            let of_object = || report.findings.iter().filter(|finding| finding.object == cell.object);
            let same = of_object().find(|finding| finding.verb.is_some_and(|verb| verb.word() == cell.verb));
            match same.or_else(|| of_object().next()) {
                Some(finding) => {
                    write!(page, "<td class=\"leaks\">✗ <a href=\"#f-{}\">leaks</a></td>", Safe(&finding.id))
                }
                None => write!(page, "<td class=\"leaks\">✗ leaks</td>"),
            }
        }
        "holds" => write!(page, "<td class=\"holds\">✓ holds</td>"),
        "denied" => write!(page, "<td class=\"denied\">denied</td>"),
        "not attacked" => write!(page, "<td class=\"missed\">? not attacked</td>"),
        other => write!(page, "<td>{}</td>", Safe(&text::line(other))),
    };
}

/// Lets a long name break where its words do.
fn breakable(object: &str) -> String {
    Safe(&text::line(object)).to_string().replace('_', "_<wbr/>").replace('.', ".<wbr/>")
}

fn gravity(outcome: &str) -> u8 {
    match outcome {
        "leaks" => 4,
        "not attacked" => 3,
        "holds" => 2,
        "denied" => 1,
        _ => 0,
    }
}
