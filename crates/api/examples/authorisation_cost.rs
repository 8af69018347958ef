//! Measures what authorising a request costs in processor time: the same read as a bare transaction, and with its
//! token verified, its signing key looked up and its transaction opened for a member. Judges nothing.
//!
//! `script/bench` runs it, on a machine with nothing else to do.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made fails by panicking")]

use novelfoundry_core::{IdSource, ProjectId, Role};
use novelfoundry_database::{Authority, TenantDb, projects};
use novelfoundry_testkit::{Database, TestIssuer};

const REQUESTS: usize = 1_000;
const ROUNDS: usize = 9;

/// The statement that `projects::by_id` sends.
const READ: &str = "select project_id, title, created_at, updated_at, version from app.projects \
                    where tenant_id = $1 and project_id = $2 and deleted_at is null";

/// One thread does everything on the program's side, so that its processor time is the program's.
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let database = Database::fresh().await;
    let issuer = TestIssuer::start().await;
    let db = database.tenant_db(1).await;
    let claims = issuer.writer(&db).await;
    let (user, tenant) = (claims.user_id(), claims.tenant_id().unwrap());
    let project = ProjectId::from_uuid(IdSource::default().next());
    let authority = Authority::from_claims(&claims).unwrap();
    let insert = projects::insert(project, "Salt".into(), user);
    db.write(&authority, Role::Editor, "cost.insert", insert).await.unwrap();

    // As the superuser: no policy, no setting, no guard.
    let bare = database.connect_as(&database.admin).await.unwrap();
    let statement = bare.prepare(READ).await.unwrap();
    let bare_backend = Backend::of(bare.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0));
    let login = &database.tenant.user;
    let pids = format!(
        "select pid from pg_stat_activity where usename = '{login}' and datname = '{}'",
        database.admin.database
    );
    let pid = database.sql(&pids).await.unwrap()[0][0].as_ref().unwrap().parse().unwrap();
    let backend = Backend::of(pid);

    let token = issuer.token(user, Some(tenant));
    let mut rounds = Rounds::default();
    for _ in 0..ROUNDS {
        rounds.bare.push(
            measured(&bare_backend, REQUESTS, async |_| {
                let (tenant, project) = (tenant.as_uuid(), project.as_uuid());
                let (begun, rows, ended) = futures_util::join!(
                    bare.batch_execute("begin read only"),
                    async { bare.query(&statement, &[&tenant, &project]).await },
                    bare.batch_execute("commit"),
                );
                begun.and(ended).unwrap();
                assert_eq!(rows.unwrap().len(), 1);
            })
            .await,
        );
        let again = async |_| read(&issuer, &db, &token, project).await;
        rounds.known.push(measured(&backend, REQUESTS, again).await);
        let tokens: Vec<_> = (0..REQUESTS).map(|_| issuer.token(user, Some(tenant))).collect();
        let first = async |index: usize| read(&issuer, &db, &tokens[index], project).await;
        rounds.new.push(measured(&backend, REQUESTS, first).await);
    }
    rounds.print();
}

/// A request as the API handles it, from the token to the row.
async fn read(issuer: &TestIssuer, db: &TenantDb, token: &str, project: ProjectId) {
    let claims = issuer.verifier.verify(token).await.unwrap();
    let authority = Authority::from_claims(&claims).unwrap();
    let found = db.read(&authority, Role::Viewer, "cost.read", projects::by_id(project)).await.unwrap();
    assert!(found.is_some());
}

/// Microseconds of processor time for one request.
#[derive(Clone, Copy)]
struct Cost {
    program: f64,
    server: f64,
}

async fn measured(backend: &Backend, requests: usize, request: impl AsyncFn(usize)) -> Cost {
    let (program, server) = (nanoseconds("/proc/thread-self/schedstat"), backend.nanoseconds());
    for index in 0..requests {
        request(index).await;
    }
    let each = |before: u64, after: u64| {
        let spent = u32::try_from((after - before) / 1_000).unwrap();
        f64::from(spent) / f64::from(u32::try_from(requests).unwrap())
    };
    Cost {
        program: each(program, nanoseconds("/proc/thread-self/schedstat")),
        server: each(server, backend.nanoseconds()),
    }
}

/// The server's process behind a connection.
struct Backend(String);

impl Backend {
    fn of(pid: i32) -> Self {
        Self(format!("/proc/{pid}/schedstat"))
    }

    fn nanoseconds(&self) -> u64 {
        nanoseconds(&self.0)
    }
}

/// Reads the time that Linux says was spent on a processor.
fn nanoseconds(schedstat: &str) -> u64 {
    let text = std::fs::read_to_string(schedstat).unwrap();
    text.split_ascii_whitespace().next().unwrap().parse().unwrap()
}

#[derive(Default)]
struct Rounds {
    bare: Vec<Cost>,
    known: Vec<Cost>,
    new: Vec<Cost>,
}

impl Rounds {
    fn print(&self) {
        println!("microseconds of processor time a request, median of {ROUNDS} rounds of {REQUESTS}");
        println!("{:<38}{:>9}{:>9}", "", "program", "server");
        let rows = [
            ("bare transaction", &self.bare),
            ("authorised, a token seen before", &self.known),
            ("authorised, a token not seen before", &self.new),
        ];
        for (name, costs) in rows {
            let (program, server) = (median(costs, |cost| cost.program), median(costs, |cost| cost.server));
            println!("{name:<38}{program:>9.1}{server:>9.1}");
        }
    }
}

fn median(costs: &[Cost], part: impl Fn(&Cost) -> f64) -> f64 {
    let mut values: Vec<_> = costs.iter().map(part).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
