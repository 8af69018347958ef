//! The catalogue as data. Names are as in the database; `qualified` forms are quoted, ready for a statement.

use std::collections::HashMap;

use serde::Deserialize;

/// Everything that isolation depends on.
#[derive(Debug, Default)]
pub struct Catalog {
    /// The server's version, as `150020`.
    pub version: i32,
    /// The database's name.
    pub database: String,
    /// Whether Citus is installed in it.
    pub citus: bool,
    /// Every role of the server, the predefined ones too.
    pub roles: Vec<Role>,
    /// Who is member of whom.
    pub memberships: Vec<Membership>,
    /// The schemas that are not the system's.
    pub schemas: Vec<Schema>,
    /// Tables, views and their like outside the system's schemas.
    pub relations: Vec<Relation>,
    /// Types by oid, with what is needed to write a value.
    pub types: HashMap<u32, TypeInfo>,
    /// Keys, checks and references.
    pub constraints: Vec<Constraint>,
    /// Unique indexes, those behind constraints too.
    pub indexes: Vec<Index>,
    /// The first column of every index that serves all rows.
    pub index_heads: Vec<IndexHead>,
    /// The policies.
    pub policies: Vec<Policy>,
    /// Functions and procedures outside the system's schemas.
    pub functions: Vec<Function>,
    /// Triggers that are not internal.
    pub triggers: Vec<Trigger>,
    /// Rewrite rules other than those of views.
    pub rules: Vec<Rule>,
    /// Sequences.
    pub sequences: Vec<Sequence>,
    /// Privileges that coming objects get.
    pub default_grants: Vec<DefaultGrant>,
    /// Foreign servers.
    pub servers: Vec<ForeignServer>,
    /// Settings of roles and databases.
    pub settings: Vec<Setting>,
    /// The extensions by name.
    pub extensions: Vec<String>,
    /// Privileges on the database itself.
    pub database_grants: Vec<Grant>,
    /// The owner of the database.
    pub database_owner: u32,
    /// How many large objects there are, and how many owners they have.
    pub large_objects: i64,
}

/// A role.
#[derive(Debug, Clone, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "as in the catalogue")]
pub struct Role {
    /// Its oid.
    pub oid: u32,
    /// Its name.
    pub name: String,
    /// It is bound by nothing.
    pub superuser: bool,
    /// It has the privileges of the roles it is member of.
    pub inherit: bool,
    /// It may make roles.
    pub createrole: bool,
    /// It may make databases.
    pub createdb: bool,
    /// It may log in.
    pub login: bool,
    /// It may replicate.
    pub replication: bool,
    /// Row security does not bind it.
    pub bypassrls: bool,
    /// It came with the server.
    pub predefined: bool,
}

/// A membership of one role in another.
#[derive(Debug, Clone, Deserialize)]
pub struct Membership {
    /// What it is member of.
    pub role: u32,
    /// Who is.
    pub member: u32,
    /// It may grant it on.
    pub admin: bool,
    /// It has its privileges without `SET ROLE`.
    pub inherit: bool,
    /// It may `SET ROLE` to it.
    pub set: bool,
}

/// A privilege: `grantee` 0 is PUBLIC.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Grant {
    /// Who has it; 0 is everybody.
    pub grantee: u32,
    /// Its name, such as `SELECT`.
    pub privilege: String,
}

/// A schema.
#[derive(Debug, Clone, Deserialize)]
pub struct Schema {
    /// Its oid.
    pub oid: u32,
    /// Its name.
    pub name: String,
    /// Its owner.
    pub owner: u32,
    /// Who may what in it.
    pub grants: Vec<Grant>,
}

/// What sort of relation one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum RelationKind {
    /// An ordinary table.
    #[serde(rename = "r")]
    Table,
    /// A partitioned table.
    #[serde(rename = "p")]
    Partitioned,
    /// A view.
    #[serde(rename = "v")]
    View,
    /// A materialized view.
    #[serde(rename = "m")]
    MaterializedView,
    /// A foreign table.
    #[serde(rename = "f")]
    Foreign,
}

/// A table, view or the like.
#[derive(Debug, Clone, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "as in the catalogue")]
pub struct Relation {
    /// Its oid.
    pub oid: u32,
    /// Its schema's name.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: RelationKind,
    /// Its owner.
    pub owner: u32,
    /// Row security is on.
    pub rls: bool,
    /// It binds the owner too.
    pub force: bool,
    /// Options such as `security_invoker=true`.
    pub options: Vec<String>,
    /// What it is a partition or child of.
    pub parents: Vec<u32>,
    /// It is a partition.
    pub partition: bool,
    /// Which rows a partition takes, as written.
    pub bound: Option<String>,
    /// By what a partitioned table is divided, as written.
    pub partition_key: Option<String>,
    /// The definition of a view.
    pub definition: Option<String>,
    /// Relations that a view or materialized view reads.
    pub reads: Vec<u32>,
    /// The foreign server's name.
    pub server: Option<String>,
    /// Who may what with it.
    pub grants: Vec<Grant>,
    /// The planner's count of rows; -1 is unknown.
    pub rows: f64,
    /// It belongs to an extension.
    pub extension: bool,
    /// Its columns, in order.
    pub columns: Vec<Column>,
}

/// A column.
#[derive(Debug, Clone, Deserialize)]
pub struct Column {
    /// Its number.
    pub number: i16,
    /// Its name.
    pub name: String,
    /// Its type's oid.
    pub type_oid: u32,
    /// Its type as written in SQL, with length.
    pub type_name: String,
    /// Whether NULL is refused.
    pub not_null: bool,
    /// Its default or generating expression.
    pub default: Option<String>,
    /// `a` always, `d` by default, or empty.
    pub identity: String,
    /// It is generated.
    pub generated: bool,
    /// Who may what with it beyond the table's privileges.
    pub grants: Vec<Grant>,
}

/// What is needed to know of a type.
#[derive(Debug, Clone, Deserialize)]
pub struct TypeInfo {
    /// Its oid.
    pub oid: u32,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// `b` base, `d` domain, `e` enum, `c` composite, `r` range, `m` multirange, `p` pseudo.
    pub kind: String,
    /// Its category, such as `S` for strings.
    pub category: String,
    /// What a domain stands on, or an array consists of.
    pub base: u32,
    /// The labels of an enum.
    pub labels: Vec<String>,
    /// The checks of a domain, over `VALUE`.
    pub checks: Vec<String>,
    /// The fields of a composite.
    pub fields: Vec<Field>,
}

/// A field of a composite type.
#[derive(Debug, Clone, Deserialize)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type's oid.
    pub type_oid: u32,
}

/// A constraint of a table.
#[derive(Debug, Clone, Deserialize)]
pub struct Constraint {
    /// Its name.
    pub name: String,
    /// `p` primary key, `u` unique, `f` foreign key, `c` check, `x` exclusion, `t` constraint trigger.
    pub kind: String,
    /// Its table.
    pub table: u32,
    /// Its columns' numbers.
    pub columns: Vec<i16>,
    /// What a foreign key refers to; 0 otherwise.
    pub references: u32,
    /// The columns it refers to.
    pub referenced: Vec<i16>,
    /// What happens on delete: `a` no action, `r` restrict, `c` cascade, `n` set null, `d` set default.
    pub on_delete: String,
    /// What happens on update, likewise.
    pub on_update: String,
    /// As it would be written.
    pub definition: String,
    /// The expression of a check.
    pub expression: Option<String>,
    /// It came from a partitioned parent or was inherited.
    pub inherited: bool,
}

/// A unique index.
#[derive(Debug, Clone, Deserialize)]
pub struct Index {
    /// Its oid.
    pub oid: u32,
    /// Its name.
    pub name: String,
    /// Its table.
    pub table: u32,
    /// Its columns' numbers, 0 for an expression.
    pub columns: Vec<i16>,
    /// Those of its columns that its expressions read.
    pub expression_columns: Vec<i16>,
    /// Its condition.
    pub predicate: Option<String>,
    /// It is the primary key's.
    pub primary: bool,
    /// As it would be written.
    pub definition: String,
}

/// The first column of an index.
#[derive(Debug, Clone, Deserialize)]
pub struct IndexHead {
    /// Its table.
    pub table: u32,
    /// The column's number.
    pub column: i16,
}

/// A row security policy.
#[derive(Debug, Clone, Deserialize)]
pub struct Policy {
    /// Its oid.
    pub oid: u32,
    /// Its name.
    pub name: String,
    /// Its table.
    pub table: u32,
    /// `*` all, `r` select, `a` insert, `w` update, `d` delete.
    pub command: String,
    /// It is permissive.
    pub permissive: bool,
    /// Whom it is for; 0 is everybody.
    pub roles: Vec<u32>,
    /// Its USING.
    pub using: Option<String>,
    /// Its WITH CHECK.
    pub check: Option<String>,
    /// Columns of its own table that it reads.
    pub columns: Vec<i16>,
    /// Other relations that it reads.
    pub relations: Vec<u32>,
    /// Functions that it calls, outside the system's schemas.
    pub functions: Vec<u32>,
}

/// A function or procedure.
#[derive(Debug, Clone, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "as in the catalogue")]
pub struct Function {
    /// Its oid.
    pub oid: u32,
    /// Its schema's name.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// `f` function, `p` procedure, `a` aggregate, `w` window.
    pub kind: String,
    /// Its owner.
    pub owner: u32,
    /// It runs with its owner's rights.
    pub definer: bool,
    /// It is declared leakproof.
    pub leakproof: bool,
    /// `i` immutable, `s` stable, `v` volatile.
    pub volatility: String,
    /// `sql`, `plpgsql`, `c`, …
    pub language: String,
    /// The types of the arguments that are given.
    pub argument_types: Vec<u32>,
    /// Their names, empty where they have none.
    pub argument_names: Vec<String>,
    /// How many of the last ones have a default.
    pub defaults: i16,
    /// The last argument takes any number of values.
    pub variadic: bool,
    /// The type that is returned.
    pub returns: u32,
    /// The columns of what is returned are known before it is called.
    pub outputs: bool,
    /// What an aggregate consists of.
    pub aggregate: Option<Aggregate>,
    /// It returns a set.
    pub returns_set: bool,
    /// Its text.
    pub source: String,
    /// Its settings, such as `search_path=pg_catalog`.
    pub config: Vec<String>,
    /// Who may call it.
    pub grants: Vec<Grant>,
    /// Its arguments as written.
    pub signature: String,
    /// It belongs to an extension.
    pub extension: bool,
}

/// What an aggregate consists of.
#[derive(Debug, Clone, Deserialize)]
pub struct Aggregate {
    /// `n` plain, `o` ordered-set, `h` hypothetical-set.
    pub kind: String,
    /// How many arguments stand before `WITHIN GROUP`.
    pub direct: usize,
    /// The functions that work for it.
    pub functions: Vec<u32>,
}

/// A trigger.
#[derive(Debug, Clone, Deserialize)]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// Its table.
    pub table: u32,
    /// Its function.
    pub function: u32,
    /// It is switched on.
    pub enabled: bool,
    /// As it would be written.
    pub definition: String,
}

/// A rewrite rule.
#[derive(Debug, Clone, Deserialize)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Its relation.
    pub table: u32,
    /// As it would be written.
    pub definition: String,
}

/// A sequence.
#[derive(Debug, Clone, Deserialize)]
pub struct Sequence {
    /// Its oid.
    pub oid: u32,
    /// Its schema's name.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its owner.
    pub owner: u32,
    /// The table whose column it feeds; 0 for none.
    pub table: u32,
    /// Who may what with it.
    pub grants: Vec<Grant>,
    /// It belongs to an extension.
    pub extension: bool,
}

/// Privileges that coming objects get.
#[derive(Debug, Clone, Deserialize)]
pub struct DefaultGrant {
    /// Whose objects.
    pub owner: u32,
    /// In which schema; none is everywhere.
    pub schema: Option<String>,
    /// `r` relations, `S` sequences, `f` functions, `T` types, `n` schemas.
    pub kind: String,
    /// Who gets it.
    pub grantee: u32,
    /// What.
    pub privilege: String,
}

/// A foreign server.
#[derive(Debug, Clone, Deserialize)]
pub struct ForeignServer {
    /// Its name.
    pub name: String,
    /// Its wrapper's name.
    pub wrapper: String,
    /// Its options.
    pub options: Vec<String>,
    /// Whose logins it knows, as `role=options`.
    pub mappings: Vec<String>,
}

/// A setting that a role or database brings.
#[derive(Debug, Clone, Deserialize)]
pub struct Setting {
    /// The role; 0 is every role.
    pub role: u32,
    /// It holds for this database only.
    pub here: bool,
    /// As `name=value`.
    pub setting: String,
}
