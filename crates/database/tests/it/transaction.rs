//! The tenant transaction under cancellation, kills, delays and lost connections.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use novelfoundry_core::{ProjectId, Role};
use novelfoundry_database::{
    Authority, DbError, PoolOptions, Refusal, Statements, TenantDb, idempotency, projects,
};
use novelfoundry_testkit::{Database, DelayingProxy, TestIssuer};
use proptest::{
    prelude::Rng as _,
    test_runner::{RngAlgorithm, TestRng},
};

fn random() -> TestRng {
    TestRng::deterministic_rng(RngAlgorithm::ChaCha)
}

const OPEN: &str = "select count(*)
    from pg_stat_activity
   where application_name = 'novelfoundry/cancel' and datname = current_database() and backend_xid is not null
      or application_name = 'novelfoundry/cancel' and datname = current_database() and state like 'idle in transaction%'";

/// Drops futures, times out and kills backends at random moments; whoever borrows next finds a clean connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_transactions_leave_no_setting_and_no_open_transaction() {
    let database = Database::fresh().await;
    let issuer = TestIssuer::start().await;
    let options = PoolOptions { size: 4, statements: Statements::Named };
    let db = TenantDb::connect(&database.tenant, "novelfoundry/cancel", options).await.unwrap();
    let anna = Authority::from_claims(&issuer.writer(&db).await).unwrap();
    let bruno = Authority::from_claims(&issuer.writer(&db).await).unwrap();
    let hers = ProjectId::from_uuid(issuer.id());
    let author = anna.user_id().unwrap();
    db.write(&anna, Role::Editor, "test.create", projects::insert(hers, "Hers".into(), author))
        .await
        .unwrap();

    let admin = database.connect_as(&database.admin).await.unwrap();
    let mut random = random();
    let mut cancelled = 0;
    for round in 0..600_u32 {
        let micros = u64::from(random.next_u32() % 900);
        let db2 = db.clone();
        let (anna, id) = (anna.clone(), ProjectId::from_uuid(issuer.id()));
        let task = tokio::spawn(async move {
            if round % 2 == 0 {
                db2.read(&anna, Role::Viewer, "test.read", projects::by_id(id)).await.map(drop)
            } else {
                let insert = projects::insert(id, "Maybe".into(), author);
                db2.write(&anna, Role::Editor, "test.write", insert).await.map(drop)
            }
        });
        tokio::time::sleep(Duration::from_micros(micros)).await;
        if round % 40 == 39 {
            let kill = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'novelfoundry/cancel' and datname = current_database()";
            database.sql(kill).await.unwrap();
        }
        task.abort();
        cancelled += u32::from(task.await.is_err_and(|error| error.is_cancelled()));
        // A pool that kept the connection would keep the transaction open with it.
        let deadline = Instant::now() + Duration::from_secs(10);
        while admin.query_one(OPEN, &[]).await.unwrap().get::<_, i64>(0) > 0 {
            assert!(Instant::now() < deadline, "round {round}: a transaction stayed open");
            tokio::task::yield_now().await;
        }
        // The next borrower, of another tenant, sees nothing of the first.
        match db.read(&bruno, Role::Viewer, "test.read", projects::by_id(hers)).await {
            Ok(found) => assert!(found.is_none(), "round {round}"),
            Err(DbError::Unavailable(_)) => {}
            Err(other) => panic!("round {round}: {other:?}"),
        }
    }
    assert!(cancelled > 100, "only {cancelled} were cancelled in flight");
    assert!(db.read(&anna, Role::Viewer, "test.read", projects::by_id(hers)).await.unwrap().is_some());
}

/// A request that is dropped while its statement waits for a lock does not leave a backend waiting.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_request_does_not_go_on_waiting_for_a_lock() {
    let database = Database::fresh().await;
    let issuer = TestIssuer::start().await;
    let options = PoolOptions { size: 4, statements: Statements::Named };
    let db = TenantDb::connect(&database.tenant, "novelfoundry/cancel", options).await.unwrap();
    let anna = Authority::from_claims(&issuer.writer(&db).await).unwrap();
    let id = ProjectId::from_uuid(issuer.id());
    let author = anna.user_id().unwrap();
    db.write(&anna, Role::Editor, "test.create", projects::insert(id, "Held".into(), author)).await.unwrap();
    let holder = database.connect_as(&database.admin).await.unwrap();
    let mut nodes = vec![database.connect_as(&database.admin).await.unwrap()];
    for worker in database.nodes.iter().flat_map(|nodes| nodes.urls.iter().skip(1)) {
        nodes.push(database.connect_as(worker).await.unwrap());
    }
    let waiting = "select count(*) from pg_stat_activity
        where usename = 'novelfoundry_tenant' and datname = current_database()
          and state = 'active' and clock_timestamp() - query_start > interval '300 ms'";
    let count = async || {
        let mut all = 0;
        for node in &nodes {
            all += node.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0);
        }
        all
    };
    let for_update = format!("select from app.projects where tenant_id = '{}' for update", anna.tenant_id());
    // The first is met while the statement is prepared, the second while it runs.
    for lock in ["lock table app.projects in access exclusive mode", &for_update] {
        holder.batch_execute("begin").await.unwrap();
        holder.batch_execute(lock).await.unwrap();
        let (db, anna) = (db.clone(), anna.clone());
        let task = tokio::spawn(async move {
            let rename = projects::update_title(id, "Waits".into(), None);
            db.write(&anna, Role::Editor, "test.wait", rename).await.map(drop)
        });
        // Well below the login's own lock timeout of ten seconds.
        let deadline = Instant::now() + Duration::from_secs(6);
        while count().await == 0 {
            assert!(Instant::now() < deadline, "{lock}: it never waited");
            tokio::task::yield_now().await;
        }
        task.abort();
        let deadline = Instant::now() + Duration::from_secs(6);
        while count().await > 0 {
            assert!(Instant::now() < deadline, "{lock}: the backend waits on");
            tokio::task::yield_now().await;
        }
        holder.batch_execute("rollback").await.unwrap();
    }
}

/// A read costs one round trip, a write two: counted in delays of a proxy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_is_one_round_trip_and_a_write_is_two() {
    let database = Database::shared().await;
    let issuer = TestIssuer::start().await;
    let delay = Duration::from_millis(60);
    let proxy = DelayingProxy::start(&database.tenant, delay).await;
    let options = PoolOptions { size: 1, statements: Statements::Named };
    let db = TenantDb::connect(&proxy.url(&database.tenant), "novelfoundry/test", options).await.unwrap();
    let anna = Authority::from_claims(&issuer.writer(&db).await).unwrap();
    let author = anna.user_id().unwrap();
    let mut best = [f64::MAX; 3];
    for _ in 0..6 {
        let id = ProjectId::from_uuid(issuer.id());
        let started = Instant::now();
        db.write(&anna, Role::Editor, "test.write", projects::insert(id, "Two".into(), author))
            .await
            .unwrap();
        best[0] = best[0].min(started.elapsed().as_secs_f64());
        let started = Instant::now();
        db.read(&anna, Role::Viewer, "test.read", projects::by_id(id)).await.unwrap().unwrap();
        best[1] = best[1].min(started.elapsed().as_secs_f64());
        let key = (
            idempotency::claim(author, id.to_string(), [1; 32], id.as_uuid()),
            projects::require(id),
            projects::update_title(id, "Three".into(), None),
        );
        let started = Instant::now();
        db.write(&anna, Role::Editor, "test.several", key).await.unwrap();
        best[2] = best[2].min(started.elapsed().as_secs_f64());
    }
    let trips = best.map(|seconds| seconds / delay.as_secs_f64());
    assert!((1.9..2.7).contains(&trips[0]), "a write took {} round trips", trips[0]);
    assert!((0.9..1.7).contains(&trips[1]), "a read took {} round trips", trips[1]);
    assert!((1.9..2.7).contains(&trips[2]), "a write of three statements took {} round trips", trips[2]);
}

/// A connection lost at COMMIT is *unknown*; the same idempotency key then finds what took effect.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_lost_at_commit_is_unknown_and_the_key_settles_it() {
    let database = Database::shared().await;
    let issuer = TestIssuer::start().await;
    let proxy = DelayingProxy::start(&database.tenant, Duration::ZERO).await;
    let options = PoolOptions { size: 2, statements: Statements::Named };
    let db = TenantDb::connect(&proxy.url(&database.tenant), "novelfoundry/test", options).await.unwrap();
    let anna = Authority::from_claims(&issuer.writer(&db).await).unwrap();
    let author = anna.user_id().unwrap();
    let create = |id: ProjectId| {
        (
            idempotency::claim(author, "key-1".into(), [7; 32], id.as_uuid()),
            projects::insert(id, "Once".into(), author),
        )
    };
    let first = ProjectId::from_uuid(issuer.id());
    proxy.cut_at_commit(true);
    let outcome = db.write(&anna, Role::Editor, "test.write", create(first)).await;
    assert!(matches!(outcome, Err(DbError::CommitUnknown(_))), "{outcome:?}");
    assert_eq!(proxy.commits_swallowed(), 1);
    proxy.cut_at_commit(false);

    let again = db.write(&anna, Role::Editor, "test.write", create(ProjectId::from_uuid(issuer.id()))).await;
    assert!(matches!(again, Err(DbError::Refused(Refusal::IdempotencyReplayed))), "{again:?}");
    let found =
        db.read(&anna, Role::Viewer, "test.read", idempotency::recorded(author, "key-1".into())).await;
    assert_eq!(found.unwrap().unwrap().resource, first.as_uuid());
    let sql = format!("select count(*) from app.projects where tenant_id = '{}'", anna.tenant_id());
    assert_eq!(database.sql(&sql).await.unwrap()[0][0].as_deref(), Some("1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_used_by_many_at_once_takes_effect_once() {
    let database = Database::shared().await;
    let issuer = TestIssuer::start().await;
    let db = Arc::new(database.tenant_db(12).await);
    let anna = Authority::from_claims(&issuer.writer(&db).await).unwrap();
    let author = anna.user_id().unwrap();
    let tasks: Vec<_> = (0..24)
        .map(|_| {
            let (db, anna, id) = (Arc::clone(&db), anna.clone(), ProjectId::from_uuid(issuer.id()));
            tokio::spawn(async move {
                let calls = (
                    idempotency::claim(author, "same".into(), [9; 32], id.as_uuid()),
                    projects::insert(id, "Once".into(), author),
                );
                db.write(&anna, Role::Editor, "test.write", calls).await
            })
        })
        .collect();
    let mut made = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => made += 1,
            Err(DbError::Refused(Refusal::IdempotencyInFlight | Refusal::IdempotencyReplayed)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(made, 1);
    let other = idempotency::claim(author, "same".into(), [8; 32], issuer.id());
    let outcome = db.write(&anna, Role::Editor, "test.write", other).await;
    assert!(matches!(outcome, Err(DbError::Refused(Refusal::IdempotencyMismatch))), "{outcome:?}");
}

/// A transaction pooler cannot carry named statements; the typed form gives the same answers.
#[tokio::test]
async fn typed_statements_answer_as_named_ones_do() {
    let database = Database::shared().await;
    let issuer = TestIssuer::start().await;
    let options = PoolOptions { size: 1, statements: Statements::Typed };
    let db = TenantDb::connect(&database.tenant, "novelfoundry/test", options).await.unwrap();
    let anna = Authority::from_claims(&issuer.writer(&db).await).unwrap();
    let id = ProjectId::from_uuid(issuer.id());
    let insert = projects::insert(id, "Typed".into(), anna.user_id().unwrap());
    db.write(&anna, Role::Editor, "test.write", insert).await.unwrap();
    let found = db.read(&anna, Role::Viewer, "test.read", projects::by_id(id)).await.unwrap();
    assert_eq!(found.unwrap().title, "Typed");
}

/// The closure form: an error rolls everything back, and its future can be spawned.
#[tokio::test]
async fn an_error_in_the_closure_rolls_back() {
    let database = Database::shared().await;
    let issuer = TestIssuer::start().await;
    let db = database.tenant_db(1).await;
    let anna = Authority::from_claims(&issuer.writer(&db).await).unwrap();
    let id = ProjectId::from_uuid(issuer.id());
    let author = anna.user_id().unwrap();
    let (db2, anna2) = (db.clone(), anna.clone());
    let outcome = tokio::spawn(async move {
        db2.run(&anna2, Role::Editor, "test.run", move |tx| {
            Box::pin(async move {
                tx.send(&projects::insert(id, "Gone".into(), author)).await?;
                tx.send(&projects::require(ProjectId::from_uuid(author.as_uuid()))).await
            })
        })
        .await
    })
    .await
    .unwrap();
    assert!(matches!(outcome, Err(DbError::Refused(Refusal::ProjectNotFound))), "{outcome:?}");
    assert!(db.read(&anna, Role::Viewer, "test.read", projects::by_id(id)).await.unwrap().is_none());
}
