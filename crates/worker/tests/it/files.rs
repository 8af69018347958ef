//! The embedded object store on loopback, which can be stopped and started again at the same address.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use novelfoundry_core::{Secret, SystemClock};
use novelfoundry_embedded::store::{Credentials, Limits, ObjectStore, Options, serve};
use novelfoundry_objects::{ObjectKey, Store, StoreOptions};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

const BUCKET: &str = "manuscripts";
const REGION: &str = "eu-central-1";
const ID: &str = "test";
const SECRET: &str = "not a secret";

pub(crate) struct Files {
    pub(crate) address: SocketAddr,
    root: TempDir,
    served: Option<(CancellationToken, JoinHandle<()>)>,
}

impl Files {
    pub(crate) async fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        let mut files = Self { address: "127.0.0.1:0".parse().unwrap(), root, served: None };
        files.start_again().await;
        files
    }

    pub(crate) async fn start_again(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.address = listener.local_addr().unwrap();
        let store = ObjectStore::open(Options {
            root: self.root.path().join("store"),
            bucket: BUCKET.into(),
            region: REGION.into(),
            credentials: vec![Credentials {
                access_key_id: ID.into(),
                secret_access_key: Secret::new(SECRET),
            }],
            allowed_origins: Vec::new(),
            clock: Arc::new(SystemClock),
            limits: Limits { drain: Duration::from_millis(200), ..Limits::default() },
        })
        .unwrap();
        let stop = CancellationToken::new();
        self.served = Some((stop.clone(), tokio::spawn(serve(store, listener, stop))));
    }

    pub(crate) async fn stop(&mut self) {
        let (stop, served) = self.served.take().unwrap();
        stop.cancel();
        served.await.unwrap();
    }

    /// Returns a client of the store, or of something before it.
    pub(crate) fn store_at(address: SocketAddr) -> Store {
        Store::new(StoreOptions {
            endpoint: format!("http://{address}").parse().unwrap(),
            public_url: None,
            region: REGION.into(),
            bucket: BUCKET.into(),
            access_key_id: ID.into(),
            secret_access_key: Secret::new(SECRET),
            clock: Arc::new(SystemClock),
        })
        .unwrap()
    }

    pub(crate) fn store(&self) -> Store {
        Self::store_at(self.address)
    }

    /// Uploads as a browser does.
    pub(crate) async fn put(&self, key: &ObjectKey, bytes: &[u8]) {
        let ticket = self.store().presign_put(
            key,
            bytes.len() as u64,
            "text/plain",
            digest(bytes),
            Duration::from_mins(5),
        );
        let mut request = reqwest::Client::new().put(ticket.url).body(bytes.to_vec());
        for (name, value) in ticket.headers {
            request = request.header(name, value);
        }
        let response = request.send().await.unwrap();
        assert!(response.status().is_success(), "{}", response.status());
    }

    pub(crate) async fn has(&self, key: &ObjectKey) -> bool {
        self.store().head(key).await.unwrap().is_some()
    }
}

pub(crate) fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
