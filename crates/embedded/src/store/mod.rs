//! The embedded object store: an S3 endpoint over files, for installations without an object store of their own.
//!
//! `s3s` speaks the protocol and checks the signatures; this module keeps the promises underneath. An object is
//! visible only when its bytes were received, compared with every declared checksum and made durable; a failure at any
//! point leaves the old object or the new one, whole; and nothing that is not as it was written is ever handed out.
//!
//! Layout below the root, which one process at a time may open:
//!
//! ```text
//! lock                 held for as long as the store is open
//! temporary/           bodies on their way in; emptied at every start
//! buckets/<bucket>/    objects: `key` has their names, `record` their form
//! ```

mod checksum;
mod condition;
mod directory;
mod error;
mod key;
mod list;
mod object;
mod open;
mod protocol;
mod record;
mod server;
mod tree;
mod turn;
mod upload;

use std::{path::PathBuf, sync::Arc, time::Duration};

use novelfoundry_core::{Clock, IdSource, Secret};

pub use open::OpenError;
pub use server::serve;

/// One access key.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The public name of the key.
    pub access_key_id: String,
    /// What requests are signed with.
    pub secret_access_key: Secret,
}

/// How the store is set up.
#[derive(Clone)]
pub struct Options {
    /// The directory that holds everything; created where it is missing.
    pub root: PathBuf,
    /// The name of the only bucket.
    pub bucket: String,
    /// The region that signatures must name.
    pub region: String,
    /// Who may sign requests.
    pub credentials: Vec<Credentials>,
    /// The origins whose pages may use the store from a browser, such as `https://app.example.com`.
    pub allowed_origins: Vec<String>,
    /// Tells when an object was written.
    pub clock: Arc<dyn Clock>,
    /// What a client may cost.
    pub limits: Limits,
}

/// What a client may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many connections are served at once; a newcomer beyond takes the place of one that is missed less.
    pub connections: usize,
    /// How long a client may take to send a request's head, and how long a connection may idle between requests.
    pub head: Duration,
    /// How long a client may send, or take in, no byte of a body, in all; what it moves earns that time back.
    pub idle: Duration,
    /// How many bytes earn back one second: no client may be slower on average.
    pub bytes_per_second: u32,
    /// How long requests may go on once the server was asked to stop.
    pub drain: Duration,
    /// The largest object, in bytes.
    pub object: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            head: Duration::from_secs(15),
            idle: Duration::from_secs(30),
            bytes_per_second: 1024,
            drain: Duration::from_secs(20),
            object: 5 << 30,
        }
    }
}

/// An open store. Clones share it.
#[derive(Clone)]
pub struct ObjectStore(Arc<Shared>);

struct Shared {
    bucket: String,
    region: String,
    credentials: Vec<Credentials>,
    allowed_origins: Vec<String>,
    clock: Arc<dyn Clock>,
    request_ids: IdSource,
    limits: Limits,
    tree: tree::Tree,
    turns: turn::Turns,
    /// Keeps other processes out.
    _lock: std::fs::File,
}

impl std::fmt::Debug for ObjectStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ObjectStore").field("bucket", &self.0.bucket).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{
        checksum::Declared,
        directory,
        record::{Checksums, Metadata},
        tree::Tree,
        upload::{Temporary, Upload},
    };

    /// Makes an empty tree, in memory where there is such a file system.
    pub(super) fn tree() -> (tempfile::TempDir, Tree) {
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let root = tempfile::tempdir_in(base).unwrap();
        let handle = std::fs::File::open(root.path()).unwrap().into();
        let folder = |name| directory::open_or_create(&handle, name).unwrap();
        let tree = Tree::new(folder("bucket"), folder("temporary"));
        (root, tree)
    }

    /// Makes an empty object that is not yet in its place.
    pub(super) fn upload(tree: &Tree, key: &str) -> Temporary {
        let upload = Upload::create(tree.temporary(), &Checksums::default(), None).unwrap();
        let metadata = |_: &_| Metadata { key: key.to_owned(), ..Metadata::default() };
        upload.finish(&Declared::default(), metadata).unwrap().0
    }
}
