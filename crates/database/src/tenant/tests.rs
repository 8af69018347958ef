//! Whoever borrows a connection next finds no tenant set. Seen from inside, since no statement of the application would
//! show it: each sets its own tenant first, and says `tenant_id = $1` besides.

use novelfoundry_core::ProjectId;
use novelfoundry_testkit::{Database, TestIssuer};
use proptest::{
    prelude::Rng as _,
    test_runner::{RngAlgorithm, TestRng},
};

use super::*;
use crate::{Statements, projects};

static LEFT_OVER: Query = query!(
    "test.left_over",
    [],
    "select nullif(current_setting('app.tenant_id', true), '') as tenant,
            pg_current_xact_id_if_assigned() is null as alone, pg_backend_pid() as backend"
);

/// What a borrower finds: a tenant, whether it is outside a transaction that writes, and which connection it was.
async fn borrow(db: &TenantDb) -> (Option<String>, bool, i32) {
    loop {
        match db.ask(&LEFT_OVER).await {
            Ok(rows) => {
                let row = &rows[0];
                return (row.get("tenant"), row.get("alone"), row.get("backend"));
            }
            // Killed under its hands.
            Err(error) => assert!(error.is_lost_connection(), "{error:?}"),
        }
    }
}

/// Ends of a transaction, drawn in turn.
const ENDS: u32 = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_later_borrower_sees_a_tenant_setting() {
    let database = Database::shared().await;
    let issuer = TestIssuer::start().await;
    let claims = issuer.writer(&database.tenant_db(1).await).await;
    let anna = Authority::from_claims(&claims).unwrap();
    let author = claims.user_id();
    // One connection: the next borrower takes the very same, unless it was closed.
    let options = PoolOptions { size: 1, statements: Statements::Named };
    let application = format!("novelfoundry/setting-{}", issuer.id().simple());
    let db = TenantDb::connect(&database.tenant, &application, options).await.unwrap();
    let kill = format!(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = '{application}'"
    );
    let mut random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut before = borrow(&db).await.2;
    let (mut kept, mut timed_out, mut aborted) = (0, 0, 0);
    for round in 0..ENDS * 20 {
        let id = ProjectId::from_uuid(issuer.id());
        let soon = Duration::from_micros(u64::from(random.next_u32() % 900));
        let write =
            || db.write(&anna, Role::Editor, "test.write", projects::insert(id, "Some".into(), author));
        let read = || db.read(&anna, Role::Viewer, "test.read", projects::by_id(id));
        match round % ENDS {
            0 => drop(write().await.unwrap()),
            1 => assert!(read().await.unwrap().is_none()),
            2 => {
                let refused = db.write(&anna, Role::Editor, "test.refused", projects::require(id)).await;
                assert!(matches!(refused, Err(DbError::Refused(_))), "{refused:?}");
            }
            3 => timed_out += u32::from(tokio::time::timeout(soon, write()).await.is_err()),
            4 => {
                let (db, anna) = (db.clone(), anna.clone());
                let task = tokio::spawn(async move {
                    let insert = projects::insert(id, "Some".into(), author);
                    db.write(&anna, Role::Editor, "test.write", insert).await
                });
                tokio::time::sleep(soon).await;
                task.abort();
                aborted += u32::from(task.await.is_err_and(|error| error.is_cancelled()));
            }
            _ => {
                let (lost, killed) = tokio::join!(write(), database.sql(&kill));
                killed.unwrap();
                assert!(!matches!(lost, Err(DbError::Defect(_))), "{lost:?}");
            }
        }
        let (tenant, alone, backend) = borrow(&db).await;
        assert_eq!((tenant, alone), (None, true), "round {round}");
        kept += u32::from(backend == before);
        before = backend;
    }
    assert!(kept > 40, "a connection was borrowed again {kept} times only");
    assert!(timed_out > 3 && aborted > 3, "only {timed_out} timed out and {aborted} were aborted");
}
