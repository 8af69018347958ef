//! `doctor` on a data plane of which one thing is wrong: it ends with 1 and accuses that part, and no other.

use std::collections::BTreeSet;

use axum::{Json, Router, routing::get};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Installation, ended};

type Environment = Vec<(String, String)>;

/// What is changed, the parts that are accused, and words of the first's.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str], &'a str);

/// Returns what `env` exports; nothing in it is quoted.
fn exported(installation: &Installation) -> Environment {
    let shell = installation.run(&["env"]).stdout;
    let exports = shell.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
    exports.map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned())).collect()
}

/// Runs `doctor` on what the environment names and returns its code and what it found.
fn doctor(installation: &Installation, environment: &[(String, String)]) -> (Option<i32>, Vec<Value>) {
    let mut command = installation.command(&["doctor", "--storage", "--json"]);
    // A directory without an installation: what is configured counts.
    command
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .env("NOVELFOUNDRY_EMBEDDED_DATA_DIR", installation.root().join("none"));
    let done = ended(&mut command);
    assert!(done.stdout.starts_with('['), "{done:?}");
    (done.code, serde_json::from_str(&done.stdout).unwrap())
}

fn failed(findings: &[Value]) -> BTreeSet<&str> {
    let fails = findings.iter().filter(|it| it["verdict"] == "fail");
    fails.map(|it| it["part"].as_str().unwrap()).collect()
}

/// Serves a key set of an issuer that still signs with a shared secret.
async fn symmetric_issuer() -> String {
    let keys = json!({"keys": [{"kty": "oct", "alg": "HS256", "kid": "old", "k": "c2VjcmV0"}]});
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    let router = Router::new().route("/jwks.json", get(async move || Json(keys)));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_accuses_the_part_that_is_wrong_and_no_other() {
    let installation = Installation::new();
    let up = installation.up(&[]);
    let mut sound = exported(&installation);
    sound.push(("NOVELFOUNDRY_ALLOWED_ORIGINS".to_owned(), up.text("/api").to_owned()));
    let (code, findings) = doctor(&installation, &sound);
    assert_eq!((code, failed(&findings)), (Some(0), BTreeSet::new()), "{findings:?}");

    let value = |name: &str| sound.iter().find(|(it, _)| it == name).unwrap().1.clone();
    let (owner, tenant, control) =
        (value("DATABASE_OWNER_URL"), value("DATABASE_URL"), value("DATABASE_CONTROL_URL"));
    let (user, rest) = tenant.strip_prefix("postgresql://").unwrap().split_once(':').unwrap();
    let wrong_password = format!("postgresql://{user}:wrong@{}", rest.split_once('@').unwrap().1);
    let no_server = format!("postgresql://{user}:x@/novelfoundry?host={}", installation.root().display());
    let not_found = format!("{}/v1/nothing", up.text("/api"));
    let no_keys = format!("{}/openapi.json", up.text("/api"));
    let symmetric = symmetric_issuer().await;
    let nobody = "http://127.0.0.1:1";
    let stranger = "https://elsewhere.example.com";
    let preflight = format!("preflight of {}", up.text("/api"));
    let strangers = format!("preflight of {stranger}");
    let cases: &[Case<'_>] = &[
        (
            &[("DATABASE_URL", &control), ("DATABASE_CONTROL_URL", &tenant)],
            &["tenant login", "control login"],
            "two URLs were swapped",
        ),
        (&[("DATABASE_URL", &owner)], &["tenant login"], "is or can become a superuser"),
        (&[("DATABASE_CONTROL_URL", &owner)], &["control login"], "is or can become a superuser"),
        (&[("DATABASE_ISSUER_URL", &tenant)], &["issuer's login"], "two URLs were swapped"),
        (&[("DATABASE_URL", &wrong_password)], &["tenant login"], "password authentication failed"),
        (&[("DATABASE_URL", &no_server)], &["tenant login"], "No such file or directory"),
        (&[("NOVELFOUNDRY_AUTH_JWKS_URL", &not_found)], &["issuer's keys"], "answered 404"),
        (&[("NOVELFOUNDRY_AUTH_JWKS_URL", &no_keys)], &["issuer's keys"], "is not a key set"),
        (&[("NOVELFOUNDRY_AUTH_JWKS_URL", &symmetric)], &["issuer's keys"], "no ES256 or RS256 key"),
        (&[("NOVELFOUNDRY_AUTH_JWKS_URL", nobody)], &["issuer's keys"], "error sending request"),
        (&[("AWS_ACCESS_KEY_ID", "another")], &["object store"], ""),
        (&[("AWS_SECRET_ACCESS_KEY", "wrong")], &["object store"], ""),
        (&[("S3_BUCKET", "another-bucket")], &["object store"], ""),
        (&[("AWS_REGION", "eu-west-9")], &["object store"], ""),
        (&[("AWS_ENDPOINT_URL_S3", nobody)], &["object store"], ""),
        (&[("NOVELFOUNDRY_ALLOWED_ORIGINS", stranger)], &[&strangers], "could not upload from there"),
        (
            &[("NOVELFOUNDRY_S3_PUBLIC_URL", nobody)],
            &["signed PUT", "signed GET", "HEAD", &preflight],
            "error sending request",
        ),
        (
            &[("NOVELFOUNDRY_S3_PUBLIC_URL", up.text("/api"))],
            &["signed PUT", "signed GET", "HEAD", &preflight],
            "the store answered",
        ),
    ];
    for (changes, parts, words) in cases {
        let changes = changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let environment: Environment = sound.iter().cloned().chain(changes).collect();
        let (code, findings) = doctor(&installation, &environment);
        assert_eq!((code, failed(&findings)), (Some(1), parts.iter().copied().collect()), "{findings:?}");
        let accused = findings.iter().find(|it| it["part"] == parts[0]).unwrap();
        assert!(accused["detail"].as_str().unwrap().contains(words), "{accused}");
        assert!(!accused["next"].as_str().unwrap().is_empty(), "{accused}");
        let told = format!("{findings:?}");
        for secret in [value("PGPASSWORD"), value("AWS_SECRET_ACCESS_KEY")] {
            assert!(!told.contains(&secret), "a secret is told: {told}");
        }
    }

    // Nothing of it runs any more.
    assert_eq!(up.stop(Signal::TERM).0.code(), Some(0));
    let (code, findings) = doctor(&installation, &sound);
    let parts = ["tenant login", "control login", "issuer's login", "issuer's keys", "object store"];
    assert_eq!((code, failed(&findings)), (Some(1), BTreeSet::from(parts)), "{findings:?}");
}
