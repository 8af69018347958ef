//! Values for a row: keys, references, and what checks let through.

use std::collections::{BTreeMap, BTreeSet};

use super::{Row, Seeder};
use crate::{
    attack::{
        links::{Link, pairs},
        papers,
        stage::Tenant,
        values::{checks_of, domain_checks, labels},
    },
    catalog::{Catalog, Column, Relation, mentions},
    session::{SessionError, identifier, literal},
};

impl Seeder<'_> {
    /// Chooses values for a row: the tenant's own keys, references to its own rows, and what the checks let through.
    pub(in crate::attack) async fn craft(
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
            let given =
                self.care.as_ref().is_some_and(|care| care.given.contains(&(table.oid, column.number)));
            if column.generated || row.contains_key(&column.name) || column.identity == "a" && !given {
                continue;
            }
            let named = self.stage.may_column(table, column, "INSERT") || !self.stage.may(table, "INSERT");
            let drawn = drawn(column) && named;
            let told = self.is_told(table, column) && named;
            if !given && leave_to_default(&self.stage.catalog, column) && !drawn && !told {
                continue;
            }
            let catalog = std::mem::take(&mut self.stage.catalog);
            let mut candidates = self.maker(tenant).candidates(&catalog, table, column);
            if papers::is_document(&catalog, column) {
                let word = format!("{}{:03}", tenant.marker, column.number);
                candidates.splice(0..0, papers::of_tenant(&catalog, table, column, tenant, &word));
            }
            self.stage.catalog = catalog;
            candidates.extend(self.like_existing(table, column).await?);
            let attacker = &self.stage.attacker;
            if tenant.id != attacker.id {
                // A row that names the attacker may be meant for it.
                candidates
                    .retain(|value| *value != attacker.id && Some(value) != attacker.principal.as_ref());
            }
            if self.care.is_some() {
                // No existing value shows which numbers are free: each tenant's lie at a distance of its own.
                let shift = i64::from(tenant.block * 13) + i64::from(column.number);
                let known = candidates.iter().skip(1).filter_map(|value| value.parse::<i64>().ok());
                let near: Vec<String> = known
                    .flat_map(|number| [number + shift, number - shift])
                    .map(|one| one.to_string())
                    .collect();
                let numeric =
                    self.stage.catalog.base_type(column.type_oid).is_some_and(|info| info.category == "N");
                if numeric && !candidates.is_empty() {
                    candidates.splice(1..1, near);
                }
                candidates.retain(|value| has_room(&column.type_name, value));
            }
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

    /// Tells whether a column's default is what a function reads in the same table: rows that are left to it would all say
    /// the same.
    fn is_told(&self, table: &Relation, column: &Column) -> bool {
        let catalog = &self.stage.catalog;
        let text = catalog.base_type(column.type_oid).is_some_and(|info| info.category == "S");
        let Some(default) = column.default.as_deref().filter(|default| text && default.contains('(')) else {
            return false;
        };
        catalog.functions.iter().any(|function| {
            !function.extension
                && mentions(default, &function.name)
                && mentions(&function.source, &table.name)
        })
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
                None => self.shared_row(key.references, tenant).await?,
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
        let info = self.stage.catalog.base_type(column.type_oid);
        let Some(info) = info.filter(|_| self.care.is_none()) else { return Ok(Vec::new()) };
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
            known.iter().map(|value| crate::attack::choices::nobodys(&name, &category, value)).collect();
        let all: Vec<String> = altered.into_iter().chain(known).collect();
        if labels(&self.stage.catalog, table, column).is_empty() {
            self.stage.rows_say.extend(all.iter().cloned());
        }
        Ok(all)
    }

    async fn shared_row(&mut self, table: u32, tenant: &Tenant) -> Result<Option<Row>, SessionError> {
        let Some(relation) = self.stage.catalog.relation(table).cloned() else { return Ok(None) };
        if self.stage.links.contains_key(&table) || self.care.is_some() {
            return Ok(None);
        }
        let found = self.stage.used.run(&format!("select * from {} limit 20", relation.quoted())).await?;
        let attacker = &self.stage.attacker;
        // A row of another's that names the attacker may be meant for it.
        let names = |cells: &&Vec<Option<String>>| {
            tenant.id != attacker.id && cells.iter().flatten().any(|cell| *cell == attacker.id)
        };
        let cells = found.rows.iter().find(|cells| !names(cells)).or(found.rows.first());
        Ok(cells.map(|cells| found.columns.iter().cloned().zip(cells.iter().cloned()).collect()))
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
            let answer = match &self.care {
                None => self.stage.used.try_run(&query).await?,
                Some(care) => {
                    crate::attack::in_place::guarded(&mut self.stage.used, &care.opening, &query).await?
                }
            };
            if let Ok(answer) = answer
                && let Some(values) = answer.rows.first()
            {
                chosen.extend(names.into_iter().zip(values.iter().cloned()));
            }
        }
        Ok(chosen)
    }
}

/// Tells whether a number fits into a type such as `numeric(8,2)`.
fn has_room(written: &str, value: &str) -> bool {
    let Some((_, rest)) = written.split_once("numeric(") else { return true };
    let mut sizes = rest.trim_end_matches(')').split(',').map(|size| size.trim().parse::<usize>().ok());
    let whole = value.trim_start_matches('-').split('.').next().map_or(0, str::len);
    match (sizes.next().flatten(), sizes.next().flatten()) {
        (Some(all), after) => whole <= all.saturating_sub(after.unwrap_or(0)).max(1),
        _ => true,
    }
}

/// Tells whether a default is another at each run, so that the same seed would not give the same rows.
fn drawn(column: &Column) -> bool {
    column
        .default
        .as_deref()
        .is_some_and(|default| default.contains("random_uuid") || default.contains("uuid_generate"))
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
