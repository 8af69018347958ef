//! The database is lost in the middle of what several transactions do: no answer says that nothing was changed where
//! something was, and a repeat finishes it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use novelfoundry_api::{Accounts, Answer as Eventually};
use novelfoundry_core::UserId;
use novelfoundry_database::DbError;
use novelfoundry_identity::VerifiedClaims;
use novelfoundry_testkit::{Database, DelayingProxy};
use reqwest::Method;
use serde_json::json;

use crate::app::{Answer, App, Writer};

async fn one(app: &App, sql: &str) -> String {
    let rows = app.database.sql(sql).await.unwrap();
    rows.into_iter().flatten().next().flatten().unwrap_or_default()
}

/// Starts an application whose tenant transactions can be cut.
async fn cuttable() -> (App, DelayingProxy) {
    let database = Database::shared().await;
    let proxy = DelayingProxy::start(&database.tenant, Duration::ZERO).await;
    let app = App::start_through(proxy.url(&database.tenant)).await;
    (app, proxy)
}

#[track_caller]
fn is(answer: &Answer, code: &str) {
    assert_eq!((answer.status.as_u16(), answer.code()), (503, code), "{}", answer.body);
    assert!(answer.headers.contains_key("retry-after"));
}

/// How many of the person's workspaces live, how many are deleted with them, and what the directory knows.
async fn state(app: &App, anna: &Writer) -> String {
    let person = anna.user;
    // A cluster does not join what lies on its workers with the directory.
    let lives = format!("select count(*) from app.memberships where user_id = '{person}'");
    let deleted = format!(
        "select count(*) from app.audit_events where actor_id = '{person}' and action = 'workspace.deleted'"
    );
    let known = format!(
        "select coalesce(max(case when departed_at is null then 'stays' when email is null then 'gone'
                                  else 'leaves' end), 'unknown') from app.users where user_id = '{person}'"
    );
    format!("{} {} {}", one(app, &lives).await, one(app, &deleted).await, one(app, &known).await)
}

/// Makes another workspace, so that the person is in two and the directory knows their address.
async fn second(app: &App, anna: &Writer) {
    app.post(anna, "/v1/tenants", json!({"name": "Second"})).await.expect(201);
    let address = format!("update app.users set email = 'anna@example.com' where user_id = '{}'", anna.user);
    app.database.sql(&address).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_of_a_person_that_is_cut_short_says_so_and_a_repeat_finishes_it() {
    let (app, proxy) = cuttable().await;
    let anna = app.writer().await;
    second(&app, &anna).await;

    proxy.cut_before("/* departure.look */ begin", 0);
    is(&app.delete(&anna, "/v1/me").await, "database-unavailable");
    assert_eq!(state(&app, &anna).await, "2 0 stays", "nothing was changed, as was said");

    proxy.cut_before("/* departure.leave */ begin", 0);
    is(&app.delete(&anna, "/v1/me").await, "commit-unknown");
    assert_eq!(state(&app, &anna).await, "2 0 leaves");

    proxy.cut_before("/* departure.leave */ begin", 1);
    let cut = app.delete(&anna, "/v1/me").await;
    is(&cut, "commit-unknown");
    assert!(cut.body["detail"].as_str().unwrap().contains("has begun"), "{}", cut.body);
    assert_eq!(state(&app, &anna).await, "1 1 leaves");

    proxy.mend();
    app.delete(&anna, "/v1/me").await.expect(200);
    assert_eq!(state(&app, &anna).await, "0 2 gone");
}

/// Accounts that are out of reach at first.
#[derive(Default)]
struct Away {
    is_back: AtomicBool,
    is_erased: AtomicBool,
}

impl Accounts for Away {
    fn erase(&self, _: UserId) -> Eventually<'_, ()> {
        Box::pin(async {
            if !self.is_back.load(Ordering::SeqCst) {
                return Err(DbError::Unavailable("away".into()));
            }
            self.is_erased.store(true, Ordering::SeqCst);
            Ok(())
        })
    }

    fn is_signed_in<'a>(&'a self, _: &'a VerifiedClaims) -> Eventually<'a, bool> {
        Box::pin(async { Ok(!self.is_erased.load(Ordering::SeqCst)) })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_cannot_be_erased_yet_is_known_to_be_left() {
    let accounts = Arc::new(Away::default());
    let app = App::start_beside(Arc::clone(&accounts) as Arc<dyn Accounts>).await;
    let anna = app.writer().await;
    second(&app, &anna).await;
    is(&app.delete(&anna, "/v1/me").await, "commit-unknown");
    assert_eq!(state(&app, &anna).await, "0 2 leaves");

    // A session that goes on meanwhile enters nothing, however fresh its token is.
    let mut later = app.issuer.payload(anna.user, None);
    later["iat"] = json!(later["iat"].as_i64().unwrap() + 3);
    let fresh = app.issuer.sign(&later);
    let new = app.request(&fresh, Method::POST, "/v1/tenants").json(&json!({"name": "Amid it"}));
    let refused = app.send(new).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (401, "invalid-token"), "{}", refused.body);

    accounts.is_back.store(true, Ordering::SeqCst);
    assert_eq!(app.delete(&anna, "/v1/me").await.expect(200)["account"], "erased");
    assert_eq!(state(&app, &anna).await, "0 2 gone");
    assert_eq!(app.delete(&anna, "/v1/me").await.status, 401, "the account is gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_that_cannot_be_answered_does_not_say_that_nothing_was_changed() {
    let (app, proxy) = cuttable().await;
    let anna = app.writer().await;
    let manuscript = app.manuscript(&anna).await;
    let (revision, done) = app.upload(&anna, &manuscript, "a.txt", b"words").await;
    let complete = format!("{revision}/complete");
    for statement in ["revisions.look_up", "analyses.look_up", "analyses.resume"] {
        proxy.cut_before(&format!("/* {statement} */ begin"), 0);
        let code = if statement == "revisions.look_up" { "database-unavailable" } else { "commit-unknown" };
        is(&app.post(&anna, &complete, json!({})).await, code);
    }
    proxy.mend();
    assert_eq!(app.post(&anna, &complete, json!({})).await.expect(200), done);

    for (path, statement) in [
        ("/v1/projects", "idempotency.replay"),
        ("/v1/projects", "projects.replay"),
        ("/v1/tenants", "workspaces.made_before"),
    ] {
        let create = async || {
            let body = if path == "/v1/projects" { json!({"title": "x"}) } else { json!({"name": "x"}) };
            let request = app.request(&anna.token, Method::POST, path).header("idempotency-key", statement);
            app.send(request.json(&body)).await
        };
        let made = create().await.expect(201);
        proxy.cut_before(&format!("/* {statement} */ begin"), 0);
        is(&create().await, "commit-unknown");
        proxy.mend();
        assert_eq!(create().await.expect(201), made);
    }
}

/// Another completes it while this one waits for the row, and then the database is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_completion_that_another_has_made_is_not_denied() {
    let (app, proxy) = cuttable().await;
    let anna = app.writer().await;
    let manuscript = app.manuscript(&anna).await;
    let ticket = app.ticket(&anna, &manuscript, "a.txt", b"words").await;
    assert_eq!(app.put(&ticket, b"words".to_vec()).await, 200);
    let id = ticket["revision_id"].as_str().unwrap();
    let complete = format!("{manuscript}/revisions/{id}/complete");
    proxy.cut_before("/* revisions.completed */ begin", 0);
    let other = app.database.connect_as(&app.database.admin).await.unwrap();
    let stored = format!(
        "begin; update app.revisions set state = 'stored', stored_at = now() where revision_id = '{id}'"
    );
    other.batch_execute(&stored).await.unwrap();
    let waits = async {
        // On a cluster the lock is a worker's, and the coordinator only shows that it takes its time.
        let waiting = "select count(*) from pg_stat_activity where state = 'active'
                        and query like '%revisions.store%' and query not like '%pg_stat_activity%'
                        and query_start < clock_timestamp() - interval '300 milliseconds'";
        let deadline = tokio::time::Instant::now() + Duration::from_secs(15);
        while one(&app, waiting).await == "0" {
            assert!(tokio::time::Instant::now() < deadline, "nobody waits");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        other.batch_execute("commit").await.unwrap();
    };
    let (answer, ()) = tokio::join!(app.post(&anna, &complete, json!({})), waits);
    is(&answer, "commit-unknown");
}
