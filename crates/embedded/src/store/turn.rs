//! One body of a key at a time, the newest: a URL that may be used once more would otherwise cost its declared bytes,
//! and a connection, as often as it is used. The newest goes on because it is where the writer now is: of a connection
//! that died on a bad line the server learns long after its client did, and the client must not wait for that.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

use super::key::Key;

/// The keys that bodies are being received for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turns(Arc<Mutex<HashMap<Key, Line>>>);

/// Those who want to write one key.
#[derive(Debug, Default)]
struct Line {
    /// How many there are: who is cut off counts until its file is gone.
    writers: usize,
    /// Cuts the newest off.
    newest: CancellationToken,
    /// Held by the one that has a file.
    file: Arc<tokio::sync::Mutex<()>>,
}

/// Says that a newer body of the same key has come.
#[derive(Debug)]
pub(crate) struct Superseded;

impl Turns {
    /// Cuts off whoever else is sending a body of the key, and waits until its file is gone, or the object that it had
    /// sent whole in its place.
    pub(crate) async fn begin(&self, key: &Key) -> Result<Turn, Superseded> {
        let (mut turn, file) = self.enter(key);
        let superseded = turn.superseded.clone();
        tokio::select! {
            biased;
            () = superseded.cancelled() => Err(Superseded),
            held = file.lock_owned() => {
                turn.held = Some(held);
                Ok(turn)
            }
        }
    }

    fn enter(&self, key: &Key) -> (Turn, Arc<tokio::sync::Mutex<()>>) {
        let mut lines = self.lines();
        let line = lines.entry(key.clone()).or_default();
        line.writers += 1;
        line.newest.cancel();
        line.newest = CancellationToken::new();
        let turn =
            Turn { turns: self.clone(), key: key.clone(), superseded: line.newest.clone(), held: None };
        (turn, Arc::clone(&line.file))
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<Key, Line>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to have a file for a key, until this is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Turns,
    key: Key,
    superseded: CancellationToken,
    held: Option<OwnedMutexGuard<()>>,
}

impl Turn {
    /// Returns what is cancelled when a newer body of the key comes.
    pub(crate) fn superseded(&self) -> CancellationToken {
        self.superseded.clone()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut lines = self.turns.lines();
        if let Some(line) = lines.get_mut(&self.key) {
            line.writers -= 1;
            if line.writers == 0 {
                lines.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll<T>(future: &mut std::pin::Pin<Box<impl Future<Output = T>>>) -> Poll<T> {
        future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn the_newest_goes_on_once_the_one_before_is_gone() {
        let turns = Turns::default();
        let (key, other) = (Key::parse("t/x").unwrap(), Key::parse("t/y").unwrap());
        let Poll::Ready(Ok(first)) = poll(&mut Box::pin(turns.begin(&key))) else {
            panic!("nobody before it")
        };
        let Poll::Ready(Ok(beside)) = poll(&mut Box::pin(turns.begin(&other))) else { panic!("another key") };

        let (mut second, mut third) = (Box::pin(turns.begin(&key)), Box::pin(turns.begin(&key)));
        assert!(poll(&mut second).is_pending());
        assert!(first.superseded().is_cancelled());
        assert!(poll(&mut third).is_pending(), "the first has its file still");
        assert!(matches!(poll(&mut second), Poll::Ready(Err(Superseded))));
        drop(first);
        let Poll::Ready(Ok(third)) = poll(&mut third) else { panic!("the first is gone") };
        assert!(!third.superseded().is_cancelled());
        assert!(!beside.superseded().is_cancelled());

        drop((third, beside, second));
        assert!(turns.lines().is_empty());
    }
}
