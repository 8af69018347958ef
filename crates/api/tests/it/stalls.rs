//! Clients that do not go on are cut off: a connection that waits for one of them would hold its slot for ever.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Router, body::Body, routing::get};
use novelfoundry_testkit::Database;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::timeout,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::app::App;

/// Longer than the server waits for anything.
const PATIENCE: Duration = Duration::from_mins(2);

/// Serves routes as the API is served, without a database: its clock can be moved.
async fn serve(router: Router) -> (TcpStream, DropGuard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    tokio::spawn(novelfoundry_api::serve(listener, router, stop.clone()));
    (TcpStream::connect(address).await.unwrap(), stop.drop_guard())
}

/// Says when it is dropped.
struct Told(Arc<Notify>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[tokio::test]
async fn a_client_that_stops_reading_is_cut_off() {
    let dropped = Arc::new(Notify::new());
    let tell = Arc::clone(&dropped);
    let endless = move || {
        let told = Told(Arc::clone(&tell));
        async move {
            Body::from_stream(futures_util::stream::repeat_with(move || {
                let _ = &told;
                Ok::<_, Infallible>(vec![0_u8; 64 * 1024])
            }))
        }
    };
    let (mut client, _stop) = serve(Router::new().route("/endless", get(endless))).await;
    client.write_all(b"GET /endless HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut some = [0; 1000];
    client.read_exact(&mut some).await.unwrap();

    // From here on the clock runs only while everybody waits, as the server does once the line is full.
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    timeout(PATIENCE, dropped.notified()).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(25), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_client_that_never_ends_its_head_is_cut_off() {
    let (mut client, _stop) = serve(Router::new()).await;
    client.write_all(b"GET / HTTP/1.1\r\nhost: local").await.unwrap();
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    let mut rest = Vec::new();
    timeout(PATIENCE, client.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_drips_is_answered_and_cut_off() {
    let app = App::start_with_deadline(Duration::from_secs(1)).await;
    let anna = app.writer().await;
    let mut client = TcpStream::connect(app.url.strip_prefix("http://").unwrap()).await.unwrap();
    let head = format!(
        "POST /v1/projects HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: 100000\r\n\r\n{{\"title\": \"",
        anna.token
    );
    client.write_all(head.as_bytes()).await.unwrap();
    let (mut from, mut to) = client.into_split();
    let begun = Instant::now();
    let drip = tokio::spawn(async move {
        let mut drops = 0;
        while to.write_all(b"a").await.is_ok() && begun.elapsed() < PATIENCE {
            drops += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        drops
    });
    let mut answer = Vec::new();
    // A reset may follow the answer, for the client still sends.
    let _ = timeout(PATIENCE, from.read_to_end(&mut answer)).await.unwrap();
    drop(from);
    let drops = drip.await.unwrap();
    assert!(drops > 5 && begun.elapsed() < Duration::from_secs(20), "{drops} in {:?}", begun.elapsed());
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 408 ") && head.contains("\r\nconnection: close"), "{head}");
    assert_eq!(serde_json::from_str::<Value>(body).unwrap()["code"], "request-timeout");
    let made = format!("select count(*) from app.projects where tenant_id = '{}'", anna.tenant);
    let rows = Database::shared().await.sql(&made).await.unwrap();
    assert_eq!(rows[0][0].as_deref(), Some("0"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_waits_in_the_database_is_answered_at_its_deadline_and_leaves_nothing() {
    let database = Database::fresh().await;
    let app = App::start_in_with_deadline(database.clone(), Duration::from_secs(1)).await;
    let anna = app.writer().await;
    let holder = database.connect_as(&database.admin).await.unwrap();
    holder.batch_execute("begin; lock table app.projects in access exclusive mode").await.unwrap();
    let begun = Instant::now();
    let answer = app.post(&anna, "/v1/projects", json!({"title": "Late"})).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (504, "deadline-exceeded"), "{}", answer.body);
    let took = begun.elapsed();
    assert!((Duration::from_secs(1)..Duration::from_secs(8)).contains(&took), "{took:?}");
    holder.batch_execute("rollback").await.unwrap();
    // Nothing of it goes on: it is gone from the database, not only from the client.
    let running = "select count(*) from pg_stat_activity
        where datname = current_database() and usename = 'novelfoundry_tenant' and state <> 'idle'";
    let deadline = Instant::now() + PATIENCE;
    while database.sql(running).await.unwrap()[0][0].as_deref() != Some("0") {
        assert!(Instant::now() < deadline, "its statement goes on");
        tokio::task::yield_now().await;
    }
    let rows = database.sql("select count(*) from app.projects").await.unwrap();
    assert_eq!(rows[0][0].as_deref(), Some("0"));
    app.post(&anna, "/v1/projects", json!({"title": "In time"})).await.expect(201);
}
