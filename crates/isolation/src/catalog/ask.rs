//! Questions about the catalogue that several judges have.

use std::collections::BTreeSet;

use super::model::{
    Catalog, Column, Constraint, Function, Grant, Relation, RelationKind, Role, Sequence, TypeInfo,
};
use crate::session::identifier;

impl Relation {
    /// Returns `schema.name`, as a finding names it.
    pub fn object(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// Returns the name as a statement takes it.
    pub fn quoted(&self) -> String {
        format!("{}.{}", identifier(&self.schema), identifier(&self.name))
    }

    /// Returns a column by its number.
    pub fn column(&self, number: i16) -> Option<&Column> {
        self.columns.iter().find(|column| column.number == number)
    }

    /// Returns a column by its name.
    pub fn column_named(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Tells whether it holds rows of its own that row security can bind.
    pub fn is_table(&self) -> bool {
        matches!(self.kind, RelationKind::Table | RelationKind::Partitioned)
    }

    /// Tells whether a storage option is on, such as `security_invoker`.
    pub fn option(&self, name: &str) -> bool {
        self.options.iter().any(|option| {
            option.split_once('=').is_some_and(|(key, value)| {
                key == name && matches!(value.to_ascii_lowercase().as_str(), "true" | "on" | "1" | "yes")
            })
        })
    }
}

impl Function {
    /// Returns `schema.name`, as a finding names it.
    pub fn object(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// Returns the name as a call takes it.
    pub fn quoted(&self) -> String {
        format!("{}.{}", identifier(&self.schema), identifier(&self.name))
    }

    /// Returns the search path that it fixes.
    pub fn search_path(&self) -> Option<&str> {
        self.config.iter().find_map(|setting| setting.strip_prefix("search_path="))
    }
}

impl Sequence {
    /// Returns `schema.name`, as a finding names it.
    pub fn object(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// Returns the name as a statement takes it.
    pub fn quoted(&self) -> String {
        format!("{}.{}", identifier(&self.schema), identifier(&self.name))
    }
}

impl Catalog {
    /// Returns a relation by its oid.
    pub fn relation(&self, oid: u32) -> Option<&Relation> {
        self.relations.iter().find(|relation| relation.oid == oid)
    }

    /// Returns a function by its oid.
    pub fn function(&self, oid: u32) -> Option<&Function> {
        self.functions.iter().find(|function| function.oid == oid)
    }

    /// Returns a role by its name.
    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.iter().find(|role| role.name == name)
    }

    /// Returns a role by its oid.
    pub fn role_by_oid(&self, oid: u32) -> Option<&Role> {
        self.roles.iter().find(|role| role.oid == oid)
    }

    /// Returns a role's name; `PUBLIC` for 0.
    pub fn role_name(&self, oid: u32) -> &str {
        self.role_by_oid(oid).map_or("PUBLIC", |role| role.name.as_str())
    }

    /// Returns the constraints of a table.
    pub fn constraints_of(&self, table: u32) -> impl Iterator<Item = &Constraint> {
        self.constraints.iter().filter(move |constraint| constraint.table == table)
    }

    /// Returns the foreign keys of a table.
    pub fn foreign_keys(&self, table: u32) -> impl Iterator<Item = &Constraint> {
        self.constraints_of(table).filter(|constraint| constraint.kind == "f")
    }

    /// Returns the columns of the primary key, or of a unique constraint where there is none.
    pub fn key(&self, table: u32) -> Vec<i16> {
        let of = |kind: &str| {
            self.constraints_of(table)
                .find(|constraint| constraint.kind == kind)
                .map(|constraint| constraint.columns.clone())
        };
        of("p").or_else(|| of("u")).unwrap_or_default()
    }

    /// Returns the type that a domain finally stands on, else the type itself.
    pub fn base_type(&self, oid: u32) -> Option<&TypeInfo> {
        let mut info = self.types.get(&oid)?;
        while info.kind == "d" {
            info = self.types.get(&info.base)?;
        }
        Some(info)
    }

    /// Returns a role and all whose privileges it has without `SET ROLE`, PUBLIC included.
    pub fn privileges_of(&self, role: u32) -> BTreeSet<u32> {
        self.reach(role, |membership| membership.inherit)
    }

    /// Returns a role and all that it may `SET ROLE` to.
    pub fn may_become(&self, role: u32) -> BTreeSet<u32> {
        let mut all = self.reach(role, |membership| membership.set);
        all.remove(&0);
        all
    }

    fn reach(&self, role: u32, by: impl Fn(&super::Membership) -> bool) -> BTreeSet<u32> {
        let mut all = BTreeSet::from([0, role]);
        loop {
            let before = all.len();
            for membership in &self.memberships {
                if by(membership) && all.contains(&membership.member) {
                    all.insert(membership.role);
                }
            }
            if all.len() == before {
                return all;
            }
        }
    }

    /// Tells whether a role has a privilege out of a list, through PUBLIC and its memberships too.
    pub fn has(&self, role: u32, grants: &[Grant], privilege: &str) -> bool {
        if self.role_by_oid(role).is_some_and(|role| role.superuser) {
            return true;
        }
        let roles = self.privileges_of(role);
        grants.iter().any(|grant| grant.privilege == privilege && roles.contains(&grant.grantee))
    }

    /// Tells whether a role may use names in a schema.
    pub fn uses_schema(&self, role: u32, schema: &str) -> bool {
        self.schemas
            .iter()
            .find(|other| other.name == schema)
            .is_some_and(|schema| self.has(role, &schema.grants, "USAGE"))
    }

    /// Tells whether a role has a privilege on a relation, or on a column of it.
    pub fn may(&self, role: u32, relation: &Relation, privilege: &str) -> bool {
        self.uses_schema(role, &relation.schema)
            && (self.has(role, &relation.grants, privilege)
                || self.has_by_predefined(role, privilege)
                || relation.columns.iter().any(|column| self.has(role, &column.grants, privilege)))
    }

    /// Tells whether a role has a privilege on a column.
    pub fn may_column(&self, role: u32, relation: &Relation, column: &Column, privilege: &str) -> bool {
        self.has(role, &relation.grants, privilege)
            || self.has_by_predefined(role, privilege)
            || self.has(role, &column.grants, privilege)
    }

    /// Tells whether a predefined role gives the privilege on every table.
    pub fn has_by_predefined(&self, role: u32, privilege: &str) -> bool {
        let wanted = match privilege {
            "SELECT" => "pg_read_all_data",
            "INSERT" | "UPDATE" | "DELETE" => "pg_write_all_data",
            _ => return false,
        };
        self.privileges_of(role).iter().any(|oid| self.role_name(*oid) == wanted)
    }

    /// Returns the text of a policy with the sources of the functions that it calls, and of those that they call.
    pub fn policy_text(&self, policy: &super::Policy) -> String {
        let mut text = format!(
            "{} {}",
            policy.using.as_deref().unwrap_or_default(),
            policy.check.as_deref().unwrap_or_default()
        );
        for function in self.functions_behind(&policy.functions) {
            text.push('\n');
            text.push_str(&function.source);
        }
        text
    }

    /// Returns functions and those that their sources name.
    pub fn functions_behind(&self, first: &[u32]) -> Vec<&Function> {
        let mut found: Vec<&Function> = first.iter().filter_map(|oid| self.function(*oid)).collect();
        let mut next = 0;
        while next < found.len() {
            let source = found[next].source.as_str();
            for function in &self.functions {
                let is_new = !found.iter().any(|known| known.oid == function.oid);
                if is_new && !function.extension && mentions(source, &function.name) {
                    found.push(function);
                }
            }
            next += 1;
        }
        found
    }
}

/// Tells whether a text has a name as a word of its own.
pub fn mentions(text: &str, name: &str) -> bool {
    let is_word = |character: Option<char>| character.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(name).any(|(at, _)| {
        !is_word(text[..at].chars().next_back()) && !is_word(text[at + name.len()..].chars().next())
    })
}
