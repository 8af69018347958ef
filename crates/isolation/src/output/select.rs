//! Which rules a run is about, by `--only` and `--except`.

use crate::rules::{self, Rule};

/// A name that is no rule's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no rule is called {name:?}; {hint}")]
pub struct UnknownRule {
    /// What was given.
    pub name: String,
    /// What was meant, or where the names are.
    pub hint: String,
}

/// Returns the rule of an id, or says which was probably meant.
pub(crate) fn rule(name: &str) -> Result<&'static Rule, UnknownRule> {
    rules::by_id(name).ok_or_else(|| UnknownRule {
        name: name.to_owned(),
        hint: rules::nearest(name).map_or_else(
            || "`explain` without a rule lists all".to_owned(),
            |near| format!("{near} is the nearest"),
        ),
    })
}

/// The rules that a run is about; all where none is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    only: Vec<&'static str>,
    except: Vec<&'static str>,
}

impl Selection {
    /// Reads the names that were given.
    pub fn new(only: &[String], except: &[String]) -> Result<Self, UnknownRule> {
        let ids = |names: &[String]| -> Result<Vec<_>, _> {
            names.iter().map(|name| rule(name).map(|rule| rule.id)).collect()
        };
        let selection = Self { only: ids(only)?, except: ids(except)? };
        if !rules::ALL.iter().any(|rule| selection.wants(rule.id)) {
            return Err(UnknownRule {
                name: only.join(","),
                hint: "what --only names is all taken away by --except".to_owned(),
            });
        }
        Ok(selection)
    }

    /// Tells whether findings of a rule are wanted.
    pub fn wants(&self, id: &str) -> bool {
        (self.only.is_empty() || self.only.contains(&id)) && !self.except.contains(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn all_rules_are_wanted_until_some_are_named() {
        let all = Selection::default();
        assert!(rules::ALL.iter().all(|rule| all.wants(rule.id)));
        let some = Selection::new(&names(&["truncates", "statistics"]), &names(&["statistics"])).unwrap();
        let wanted: Vec<_> =
            rules::ALL.iter().filter(|rule| some.wants(rule.id)).map(|rule| rule.id).collect();
        assert_eq!(wanted, ["truncates"]);
    }

    #[test]
    fn a_misspelt_rule_is_refused_with_the_nearest() {
        let error = Selection::new(&names(&["read-foreign-row"]), &[]).unwrap_err().to_string();
        assert!(error.contains("reads-foreign-rows"), "{error}");
        let error = Selection::new(&[], &names(&["zzz"])).unwrap_err().to_string();
        assert!(error.contains("explain"), "{error}");
        assert!(Selection::new(&names(&["truncates"]), &names(&["truncates"])).is_err());
    }
}
