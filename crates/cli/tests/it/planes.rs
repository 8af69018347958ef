//! The planes apart: `migrate`, `serve` and `worker` against a database and a store that they did not start.

use std::{
    fs,
    io::Read as _,
    os::unix::fs::PermissionsExt as _,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use novelfoundry_core::{Secret, SystemClock, TenantId, UserId};
use novelfoundry_database::{DatabaseUrl, connect_check};
use novelfoundry_embedded::store::{self, Credentials, Limits, ObjectStore};
use novelfoundry_testkit::{Database, TestIssuer};
use rustix::process::Signal;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    lifecycle::STORY_WORDS,
    support::{Api, Ended, Installation, ended, poll, send},
};

struct Deployment {
    installation: Installation,
    owner: String,
    prefix: String,
}

impl Deployment {
    async fn new() -> Self {
        let owner = Database::empty().await.admin;
        // Logins belong to the server, which other tests share.
        let prefix = format!("cli_{}", owner.database.trim_start_matches("nf_").get(..20).unwrap());
        Self { installation: Installation::new(), owner: owner.expose(), prefix }
    }

    fn migrate(&self, args: &[&str]) -> Ended {
        let mut command = self.installation.command(&["migrate"]);
        ended(
            command
                .args(args)
                .env("DATABASE_OWNER_URL", &self.owner)
                .env("NOVELFOUNDRY_DATABASE_ROLE_PREFIX", &self.prefix),
        )
    }

    fn url(&self, name: &str) -> DatabaseUrl {
        let text = fs::read_to_string(self.installation.root().join("env")).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        DatabaseUrl::parse(line.unwrap().trim_matches('\'')).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_hands_over_logins_and_rotates_them() {
    let deployment = Deployment::new().await;
    let made = deployment.migrate(&["--write-env", "env"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let file = deployment.installation.root().join("env");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let first = deployment.url("DATABASE_URL");
    for name in ["DATABASE_URL", "DATABASE_CONTROL_URL", "DATABASE_ISSUER_URL"] {
        connect_check(&deployment.url(name)).await.unwrap();
    }
    let password = first.password.clone().unwrap();
    assert!(!format!("{made:?}").contains(password.expose()), "passwords go to the file only");

    // A deployment calls it each time.
    let again = deployment.migrate(&["--write-env", "env"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(deployment.url("DATABASE_URL").expose(), first.expose());

    let elsewhere = deployment.migrate(&["--write-env", "other"]);
    assert_eq!(elsewhere.code, Some(2), "{elsewhere:?}");
    assert!(elsewhere.stderr.contains("--rotate"), "{elsewhere:?}");

    let rotated = deployment.migrate(&["--write-env", "env", "--rotate"]);
    assert_eq!(rotated.code, Some(0), "{rotated:?}");
    assert!(connect_check(&first).await.is_err(), "the old password is refused");
    connect_check(&deployment.url("DATABASE_URL")).await.unwrap();
    let unwritable = deployment.migrate(&["--write-env", "no/such/directory/env", "--rotate"]);
    assert_eq!(unwritable.code, Some(2), "{unwritable:?}");
    connect_check(&deployment.url("DATABASE_URL")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_and_worker_refuse_privileged_logins_and_missing_settings() {
    let deployment = Deployment::new().await;
    assert_eq!(deployment.migrate(&["--write-env", "env"]).code, Some(0));
    let control = deployment.url("DATABASE_CONTROL_URL").expose();
    let tenant = deployment.url("DATABASE_URL").expose();
    for (command, what) in
        [("serve", "tenant"), ("worker", "tenant"), ("serve", "control"), ("worker", "control")]
    {
        let (tenant, control) =
            if what == "tenant" { (&deployment.owner, &control) } else { (&tenant, &deployment.owner) };
        let mut program = deployment.installation.command(&[command, "--listen", "127.0.0.1:0"]);
        program
            .args(["--public-url", "http://127.0.0.1:1", "--metrics-listen", "off"])
            .envs([("DATABASE_URL", tenant), ("DATABASE_CONTROL_URL", control)])
            .envs([("SUPABASE_URL", "https://abc.supabase.co"), ("AWS_ACCESS_KEY_ID", "k")])
            .env("AWS_SECRET_ACCESS_KEY", "s");
        let refused = ended(&mut program);
        assert_eq!(refused.code, Some(4), "{refused:?}");
        assert!(refused.stderr.contains(&format!("The {what} login")), "{refused:?}");
        assert!(refused.stderr.contains("superuser"), "{refused:?}");
    }
    // What is given is right but for the directory, whose parent is a file.
    let mut program = deployment.installation.command(&["serve", "--listen", "127.0.0.1:0"]);
    let nowhere = deployment.installation.root().join("env/data");
    program
        .args(["--public-url", "http://127.0.0.1:1", "--metrics-listen", "off"])
        .envs([("DATABASE_URL", &tenant), ("DATABASE_CONTROL_URL", &control)])
        .envs([("SUPABASE_URL", "https://abc.supabase.co"), ("AWS_ACCESS_KEY_ID", "k")])
        .envs([("AWS_SECRET_ACCESS_KEY", "s")])
        .env("NOVELFOUNDRY_EMBEDDED_DATA_DIR", &nowhere)
        .stderr(Stdio::piped());
    let mut plane = Plane(program.spawn().unwrap());
    assert_eq!(poll("the end", || plane.0.try_wait().unwrap()).code(), Some(2));
    let mut said = String::new();
    plane.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("Mail that no server takes cannot be kept"), "{said}");
    assert!(said.contains(nowhere.join("outbox").to_str().unwrap()), "{said}");

    let missing = deployment.installation.run(&["serve", "--metrics-listen", "off"]);
    assert_eq!(missing.code, Some(2), "{missing:?}");
    assert!(missing.stderr.contains("is needed here and is not set"), "{missing:?}");
}

/// Stops its process in order when dropped.
struct Plane(Child);

impl Drop for Plane {
    fn drop(&mut self) {
        if self.0.try_wait().unwrap().is_none() {
            send(self.0.id(), Signal::TERM);
        }
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_and_worker_run_on_the_data_plane_of_another_process() {
    let installation = Installation::new();
    let up = installation.up(&[]);
    let shell = installation.run(&["env"]).stdout;
    let data_dir = installation.root().join("not/yet");
    // A port that was free a moment ago; `serve` has to be told the one that clients use.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let start = |command: &str| {
        let mut sh = std::process::Command::new("sh");
        let program = env!("CARGO_BIN_EXE_novelfoundry");
        let data_dir = data_dir.display();
        installation.prepare(&mut sh);
        sh.arg("-c")
            .arg(format!(
                "{shell}\nNOVELFOUNDRY_EMBEDDED_DATA_DIR='{data_dir}' exec '{program}' {command} --listen 127.0.0.1:{port} --metrics-listen off"
            ))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Plane(sh.spawn().unwrap())
    };
    let mut plane = start("serve");
    let outbox = data_dir.join("outbox");
    let mut worker = start("worker");
    let token = up.sign_in("signup", "ben@example.com", "a long password").await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://127.0.0.1:{port}/v1/projects");
    let begun = std::time::Instant::now();
    let answer = loop {
        match client.get(&url).bearer_auth(&token).send().await {
            Ok(answer) => break answer,
            Err(_) => assert!(begun.elapsed().as_secs() < 30, "serve does not answer"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!(answer.status(), 200, "a token of the other process's issuer is good here");
    assert_eq!(
        outbox.metadata().unwrap().permissions().mode() & 0o777,
        0o700,
        "it is made before there is mail"
    );
    assert!(worker.0.try_wait().unwrap().is_none(), "the worker runs");
    for plane in [&mut plane, &mut worker] {
        send(plane.0.id(), Signal::TERM);
        let status = poll("the end", || plane.0.try_wait().unwrap());
        assert_eq!(status.code(), Some(0));
    }
}

const KEY: (&str, &str) = ("separate", "a secret of the store");

/// Serves a bucket and returns its endpoint.
async fn bucket(directory: &std::path::Path, stop: &CancellationToken) -> String {
    let opened = ObjectStore::open(store::Options {
        root: directory.join("bucket"),
        bucket: "novelfoundry".into(),
        region: "us-east-1".into(),
        credentials: vec![Credentials { access_key_id: KEY.0.into(), secret_access_key: Secret::new(KEY.1) }],
        allowed_origins: Vec::new(),
        clock: Arc::new(SystemClock),
        limits: Limits::default(),
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(store::serve(opened.unwrap(), listener, stop.clone()));
    endpoint
}

/// Every part is a process of its own that knows the others by address alone, and the database by what `migrate` wrote.
#[tokio::test(flavor = "multi_thread")]
async fn what_serve_takes_in_a_worker_elsewhere_finishes() {
    let deployment = Deployment::new().await;
    assert_eq!(deployment.migrate(&["--write-env", "env"]).code, Some(0));
    let issuer = TestIssuer::start().await;
    let stop = CancellationToken::new();
    let endpoint = bucket(deployment.installation.root(), &stop).await;
    // A port that was free a moment ago; `serve` has to be told the one that clients use.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let start = |command: &str| {
        let mut sh = Command::new("sh");
        deployment.installation.prepare(&mut sh);
        let program = env!("CARGO_BIN_EXE_novelfoundry");
        let listen = if command == "serve" { format!("--listen 127.0.0.1:{port}") } else { String::new() };
        sh.arg("-c")
            .arg(format!("set -a; . ./env; exec '{program}' {command} {listen} --metrics-listen off"))
            .envs([("NOVELFOUNDRY_PUBLIC_URL", &url), ("AWS_ENDPOINT_URL_S3", &endpoint)])
            .env("NOVELFOUNDRY_AUTH_ISSUER", &issuer.issuer)
            .env("NOVELFOUNDRY_AUTH_JWKS_URL", format!("{}/.well-known/jwks.json", issuer.issuer))
            .envs([("AWS_ACCESS_KEY_ID", KEY.0), ("AWS_SECRET_ACCESS_KEY", KEY.1)])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Plane(sh.spawn().unwrap())
    };
    let mut serve = start("serve");
    let api = Api::at(&url);
    let begun = Instant::now();
    while api.call("GET", "/readyz", "", None).await.0 != 200 {
        assert!(begun.elapsed().as_secs() < 30, "serve is not ready");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let user = UserId::from_uuid(issuer.id());
    let outside = issuer.token(user, None);
    let (status, made) = api.call("POST", "/v1/tenants", &outside, Some(json!({ "name": "Apart" }))).await;
    assert_eq!(status, 201, "{made}");
    let tenant = TenantId::from_uuid(made["tenant_id"].as_str().unwrap().parse().unwrap());
    let token = issuer.token(user, Some(tenant));
    let (_, path) = api.upload(&token, include_bytes!("../../src/demo/story.md")).await;
    let (_, analysis) = api.call("GET", &path, &token, None).await;
    assert_eq!(analysis["state"], "queued", "`serve` does no work itself");

    let mut worker = start("worker");
    let analysis = api.analysis(&token, &path).await;
    assert_eq!(analysis["state"], "succeeded", "{analysis}");
    assert_eq!(analysis["result"]["words"], STORY_WORDS);
    for plane in [&mut serve, &mut worker] {
        send(plane.0.id(), Signal::TERM);
        assert_eq!(poll("the end", || plane.0.try_wait().unwrap()).code(), Some(0));
    }
    stop.cancel();
}
