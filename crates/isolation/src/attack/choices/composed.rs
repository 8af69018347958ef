//! Values that consist of others: rows, arrays, and what an argument of any type takes.

use super::{Choice, Wanted, choices_for, identifier, is_meant, is_secret, nobodys};
use crate::{
    attack::{Hunt, seed::Row, stage::Tenant},
    catalog::{Catalog, Field, Relation, TypeInfo, mentions},
    session::literal,
};

/// Choices of a part that a whole is made with.
const PARTS: usize = 6;

/// Returns the tables, those first that a source speaks of.
pub(super) fn tables<'a>(catalog: &'a Catalog, source: &str) -> Vec<&'a Relation> {
    let mut tables: Vec<&Relation> = catalog
        .relations
        .iter()
        .filter(|relation| relation.is_table() && !relation.extension && !relation.partition)
        .collect();
    tables.sort_by_key(|table| !mentions(source, &table.name));
    tables
}

fn type_name(info: &TypeInfo) -> String {
    format!("{}.{}", identifier(&info.schema), identifier(&info.name))
}

/// Returns rows of a composite type: out of one row of the tenant's where its fields are named alike, and field by field.
pub(super) fn rows(hunt: &Hunt, catalog: &Catalog, info: &TypeInfo, wanted: Wanted<'_>) -> Vec<Choice> {
    let name = type_name(info);
    let composed = |values: &[String]| format!("row({})::{name}", values.join(", "));
    let mut choices = Vec::new();
    let parts: Vec<Vec<Choice>> = info
        .fields
        .iter()
        .map(|field| {
            let kind = catalog.base_type(field.type_oid).map_or("", |info| info.kind.as_str());
            if kind == "c" && field.type_oid == info.oid {
                return Vec::new();
            }
            choices_for(hunt, catalog, field.type_oid, Wanted { name: &field.name, ..wanted })
        })
        .collect();
    for (row, keyed) in alike(hunt, catalog, &info.fields, wanted).into_iter().take(PARTS) {
        let theirs = fill(catalog, &info.fields, &row, &parts, false);
        let nobody = fill(catalog, &info.fields, &row, &parts, true);
        choices.push(Choice { theirs: composed(&theirs), nobodys: composed(&nobody), likely: 8 });
        // Whose the row is may be looked at, and the rest of it taken for anybody's.
        let own = literal(&hunt.stage.attacker.id);
        let tied = |values: &[String]| -> Option<Vec<String>> {
            let whose = literal(&wanted.whose.id);
            let is_tied = theirs.contains(&whose) && whose != own;
            let ours = theirs.iter().zip(values);
            is_tied.then(|| {
                ours.map(|(old, new)| if *old == whose { own.clone() } else { new.clone() }).collect()
            })
        };
        if let (Some(same), Some(nobody)) = (tied(&theirs), tied(&nobody)) {
            // What is written into the row that its key names has to be something else than what stands there.
            let other: Vec<String> = info
                .fields
                .iter()
                .zip(same.iter().zip(&nobody))
                .map(|(field, (same, nobody))| if keyed.contains(&field.name) { same } else { nobody })
                .cloned()
                .collect();
            for theirs in [other, same] {
                choices.push(Choice { theirs: composed(&theirs), nobodys: composed(&nobody), likely: 8 });
            }
        }
    }
    let pick = |at: &[usize], nobody: bool| -> Vec<String> {
        parts
            .iter()
            .zip(at)
            .map(|(choices, at)| {
                choices.get(*at).map_or_else(
                    || "null".to_owned(),
                    |choice| if nobody { choice.nobodys.clone() } else { choice.theirs.clone() },
                )
            })
            .collect()
    };
    let first = vec![0; parts.len()];
    choices.push(Choice {
        theirs: composed(&pick(&first, false)),
        nobodys: composed(&pick(&first, true)),
        likely: 7,
    });
    for part in 0..parts.len() {
        for at in 1..parts[part].len().min(PARTS) {
            let mut picked = first.clone();
            picked[part] = at;
            let (theirs, nobody) = (pick(&picked, false), pick(&picked, true));
            choices.push(Choice { theirs: composed(&theirs), nobodys: composed(&nobody), likely: 5 });
        }
    }
    choices
}

/// Returns a tenant's rows out of the tables that have most of the fields, those first that the source speaks of,
/// and the columns of their keys.
fn alike(hunt: &Hunt, catalog: &Catalog, fields: &[Field], wanted: Wanted<'_>) -> Vec<(Row, Vec<String>)> {
    let mut found = Vec::new();
    for table in tables(catalog, wanted.source) {
        let named = fields.iter().filter(|field| table.column_named(&field.name).is_some()).count();
        let rows = hunt.seeds.rows_of(table.oid, wanted.whose);
        if named == 0 || rows.is_empty() {
            continue;
        }
        let open: Vec<Row> = rows
            .iter()
            .map(|row| {
                let mut row = row.clone();
                row.retain(|name, _| !is_secret(&table.name, name));
                row
            })
            .take(2)
            .collect();
        let key = catalog.key(table.oid);
        let keyed: Vec<String> =
            key.iter().filter_map(|number| Some(table.column(*number)?.name.clone())).collect();
        found.push((named, open, keyed));
    }
    found.sort_by_key(|(named, ..)| std::cmp::Reverse(*named));
    found
        .into_iter()
        .take(3)
        .flat_map(|(_, rows, keyed)| rows.into_iter().map(move |row| (row, keyed.clone())))
        .collect()
}

fn fill(catalog: &Catalog, fields: &[Field], row: &Row, parts: &[Vec<Choice>], nobody: bool) -> Vec<String> {
    let of_row = |field: &Field| {
        let value = row.get(&field.name)?.as_ref()?;
        let info = catalog.base_type(field.type_oid)?;
        Some(if nobody { literal(&nobodys(&info.name, &info.category, value)) } else { literal(value) })
    };
    fields
        .iter()
        .zip(parts)
        .map(|(field, choices)| {
            let chosen = choices.first().map(|choice| if nobody { &choice.nobodys } else { &choice.theirs });
            of_row(field).or_else(|| chosen.cloned()).unwrap_or_else(|| "null".to_owned())
        })
        .collect()
}

/// Returns arrays: of one element, and of one's own and another's, of which a check may see the first alone.
pub(super) fn arrays(hunt: &Hunt, catalog: &Catalog, info: &TypeInfo, wanted: Wanted<'_>) -> Vec<Choice> {
    let Some(element) = catalog.types.get(&info.base) else { return Vec::new() };
    let name = type_name(element);
    let array = |values: &[&str]| format!("array[{}]::{name}[]", values.join(", "));
    let of = |whose: &Tenant| choices_for(hunt, catalog, info.base, Wanted { whose, ..wanted });
    let theirs = of(wanted.whose);
    let mut own = of(&hunt.stage.attacker);
    own.sort_by_key(|choice| std::cmp::Reverse(choice.likely));
    let mut choices: Vec<Choice> = theirs
        .iter()
        .map(|choice| Choice {
            theirs: array(&[&choice.theirs]),
            nobodys: array(&[&choice.nobodys]),
            likely: choice.likely,
        })
        .collect();
    for (other, one) in theirs.iter().zip(&own).take(3) {
        if other.theirs != one.theirs {
            choices.push(Choice {
                theirs: array(&[&one.theirs, &other.theirs]),
                nobodys: array(&[&one.theirs, &other.nobodys]),
                likely: other.likely.saturating_sub(1),
            });
        }
    }
    choices
}

/// Returns what to give for an argument of any type: a null of each table's row, and values that say their type.
pub(super) fn of_any_type(
    hunt: &Hunt,
    catalog: &Catalog,
    info: &TypeInfo,
    wanted: Wanted<'_>,
) -> Vec<Choice> {
    let both = |likely: u8, text: String| Choice { nobodys: text.clone(), theirs: text, likely };
    let mut choices = Vec::new();
    let array = matches!(info.name.as_str(), "anyarray" | "anycompatiblearray");
    if matches!(
        info.name.as_str(),
        "anyelement"
            | "anynonarray"
            | "anycompatible"
            | "anycompatiblenonarray"
            | "any"
            | "record"
            | "_record"
    ) || array
    {
        let end = if array { "[]" } else { "" };
        for table in tables(catalog, wanted.source).into_iter().take(20) {
            choices.push(both(6, format!("null::{}{end}", table.quoted())));
        }
        for table in tables(catalog, wanted.source).into_iter().take(6) {
            let Some(row) = hunt.seeds.row(table.oid, wanted.whose) else { continue };
            let value = |column: &crate::catalog::Column| {
                row.get(&column.name)
                    .cloned()
                    .flatten()
                    .map_or_else(|| "null".to_owned(), |value| literal(&value))
            };
            let cells: Vec<String> = table.columns.iter().map(value).collect();
            let whole = format!("row({})::{}", cells.join(", "), table.quoted());
            choices.push(both(5, if array { format!("array[{whole}]") } else { whole }));
            for column in table.columns.iter().filter(|column| {
                is_meant(&wanted.name.to_ascii_lowercase(), &column.name)
                    || catalog.key(table.oid).contains(&column.number)
            }) {
                if is_secret(&table.name, &column.name) || row.get(&column.name).is_none_or(Option::is_none) {
                    continue;
                }
                let one = format!("{}::{}", value(column), column.type_name);
                choices.push(both(4, if array { format!("array[{one}]") } else { one }));
            }
        }
    } else if info.name.starts_with("any") && info.name.ends_with("range") {
        choices.push(both(3, "'(,)'::int4range".to_owned()));
    } else if info.name == "anyenum" {
        for kind in catalog.types.values().filter(|kind| kind.kind == "e") {
            choices.extend(
                kind.labels.first().map(|label| both(3, format!("{}::{}", literal(label), type_name(kind)))),
            );
        }
        choices.sort_by(|one, other| one.theirs.cmp(&other.theirs));
    }
    choices
}
