//! The table of operations, the routes, the OpenAPI document and the documentation say one thing.

use std::{fmt::Write as _, path::Path};

use novelfoundry_core::{Access, Operation as Row, Role};
use serde_json::{Value, json};

use crate::things::operations_of;

#[test]
fn the_document_and_the_table_hold_the_same_operations() {
    let document = serde_json::to_value(novelfoundry_api::openapi("0.0.0")).unwrap();
    let operations = operations_of(&document);
    for operation in &operations {
        let (method, path) = (operation.method.as_str(), operation.template.as_str());
        let row = Row::at(method, path)
            .unwrap_or_else(|| panic!("{method} {path} is not in the table of crates/core/src/operation.rs"));
        assert_eq!(operation.id, row.definition().id, "{method} {path}");
        let bearer = if row.access() == Access::Public { Value::Null } else { json!([{"bearer": []}]) };
        assert_eq!(operation.document["security"], bearer, "{}", operation.id);
        let role = row.access().role().map(Role::as_str);
        assert_eq!(operation.document["x-minimum-role"].as_str(), role, "{}", operation.id);
    }
    for row in Row::ALL {
        let row = row.definition();
        let found = operations.iter().any(|operation| operation.id == row.id);
        assert!(found, "{} stands in the table, and no route has its address", row.id);
    }
}

#[test]
fn the_documentation_shows_the_table() {
    let mut table = String::from("| operation | | minimum role |\n|---|---|---|\n");
    for row in Row::ALL {
        let row = row.definition();
        let _ = writeln!(table, "| `{}` | `{} {}` | {} |", row.id, row.method, row.path, row.access.as_str());
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/TENANCY.md");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains(&table), "docs/TENANCY.md lacks the table as it is now:\n\n{table}");
}
