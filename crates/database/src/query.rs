//! Statements as constants, and calls: a statement with its bound parameters and the way to read its rows.

use jiff::Timestamp;
use tokio_postgres::{
    Row,
    types::{FromSql, ToSql, Type},
};
use uuid::Uuid;

use crate::DbError;

/// A constant statement. A name leads its text, so that it shows in `pg_stat_activity` and in the server's log.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) text: &'static str,
    pub(crate) types: &'static [Type],
}

/// Declares a [`Query`]: its name, the types of its parameters, its text. For tenant statements `$1` is the tenant.
macro_rules! query {
    ($name:literal, [$($type:ident),*], $text:literal) => {
        $crate::query::Query {
            text: concat!("-- ", $name, "\n", $text),
            types: &[$(::tokio_postgres::types::Type::$type),*],
        }
    };
}
pub(crate) use query;

pub(crate) type Parameter = Box<dyn ToSql + Sync + Send>;

/// A statement inside a tenant, with everything but the tenant bound: that comes from the transaction's authority
/// and is always `$1`.
pub struct Call<T> {
    pub(crate) query: &'static Query,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) decode: fn(&[Row]) -> Result<T, DbError>,
}

impl<T> Call<T> {
    pub(crate) fn new(
        query: &'static Query,
        parameters: Vec<Parameter>,
        decode: fn(&[Row]) -> Result<T, DbError>,
    ) -> Self {
        Self { query, parameters, decode }
    }
}

/// Boxes parameters.
macro_rules! parameters {
    ($($value:expr),* $(,)?) => { vec![$(Box::new($value) as $crate::query::Parameter),*] };
}
pub(crate) use parameters;

/// A row that can be read as a value.
pub(crate) trait FromRow: Sized {
    fn from_row(row: &Row) -> Result<Self, DbError>;
}

pub(crate) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: &str) -> Result<T, DbError> {
    row.try_get(column).map_err(DbError::defect)
}

/// Reads the text of a column as a closed set of names.
pub(crate) fn parse<T: std::str::FromStr>(row: &Row, column: &'static str) -> Result<T, DbError> {
    let text: &str = get(row, column)?;
    text.parse().map_err(|_| DbError::defect(format!("unknown value in column {column}")))
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every decoder")]
pub(crate) fn nothing(_: &[Row]) -> Result<(), DbError> {
    Ok(())
}

pub(crate) fn optional<T: FromRow>(rows: &[Row]) -> Result<Option<T>, DbError> {
    rows.first().map(T::from_row).transpose()
}

pub(crate) fn one<T: FromRow>(rows: &[Row]) -> Result<T, DbError> {
    optional(rows)?.ok_or_else(|| DbError::defect("a statement that returns one row returned none"))
}

pub(crate) fn all<T: FromRow>(rows: &[Row]) -> Result<Vec<T>, DbError> {
    rows.iter().map(T::from_row).collect()
}

/// A place in a list that is ordered newest first, ties broken by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// When the last item shown was created.
    pub created_at: Timestamp,
    /// Its id.
    pub id: Uuid,
}

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// The last item already seen; none for the newest.
    pub after: Option<Position>,
    /// How many items at most.
    pub limit: u16,
}

impl Page {
    /// The parameters `created_at`, id and limit; one more row than asked for tells of a next page.
    pub(crate) fn parameters(&self) -> [Parameter; 3] {
        [
            Box::new(self.after.map(|after| after.created_at)),
            Box::new(self.after.map(|after| after.id)),
            Box::new(i64::from(self.limit) + 1),
        ]
    }
}
