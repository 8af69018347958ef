//! Lists: newest first, in pages.

use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use novelfoundry_core::TenantId;
use novelfoundry_database::{Page, Position};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{State, cursor::Scope, problem::Problem};

const DEFAULT_LIMIT: u16 = 20;
const MOST: u16 = 100;

/// Which part of a list is wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Continues after the page that handed it out.
    cursor: Option<String>,
    /// How many items at most, 1 to 100; 20 where absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u16>,
}

/// The wanted part of a list, and the list it belongs to.
pub(crate) struct Paging {
    query: PageQuery,
    path: String,
}

impl FromRequestParts<State> for Paging {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        let Query(query) = Query::<PageQuery>::from_request_parts(parts, state).await.map_err(|_| {
            Problem::parameter("query", "`cursor` and `limit` (a whole number) are accepted, once each")
        })?;
        if query.limit.is_some_and(|limit| limit == 0 || limit > MOST) {
            return Err(Problem::parameter("limit", "a whole number from 1 to 100"));
        }
        Ok(Self { query, path: parts.uri.path().to_owned() })
    }
}

/// A page of a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct List<T> {
    /// The items, newest first.
    pub(crate) items: Vec<T>,
    /// Continues the list; null at its end.
    pub(crate) next_cursor: Option<String>,
}

impl Paging {
    pub(crate) fn page(&self, tenant: TenantId) -> Result<Page, Problem> {
        let scope = Scope { tenant, path: &self.path };
        let after = self.query.cursor.as_deref().map(|cursor| scope.decode(cursor)).transpose()?;
        Ok(Page { after, limit: self.query.limit.unwrap_or(DEFAULT_LIMIT) })
    }

    /// Makes a page of rows of which one more than wanted was read.
    pub(crate) fn list<R, T>(
        &self,
        tenant: TenantId,
        mut rows: Vec<R>,
        position: impl Fn(&R) -> Position,
        show: impl Fn(R) -> T,
    ) -> List<T> {
        let limit = usize::from(self.query.limit.unwrap_or(DEFAULT_LIMIT));
        let more = rows.len() > limit;
        rows.truncate(limit);
        let scope = Scope { tenant, path: &self.path };
        let next_cursor = rows.last().filter(|_| more).map(|last| scope.encode(position(last)));
        List { items: rows.into_iter().map(show).collect(), next_cursor }
    }
}
