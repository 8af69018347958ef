//! How functions of each kind are called, and what has to be asked after the call.

use crate::{
    attack::stage::Stage,
    catalog::{Catalog, Function, Relation, mentions},
    finding::TenantContext,
    session::identifier,
};

/// Lists of columns that a record is read with.
const SHAPES: usize = 6;

/// Writes the call of a function.
pub(in crate::attack) fn statement(function: &Function, arguments: &[String]) -> String {
    let list = arguments.join(", ");
    let call = format!("{}({list})", function.quoted());
    match function.kind.as_str() {
        "p" => format!("call {call}"),
        "a" => {
            let aggregate = function.aggregate.as_ref().filter(|aggregate| aggregate.kind != "n");
            let direct = aggregate.map_or(0, |aggregate| aggregate.direct).min(arguments.len());
            if aggregate.is_none() {
                return format!("select {call}");
            }
            let (before, within) = arguments.split_at(direct);
            let order = if within.is_empty() { "1".to_owned() } else { within.join(", ") };
            format!("select {}({}) within group (order by {order})", function.quoted(), before.join(", "))
        }
        "w" => format!("select {call} over ()"),
        _ if !function.outputs && !function.returns_set => format!("select {call}"),
        _ => format!("select * from {call}"),
    }
}

/// Writes what is tried with a function and arguments, each a script of its own.
pub(super) fn statements(
    stage: &Stage,
    function: &Function,
    arguments: &[String],
    context: TenantContext,
) -> Vec<Vec<String>> {
    let call = statement(function, arguments);
    let catalog = &stage.catalog;
    if function.kind == "f" && !function.outputs && function.returns_set {
        let shapes = shapes(catalog, function, arguments);
        return shapes.into_iter().map(|shape| vec![format!("{call} as t({shape})")]).collect();
    }
    let mut tried = vec![vec![call.clone()]];
    if context == TenantContext::Tenant && opens_cursor(catalog, function) {
        tried.push(vec![call, drain()]);
    }
    tried
}

/// Returns the columns of the tables that a record may be a row of.
fn shapes(catalog: &Catalog, function: &Function, arguments: &[String]) -> Vec<String> {
    let given = arguments.join(" ");
    let tables: Vec<&Relation> =
        catalog.relations.iter().filter(|relation| !relation.extension && !relation.partition).collect();
    let mut likely: Vec<&Relation> =
        tables.iter().copied().filter(|table| mentions(&given, &table.name)).collect();
    if likely.is_empty() {
        likely = tables.iter().copied().filter(|table| mentions(&function.source, &table.name)).collect();
    }
    if likely.is_empty() {
        likely = tables;
    }
    let shape = |table: &Relation| {
        let columns = table.columns.iter();
        let columns = columns.map(|column| format!("{} {}", identifier(&column.name), column.type_name));
        columns.collect::<Vec<_>>().join(", ")
    };
    likely.into_iter().take(SHAPES).map(shape).collect()
}

/// Tells whether a function may leave a cursor open.
fn opens_cursor(catalog: &Catalog, function: &Function) -> bool {
    let cursor = |oid: u32| catalog.types.get(&oid).is_some_and(|info| info.name == "refcursor");
    cursor(function.returns)
        || function.argument_types.iter().any(|oid| cursor(*oid))
        || function.source.to_ascii_lowercase().contains("cursor")
}

/// Reads every cursor that is open, to its end and from its beginning, and tells what it holds.
fn drain() -> String {
    "do $nf$ declare names text[] := array(select name from pg_cursors where name <> ''); c refcursor; r record; begin \
     for i in 1 .. coalesce(cardinality(names), 0) loop c := names[i]; \
     begin for n in 1 .. 200 loop fetch next from c into r; exit when not found; raise notice '%', r; end loop; \
     exception when others then null; end; \
     begin move absolute 0 in c; for n in 1 .. 200 loop fetch next from c into r; exit when not found; raise notice '%', r; end loop; \
     exception when others then null; end; end loop; end $nf$"
        .to_owned()
}
