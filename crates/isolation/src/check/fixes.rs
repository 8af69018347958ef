//! Statements that repair: what a policy of this schema compares with, and how a privilege is taken away.

use std::fmt::Write as _;

use std::collections::{BTreeMap, BTreeSet};

use super::{
    expr::{Node, Token, comparison, has_select, split, strip_casts},
    judge::{Holds, Judge, Parsed},
    names::column_list,
};
use crate::{
    catalog::{Column, Grant, Relation},
    session::identifier,
};

/// Returns what a condition compares a column with, where it does so plainly.
pub(super) fn compared_with<'a>(part: &'a [Node], column: &str) -> Option<&'a [Node]> {
    let (left, operator, right) = comparison(part)?;
    if operator != "=" {
        return None;
    }
    let is_column = |side: &[Node]| matches!(strip_casts(side).0, [node] if node.word() == Some(column));
    if is_column(left) {
        Some(right)
    } else if is_column(right) {
        Some(left)
    } else {
        None
    }
}

impl Judge<'_> {
    /// Finds what the policies of most tables compare the tenant with, and the type of the column there.
    pub(super) fn find_usual_tenant(&self) -> Option<(String, String)> {
        let mut votes: BTreeMap<(String, String), BTreeSet<u32>> = BTreeMap::new();
        for (relation, column) in self.tenant_tables() {
            for parsed in self.app_policies(relation.oid) {
                for expression in parsed.expressions() {
                    for part in expression.disjuncts().into_iter().flat_map(|part| split(part, "and")) {
                        let Some(with) = compared_with(part, &column.name) else { continue };
                        if has_select(with) || !self.context_in(with) {
                            continue;
                        }
                        let text = expression.text_of(with).to_owned();
                        let vote = votes.entry((text, column.type_name.clone())).or_default();
                        vote.insert(relation.oid);
                    }
                }
            }
        }
        votes.into_iter().max_by_key(|(_, tables)| tables.len()).map(|(key, _)| key)
    }

    /// Writes the condition that a row is the tenant's own, as this schema's other policies say it.
    pub(super) fn tenant_condition(&self, relation: &Relation) -> Option<String> {
        match self.holds(relation.oid) {
            Holds::Tenant(_) => {
                let column = self.tenant_column(relation.oid)?;
                Some(format!("{} = {}", identifier(&column.name), self.tenant_value(column)))
            }
            Holds::Child(parent) => {
                let parent = self.relation(parent)?;
                let key = self.catalog.constraints.iter().find(|key| {
                    key.kind == "f" && key.table == relation.oid && key.references == parent.oid
                })?;
                let name = |table: &Relation, number: &i16| {
                    table.columns.iter().find(|c| c.number == *number).map(|c| identifier(&c.name))
                };
                let pairs: Option<Vec<String>> = key
                    .columns
                    .iter()
                    .zip(&key.referenced)
                    .map(|(own, theirs)| {
                        let (own, theirs) = (name(relation, own)?, name(parent, theirs)?);
                        Some(format!("parent.{theirs} = {}.{own}", identifier(&relation.name)))
                    })
                    .collect();
                // The parent's own policies decide which of its rows the sub-select sees.
                Some(format!(
                    "EXISTS (SELECT FROM {} parent WHERE {})",
                    parent.quoted(),
                    pairs?.join(" AND ")
                ))
            }
            Holds::Shared => None,
        }
    }

    fn tenant_value(&self, column: &Column) -> String {
        match self.usual_tenant() {
            Some((text, kind)) if *kind == column.type_name => text.clone(),
            Some((text, _)) => format!("({text})::text::{}", column.type_name),
            None => {
                let text = "NULLIF(current_setting('app.tenant_id', true), '')";
                if column.type_name == "text" {
                    text.to_owned()
                } else {
                    format!("{text}::{}", column.type_name)
                }
            }
        }
    }

    /// Writes statements that put a table under row security.
    pub(super) fn protect(&self, relation: &Relation) -> String {
        let table = relation.quoted();
        let mut fix = format!(
            "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;\nALTER TABLE {table} FORCE ROW LEVEL SECURITY;"
        );
        let permissive = self.app_policies(relation.oid).any(|parsed| parsed.policy.permissive);
        if let Some(condition) = self.tenant_condition(relation).filter(|_| !permissive) {
            let _ = write!(
                fix,
                "\nCREATE POLICY {} ON {table}\n  USING ({condition})\n  WITH CHECK ({condition});",
                identifier(&self.free_policy_name(relation))
            );
        }
        fix
    }

    fn free_policy_name(&self, relation: &Relation) -> String {
        let mut name = format!("{}_tenant", relation.name);
        while self.policies(relation.oid).iter().any(|parsed| parsed.policy.name == name) {
            name.push_str("_own");
        }
        name
    }

    /// Writes a statement that gives a policy of this table the tenant's own rows only, keeping its command.
    pub(super) fn narrow(&self, relation: &Relation, parsed: &Parsed) -> String {
        let policy = format!("POLICY {} ON {}", identifier(&parsed.policy.name), relation.quoted());
        let covered = self.policies(relation.oid).iter().any(|other| {
            other.policy.oid != parsed.policy.oid
                && other.policy.permissive
                && (other.policy.command == "*" || other.policy.command == parsed.policy.command)
                && parsed
                    .policy
                    .roles
                    .iter()
                    .all(|role| other.policy.roles.contains(&0) || other.policy.roles.contains(role))
        });
        if covered {
            return format!("-- Another policy covers what it is for.\nDROP {policy};");
        }
        let Some(condition) = self.tenant_condition(relation) else {
            return format!(
                "-- No column says whose a row of {} is; nobody needs:\nDROP {policy};",
                relation.object()
            );
        };
        let using =
            if parsed.policy.command == "a" { String::new() } else { format!(" USING ({condition})") };
        let check = if matches!(parsed.policy.command.as_str(), "*" | "a" | "w") {
            format!(" WITH CHECK ({condition})")
        } else {
            String::new()
        };
        format!("ALTER {policy}{using}{check};")
    }

    /// Writes the statements that take privileges from whoever gives them to the app, on `object` and its columns.
    pub(super) fn revoke(&self, privileges: &[&str], object: &str, grants: &[Grant]) -> String {
        let mut by_grantee: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
        for grant in grants {
            let ours = grant.grantee == 0 || self.acting.contains(&grant.grantee);
            if ours && privileges.contains(&grant.privilege.as_str()) {
                by_grantee.entry(grant.grantee).or_default().push(&grant.privilege);
            }
        }
        let lines = by_grantee.into_iter().map(|(grantee, privileges)| {
            format!("REVOKE {} ON {object} FROM {};", privileges.join(", "), self.grantee(grantee))
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Writes the statements that close a relation to the app altogether.
    pub(super) fn revoke_all(&self, relation: &Relation) -> String {
        let grants = relation.grants.iter().chain(relation.columns.iter().flat_map(|column| &column.grants));
        let grantees: BTreeSet<u32> = grants
            .map(|grant| grant.grantee)
            .filter(|grantee| *grantee == 0 || self.acting.contains(grantee))
            .collect();
        let lines = grantees
            .into_iter()
            .map(|grantee| format!("REVOKE ALL ON {} FROM {};", relation.quoted(), self.grantee(grantee)));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Writes a grantee as a statement takes it.
    pub(super) fn grantee(&self, oid: u32) -> String {
        if oid == 0 {
            return "PUBLIC".to_owned();
        }
        self.role(oid).map_or_else(|| oid.to_string(), |role| identifier(&role.name))
    }

    /// Says in words by whom the app has a privilege.
    pub(super) fn by_whom(&self, grants: &[Grant], privilege: &str) -> String {
        let given = grants.iter().filter(|grant| grant.privilege == privilege);
        let names: Vec<String> = given
            .filter(|grant| grant.grantee == 0 || self.acting.contains(&grant.grantee))
            .map(|grant| self.role(grant.grantee).map_or("PUBLIC".to_owned(), |role| role.name.clone()))
            .collect();
        names.join(", ")
    }

    /// Says whose rows a table holds.
    pub(super) fn whose(&self, relation: &Relation) -> String {
        match self.holds(relation.oid) {
            Holds::Tenant(number) => {
                format!("its column {} says whose each row is", column_list(relation, &[number]))
            }
            Holds::Child(parent) => {
                let parent = self.relation(parent).map_or_else(String::new, crate::catalog::Relation::object);
                format!("its rows belong to rows of {parent}")
            }
            Holds::Shared => "its rows are nobody's in particular".to_owned(),
        }
    }
}

/// Tells whether some literal or word is there that no plain comparison has.
pub(super) fn texts(nodes: &[Node]) -> Vec<&str> {
    let mut found = Vec::new();
    super::expr::visit(nodes, &mut |list| {
        found.extend(list.iter().filter_map(|node| match &node.token {
            Token::Text(text) => Some(text.as_str()),
            _ => None,
        }));
    });
    found
}
