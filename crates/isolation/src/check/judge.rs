//! What several rules ask of the catalogue: who the app can be and what it may do, whose rows a table holds, which
//! policies bind it, and which functions read the context.

use std::{
    cell::OnceCell,
    collections::{BTreeSet, HashMap, HashSet},
};

use super::{
    expr::{self, Expr},
    names::{column_named, is_table},
    subject::Subject,
};
use crate::{
    catalog::{Catalog, Column, Function, Grant, Policy, Relation, Role},
    finding::Finding,
};

/// Whose rows a table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// Each row is of the tenant in this column.
    Tenant(i16),
    /// Each row belongs to one of another table that has the column, by a foreign key.
    Child(u32),
    /// Nobody's in particular.
    Shared,
}

/// What is asked of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Select,
    Insert,
    Update,
    Delete,
}

impl Act {
    pub(super) const ALL: [Self; 4] = [Self::Select, Self::Insert, Self::Update, Self::Delete];

    pub(super) fn privilege(self) -> &'static str {
        match self {
            Self::Select => "SELECT",
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }

    fn command(self) -> &'static str {
        match self {
            Self::Select => "r",
            Self::Insert => "a",
            Self::Update => "w",
            Self::Delete => "d",
        }
    }
}

/// A policy taken apart.
pub(super) struct Parsed<'a> {
    pub(super) policy: &'a Policy,
    pub(super) using: Option<Expr>,
    pub(super) check: Option<Expr>,
}

impl Parsed<'_> {
    /// Tells whether it is asked for such an act.
    pub(super) fn covers(&self, act: Act) -> bool {
        self.policy.command == "*" || self.policy.command == act.command()
    }

    /// Returns what rows have to be like to be seen, changed or removed.
    pub(super) fn condition(&self, act: Act) -> Option<&Expr> {
        match act {
            Act::Insert => None,
            _ if self.covers(act) => self.using.as_ref(),
            _ => None,
        }
    }

    /// Returns what new rows have to be like.
    pub(super) fn demand(&self, act: Act) -> Option<&Expr> {
        match act {
            Act::Insert | Act::Update if self.covers(act) => self.check.as_ref().or(self.using.as_ref()),
            _ => None,
        }
    }

    /// Returns its expressions.
    pub(super) fn expressions(&self) -> impl Iterator<Item = &Expr> {
        self.using.iter().chain(&self.check)
    }
}

/// The catalogue with what is asked of it again and again.
pub(super) struct Judge<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) subject: &'a Subject,
    relations: HashMap<u32, &'a Relation>,
    roles: HashMap<u32, &'a Role>,
    functions: HashMap<u32, &'a Function>,
    schema_grants: HashMap<&'a str, &'a [Grant]>,
    policies: HashMap<u32, Vec<Parsed<'a>>>,
    holds: HashMap<u32, Holds>,
    bodies: HashMap<u32, Expr>,
    context: HashSet<u32>,
    context_names: HashSet<&'a str>,
    usual: OnceCell<Option<(String, String)>>,
    /// The app's role and those whose privileges it has without asking.
    pub(super) inherits: BTreeSet<u32>,
    /// The app's role and all that it may become.
    pub(super) becomes: BTreeSet<u32>,
    /// As whom the app reaches data: all of those but roles that isolation does not bind, which have rules of their own.
    pub(super) acting: BTreeSet<u32>,
    pub(super) findings: Vec<Finding>,
}

fn closure(catalog: &Catalog, role: u32, by: impl Fn(&crate::catalog::Membership) -> bool) -> BTreeSet<u32> {
    let mut all = BTreeSet::from([role]);
    loop {
        let before = all.len();
        for membership in catalog.memberships.iter().filter(|membership| by(membership)) {
            if all.contains(&membership.member) {
                all.insert(membership.role);
            }
        }
        if all.len() == before {
            return all;
        }
    }
}

impl<'a> Judge<'a> {
    pub(super) fn new(catalog: &'a Catalog, subject: &'a Subject) -> Self {
        let inherits = closure(catalog, subject.role, |membership| membership.inherit);
        let mut becomes = closure(catalog, subject.role, |membership| membership.set);
        becomes.extend(&inherits);
        let mut policies: HashMap<u32, Vec<Parsed>> = HashMap::new();
        for policy in &catalog.policies {
            policies.entry(policy.table).or_default().push(Parsed {
                policy,
                using: policy.using.as_deref().map(Expr::parse),
                check: policy.check.as_deref().map(Expr::parse),
            });
        }
        let mut judge = Self {
            catalog,
            subject,
            relations: catalog.relations.iter().map(|relation| (relation.oid, relation)).collect(),
            roles: catalog.roles.iter().map(|role| (role.oid, role)).collect(),
            functions: catalog.functions.iter().map(|function| (function.oid, function)).collect(),
            schema_grants: catalog.schemas.iter().map(|s| (s.name.as_str(), s.grants.as_slice())).collect(),
            policies,
            holds: HashMap::new(),
            bodies: catalog.functions.iter().map(|f| (f.oid, Expr::parse(&f.source))).collect(),
            context: HashSet::new(),
            context_names: HashSet::new(),
            usual: OnceCell::new(),
            inherits,
            becomes,
            acting: BTreeSet::new(),
            findings: Vec::new(),
        };
        judge.find_holders();
        judge.find_context_readers();
        judge.acting = judge
            .becomes
            .iter()
            .copied()
            .filter(|oid| *oid == subject.role || judge.unbound(*oid).is_none())
            .collect();
        judge
    }

    pub(super) fn relation(&self, oid: u32) -> Option<&'a Relation> {
        self.relations.get(&oid).copied()
    }

    pub(super) fn role(&self, oid: u32) -> Option<&'a Role> {
        self.roles.get(&oid).copied()
    }

    /// Returns the role that a check is about.
    pub(super) fn app(&self) -> &'a str {
        self.role(self.subject.role).map_or("", |role| role.name.as_str())
    }

    pub(super) fn is_superuser(&self, role: u32) -> bool {
        self.role(role).is_some_and(|role| role.superuser)
    }

    /// Returns the policies of a table.
    pub(super) fn policies(&self, table: u32) -> &[Parsed<'a>] {
        self.policies.get(&table).map_or(&[], Vec::as_slice)
    }

    /// Returns those that are asked where the app acts.
    pub(super) fn app_policies(&self, table: u32) -> impl Iterator<Item = &Parsed<'a>> {
        self.policies(table)
            .iter()
            .filter(|parsed| parsed.policy.roles.iter().any(|role| *role == 0 || self.acting.contains(role)))
    }

    pub(super) fn holds(&self, table: u32) -> Holds {
        self.holds.get(&table).copied().unwrap_or(Holds::Shared)
    }

    /// Returns a table's column of tenants.
    pub(super) fn tenant_column(&self, table: u32) -> Option<&'a Column> {
        let Holds::Tenant(number) = self.holds(table) else { return None };
        self.relation(table)?.columns.iter().find(|column| column.number == number)
    }

    /// Returns the tables whose rows are tenants', directly.
    pub(super) fn tenant_tables(&self) -> Vec<(&'a Relation, &'a Column)> {
        self.catalog
            .relations
            .iter()
            .filter(|relation| is_table(relation) && !relation.extension)
            .filter_map(|relation| Some((relation, self.tenant_column(relation.oid)?)))
            .collect()
    }

    /// Tells whether a table lists the tenants themselves: its column of tenants is its whole key.
    pub(super) fn is_root(&self, table: u32) -> bool {
        let Holds::Tenant(number) = self.holds(table) else { return false };
        self.catalog.indexes.iter().any(|index| {
            index.table == table && index.columns == [number] && index.predicate.is_none() && index.primary
        })
    }

    fn find_holders(&mut self) {
        let Some(name) = self.subject.column.clone() else { return };
        for relation in &self.catalog.relations {
            if let Some(column) = column_named(relation, &name) {
                self.holds.insert(relation.oid, Holds::Tenant(column.number));
            }
        }
        // What such a column refers to by itself lists the tenants, under whatever name.
        for key in self.catalog.constraints.iter().filter(|key| key.kind == "f") {
            let (Holds::Tenant(number), [from], [to]) =
                (self.holds(key.table), key.columns.as_slice(), key.referenced.as_slice())
            else {
                continue;
            };
            if *from == number && !self.holds.contains_key(&key.references) {
                self.holds.insert(key.references, Holds::Tenant(*to));
            }
        }
        loop {
            let mut more = Vec::new();
            for key in self.catalog.constraints.iter().filter(|key| key.kind == "f") {
                let owned = match self.holds(key.references) {
                    Holds::Tenant(_) => !self.is_root(key.references),
                    Holds::Child(_) => true,
                    Holds::Shared => false,
                };
                if owned && !self.holds.contains_key(&key.table) && key.table != key.references {
                    more.push((key.table, Holds::Child(key.references)));
                }
            }
            if more.is_empty() {
                break;
            }
            self.holds.extend(more);
        }
    }

    fn find_context_readers(&mut self) {
        let by_name: HashMap<&str, Vec<u32>> =
            self.catalog.functions.iter().fold(HashMap::new(), |mut all, function| {
                all.entry(function.name.as_str()).or_default().push(function.oid);
                all
            });
        let mut callers: HashMap<u32, Vec<u32>> = HashMap::new();
        let mut readers = Vec::new();
        for (oid, body) in &self.bodies {
            let mut words = HashSet::new();
            expr::any_word(body.nodes(), &mut |word| {
                words.insert(expr::last(word).to_owned());
                false
            });
            if words.iter().any(|word| CONTEXT_WORDS.contains(&word.as_str())) {
                readers.push(*oid);
            }
            for called in words.iter().filter_map(|word| by_name.get(word.as_str())).flatten() {
                callers.entry(*called).or_default().push(*oid);
            }
        }
        while let Some(reader) = readers.pop() {
            if self.context.insert(reader) {
                readers.extend(callers.get(&reader).into_iter().flatten());
            }
        }
        self.context_names =
            self.context.iter().filter_map(|oid| self.functions.get(oid)).map(|f| f.name.as_str()).collect();
    }

    /// Returns a function's body taken apart.
    pub(super) fn body(&self, function: u32) -> &[expr::Node] {
        self.bodies.get(&function).map_or(&[], Expr::nodes)
    }

    /// Tells whether a function reads who is asking, itself or through another.
    pub(super) fn reads_context(&self, function: u32) -> bool {
        self.context.contains(&function)
    }

    /// Tells whether an expression or a view's text reads who is asking.
    pub(super) fn context_in(&self, nodes: &[expr::Node]) -> bool {
        expr::any_word(nodes, &mut |word| CONTEXT_WORDS.contains(&expr::last(word)))
            || expr::calls(nodes).into_iter().any(|(name, _)| self.context_names.contains(expr::last(name)))
    }

    /// Returns what the policies of most tables compare the tenant with, and the type of the column there.
    pub(super) fn usual_tenant(&self) -> Option<&(String, String)> {
        self.usual.get_or_init(|| self.find_usual_tenant()).as_ref()
    }

    /// Tells whether some of these privileges lets the app in.
    pub(super) fn granted(&self, grants: &[Grant], privilege: &str) -> bool {
        grants.iter().any(|grant| {
            grant.privilege == privilege && (grant.grantee == 0 || self.acting.contains(&grant.grantee))
        })
    }

    /// Tells whether the app may name what is in a schema.
    pub(super) fn may_use(&self, schema: &str) -> bool {
        self.is_superuser(self.subject.role)
            || self.schema_grants.get(schema).is_some_and(|grants| self.granted(grants, "USAGE"))
    }

    /// Tells whether the app has a privilege on a relation, or on one of its columns.
    pub(super) fn may(&self, relation: &Relation, privilege: &str) -> bool {
        let predefined = match privilege {
            "SELECT" => Some("pg_read_all_data"),
            "INSERT" | "UPDATE" | "DELETE" => Some("pg_write_all_data"),
            _ => None,
        };
        if self.is_superuser(self.subject.role) || self.is_acting(predefined) {
            return true;
        }
        self.may_use(&relation.schema)
            && (self.granted(&relation.grants, privilege)
                || relation.columns.iter().any(|column| self.granted(&column.grants, privilege)))
    }

    /// Tells whether the app has a privilege on one column.
    pub(super) fn may_column(&self, relation: &Relation, column: &Column, privilege: &str) -> bool {
        self.is_superuser(self.subject.role)
            || (self.may_use(&relation.schema)
                && (self.granted(&relation.grants, privilege) || self.granted(&column.grants, privilege)))
    }

    fn is_acting(&self, predefined: Option<&str>) -> bool {
        predefined.is_some_and(|name| {
            self.acting
                .iter()
                .any(|oid| self.role(*oid).is_some_and(|role| role.predefined && role.name == name))
        })
    }

    /// Returns what the app may do with a relation's rows.
    pub(super) fn acts(&self, relation: &Relation) -> Vec<Act> {
        Act::ALL.into_iter().filter(|act| self.may(relation, act.privilege())).collect()
    }

    /// Tells whether the app may call a function.
    pub(super) fn may_call(&self, function: &Function) -> bool {
        self.is_superuser(self.subject.role)
            || (self.may_use(&function.schema) && self.granted(&function.grants, "EXECUTE"))
    }

    /// Returns why row security does not bind a role, where it does not.
    pub(super) fn unbound(&self, role: u32) -> Option<String> {
        let found = self.role(role)?;
        if found.superuser {
            return Some(format!("{} is superuser", found.name));
        }
        if found.bypassrls {
            return Some(format!("{} has BYPASSRLS", found.name));
        }
        let owned = self.catalog.relations.iter().find(|relation| {
            relation.owner == role && is_table(relation) && self.holds(relation.oid) != Holds::Shared
        })?;
        Some(format!("{} owns {}.{}", found.name, owned.schema, owned.name))
    }

    /// Returns why a table's policies do not hold back what runs as its reader, where they do not.
    pub(super) fn unbound_on(&self, reader: u32, table: &Relation) -> Option<String> {
        let role = self.role(reader)?;
        if role.superuser {
            return Some(format!("{} is superuser", role.name));
        }
        if role.bypassrls {
            return Some(format!("{} has BYPASSRLS", role.name));
        }
        let named = format!("{}.{}", table.schema, table.name);
        if !table.rls {
            return Some(format!("{named} has no row level security"));
        }
        let has = closure(self.catalog, reader, |membership| membership.inherit);
        if has.contains(&table.owner) && !table.force {
            return Some(format!("{} owns {named}, which does not force row level security", role.name));
        }
        let open = self.policies(table.oid).iter().find(|parsed| {
            parsed.policy.permissive
                && parsed.policy.roles.iter().any(|role| *role == 0 || has.contains(role))
                && parsed.condition(Act::Select).is_some_and(is_true)
        })?;
        Some(format!("policy {} shows {} every row of {named}", open.policy.name, role.name))
    }

    /// Returns the tables with tenants' rows that a relation reads, through views too.
    pub(super) fn tables_behind(&self, relation: &Relation) -> Vec<&'a Relation> {
        let mut seen = BTreeSet::from([relation.oid]);
        let mut open: Vec<u32> = relation.reads.clone();
        let mut found = Vec::new();
        while let Some(oid) = open.pop() {
            let Some(next) = self.relation(oid).filter(|_| seen.insert(oid)) else { continue };
            if next.definition.is_some() {
                open.extend(&next.reads);
            } else if self.holds(oid) != Holds::Shared {
                found.push(next);
            }
        }
        found.sort_by_key(|relation| (&relation.schema, &relation.name));
        found
    }
}

const CONTEXT_WORDS: &[&str] = &[
    "current_setting",
    "current_user",
    "session_user",
    "current_role",
    "pg_has_role",
    "row_security_active",
];

/// Tells whether a condition holds for every row, whatever it is.
pub(super) fn is_true(condition: &Expr) -> bool {
    condition.disjuncts().into_iter().any(always)
}

/// Tells whether a part of a condition is always true.
pub(super) fn always(part: &[expr::Node]) -> bool {
    expr::split(part, "and").into_iter().all(|part| {
        let part = expr::strip(part);
        if let [only] = part {
            return only.word() == Some("true");
        }
        let Some((left, "=", right)) = expr::comparison(part) else { return false };
        let (left, right) = (expr::strip_casts(left).0, expr::strip_casts(right).0);
        let is_literal = |nodes: &[expr::Node]| {
            matches!(nodes, [node] if node.word().is_none_or(|word| word.starts_with(|c: char| c.is_ascii_digit())))
        };
        is_literal(left) && is_literal(right) && same(left, right)
    })
}

/// Tells whether two parts say the same.
pub(super) fn same(left: &[expr::Node], right: &[expr::Node]) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).all(|(one, other)| match (&one.token, &other.token) {
            (expr::Token::Group(one), expr::Token::Group(other)) => same(one, other),
            (one, other) => one == other,
        })
}
