//! Gives every account its first workspace, before it gets its first token.
//!
//! The workspace's id is fixed with the account, and each step may be done again: whatever a crash has left undone, the
//! next sign-in does.

use novelfoundry_database::{
    DbError, NewWorkspace, directory,
    issuer::{self as queries, Account},
    workspaces,
};
use serde_json::{Map, Value};

use super::{AccountError, Inner, Issuer};

/// Metadata is part of every token, and a token must fit a header.
const MAX_METADATA_BYTES: usize = 4096;
const MAX_NAME_CHARACTERS: usize = 80;

impl Issuer {
    /// Makes person, workspace and ownership where that has not been done.
    pub(super) async fn provision(&self, account: &Account) -> Result<(), DbError> {
        if account.is_provisioned() {
            return Ok(());
        }
        let Inner { options, db, control, tenant, .. } = &*self.0;
        directory::remember_account(control, account.user_id(), account.email()).await?;
        let workspace = NewWorkspace::for_account(account);
        let name = workspace_name(account.email(), account.user_metadata());
        workspaces::ensure(tenant, &workspace, &name).await?;
        queries::mark_provisioned(db, account, options.clock.now()).await
    }
}

/// Says whether the database can keep the metadata and tokens can carry it.
pub(super) fn check_metadata(metadata: &Map<String, Value>) -> Result<(), AccountError> {
    let bytes = serde_json::to_vec(metadata).map_err(|_| AccountError::Metadata)?.len();
    let zeros: usize = metadata.values().map(zeros).sum();
    let fits = bytes + zeros <= MAX_METADATA_BYTES
        && metadata.iter().all(|(name, value)| !name.contains('\0') && has_no_nul(value));
    fits.then_some(()).ok_or(AccountError::Metadata)
}

/// Counts what the numbers in a value take besides when they are written out: the database keeps `1e300` as 301 digits.
fn zeros(value: &Value) -> usize {
    match value {
        // What is no floating-point number is written out.
        Value::Number(number) => number
            .as_f64()
            .filter(|_| number.is_f64())
            .map_or(0, |float| float.to_string().len().saturating_sub(number.to_string().len())),
        Value::Array(items) => items.iter().map(zeros).sum(),
        Value::Object(members) => members.values().map(zeros).sum(),
        Value::Null | Value::Bool(_) | Value::String(_) => 0,
    }
}

fn has_no_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.contains('\0'),
        Value::Array(items) => items.iter().all(has_no_nul),
        Value::Object(members) => {
            members.iter().all(|(name, value)| !name.contains('\0') && has_no_nul(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

/// Takes `workspace` of the metadata, else makes one of `name` or of the address.
fn workspace_name(email: &str, metadata: &Value) -> String {
    let field = |name| metadata.get(name).and_then(Value::as_str).and_then(tidy);
    if let Some(name) = field("workspace") {
        return name;
    }
    let local = email.split(['@', '+']).next().and_then(tidy);
    field("name").or(local).map_or_else(|| "My workspace".to_owned(), |owner| format!("{owner}'s workspace"))
}

/// Makes one line of visible text; `None` where nothing is left.
fn tidy(text: &str) -> Option<String> {
    let visible: String = text.chars().map(|c| if is_invisible(c) { ' ' } else { c }).collect();
    let line = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = line.chars().take(MAX_NAME_CHARACTERS).collect();
    let short = short.trim_end();
    (!short.is_empty()).then(|| short.to_owned())
}

/// Control characters, and those that change the direction of the text around them.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_workspace_is_named_after_what_is_known() {
        let name = |metadata| workspace_name("anna+novel@example.com", &metadata);
        assert_eq!(name(json!({})), "anna's workspace");
        assert_eq!(name(json!({"name": " Anna\n Seghers "})), "Anna Seghers's workspace");
        assert_eq!(name(json!({"workspace": "Transit", "name": "Anna"})), "Transit");
        assert_eq!(name(json!({"workspace": "\u{202e}\u{0} ", "name": 7})), "anna's workspace");
        assert_eq!(workspace_name("+@example.com", &json!({})), "My workspace");
    }

    proptest! {
        #[test]
        fn every_name_fits_the_table(workspace in any::<String>(), name in any::<String>()) {
            for metadata in [json!({"workspace": workspace}), json!({"name": name})] {
                let made = workspace_name("a@b.example", &metadata);
                prop_assert!((1..=200).contains(&made.chars().count()));
                prop_assert!(!made.chars().any(char::is_control));
            }
        }
    }

    #[test]
    fn metadata_that_cannot_be_kept_is_refused() {
        let check = |value: Value| check_metadata(value.as_object().unwrap()).is_ok();
        assert!(check(json!({"name": "Anna", "deep": {"list": [1, null, true, 1e308]}})));
        assert!(!check(json!({"name": "a\u{0}b"})));
        assert!(!check(json!({"a\u{0}": 1})));
        assert!(!check(json!({"deep": [{"a": {"b\u{0}": 1}}]})));
        assert!(check(json!({"a": "x".repeat(MAX_METADATA_BYTES - 8)})));
        assert!(!check(json!({"a": "x".repeat(MAX_METADATA_BYTES - 7)})));
        assert!(check(json!({"a": vec![0.5; 900]})), "what is not long is not counted twice");
        assert!(!check(json!({"deep": [{"a": vec![1e308; 14]}]})));
        assert!(!check(json!({"a": vec![-1e-308; 14]})));
        assert!(!check(json!({"a": vec![5e-324; 13]})));
    }
}
