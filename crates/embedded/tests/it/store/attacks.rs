//! Clients that want to keep the others out, or to fill the disk; an honest one is served meanwhile, at once: none of
//! these stores would let a slow client go within the hour.

use std::{net::SocketAddr, time::Duration};

use futures_util::future::join_all;
use reqwest::StatusCode;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::{MissedTickBehavior, interval, timeout},
};

use super::fixture::{HOUR, Presign, Store, bytes, until};

const CONNECTIONS: usize = 8;
const PATIENCE: Duration = Duration::from_secs(20);

async fn patient() -> Store {
    Store::start_with(|options| {
        options.limits.connections = CONNECTIONS;
        options.limits.head = HOUR;
        options.limits.idle = HOUR;
    })
    .await
}

/// A writer who comes anew, as from another machine, must be served.
async fn an_honest_writer_is_served(store: &Store) {
    let writer = Store::client();
    let body = bytes(300_000, 9);
    let served = async {
        let put = store.put_by(&writer, "t/honest", &body).await;
        assert_eq!(put.status(), StatusCode::OK, "{:?}", put.text().await);
        store.read("t/honest").await
    };
    assert_eq!(timeout(PATIENCE, served).await.expect("served at once"), Some(body));
}

/// Begins an upload of `declared` bytes by the one URL of the key, and sends some.
async fn begin(store: &Store, key: &str, declared: usize, sent: usize) -> TcpStream {
    let path = format!("/novels/{key}");
    let length = declared.to_string();
    let headers = [("content-length", length.as_str())];
    let mut presign = Presign::new("PUT", &path);
    presign.headers = &headers;
    let target = store.presign(&presign);
    let mut stream = TcpStream::connect(&store.authority).await.unwrap();
    let head =
        format!("PUT {target} HTTP/1.1\r\nhost: {}\r\ncontent-length: {length}\r\n\r\n", store.authority);
    stream.write_all(head.as_bytes()).await.unwrap();
    // One that is cut off meanwhile cannot send on.
    let _ = stream.write_all(&vec![7; sent]).await;
    stream
}

/// Reads until the answer is whole; empty where the connection was closed instead.
async fn answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = async {
        while !answer.ends_with(b"</Error>") && !answer.ends_with(b"\r\n\r\n") {
            match stream.read_buf(&mut answer).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
    };
    timeout(PATIENCE, read).await.expect("answered or closed");
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_used_many_times_at_once_costs_one_connection_and_one_file() {
    let store = patient().await;
    let attack = join_all((0..5 * CONNECTIONS).map(|_| begin(&store, "t/one", 1_000_000, 999_999)));
    let mut most = 0;
    let watch = async {
        loop {
            most = most.max(store.temporary());
            tokio::task::yield_now().await;
        }
    };
    let streams = tokio::select! {
        streams = attack => streams,
        () = watch => unreachable!(),
    };
    assert!(most <= 1, "{most} files at once");
    an_honest_writer_is_served(&store).await;
    until("all but one are cut off", || store.temporary() == 1).await;
    drop(streams);
    store.no_temporary().await;
    assert_eq!(store.read("t/one").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_need_not_wait_for_the_end_of_a_dead_connection() {
    let store = patient().await;
    for sent in [0, 1, 200_000] {
        let mut dead = begin(&store, "t/again", 300_000, sent).await;
        until("the first has begun", || store.temporary() == 1).await;
        let body = bytes(300_000, 1);
        let again = timeout(PATIENCE, store.put("t/again", &body)).await.expect("at once");
        assert_eq!(again.status(), StatusCode::OK);
        assert_eq!(store.read("t/again").await, Some(body));
        let answer = answer(&mut dead).await;
        assert!(
            answer.starts_with("HTTP/1.1 409 ") && answer.contains("<Code>OperationAborted</Code>"),
            "{answer}"
        );
        store.no_temporary().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_trickles_in_is_refused() {
    let store = Store::start_with(|options| {
        options.limits.idle = Duration::from_millis(200);
        options.limits.bytes_per_second = 1_000_000;
    })
    .await;
    let (mut reader, mut writer) = begin(&store, "t/slow", 1_000_000, 1).await.into_split();
    let trickle = async {
        // Never as long silent as the store would wait for a client that sends nothing.
        let mut pace = interval(Duration::from_millis(20));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while writer.write_all(b"x").await.is_ok() {
            pace.tick().await;
        }
    };
    let mut answer = [0; 400];
    let read = tokio::select! {
        read = timeout(PATIENCE, reader.read(&mut answer)) => read.expect("it is let go").unwrap(),
        () = trickle => panic!("closed without an answer"),
    };
    let answer = String::from_utf8_lossy(&answer[..read]);
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    store.no_temporary().await;
    assert_eq!(store.read("t/slow").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_on_which_nothing_is_asked_keep_nobody_out() {
    let store = patient().await;
    for sent in ["", "PUT /novels/t/x HTTP/1.1\r\nhost: a\r\nx-half"] {
        let mut idle = Vec::new();
        for _ in 0..5 * CONNECTIONS {
            let mut stream = TcpStream::connect(&store.authority).await.unwrap();
            stream.write_all(sent.as_bytes()).await.unwrap();
            idle.push(stream);
        }
        an_honest_writer_is_served(&store).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_takes_every_connection_gives_way_to_another() {
    let store = patient().await;
    assert_eq!(store.put("t/large", &bytes(30_000_000, 1)).await.status(), StatusCode::OK);
    let target = store.presign(&Presign::new("GET", "/novels/t/large"));
    let request = format!("GET {target} HTTP/1.1\r\nhost: {}\r\n\r\n", store.authority);
    let server: SocketAddr = store.authority.parse().unwrap();
    // One signed URL, asked for again and again, and its answers never taken in.
    let mut readers = Vec::new();
    for _ in 0..2 * CONNECTIONS {
        let socket = TcpSocket::new_v4().unwrap();
        if socket.bind("127.0.0.2:0".parse().unwrap()).is_err() {
            println!("skipped: this machine has one loopback address only");
            return;
        }
        let mut stream = socket.connect(server).await.unwrap();
        if stream.write_all(request.as_bytes()).await.is_ok() {
            let _ = stream.readable().await;
        }
        readers.push(stream);
    }
    for _ in 0..3 {
        an_honest_writer_is_served(&store).await;
    }
}
