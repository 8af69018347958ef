//! Fills the copy: rows of both tenants in every table that can hold some, made as the app itself would make them where
//! it can, so that triggers leave behind what they leave behind in production.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    links::{Link, pairs},
    stage::{Actor, Stage, Tenant},
    values::{Maker, checks_of, domain_checks, labels},
};
use crate::{
    catalog::{Catalog, Column, Relation},
    session::{Refusal, SessionError, identifier, literal},
};

/// A row by the names of its columns.
pub(super) type Row = BTreeMap<String, Option<String>>;

/// What was planted.
#[derive(Debug, Default)]
pub(super) struct Seeds {
    /// The rows by table and tenant, the plain one first.
    pub(super) rows: HashMap<(u32, String), Vec<Row>>,
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
}

impl<'a> Seeder<'a> {
    /// Begins on a stage.
    pub(super) fn new(stage: &'a mut Stage) -> Self {
        Self { stage, seeds: Seeds::default(), makers: HashMap::new(), ways: 3 }
    }

    /// Takes up again what was planted before.
    pub(super) fn resume(stage: &'a mut Stage, seeds: Seeds) -> Self {
        Self { stage, seeds, makers: HashMap::new(), ways: 3 }
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

    /// Returns what tells the rows of a table apart that have to be planted: one for each partition.
    fn places(&self, table: &Relation) -> Vec<Row> {
        let of_column = |column: &Column| {
            let values = super::values::partition_values(&self.stage.catalog, table, column);
            values
                .into_iter()
                .map(|value| Row::from([(column.name.clone(), Some(value))]))
                .collect::<Vec<_>>()
        };
        let tied = match self.stage.links.get(&table.oid) {
            Some(Link::Tenant(name)) => Some(name.clone()),
            _ => None,
        };
        let mut places: Vec<Row> = table
            .columns
            .iter()
            .filter(|column| Some(&column.name) != tied.as_ref())
            .flat_map(of_column)
            .take(6)
            .collect();
        if places.is_empty() {
            places.push(Row::new());
        }
        places
    }

    /// Adds rows of a tenant that differ from its first in one column each: flags, states, times.
    pub(super) async fn vary(&mut self, tenant: &Tenant, table: &Relation) -> Result<(), SessionError> {
        // What the app has no right on is the schema's own book-keeping, which a wild row would upset.
        if !["SELECT", "INSERT", "UPDATE", "DELETE"].iter().any(|privilege| self.stage.may(table, privilege))
        {
            return Ok(());
        }
        let Some(first) = self.seeds.row(table.oid, tenant).cloned() else { return Ok(()) };
        let mut variants: Vec<(String, Option<String>)> = Vec::new();
        for column in table.columns.iter().filter(|column| !column.generated && column.identity.is_empty()) {
            if self.is_key(table, column) {
                continue;
            }
            let now = first.get(&column.name).cloned().flatten();
            let Some(info) = self.stage.catalog.base_type(column.type_oid) else { continue };
            match (info.category.as_str(), info.name.as_str()) {
                ("B", _) => {
                    let other = if now.as_deref() == Some("t") { "false" } else { "true" };
                    variants.push((column.name.clone(), Some(other.to_owned())));
                }
                ("N", "int4" | "int8" | "numeric" | "float8") if info.kind == "b" => {
                    for value in ["1", "99"] {
                        variants.push((column.name.clone(), Some(value.to_owned())));
                    }
                }
                ("D", "date" | "timestamp" | "timestamptz") => {
                    for value in ["2001-01-01", "2091-01-01"] {
                        variants.push((column.name.clone(), Some(value.to_owned())));
                    }
                }
                _ => {
                    let states = labels(&self.stage.catalog, table, column);
                    for state in states.into_iter().filter(|state| Some(state) != now.as_ref()).take(6) {
                        variants.push((column.name.clone(), Some(state)));
                    }
                }
            }
            if !column.not_null && now.is_some() {
                variants.push((column.name.clone(), None));
            }
        }
        variants.truncate(24);
        for (column, value) in variants {
            let fixed = Row::from([(column, value)]);
            // A variant that the schema refuses cannot be exposed either.
            let _ = self.plant_row(table, tenant, &fixed).await?;
        }
        Ok(())
    }

    fn is_key(&self, table: &Relation, column: &Column) -> bool {
        let catalog = &self.stage.catalog;
        let link = match self.stage.links.get(&table.oid) {
            Some(Link::Tenant(name) | Link::Person(name)) => *name == column.name,
            Some(Link::Parent { columns, .. }) => columns.iter().any(|(own, _)| *own == column.name),
            _ => false,
        };
        link || catalog.key(table.oid).contains(&column.number)
            || catalog.foreign_keys(table.oid).any(|key| key.columns.contains(&column.number))
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
            self.stage.used.run("commit").await?;
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

    /// Chooses values for a row: the tenant's own keys, references to its own rows, and what the checks let through.
    pub(super) async fn craft(
        &mut self,
        table: &Relation,
        tenant: &Tenant,
        given: &Row,
    ) -> Result<Row, SessionError> {
        let mut row = given.clone();
        match self.stage.links.get(&table.oid) {
            Some(Link::Tenant(name)) => {
                row.entry(name.clone()).or_insert_with(|| Some(tenant.id.clone()));
            }
            Some(Link::Person(name)) => {
                let person = tenant.principal.clone();
                if person.is_some() {
                    row.entry(name.clone()).or_insert(person);
                }
            }
            _ => {}
        }
        for (people, column) in self.stage.people() {
            if people == table.oid && tenant.principal.is_some() {
                row.entry(column).or_insert_with(|| tenant.principal.clone());
            }
        }
        self.refer(table, tenant, &mut row).await?;
        let mut open: Vec<(Column, Vec<String>)> = Vec::new();
        for column in &table.columns {
            if column.generated || row.contains_key(&column.name) || column.identity == "a" {
                continue;
            }
            if leave_to_default(&self.stage.catalog, column) {
                continue;
            }
            let catalog = std::mem::take(&mut self.stage.catalog);
            let mut candidates = self.maker(tenant).candidates(&catalog, table, column);
            self.stage.catalog = catalog;
            candidates.extend(self.like_existing(table, column).await?);
            open.push((column.clone(), candidates));
        }
        let chosen = self.solve(table, &open, &row).await?;
        for (column, candidates) in open {
            let value = chosen.get(&column.name).cloned().unwrap_or_else(|| candidates.first().cloned());
            if value.is_some() || !column.not_null {
                row.insert(column.name.clone(), value);
            }
        }
        Ok(row)
    }

    /// Fills the columns of foreign keys with rows of the tenant's own, or shared ones.
    async fn refer(&mut self, table: &Relation, tenant: &Tenant, row: &mut Row) -> Result<(), SessionError> {
        let keys: Vec<_> = self.stage.catalog.foreign_keys(table.oid).cloned().collect();
        for key in keys {
            let Some(columns) = pairs(&self.stage.catalog, &key) else { continue };
            if columns.iter().all(|(own, _)| row.contains_key(own)) {
                continue;
            }
            if key.references == table.oid {
                for (own, _) in &columns {
                    let free = table.column_named(own).is_some_and(|column| !column.not_null);
                    if free && !row.contains_key(own) {
                        row.insert(own.clone(), None);
                    }
                }
                continue;
            }
            let own_row = self.seeds.row(key.references, tenant).cloned();
            let target = match own_row {
                Some(found) => Some(found),
                None => self.shared_row(key.references).await?,
            };
            for (own, theirs) in &columns {
                let nullable = table.column_named(own).is_some_and(|column| !column.not_null);
                match target.as_ref().and_then(|target| target.get(theirs)) {
                    Some(value) => {
                        row.entry(own.clone()).or_insert_with(|| value.clone());
                    }
                    None if nullable => {
                        row.entry(own.clone()).or_insert(None);
                    }
                    None => {}
                }
            }
        }
        Ok(())
    }

    /// Returns values of the form that a column's existing ones have.
    async fn like_existing(
        &mut self,
        table: &Relation,
        column: &Column,
    ) -> Result<Vec<String>, SessionError> {
        let Some(info) = self.stage.catalog.base_type(column.type_oid) else { return Ok(Vec::new()) };
        let (name, category) = (info.name.clone(), info.category.clone());
        let query = format!(
            "select distinct {c}::text from (select {c} from {t} limit 50) x where {c} is not null limit 3",
            c = identifier(&column.name),
            t = table.quoted()
        );
        let known: Vec<String> = self
            .stage
            .used
            .run(&query)
            .await?
            .rows
            .into_iter()
            .filter_map(|row| row.into_iter().next()?)
            .collect();
        let altered: Vec<String> =
            known.iter().map(|value| super::choices::nobodys(&name, &category, value)).collect();
        Ok(altered.into_iter().chain(known).collect())
    }

    async fn shared_row(&mut self, table: u32) -> Result<Option<Row>, SessionError> {
        let Some(relation) = self.stage.catalog.relation(table).cloned() else { return Ok(None) };
        if self.stage.links.contains_key(&table) {
            return Ok(None);
        }
        let found = self.stage.used.run(&format!("select * from {} limit 1", relation.quoted())).await?;
        Ok(found.rows.first().map(|cells| found.columns.iter().cloned().zip(cells.iter().cloned()).collect()))
    }

    /// Asks the server for values that the table's checks let through together.
    async fn solve(
        &mut self,
        table: &Relation,
        open: &[(Column, Vec<String>)],
        row: &Row,
    ) -> Result<Row, SessionError> {
        let mut checks: BTreeMap<String, BTreeSet<i16>> = BTreeMap::new();
        let catalog = &self.stage.catalog;
        for (column, _) in open {
            for check in checks_of(catalog, table, column) {
                checks.entry(check).or_default().insert(column.number);
            }
            for check in domain_checks(catalog, column) {
                checks.entry(check).or_default().insert(column.number);
            }
        }
        for constraint in catalog.constraints_of(table.oid).filter(|constraint| constraint.kind == "c") {
            if let Some(expression) = &constraint.expression
                && let Some(numbers) = checks.get_mut(expression)
            {
                numbers.extend(&constraint.columns);
            }
        }
        // Checks that share a column are solved together.
        let mut groups: Vec<(BTreeSet<i16>, Vec<String>)> = Vec::new();
        for (check, numbers) in checks {
            let (mut all, mut texts) = (numbers, vec![check]);
            groups.retain(|(other, others)| {
                let apart = other.is_disjoint(&all);
                if !apart {
                    all.extend(other);
                    texts.extend(others.iter().cloned());
                }
                apart
            });
            groups.push((all, texts));
        }
        let mut chosen = Row::new();
        for (numbers, texts) in groups {
            let mut sources = Vec::new();
            let mut names = Vec::new();
            let width = if numbers.len() > 3 { 8 } else { 40 };
            for number in &numbers {
                let Some(column) = table.column(*number) else { continue };
                let name = identifier(&column.name);
                let kind = catalog.base_type(column.type_oid).map_or_else(
                    || "text".to_owned(),
                    |info| format!("{}.{}", identifier(&info.schema), identifier(&info.name)),
                );
                if let Some((_, candidates)) = open.iter().find(|(other, _)| other.number == *number) {
                    let mut values: Vec<String> =
                        candidates.iter().take(width).map(|value| literal(value)).collect();
                    if !column.not_null {
                        values.push("null".to_owned());
                    }
                    sources.push(format!(
                        "(select unnest(array[{}]::text[])::{kind} as {name}) s{number}",
                        values.join(", ")
                    ));
                    names.push(column.name.clone());
                } else {
                    let value = match (row.get(&column.name), &column.default) {
                        (Some(Some(value)), _) => literal(value),
                        (None, Some(default)) if !column.generated => default.clone(),
                        _ => "null".to_owned(),
                    };
                    sources.push(format!("(select ({value})::{kind} as {name}) s{number}"));
                }
            }
            if names.is_empty() {
                continue;
            }
            let wanted: Vec<String> =
                names.iter().map(|name| format!("{}::text", identifier(name))).collect();
            let checks: Vec<String> = texts.iter().map(|text| format!("({text}) is not false")).collect();
            let query = format!(
                "select {} from {} where {} limit 1",
                wanted.join(", "),
                sources.join(", "),
                checks.join(" and ")
            );
            // A candidate that the type does not read ends the query: the first ones are then tried as they are.
            if let Ok(answer) = self.stage.used.try_run(&query).await?
                && let Some(values) = answer.rows.first()
            {
                chosen.extend(names.into_iter().zip(values.iter().cloned()));
            }
        }
        Ok(chosen)
    }
}

fn leave_to_default(catalog: &Catalog, column: &Column) -> bool {
    if !column.identity.is_empty() {
        return true;
    }
    let Some(default) = &column.default else { return false };
    let text =
        catalog.base_type(column.type_oid).is_some_and(|info| matches!(info.category.as_str(), "S" | "U"));
    // An empty text or document is a place for a mark; anything else means something.
    !(text && (default.starts_with("''") || default.starts_with("'{}'") || default.starts_with("'[]'")))
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
