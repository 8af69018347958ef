//! The tenant transaction.
//!
//! BEGIN, the tenant setting, the raising guard and the first statements are messages of their own that leave in one
//! write. A read takes its COMMIT along and is one round trip; a write commits once its results were seen, which
//! makes two. The tenant in `$1` of every statement is the authority's.

use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, join_all, ready};
use novelfoundry_core::{Role, TenantId};
use tokio_postgres::{Client, Row, Statement, types::ToSql};
use uuid::Uuid;

use crate::{
    Authority, DatabaseUrl, DbError, LoginError, PoolOptions,
    authority::Source,
    connect::Connection,
    control::autocommit,
    pool::{self, Lease, Pool},
    query::{Call, Parameter, Query, query},
};

static REQUIRE_ROLE: Query =
    query!("tenant.require_role", [UUID, UUID, TEXT], "select app.require_role($1, $2, $3)");
static REQUIRE_LEASE: Query =
    query!("tenant.require_lease", [UUID, UUID, INT8], "select app.require_lease($1, $2, $3)");
static REQUIRE_INVITATION: Query = query!(
    "tenant.require_invitation",
    [UUID, BYTEA, UUID, UUID],
    "select app.require_invitation($1, $2, $3, $4)"
);
static REQUIRE_WORKSPACE: Query =
    query!("tenant.require_workspace", [UUID], "select app.require_workspace($1)");
static REQUIRE_SETTING: Query =
    query!("tenant.require_setting", [UUID], "select 1 / (app.tenant_id() is not distinct from $1)::int");

/// As many futures `join_all` polls in order.
const IN_ORDER: usize = 30;

/// Attempts where the database asks for the transaction to be run again.
const ATTEMPTS: u32 = 5;

/// The pool of the tenant login: it can do nothing but open tenant transactions.
#[derive(Clone)]
pub struct TenantDb {
    pool: Pool,
}

impl TenantDb {
    /// Opens the pool after checking that the login has no more rights than it should and the schema fits.
    pub async fn connect(
        url: &DatabaseUrl,
        application: &str,
        options: PoolOptions,
    ) -> Result<Self, LoginError> {
        let pool = pool::open(url, application, options, "app.projects").await?;
        Ok(Self { pool })
    }

    /// Asks for what is no tenant's.
    pub(crate) async fn ask(&self, query: &'static Query) -> Result<Vec<Row>, DbError> {
        autocommit(&self.pool, query, &[]).await?.map_err(DbError::before_commit)
    }

    /// Runs statements that read, in one round trip; once more on a new connection where the first was lost.
    pub async fn read<P: Pipeline>(
        &self,
        authority: &Authority,
        role: Role,
        name: &'static str,
        calls: P,
    ) -> Result<P::Output, DbError> {
        let mut attempts = Attempts::new(name);
        loop {
            let mut result = self.read_once(authority, role, name, &calls).await;
            if result.as_ref().is_err_and(DbError::is_lost_connection) {
                result = self.read_once(authority, role, name, &calls).await;
            }
            if let Some(result) = attempts.settle(result).await {
                return result;
            }
        }
    }

    async fn read_once<P: Pipeline>(
        &self,
        authority: &Authority,
        role: Role,
        name: &'static str,
        calls: &P,
    ) -> Result<P::Output, DbError> {
        let mut lease = pool::checkout(&self.pool).await?;
        let connection: &mut Connection = &mut lease;
        let guard = Guard::new(authority, role);
        let (guarding, ready) = prepare(connection, &guard, calls).await?;
        connection.clean = false;
        let client = &connection.client;
        let begin = format!("/* {name} */ begin{}", if guard.locks { "" } else { " read only" });
        let set = guard.setting();
        let (opened, set, guarded, answers, ended) = futures_util::join!(
            client.batch_execute(&begin),
            client.batch_execute(&set),
            send(client, &guarding, &guard.tenant),
            send_all(client, &ready, &guard.tenant),
            client.batch_execute("commit"),
        );
        connection.clean = ended.is_ok();
        opened.map_err(DbError::before_commit)?;
        set.map_err(DbError::before_commit)?;
        guarded.map_err(DbError::before_commit)?;
        let answers = answers.into_iter().collect::<Result<Vec<_>, _>>().map_err(DbError::before_commit)?;
        ended.map_err(DbError::before_commit)?;
        calls.decode(answers)
    }

    /// Runs statements that write, in order, all or none, in two round trips: the second is COMMIT.
    pub async fn write<P: Pipeline>(
        &self,
        authority: &Authority,
        role: Role,
        name: &'static str,
        calls: P,
    ) -> Result<P::Output, DbError> {
        let mut attempts = Attempts::new(name);
        loop {
            let mut tx = self.begin(authority, role, name).await?;
            let result = tx.send(&calls).await;
            let result = tx.end(result).await;
            if let Some(result) = attempts.settle(result).await {
                return result;
            }
        }
    }

    /// Runs a closure inside one transaction. It may run again where the database asks for that, so it has no effect
    /// outside the transaction. Dropping the future closes the connection: the transaction took effect only if its
    /// COMMIT had already been sent.
    pub async fn run<T, F>(
        &self,
        authority: &Authority,
        role: Role,
        name: &'static str,
        body: F,
    ) -> Result<T, DbError>
    where
        F: for<'a> Fn(&'a mut TenantTx) -> BoxFuture<'a, Result<T, DbError>>,
    {
        let mut attempts = Attempts::new(name);
        loop {
            let mut tx = self.begin(authority, role, name).await?;
            let result = body(&mut tx).await;
            let result = tx.end(result).await;
            if let Some(result) = attempts.settle(result).await {
                return result;
            }
        }
    }

    async fn begin(
        &self,
        authority: &Authority,
        role: Role,
        name: &'static str,
    ) -> Result<TenantTx, DbError> {
        let connection = pool::checkout(&self.pool).await?;
        Ok(TenantTx { connection, guard: Guard::new(authority, role), open: false, failed: false, name })
    }
}

/// Counts a transaction's attempts and records how long they took together.
struct Attempts {
    name: &'static str,
    started: Instant,
    made: u32,
}

impl Attempts {
    fn new(name: &'static str) -> Self {
        Self { name, started: Instant::now(), made: 0 }
    }

    /// Returns the result that stands, or waits a little before another attempt that the database asks for.
    async fn settle<T>(&mut self, result: Result<T, DbError>) -> Option<Result<T, DbError>> {
        self.made += 1;
        if result.as_ref().is_err_and(DbError::is_retryable) && self.made < ATTEMPTS {
            tokio::time::sleep(jitter(self.made)).await;
            return None;
        }
        let outcome = match &result {
            Ok(_) => "ok",
            Err(DbError::Refused(_)) => "refused",
            Err(DbError::Unavailable(_)) => "unavailable",
            Err(DbError::CommitUnknown(_)) => "unknown",
            Err(DbError::Defect(_)) => "defect",
        };
        metrics::histogram!("novelfoundry_transaction_seconds", "name" => self.name, "outcome" => outcome)
            .record(self.started.elapsed().as_secs_f64());
        Some(result)
    }
}

/// Grows with the attempt, up to 20 ms times the attempt's number.
fn jitter(attempt: u32) -> Duration {
    let mut byte = [0_u8; 1];
    // Without randomness the retries merely march in step.
    let _ = getrandom::fill(&mut byte);
    Duration::from_micros(u64::from(byte[0]) * 80 * u64::from(attempt))
}

/// An open tenant transaction. Dropped without an end, it takes its connection with it.
pub struct TenantTx {
    connection: Lease,
    guard: Guard,
    open: bool,
    /// Whether a statement failed: the server has given the transaction up, and COMMIT would only seem to work.
    failed: bool,
    name: &'static str,
}

impl TenantTx {
    /// Returns the tenant that it is of.
    pub(crate) fn tenant_id(&self) -> TenantId {
        TenantId::from_uuid(self.guard.tenant)
    }

    /// Sends statements in one write, behind the opening where nothing was sent before, and returns what they answer.
    /// The first error wins; none after it took effect.
    pub async fn send<P: Pipeline>(&mut self, calls: &P) -> Result<P::Output, DbError> {
        let answer = self.exchange(calls).await;
        self.failed |= answer.is_err();
        answer
    }

    async fn exchange<P: Pipeline>(&mut self, calls: &P) -> Result<P::Output, DbError> {
        let connection: &mut Connection = &mut self.connection;
        let guard = &self.guard;
        let (guarding, ready) = prepare(connection, guard, calls).await?;
        connection.clean = false;
        let client = &connection.client;
        let opening = !self.open;
        self.open = true;
        let begin = format!("/* {} */ begin", self.name);
        let set = guard.setting();
        let (opened, set, guarded, answers) = futures_util::join!(
            when(opening, client.batch_execute(&begin)),
            when(opening, client.batch_execute(&set)),
            when(opening, send(client, &guarding, &guard.tenant)),
            send_all(client, &ready, &guard.tenant),
        );
        opened.transpose().map_err(DbError::before_commit)?;
        set.transpose().map_err(DbError::before_commit)?;
        guarded.transpose().map_err(DbError::before_commit)?;
        let answers = answers.into_iter().collect::<Result<Vec<_>, _>>().map_err(DbError::before_commit)?;
        calls.decode(answers)
    }

    /// Commits what succeeded and rolls back what did not.
    async fn end<T>(mut self, result: Result<T, DbError>) -> Result<T, DbError> {
        let result = match result {
            Ok(_) if self.failed => {
                Err(DbError::defect("a transaction went on after a statement had failed"))
            }
            other => other,
        };
        if !self.open {
            self.connection.clean = true;
        } else if result.is_ok() {
            self.connection.client.batch_execute("commit").await.map_err(DbError::at_commit)?;
            self.connection.clean = true;
        } else {
            // A rollback that fails leaves the connection unclean, and so it is closed.
            self.connection.clean = self.connection.client.batch_execute("rollback").await.is_ok();
        }
        result
    }
}

/// What stands between BEGIN and the first statement.
struct Guard {
    tenant: Uuid,
    query: &'static Query,
    parameters: Vec<Parameter>,
    /// Whether it locks a row, which a read-only transaction may not.
    locks: bool,
}

impl Guard {
    fn new(authority: &Authority, role: Role) -> Self {
        let (query, parameters): (_, Vec<Parameter>) = match *authority.source() {
            Source::Member(user) => (&REQUIRE_ROLE, vec![Box::new(user.as_uuid()), Box::new(role.as_str())]),
            Source::Job { job, fencing_token } => {
                (&REQUIRE_LEASE, vec![Box::new(job.as_uuid()), Box::new(fencing_token)])
            }
            Source::Invitation { invitation, token_hash, user } => (
                &REQUIRE_INVITATION,
                vec![Box::new(token_hash.to_vec()), Box::new(invitation.as_uuid()), Box::new(user.as_uuid())],
            ),
            Source::Provisioning(_) => (&REQUIRE_SETTING, Vec::new()),
            Source::Operator => (&REQUIRE_WORKSPACE, Vec::new()),
        };
        let locks = matches!(authority.source(), Source::Job { .. });
        Self { tenant: authority.tenant_id().as_uuid(), query, parameters, locks }
    }

    /// SET takes no parameters; a UUID's digits need no quoting.
    fn setting(&self) -> String {
        format!("set local app.tenant_id = '{}'", self.tenant.hyphenated())
    }
}

async fn when<T, E>(wanted: bool, future: impl Future<Output = Result<T, E>>) -> Option<Result<T, E>> {
    if wanted { Some(future.await) } else { ready(None).await }
}

/// One or several calls that are sent together.
pub trait Pipeline {
    /// What they answer.
    type Output;

    #[doc(hidden)]
    fn parts(&self) -> Vec<Part<'_>>;

    #[doc(hidden)]
    fn decode(&self, answers: Vec<Vec<Row>>) -> Result<Self::Output, DbError>;
}

#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Part<'a> {
    query: &'static Query,
    parameters: &'a [Parameter],
}

impl<T> Call<T> {
    fn part(&self) -> Part<'_> {
        Part { query: self.query, parameters: &self.parameters }
    }
}

impl<T> Pipeline for Call<T> {
    type Output = T;

    fn parts(&self) -> Vec<Part<'_>> {
        vec![self.part()]
    }

    fn decode(&self, answers: Vec<Vec<Row>>) -> Result<T, DbError> {
        (self.decode)(&answers.into_iter().next().unwrap_or_default())
    }
}

/// A call that is sent only where it is given; its answer is dropped.
impl<T> Pipeline for Option<Call<T>> {
    type Output = ();

    fn parts(&self) -> Vec<Part<'_>> {
        self.iter().map(Call::part).collect()
    }

    fn decode(&self, _: Vec<Vec<Row>>) -> Result<(), DbError> {
        Ok(())
    }
}

/// Any number of calls of one kind.
impl<T> Pipeline for Vec<Call<T>> {
    type Output = Vec<T>;

    fn parts(&self) -> Vec<Part<'_>> {
        self.iter().map(Call::part).collect()
    }

    fn decode(&self, answers: Vec<Vec<Row>>) -> Result<Vec<T>, DbError> {
        self.iter().zip(answers).map(|(call, rows)| (call.decode)(&rows)).collect()
    }
}

macro_rules! pipeline_of_tuple {
    ($($member:ident $index:tt),+) => {
        impl<$($member: Pipeline),+> Pipeline for ($($member,)+) {
            type Output = ($($member::Output,)+);

            fn parts(&self) -> Vec<Part<'_>> {
                let mut parts = Vec::new();
                $(parts.extend(self.$index.parts());)+
                parts
            }

            fn decode(&self, answers: Vec<Vec<Row>>) -> Result<Self::Output, DbError> {
                let mut answers = answers.into_iter();
                Ok(($({
                    let count = self.$index.parts().len();
                    self.$index.decode(answers.by_ref().take(count).collect())?
                },)+))
            }
        }
    };
}

pipeline_of_tuple!(A 0, B 1);
pipeline_of_tuple!(A 0, B 1, C 2);
pipeline_of_tuple!(A 0, B 1, C 2, D 3);
pipeline_of_tuple!(A 0, B 1, C 2, D 3, E 4);
pipeline_of_tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
pipeline_of_tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);

/// A statement ready to be sent: prepared, or to be sent typed.
struct Ready<'a> {
    part: Part<'a>,
    statement: Option<Statement>,
}

/// Prepares everything before the opening: a statement prepared inside the pipeline would be sent behind the COMMIT.
async fn prepare<'a, P: Pipeline>(
    connection: &mut Connection,
    guard: &'a Guard,
    calls: &'a P,
) -> Result<(Ready<'a>, Vec<Ready<'a>>), DbError> {
    let parts = calls.parts();
    if parts.len() > IN_ORDER {
        return Err(DbError::defect("a pipeline of more statements than keep their order"));
    }
    let statement = connection.prepare(guard.query).await?;
    let guarding = Ready { part: Part { query: guard.query, parameters: &guard.parameters }, statement };
    let mut ready = Vec::with_capacity(parts.len());
    for part in parts {
        let statement = connection.prepare(part.query).await?;
        ready.push(Ready { part, statement });
    }
    Ok((guarding, ready))
}

/// Polls in order, which is the order on the wire.
async fn send_all(
    client: &Client,
    calls: &[Ready<'_>],
    tenant: &Uuid,
) -> Vec<Result<Vec<Row>, tokio_postgres::Error>> {
    join_all(calls.iter().map(|call| send(client, call, tenant))).await
}

async fn send(client: &Client, call: &Ready<'_>, tenant: &Uuid) -> Result<Vec<Row>, tokio_postgres::Error> {
    let Part { query, parameters } = call.part;
    let tenant: &(dyn ToSql + Sync) = tenant;
    let values =
        std::iter::once(tenant).chain(parameters.iter().map(|value| &**value as &(dyn ToSql + Sync)));
    if let Some(statement) = &call.statement {
        return client.query(statement, &values.collect::<Vec<_>>()).await;
    }
    let typed: Vec<_> = values.zip(query.types.iter().cloned()).collect();
    client.query_typed(query.text, &typed).await
}

#[cfg(test)]
mod tests;
