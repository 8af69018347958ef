//! A proxy that makes round trips countable: it delays what the server answers, and can cut the line.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use novelfoundry_database::DatabaseUrl;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::mpsc,
    time::Instant,
};

/// Forwards a TCP port to a database, with each bunch of answers held back for a while.
pub struct DelayingProxy {
    address: std::net::SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    delay: Duration,
    cut_at_commit: AtomicBool,
    cut_before_commit: AtomicBool,
    commits_swallowed: AtomicUsize,
    /// What is cut off, and how often it may pass before.
    cut_before: Mutex<Option<(Vec<u8>, usize)>>,
}

impl Shared {
    /// Tells whether a request is one to be cut off.
    fn cuts(&self, bytes: &[u8]) -> bool {
        let mut cut = self.cut_before.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((words, passes)) = cut.as_mut() else { return false };
        let found = bytes.windows(words.len()).any(|some| some == words.as_slice());
        if found && *passes > 0 {
            *passes -= 1;
            return false;
        }
        found
    }
}

impl DelayingProxy {
    /// Starts a proxy to the database.
    ///
    /// # Panics
    /// Where no port can be opened.
    pub async fn start(url: &DatabaseUrl, delay: Duration) -> Self {
        let server = url.clone();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            delay,
            cut_at_commit: AtomicBool::new(false),
            cut_before_commit: AtomicBool::new(false),
            commits_swallowed: AtomicUsize::new(0),
            cut_before: Mutex::new(None),
        });
        let accepted = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let _ = client.set_nodelay(true);
                let server = server.clone();
                let shared = Arc::clone(&accepted);
                tokio::spawn(async move {
                    // Where the server is away, the client loses its line, as it would without a proxy.
                    let Ok((server_read, server_write)) = connect(&server).await else { return };
                    let (client_read, client_write) = client.into_split();
                    tokio::select! {
                        () = forward(client_read, server_write, &shared, Direction::Requests) => {}
                        () = forward(server_read, client_write, &shared, Direction::Answers) => {}
                    }
                });
            }
        });
        Self { address, shared }
    }

    /// Returns the URL of the same database through the proxy.
    pub fn url(&self, url: &DatabaseUrl) -> DatabaseUrl {
        DatabaseUrl { host: self.address.ip().to_string(), port: self.address.port(), ..url.clone() }
    }

    /// From now on passes each COMMIT to the server, swallows the answer and cuts the line.
    pub fn cut_at_commit(&self, cut: bool) {
        self.shared.cut_at_commit.store(cut, Ordering::SeqCst);
    }

    /// From now on cuts the line in place of passing a COMMIT on.
    pub fn cut_before_commit(&self, cut: bool) {
        self.shared.cut_before_commit.store(cut, Ordering::SeqCst);
    }

    /// From now on cuts the line in place of passing these words on, once they have passed a number of times.
    ///
    /// # Panics
    /// Where there are no words.
    pub fn cut_before(&self, words: &str, passes: usize) {
        assert!(!words.is_empty());
        let cut = Some((words.as_bytes().to_vec(), passes));
        *self.shared.cut_before.lock().unwrap_or_else(PoisonError::into_inner) = cut;
    }

    /// From now on passes on whatever words there are.
    pub fn mend(&self) {
        *self.shared.cut_before.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Returns how many lines were cut at COMMIT.
    pub fn commits_swallowed(&self) -> usize {
        self.shared.commits_swallowed.load(Ordering::SeqCst)
    }
}

type Line = (Box<dyn AsyncRead + Send + Unpin>, Box<dyn AsyncWrite + Send + Unpin>);

async fn connect(url: &DatabaseUrl) -> std::io::Result<Line> {
    if url.host.starts_with('/') {
        let socket = PathBuf::from(&url.host).join(format!(".s.PGSQL.{}", url.port));
        let (read, write) = UnixStream::connect(&socket).await?.into_split();
        return Ok((Box::new(read), Box::new(write)));
    }
    let stream = TcpStream::connect((url.host.as_str(), url.port)).await?;
    stream.set_nodelay(true)?;
    let (read, write) = stream.into_split();
    Ok((Box::new(read), Box::new(write)))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Requests,
    Answers,
}

/// Reads at once and passes on after the delay, as a long line would: what follows close behind is not held back twice.
async fn forward(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    shared: &Shared,
    direction: Direction,
) {
    let (sender, mut line) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let read = async move {
        let mut buffer = vec![0_u8; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let delay = if direction == Direction::Answers { shared.delay } else { Duration::ZERO };
            if sender.send((Instant::now() + delay, buffer[..length].to_vec())).is_err() {
                return;
            }
        }
    };
    let write = async move {
        while let Some((due, bytes)) = line.recv().await {
            tokio::time::sleep_until(due).await;
            let cut = direction == Direction::Answers && shared.cut_at_commit.load(Ordering::SeqCst);
            if cut && bytes.windows(6).any(|word| word == b"COMMIT") {
                // The server has committed: its answer says so, and the client never reads it.
                shared.commits_swallowed.fetch_add(1, Ordering::SeqCst);
                return;
            }
            let cut = direction == Direction::Requests && shared.cut_before_commit.load(Ordering::SeqCst);
            if cut && bytes.windows(6).any(|word| word == b"commit") {
                shared.commits_swallowed.fetch_add(1, Ordering::SeqCst);
                return;
            }
            if direction == Direction::Requests && shared.cuts(&bytes) {
                return;
            }
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    // The line ends with the writer; a reader that ends lets the writer finish what is under way.
    tokio::join!(read, write);
}
