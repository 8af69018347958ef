//! A proxy before the object store that lets an answer's head through and holds its body until it is opened.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

use crate::bed::until;

pub(crate) struct Gate {
    pub(crate) address: SocketAddr,
    open: watch::Sender<bool>,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    held: AtomicUsize,
    left: AtomicUsize,
}

impl Gate {
    pub(crate) async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let open = watch::Sender::new(false);
        let seen = Arc::new(Seen::default());
        let (opened, counts) = (open.subscribe(), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(server).await else { continue };
                let (opened, seen) = (opened.clone(), Arc::clone(&counts));
                tokio::spawn(async move {
                    let (mut from_client, to_client) = client.into_split();
                    let (from_server, mut to_server) = server.into_split();
                    tokio::select! {
                        _ = copy(&mut from_client, &mut to_server) => {}
                        () = hold(from_server, to_client, opened, &seen) => {}
                    }
                    seen.left.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, open, seen }
    }

    /// Waits until `count` bodies are, or were, held.
    pub(crate) async fn held(&self, count: usize) {
        until("a body is held", async || self.seen.held.load(Ordering::SeqCst) >= count).await;
    }

    /// Waits until a client has left.
    pub(crate) async fn left(&self) {
        until("the client has left", async || self.seen.left.load(Ordering::SeqCst) > 0).await;
    }

    pub(crate) fn open(&self) {
        self.open.send_replace(true);
    }
}

async fn hold(
    mut server: OwnedReadHalf,
    mut client: OwnedWriteHalf,
    mut opened: watch::Receiver<bool>,
    seen: &Seen,
) {
    let mut answer = Vec::new();
    let head = loop {
        let Ok(1..) = server.read_buf(&mut answer).await else { return };
        if let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    if client.write_all(&answer[..head]).await.is_err() {
        return;
    }
    seen.held.fetch_add(1, Ordering::SeqCst);
    if opened.wait_for(|open| *open).await.is_ok() && client.write_all(&answer[head..]).await.is_ok() {
        let _ = copy(&mut server, &mut client).await;
    }
}
