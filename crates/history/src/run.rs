//! One history from its seed to its judgement.

use std::{
    sync::{Mutex, atomic::AtomicU64},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use novelfoundry_core::{Operation, Role};
use novelfoundry_testkit::Database;
use tokio::sync::watch;

use crate::{
    check::check,
    client::{Client, Shared},
    faults::strike,
    history::{Class, Event, Outcome, Violation},
    model::Cast,
    observe::{Observer, Owner},
    plan::{Plan, Shape},
    shrink::shrink,
    survey::{settle, survey},
    system::{Due, System},
    world::World,
};

const TENANTS: usize = 4;
/// Members of each workspace; the last is another workspace's owner.
const CLIENTS: [Role; 4] = [Role::Owner, Role::Editor, Role::Viewer, Role::Editor];
/// Persons that a workspace brings, its owner first.
pub(crate) const PERSONS: usize = 3;
/// Beyond every plan's.
const FIRST_FREE_SERIAL: u64 = 1 << 40;
/// How often a smaller history is tried; each takes as long as it takes.
const SHRINKING: usize = 40;

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Options {
    /// From which all follows.
    pub seed: u64,
    /// The steps of all clients together.
    pub operations: usize,
    /// The database to run in, which nothing else uses and which is not crashed; none for a server of its own.
    pub database: Option<Database>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Report {
    /// The requests that were sent.
    pub requests: usize,
    /// Those that were acknowledged.
    pub acknowledged: usize,
    /// Those that were refused.
    pub refused: usize,
    /// Those whose outcome is unknown.
    pub unknown: usize,
    /// The faults that hit something.
    pub faults: usize,
    /// The operations of the API that nobody asked for.
    pub unused: Vec<&'static str>,
    /// How long the clients worked.
    pub took: Duration,
    /// Each violation with the events that have to do with it.
    pub violations: Vec<String>,
    classes: Vec<Class>,
}

/// Runs a history and judges it.
///
/// # Panics
/// Where the system cannot be set up or does not come to rest.
pub async fn run(options: Options) -> Report {
    let plan = options.plan();
    Box::pin(play(&plan, &options)).await
}

/// Runs a history that failed again and again with fewer of its steps and faults. Returns the fewest that showed its
/// first violation, and what they showed; none where it was not seen again.
///
/// # Panics
/// Where the system cannot be set up or does not come to rest.
pub async fn shorten(options: Options, report: &Report) -> Option<(usize, Vec<String>)> {
    let class = report.classes.first()?;
    let plan = options.plan();
    // The database is shared by no other run, so each takes a server of its own.
    let alone = Options { database: None, ..options };
    let last = Mutex::new(None);
    let small = shrink(plan.parts(), SHRINKING, async |kept| {
        let report = Box::pin(play(&plan.only(kept), &alone)).await;
        let fails = report.classes.contains(class);
        if fails {
            last.lock().unwrap().replace(report);
        }
        fails
    })
    .await;
    last.into_inner().unwrap().map(|smaller| (small.len(), smaller.violations))
}

impl Options {
    fn plan(&self) -> Plan {
        let clients = TENANTS * CLIENTS.len();
        let crashes = self.database.is_none();
        Plan::new(self.seed, Shape { clients, operations: self.operations, crashes })
    }
}

async fn play(plan: &Plan, options: &Options) -> Report {
    let purge_after = if plan.purge_soon { Duration::ZERO } else { Duration::from_hours(24) };
    let system = System::start(options.database.clone(), purge_after).await;
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
    let shared = Shared {
        system,
        http,
        observer: Observer::default(),
        worlds: (0..TENANTS).map(|_| World::default()).collect(),
        elsewhere: World::default(),
        cast: Mutex::default(),
        events: Mutex::default(),
        texts: Mutex::default(),
        clock: AtomicU64::new(1),
        serials: AtomicU64::new(FIRST_FREE_SERIAL),
        used: Mutex::default(),
    };
    *shared.cast.lock().unwrap() = found(&shared).await;
    let tenants = shared.cast.lock().unwrap().tenants.clone();
    let owners: Vec<_> = tenants
        .into_iter()
        .enumerate()
        .map(|(number, id)| (id, shared.token(number * PERSONS, Some(number))))
        .collect();

    let began = Instant::now();
    let (done, count) = watch::channel(0);
    let clients = plan.clients.iter().enumerate().map(async |(number, steps)| {
        let mut client = client(&shared, number);
        for step in steps {
            Box::pin(client.take(step)).await;
            done.send_modify(|done| *done += 1);
        }
    });
    let steps = plan.steps();
    let (_, hits) =
        tokio::join!(join_all(clients), strike(&shared.system, &plan.faults, steps, count, options.seed));
    let took = began.elapsed();

    // A request that its client gave up has ended with the API that worked on it.
    shared.system.restart_api().await;
    let mut violations = shared.observer.take();
    let events = shared.events.lock().unwrap().clone();
    let cast = shared.cast.lock().unwrap().clone();
    if plan.purge_soon {
        violations.extend(settle(&shared.system, Due::All).await);
    } else {
        violations.extend(settle(&shared.system, Due::ButPurges).await);
        violations.extend(check(&cast, &events, &survey(&shared, &owners, false).await));
        violations.extend(settle(&shared.system, Due::All).await);
    }
    violations.extend(check(&cast, &events, &survey(&shared, &owners, true).await));
    violations.extend(shared.observer.take());
    let used = shared.used.into_inner().unwrap();
    shared.system.stop().await;
    let unused = Operation::ALL.iter().filter(|operation| !used.contains(operation));
    let unused = unused.map(|operation| operation.definition().id).collect();
    Report { unused, ..report(&events, hits, took, &violations) }
}

fn report(events: &[Event], faults: usize, took: Duration, violations: &[Violation]) -> Report {
    let count = |which: fn(&Outcome) -> bool| events.iter().filter(|event| which(&event.outcome)).count();
    Report {
        requests: events.len(),
        acknowledged: count(|outcome| *outcome == Outcome::Done),
        refused: count(|outcome| matches!(outcome, Outcome::Refused(_))),
        unknown: count(|outcome| matches!(outcome, Outcome::Unknown(_))),
        faults,
        took,
        violations: violations.iter().map(|violation| violation.with_events(events)).collect(),
        unused: Vec::new(),
        classes: violations.iter().map(|violation| violation.class).collect(),
    }
}

/// Makes the workspaces and their members.
async fn found(shared: &Shared) -> Cast {
    let Shared { system, observer, .. } = shared;
    let db = system.database.tenant_db(2).await;
    let mut cast = Cast::default();
    for tenant in 0..TENANTS {
        let owner = system.issuer.writer(&db).await;
        let id = owner.tenant_id().expect("a writer has a workspace").as_uuid();
        cast.tenants.push(id);
        observer.introduce(id, Owner::Tenant(tenant));
        cast.users.push(owner.user_id().as_uuid());
        cast.users.extend((1..PERSONS).map(|_| system.issuer.id()));
    }
    for (number, user) in cast.users.iter().enumerate() {
        // Owners are guests of another workspace, whose members see their ids in the addresses of files.
        let owner = if number % PERSONS == 0 { Owner::Anyone } else { Owner::Tenant(number / PERSONS) };
        observer.introduce(*user, owner);
    }
    for number in 0..TENANTS * CLIENTS.len() {
        let (tenant, user, role) = seat(number);
        let (tenant, user) = (cast.tenants[tenant], cast.users[user]);
        cast.members.push((tenant, user, role));
        for sql in [
            format!(
                "insert into app.memberships (tenant_id, user_id, role) values ('{tenant}', '{user}', '{role}')
                     on conflict do nothing"
            ),
            format!(
                "insert into app.user_tenants (tenant_id, user_id, tenant_name) values ('{tenant}', '{user}', '')
                     on conflict do nothing"
            ),
        ] {
            system.database.sql(&sql).await.unwrap();
        }
    }
    cast
}

/// Returns a client's workspace, person and role.
fn seat(number: usize) -> (usize, usize, Role) {
    let (tenant, place) = (number / CLIENTS.len(), number % CLIENTS.len());
    let user = if place < PERSONS { tenant * PERSONS + place } else { (tenant + 1) % TENANTS * PERSONS };
    (tenant, user, CLIENTS[place])
}

fn client(shared: &Shared, number: usize) -> Client<'_> {
    let (tenant, user, role) = seat(number);
    let seats = (0..TENANTS * CLIENTS.len()).map(seat);
    let homes = seats.filter(|(_, other, _)| *other == user).map(|(tenant, ..)| tenant).collect();
    let token = shared.token(user, Some(tenant));
    Client { shared, tenant, user, role, token, homes, sent: Vec::new() }
}
