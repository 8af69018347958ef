//! An issuer of a test's own: a migrated database, a directory of keys, a clock and a loopback port.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use novelfoundry_core::{Clock, IdSource, ManualClock};
use novelfoundry_database::{IssuerDb, PoolOptions, Statements};
use novelfoundry_embedded::issuer::{Issuer, IssuerError, IssuerOptions, Limit, Limits};
use novelfoundry_identity::{VerifiedClaims, Verifier, VerifierOptions, VerifyError};
use novelfoundry_mail::{MailOptions, Mailer, Sender};
use novelfoundry_testkit::Database;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(super) const PASSWORD: &str = "correct horse battery";
pub(super) const AUDIENCE: &str = "authenticated";

pub(super) struct Fixture {
    pub(super) issuer: Issuer,
    pub(super) database: Database,
    pub(super) clock: ManualClock,
    pub(super) options: IssuerOptions,
    pub(super) url: String,
    pub(super) http: reqwest::Client,
    directory: tempfile::TempDir,
}

/// An answer, read whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: reqwest::header::HeaderMap,
    pub(super) text: String,
}

impl Answer {
    pub(super) async fn read(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// Returns the body of a success.
    pub(super) fn ok(&self) -> Value {
        assert!(self.status.is_success(), "{self:?}");
        self.json()
    }

    /// Checks that it is this refusal, in Supabase Auth's shape.
    pub(super) fn is(&self, status: u16, code: &str) {
        let body = self.json();
        assert_eq!((self.status.as_u16(), body["error_code"].as_str()), (status, Some(code)), "{self:?}");
        assert_eq!(body["code"], status);
        assert!(body["msg"].is_string());
    }
}

pub(super) fn wide() -> Limits {
    let limit = Limit::new(10_000, Duration::from_millis(1));
    Limits {
        requests_by_address: limit,
        credentials_by_address: limit,
        credentials_by_account: limit,
        recoveries_by_address: limit,
        recoveries_by_account: limit,
    }
}

pub(super) async fn issuer_db(database: &Database) -> IssuerDb {
    let options = PoolOptions { size: 8, statements: Statements::Named };
    IssuerDb::connect(&database.issuer, "novelfoundry/test", options).await.unwrap()
}

pub(super) async fn open(options: &IssuerOptions, database: &Database) -> Result<Issuer, IssuerError> {
    let (control, tenant) = (database.control_db().await, database.tenant_db(4).await);
    Box::pin(Issuer::open(options.clone(), issuer_db(database).await, control, tenant)).await
}

/// Returns a mailer whose mail is kept.
fn mailer(outbox: &Path, clock: &ManualClock) -> Mailer {
    let from = Sender::parse("Novels <novels@example.com>").unwrap();
    Mailer::open(MailOptions::new(from, outbox, Arc::new(clock.clone()))).unwrap()
}

/// Serves until the test's runtime ends.
pub(super) async fn serve(issuer: &Issuer, listener: TcpListener) {
    let service = issuer.router().into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).await.unwrap();
}

impl Fixture {
    pub(super) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(super) async fn with(set: impl FnOnce(&mut IssuerOptions)) -> Self {
        let database = Box::pin(Database::fresh()).await;
        let directory = tempfile::tempdir().unwrap();
        let clock = ManualClock::new(Timestamp::from_second(1_790_000_000).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/auth/v1", listener.local_addr().unwrap());
        let mut options = IssuerOptions::new(url.clone(), directory.path().join("secrets/issuer"));
        options.clock = Arc::new(clock.clone());
        options.ids = IdSource::new(Arc::new(clock.clone()));
        options.limits = wide();
        options.mailer = Some(mailer(&directory.path().join("outbox"), &clock));
        set(&mut options);
        let issuer = Box::pin(open(&options, &database)).await.unwrap();
        let serving = issuer.clone();
        tokio::spawn(async move { serve(&serving, listener).await });
        let http = reqwest::Client::new();
        Self { issuer, database, clock, options, url, http, directory }
    }

    /// Moves the clock.
    pub(super) fn pass(&self, duration: Duration) {
        self.clock.advance(i64::try_from(duration.as_millis()).unwrap());
    }

    pub(super) fn outbox(&self) -> PathBuf {
        self.directory.path().join("outbox")
    }

    /// Waits for a mail and takes it out of the outbox.
    pub(super) async fn mail(&self) -> String {
        let started = Instant::now();
        loop {
            let entries = std::fs::read_dir(self.outbox()).into_iter().flatten();
            let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
            files.sort();
            if let Some(file) = files.iter().find(|file| file.extension().is_some_and(|it| it == "eml")) {
                let mail = std::fs::read_to_string(file).unwrap();
                std::fs::remove_file(file).unwrap();
                return mail;
            }
            assert!(started.elapsed() < Duration::from_secs(30), "no mail came");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Asks for a link and returns it.
    pub(super) async fn recover(&self, email: &str, query: &str, more: Value) -> String {
        let mut body = json!({"email": email});
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        assert_eq!(self.post(&format!("/recover{query}"), &body).await.ok(), json!({}));
        link(&self.mail().await)
    }

    pub(super) async fn put_user(&self, session: &Value, body: &Value) -> Answer {
        let token = text(&session["access_token"]);
        let request = self.http.put(format!("{}/user", self.url)).bearer_auth(token).json(body);
        Answer::read(request.send().await.unwrap()).await
    }

    pub(super) async fn set_disabled(&self, email: &str, disabled: bool) {
        let done = if disabled {
            self.issuer.disable_account(email).await
        } else {
            self.issuer.enable_account(email).await
        };
        done.unwrap();
    }

    pub(super) fn key_files(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> =
            std::fs::read_dir(&self.options.keys_dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::read(self.http.post(format!("{}{path}", self.url)).json(body).send().await.unwrap()).await
    }

    pub(super) async fn as_bearer(&self, method: Method, path: &str, token: &str) -> Answer {
        let request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(token);
        Answer::read(request.send().await.unwrap()).await
    }

    pub(super) async fn sign_up(&self, email: &str) -> Value {
        self.post("/signup", &json!({"email": email, "password": PASSWORD})).await.ok()
    }

    pub(super) async fn sign_in(&self, email: &str) -> Answer {
        self.sign_in_with(email, PASSWORD).await
    }

    pub(super) async fn sign_in_with(&self, email: &str, password: &str) -> Answer {
        self.post("/token?grant_type=password", &json!({"email": email, "password": password})).await
    }

    pub(super) async fn refresh(&self, token: &Value) -> Answer {
        self.post("/token?grant_type=refresh_token", &json!({"refresh_token": token})).await
    }

    pub(super) async fn user(&self, session: &Value) -> Answer {
        self.as_bearer(Method::GET, "/user", text(&session["access_token"])).await
    }

    pub(super) async fn key_set(&self) -> Vec<String> {
        let url = format!("{}/.well-known/jwks.json", self.url);
        let body = Answer::read(self.http.get(url).send().await.unwrap()).await.ok();
        body["keys"].as_array().unwrap().iter().map(|key| text(&key["kid"]).to_owned()).collect()
    }

    /// Returns a verifier as the API has it, which knows no key yet.
    pub(super) fn verifier(&self) -> Verifier {
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        Verifier::new(VerifierOptions {
            issuer: self.options.issuer_url.clone(),
            audience: AUDIENCE.to_owned(),
            jwks_url: format!("{}/.well-known/jwks.json", self.url).parse().unwrap(),
            clock,
            leeway: Duration::ZERO,
        })
        .unwrap()
    }

    pub(super) async fn verify(&self, session: &Value) -> Result<VerifiedClaims, VerifyError> {
        self.verifier().verify(text(&session["access_token"])).await
    }

    /// Runs SQL as the superuser and returns the first column of the first row.
    pub(super) async fn value(&self, sql: &str) -> Option<String> {
        self.database.sql(sql).await.unwrap().into_iter().next().and_then(|mut row| row.swap_remove(0))
    }
}

/// Returns the link in a mail.
pub(super) fn link(mail: &str) -> String {
    mail.split_whitespace()
        .find(|word| word.starts_with("http"))
        .unwrap_or_else(|| panic!("{mail}"))
        .to_owned()
}

/// Returns the token in a link.
pub(super) fn token(link: &str) -> String {
    let (_, rest) = link.split_once("?token=").unwrap_or_else(|| panic!("{link}"));
    rest.split('&').next().unwrap().to_owned()
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}
