//! A mail server that behaves as a test wants and remembers what it was told.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// How the server behaves.
#[derive(Clone, Default)]
pub(crate) struct Manners {
    /// Its certificate, where it can encrypt.
    pub(crate) tls: Option<TlsAcceptor>,
    /// Whether it encrypts from the first byte.
    pub(crate) implicit: bool,
    /// Whether it asks for a password, and takes only `right`.
    pub(crate) login: bool,
    /// What it says instead, to commands that begin so, and how often.
    pub(crate) instead: Option<(&'static str, &'static str, usize)>,
    /// The command that it leaves without an answer.
    pub(crate) silent_at: Option<&'static str>,
    /// How many letters it takes without saying so.
    pub(crate) untold: usize,
}

pub(crate) struct Peer {
    pub(crate) port: u16,
    told: Arc<Mutex<Told>>,
}

#[derive(Default)]
struct Told {
    commands: Vec<String>,
    letters: Vec<String>,
    instead: usize,
}

impl Peer {
    /// Serves until the test's runtime ends.
    pub(crate) async fn start(manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let told = Arc::new(Mutex::new(Told::default()));
        let peer = Self { port, told: Arc::clone(&told) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that leaves is no failure.
                tokio::spawn(serve(stream, manners.clone(), Arc::clone(&told)));
            }
        });
        peer
    }

    /// Returns the commands it was given, without the letters.
    pub(crate) fn commands(&self) -> Vec<String> {
        self.told.lock().unwrap().commands.clone()
    }

    /// Returns the letters it took.
    pub(crate) fn letters(&self) -> Vec<String> {
        self.told.lock().unwrap().letters.clone()
    }
}

async fn serve(stream: TcpStream, manners: Manners, told: Arc<Mutex<Told>>) -> std::io::Result<()> {
    if manners.implicit {
        let stream = manners.tls.clone().unwrap().accept(stream).await?;
        return converse(stream, &manners, &told, true, true).await.map(drop);
    }
    if let Some(stream) = converse(stream, &manners, &told, false, true).await? {
        let stream = manners.tls.clone().unwrap().accept(stream).await?;
        converse(stream, &manners, &told, true, false).await?;
    }
    Ok(())
}

/// Returns the stream where it is to be encrypted.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    manners: &Manners,
    told: &Mutex<Told>,
    encrypted: bool,
    greet: bool,
) -> std::io::Result<Option<S>> {
    let mut stream = BufReader::new(stream);
    if greet {
        stream.write_all(b"220 peer.example ESMTP\r\n").await?;
    }
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let command = line.trim_end().to_owned();
        told.lock().unwrap().commands.push(command.clone());
        if manners.silent_at.is_some_and(|start| command.starts_with(start)) {
            continue;
        }
        if let Some((start, answer, times)) = manners.instead
            && command.starts_with(start)
        {
            let is_refused = {
                let mut told = told.lock().unwrap();
                told.instead += 1;
                told.instead <= times
            };
            if is_refused {
                stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
                continue;
            }
        }
        let verb = command.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        let answer = match verb.as_str() {
            "EHLO" => {
                let starttls = if manners.tls.is_some() && !encrypted { "250-STARTTLS\r\n" } else { "" };
                let login = if manners.login { "250-AUTH PLAIN\r\n" } else { "" };
                format!("250-peer.example\r\n{starttls}{login}250 8BITMIME")
            }
            "STARTTLS" if manners.tls.is_some() => {
                stream.write_all(b"220 go on\r\n").await?;
                return Ok(Some(stream.into_inner()));
            }
            // `right`, with the user `novels`.
            "AUTH" if command == "AUTH PLAIN AG5vdmVscwByaWdodA==" => "235 welcome".to_owned(),
            "AUTH" => "535 wrong password".to_owned(),
            "MAIL" | "RCPT" | "RSET" | "NOOP" => "250 ok".to_owned(),
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let letter = letter(&mut stream).await?;
                let taken = {
                    let mut told = told.lock().unwrap();
                    told.letters.push(letter);
                    told.letters.len()
                };
                if taken <= manners.untold {
                    continue;
                }
                "250 taken".to_owned()
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(None);
            }
            _ => "500 what".to_owned(),
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}

/// Reads up to the single dot, and takes the doubled dots away.
async fn letter<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> std::io::Result<String> {
    let mut letter = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 || line == ".\r\n" {
            return Ok(letter);
        }
        letter.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}
