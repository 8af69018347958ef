//! One whole application for a test: API, worker and object store on ports of their own, in the shared database.

use std::{sync::Arc, time::Duration};

use axum::{Router, routing::get};
use novelfoundry_api::{Accounts, Api, Settings};
use novelfoundry_core::{Clock, IdSource, Secret, SystemClock, TenantId, UserId};
use novelfoundry_database::{DatabaseUrl, TenantDb};
use novelfoundry_embedded::store::{self, Credentials, Limits, ObjectStore};
use novelfoundry_mail::{MailOptions, Mailer, Sender};
use novelfoundry_objects::{Store, StoreOptions};
use novelfoundry_testkit::{Database, TestIssuer};
use novelfoundry_worker::{Worker, WorkerOptions};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long a request may take.
const REQUEST: Duration = Duration::from_secs(20);

pub(crate) struct App {
    pub(crate) url: String,
    pub(crate) database: Database,
    pub(crate) issuer: TestIssuer,
    pub(crate) tenant: TenantDb,
    pub(crate) http: Client,
    files: tempfile::TempDir,
    _stop: DropGuard,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

#[expect(clippy::panic, reason = "stands for a defect in a handler")]
async fn defect() {
    panic!("a defect on purpose");
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }
}

/// A signed-in person in a workspace.
#[derive(Clone)]
pub(crate) struct Writer {
    pub(crate) token: String,
    pub(crate) user: UserId,
    pub(crate) tenant: TenantId,
}

/// How an application is started.
struct Setup {
    database: Database,
    through: Option<DatabaseUrl>,
    with_worker: bool,
    public_url: Option<String>,
    deadline: Duration,
    accounts: Option<Arc<dyn Accounts>>,
}

impl Setup {
    fn in_database(database: Database) -> Self {
        Self {
            database,
            through: None,
            with_worker: false,
            public_url: None,
            deadline: REQUEST,
            accounts: None,
        }
    }
}

impl App {
    /// Starts it without a worker, in the database that all tests share.
    pub(crate) async fn start() -> Self {
        Self::start_as(Setup::in_database(Database::shared().await)).await
    }

    /// Starts it with a worker, in a database of its own: a worker takes every job that it sees.
    pub(crate) async fn start_with_worker() -> Self {
        Self::start_as(Setup { with_worker: true, ..Setup::in_database(Database::fresh().await) }).await
    }

    /// Starts it without a worker, with its tenant transactions through another address of the shared database.
    pub(crate) async fn start_through(tenant: DatabaseUrl) -> Self {
        let setup = Setup::in_database(Database::shared().await);
        Self::start_as(Setup { through: Some(tenant), ..setup }).await
    }

    /// Starts it without a worker, beside an issuer of these accounts.
    pub(crate) async fn start_beside(accounts: Arc<dyn Accounts>) -> Self {
        let setup = Setup::in_database(Database::shared().await);
        Self::start_as(Setup { accounts: Some(accounts), ..setup }).await
    }

    /// Starts it without a worker, as clients of a proxy see it that takes the URL's path off.
    pub(crate) async fn start_behind(public_url: &str) -> Self {
        let setup = Setup::in_database(Database::shared().await);
        Self::start_as(Setup { public_url: Some(public_url.to_owned()), ..setup }).await
    }

    /// Starts it without a worker, with another deadline for requests.
    pub(crate) async fn start_with_deadline(deadline: Duration) -> Self {
        Self::start_in_with_deadline(Database::shared().await, deadline).await
    }

    /// Starts it without a worker in a database of the test's own, with another deadline for requests.
    pub(crate) async fn start_in_with_deadline(database: Database, deadline: Duration) -> Self {
        Self::start_as(Setup { deadline, ..Setup::in_database(database) }).await
    }

    async fn start_as(setup: Setup) -> Self {
        Box::pin(Self::start_in(setup)).await
    }

    async fn start_in(setup: Setup) -> Self {
        let Setup { database, through, with_worker, public_url, deadline, accounts } = setup;
        let issuer = TestIssuer::start().await;
        let files = tempfile::tempdir().unwrap();
        let stop = CancellationToken::new();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let key = Credentials { access_key_id: "test".into(), secret_access_key: Secret::new("test-secret") };
        let opened = ObjectStore::open(store::Options {
            root: files.path().join("objects"),
            bucket: "novelfoundry".into(),
            region: "us-east-1".into(),
            credentials: vec![key.clone()],
            allowed_origins: vec!["https://app.example.com".into()],
            clock: Arc::clone(&clock),
            limits: Limits::default(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(store::serve(opened.unwrap(), listener, stop.clone()));
        let objects = Store::new(StoreOptions {
            endpoint: endpoint.parse().unwrap(),
            public_url: None,
            region: "us-east-1".into(),
            bucket: "novelfoundry".into(),
            access_key_id: key.access_key_id,
            secret_access_key: key.secret_access_key,
            clock: Arc::clone(&clock),
        })
        .unwrap();
        let reached = Database { tenant: through.unwrap_or(database.tenant.clone()), ..database.clone() };
        let (tenant, control) = (reached.tenant_db(4).await, database.control_db().await);
        if with_worker {
            let worker = Worker::new(WorkerOptions {
                tenant: tenant.clone(),
                control: control.clone(),
                accounts: None,
                store: objects.clone(),
                concurrency: 2,
                lease: Duration::from_secs(20),
                poll: novelfoundry_worker::POLL,
                show_every: novelfoundry_worker::SHOW_EVERY,
                backup_retention: Duration::from_hours(35 * 24),
                purge_after: Duration::from_hours(24),
                name: "test".into(),
            });
            tokio::spawn(worker.run(stop.clone()));
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let from = Sender::parse("Novels <novels@example.com>").unwrap();
        let mail = MailOptions::new(from, files.path().join("outbox"), Arc::clone(&clock));
        let mailer = Mailer::open(mail).unwrap();
        let api = Api {
            tenant: tenant.clone(),
            control,
            store: objects,
            verifier: issuer.verifier.clone(),
            mailer,
            ids: IdSource::default(),
            clock,
            accounts,
            settings: Settings {
                public_url: public_url.unwrap_or_else(|| url.clone()),
                allowed_origins: vec!["https://app.example.com".into()],
                request_timeout: deadline,
                upload_expiry: Duration::from_mins(15),
                download_expiry: Duration::from_mins(5),
                purge_after: Duration::from_hours(24),
                sign_in: novelfoundry_api::SignIn::Here { sign_up: true },
                version: "0.0.0",
            },
        };
        tokio::spawn(novelfoundry_api::serve(
            listener,
            novelfoundry_api::router(api, Router::new().route("/test/panic", get(defect))),
            stop.clone(),
        ));
        let http = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        Self { url, database, issuer, tenant, http, files, _stop: stop.drop_guard() }
    }

    /// The directory of the mail that was sent.
    pub(crate) fn outbox(&self) -> std::path::PathBuf {
        self.files.path().join("outbox")
    }

    pub(crate) async fn writer(&self) -> Writer {
        let claims = self.issuer.writer(&self.tenant).await;
        let (user, tenant) = (claims.user_id(), claims.tenant_id().unwrap());
        Writer { token: self.issuer.token(user, Some(tenant)), user, tenant }
    }

    pub(crate) fn request(&self, token: &str, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(token)
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Answer { status, headers, body }
    }

    pub(crate) async fn get(&self, writer: &Writer, path: &str) -> Answer {
        self.send(self.request(&writer.token, Method::GET, path)).await
    }

    pub(crate) async fn post(&self, writer: &Writer, path: &str, body: Value) -> Answer {
        self.send(self.request(&writer.token, Method::POST, path).json(&body)).await
    }

    pub(crate) async fn delete(&self, writer: &Writer, path: &str) -> Answer {
        self.send(self.request(&writer.token, Method::DELETE, path)).await
    }

    pub(crate) async fn project(&self, writer: &Writer) -> String {
        let made = self.post(writer, "/v1/projects", json!({"title": "A project"})).await.expect(201);
        format!("/v1/projects/{}", made["project_id"].as_str().unwrap())
    }

    pub(crate) async fn manuscript(&self, writer: &Writer) -> String {
        let project = self.project(writer).await;
        let path = format!("{project}/manuscripts");
        let made = self.post(writer, &path, json!({"title": "A manuscript"})).await.expect(201);
        format!("{path}/{}", made["manuscript_id"].as_str().unwrap())
    }

    pub(crate) async fn ticket(&self, writer: &Writer, manuscript: &str, name: &str, bytes: &[u8]) -> Value {
        let body = upload(name, bytes);
        self.post(writer, &format!("{manuscript}/revisions"), body).await.expect(201)
    }

    /// PUTs a file where a ticket says.
    pub(crate) async fn put(&self, ticket: &Value, bytes: Vec<u8>) -> StatusCode {
        let upload = &ticket["upload"];
        let mut request = self.http.put(upload["url"].as_str().unwrap()).body(bytes);
        for (name, value) in upload["headers"].as_object().unwrap() {
            request = request.header(name, value.as_str().unwrap());
        }
        request.send().await.unwrap().status()
    }

    /// Uploads and completes; returns the revision's path and the answer of *complete*.
    pub(crate) async fn upload(
        &self,
        writer: &Writer,
        manuscript: &str,
        name: &str,
        bytes: &[u8],
    ) -> (String, Value) {
        let ticket = self.ticket(writer, manuscript, name, bytes).await;
        assert_eq!(self.put(&ticket, bytes.to_vec()).await, 200);
        let revision = format!("{manuscript}/revisions/{}", ticket["revision_id"].as_str().unwrap());
        let done = self.post(writer, &format!("{revision}/complete"), json!({})).await.expect(200);
        (revision, done)
    }

    /// Waits for an analysis to end.
    pub(crate) async fn analysis(&self, writer: &Writer, project: &str, id: &str) -> Value {
        let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
        loop {
            let analysis = self.get(writer, &format!("{project}/analyses/{id}")).await.expect(200);
            if analysis["finished_at"].is_string() {
                return analysis;
            }
            assert!(tokio::time::Instant::now() < deadline, "still {analysis}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(bytes))
}

pub(crate) fn upload(name: &str, bytes: &[u8]) -> Value {
    json!({"filename": name, "bytes": bytes.len(), "sha256": sha256(bytes), "media_type": "text/plain"})
}
