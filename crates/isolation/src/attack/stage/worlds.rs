//! Worlds to compare with: the copy without somebody's rows.

use super::Stage;
use crate::{
    attack::{
        links::{Link, owned_by},
        seed::Row,
    },
    catalog::{Relation, RelationKind},
    session::{identifier, literal},
};

impl Stage {
    /// Returns statements that, by a superuser, leave one of the victim's rows in a table and none of the attacker's: what
    /// makes a statement fail on another row is out of the way.
    pub(in crate::attack) fn alone(&self, table: &Relation, row: &Row) -> Vec<String> {
        let tenants: Vec<&str> =
            self.foreign_ids().into_iter().chain(std::iter::once(self.attacker.id.as_str())).collect();
        let persons: Vec<&str> =
            self.foreign_persons().into_iter().chain(self.attacker.principal.as_deref()).collect();
        let Some(condition) = owned_by(&self.catalog, &self.links, table.oid, "t", &tenants, &persons) else {
            return Vec::new();
        };
        let key: Vec<String> = self
            .catalog
            .key(table.oid)
            .iter()
            .filter_map(|number| {
                let name = &table.column(*number)?.name;
                Some(format!("t.{} = {}", identifier(name), literal(row.get(name)?.as_ref()?)))
            })
            .collect();
        if key.is_empty() {
            return Vec::new();
        }
        vec![
            "set local session_replication_role = replica".to_owned(),
            format!("delete from {} t where {condition} and not ({})", table.quoted(), key.join(" and ")),
            "set local session_replication_role = origin".to_owned(),
        ]
    }

    /// Returns statements that, by a superuser, take the victim's and the neighbours' rows out of the world.
    pub(in crate::attack) fn without_victim(&self) -> Vec<String> {
        let (tenants, persons) = (self.foreign_ids(), self.foreign_persons());
        self.without(&tenants, &persons)
    }

    /// Returns statements that, by a superuser, take the attacker's own rows out of a table: they would fail first where
    /// every row makes a statement fail.
    pub(in crate::attack) fn without_own(&self, table: &Relation) -> Vec<String> {
        let persons: Vec<&str> = self.attacker.principal.iter().map(String::as_str).collect();
        let Some(condition) =
            owned_by(&self.catalog, &self.links, table.oid, "t", &[&self.attacker.id], &persons)
        else {
            return Vec::new();
        };
        vec![
            "set local session_replication_role = replica".to_owned(),
            format!("delete from {} t where {condition}", table.quoted()),
            "set local session_replication_role = origin".to_owned(),
        ]
    }

    fn without(&self, tenants: &[&str], persons: &[&str]) -> Vec<String> {
        let mut statements = vec!["set local session_replication_role = replica".to_owned()];
        let tables: Vec<&Relation> = self
            .catalog
            .relations
            .iter()
            .filter(|relation| relation.is_table() && !relation.extension && !relation.partition)
            .collect();
        // What is told by others' rows goes first, those rows after it.
        let depth = |table: &&Relation| match self.links.get(&table.oid) {
            Some(Link::Parent { .. } | Link::Child { .. }) => 0,
            _ => 1,
        };
        let mut ordered = tables;
        ordered.sort_by_key(depth);
        for table in ordered {
            let condition =
                owned_by(&self.catalog, &self.links, table.oid, "t", tenants, persons).or_else(|| {
                    let rows: Vec<String> =
                        self.provenance.get(&table.oid)?.iter().map(|row| literal(row)).collect();
                    Some(format!("t::text in ({})", rows.join(", ")))
                });
            if let Some(condition) = condition {
                statements.push(format!("delete from {} t where {condition}", table.quoted()));
            }
        }
        statements.push("set local session_replication_role = origin".to_owned());
        for view in self.catalog.relations.iter().filter(|view| view.kind == RelationKind::MaterializedView) {
            statements.push(format!("refresh materialized view {}", view.quoted()));
        }
        statements
    }
}
