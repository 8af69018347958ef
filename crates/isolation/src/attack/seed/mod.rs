//! Fills the copy: rows of both tenants in every table that can hold some, made as the app itself would make them where
//! it can, so that triggers leave behind what they leave behind in production.

mod craft;
mod vary;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    stage::{Actor, Stage, Tenant},
    values::Maker,
};
use crate::{
    catalog::{Catalog, Relation},
    session::{Refusal, SessionError, identifier, literal},
};

/// A row by the names of its columns.
pub(super) type Row = BTreeMap<String, Option<String>>;

/// What was planted.
#[derive(Debug, Default)]
pub(super) struct Seeds {
    /// The rows by table and tenant, the plain one first.
    pub(super) rows: HashMap<(u32, String), Vec<Row>>,
    /// Those of them that were there before.
    pub(super) found: BTreeSet<(u32, Row)>,
    /// Tables that could not be filled for somebody, and why.
    pub(super) failed: BTreeMap<u32, String>,
}

impl Seeds {
    /// Returns a tenant's first row of a table.
    pub(super) fn row(&self, table: u32, tenant: &Tenant) -> Option<&Row> {
        self.rows.get(&(table, tenant.id.clone()))?.first()
    }

    /// Returns all rows of a tenant in a table.
    pub(super) fn rows_of(&self, table: u32, tenant: &Tenant) -> &[Row] {
        self.rows.get(&(table, tenant.id.clone())).map_or(&[], Vec::as_slice)
    }
}

/// Returns the tables in the order in which they can be filled: what is referred to comes first.
pub(super) fn order(catalog: &Catalog) -> Vec<Relation> {
    let mut left: Vec<&Relation> = catalog
        .relations
        .iter()
        .filter(|relation| relation.is_table() && !relation.extension && !relation.partition)
        .collect();
    let mut done = BTreeSet::new();
    let mut ordered = Vec::new();
    while !left.is_empty() {
        let ready = |relation: &&Relation| {
            catalog.foreign_keys(relation.oid).all(|key| {
                key.references == relation.oid
                    || done.contains(&key.references)
                    || !left.iter().any(|other| other.oid == key.references)
            })
        };
        // In a circle somebody has to begin; a key that may be null is filled in later or never.
        let at = left.iter().position(ready).unwrap_or(0);
        let relation = left.remove(at);
        done.insert(relation.oid);
        ordered.push(relation.clone());
    }
    ordered
}

/// Makes rows on a stage.
pub(super) struct Seeder<'a> {
    /// The stage.
    pub(super) stage: &'a mut Stage,
    /// What was planted so far.
    pub(super) seeds: Seeds,
    makers: HashMap<String, Maker>,
    /// How far planting goes: as the app, as the superuser, without triggers and references.
    pub(super) ways: usize,
    /// Where the rows are not a copy's: what has to be known to choose values by the catalogue alone.
    pub(super) care: Option<Care>,
}

/// How values are chosen where no row may be read and no default drawn.
#[derive(Clone, Debug, Default)]
pub(super) struct Care {
    /// Columns that are given a value whatever their default is.
    pub(super) given: std::collections::HashSet<(u32, i16)>,
    /// What opens a transaction in which checks are asked.
    pub(super) opening: Vec<String>,
}

impl<'a> Seeder<'a> {
    /// Begins on a stage.
    pub(super) fn new(stage: &'a mut Stage) -> Self {
        Self::resume(stage, Seeds::default())
    }

    /// Takes up again what was planted before.
    pub(super) fn resume(stage: &'a mut Stage, seeds: Seeds) -> Self {
        Self { stage, seeds, makers: HashMap::new(), ways: 3, care: None }
    }

    fn maker(&mut self, tenant: &Tenant) -> &mut Maker {
        self.makers
            .entry(tenant.id.clone())
            .or_insert_with(|| Maker::new(tenant.marker.clone(), tenant.block))
    }

    /// Fills every table for a tenant; what fails is noted.
    pub(super) async fn plant(&mut self, tenant: &Tenant, order: &[Relation]) -> Result<(), SessionError> {
        for table in order {
            // What the app cannot fill and nothing ties to a tenant is the same for all.
            if !self.stage.links.contains_key(&table.oid) && !self.stage.may(table, "INSERT") {
                continue;
            }
            for given in self.places(table) {
                let planted = self.plant_row(table, tenant, &given).await?;
                let Err(refusal) = planted else { continue };
                if self.seeds.row(table.oid, tenant).is_some() {
                    continue;
                }
                self.seeds
                    .failed
                    .entry(table.oid)
                    .or_insert_with(|| format!("{} ({})", refusal.message, refusal.code));
            }
        }
        Ok(())
    }

    /// Makes one row for a tenant with some columns given; as the app, else as the superuser, else without triggers.
    pub(super) async fn plant_row(
        &mut self,
        table: &Relation,
        tenant: &Tenant,
        given: &Row,
    ) -> Result<Result<Row, Refusal>, SessionError> {
        let values = self.craft(table, tenant, given).await?;
        let statement = insert(table, &values);
        let mut last = None;
        for way in 0..self.ways {
            let mut script = vec!["begin".to_owned()];
            script.push("select pg_snapshot_xmax(pg_current_snapshot())::text".to_owned());
            match way {
                0 => script.extend(self.stage.enter_as(tenant)),
                1 => script.extend(self.stage.context_settings(tenant)),
                _ => {
                    script.extend(self.stage.context_settings(tenant));
                    script.push("set local session_replication_role = replica".to_owned());
                }
            }
            script.push(statement.clone());
            script.push("reset session authorization".to_owned());
            let results = self.stage.used.try_run_all(&script).await?;
            let refusal = results.iter().find_map(|result| result.as_ref().err().cloned());
            if let Some(refusal) = refusal {
                self.stage.used.run("rollback").await?;
                last = Some(refusal);
                continue;
            }
            let from = results[1].as_ref().ok().and_then(|answer| answer.value()).unwrap_or("0").to_owned();
            let made = self
                .stage
                .used
                .run(&format!(
                    "select * from {} where xmin::text::int8 >= {from} order by xmin::text::int8 desc limit 1",
                    table.quoted()
                ))
                .await?;
            // What is checked at the end only is refused here.
            if let Err(refusal) = self.stage.used.try_run("commit").await? {
                last = Some(refusal);
                continue;
            }
            let row: Row = match made.rows.first() {
                Some(cells) => made.columns.iter().cloned().zip(cells.iter().cloned()).collect(),
                // A trigger has put it elsewhere, or a rule in place of it.
                None => continue,
            };
            self.seeds.rows.entry((table.oid, tenant.id.clone())).or_default().push(row.clone());
            return Ok(Ok(row));
        }
        Ok(Err(last.unwrap_or(Refusal {
            code: "00000".into(),
            message: "an inserted row is not there".into(),
            rest: String::new(),
            constraint: None,
        })))
    }
}

/// Writes an INSERT of a row.
pub(super) fn insert(table: &Relation, row: &Row) -> String {
    if row.is_empty() {
        return format!("insert into {} default values", table.quoted());
    }
    let identity =
        row.keys().any(|name| table.column_named(name).is_some_and(|column| column.identity == "a"));
    let overriding = if identity { " overriding system value" } else { "" };
    let names: Vec<String> = row.keys().map(|name| identifier(name)).collect();
    let values: Vec<String> = row
        .values()
        .map(|value| value.as_ref().map_or_else(|| "null".to_owned(), |value| literal(value)))
        .collect();
    format!(
        "insert into {} ({}){overriding} values ({})",
        table.quoted(),
        names.join(", "),
        values.join(", ")
    )
}

impl Stage {
    /// Returns the statements that make the session act as the app's role for a tenant.
    pub(super) fn enter_as(&self, tenant: &Tenant) -> Vec<String> {
        let mut statements = self.enter(Actor::Unset);
        statements.extend(self.context_of(tenant));
        statements
    }

    /// Returns what opens a tenant's context without changing the role, for a superuser beside it.
    pub(super) fn context_settings(&self, tenant: &Tenant) -> Vec<String> {
        self.context_of(tenant)
            .into_iter()
            .filter(|statement| !crate::infer::is_role_change(statement))
            .collect()
    }
}
