//! Starting, being used, stopping, starting again.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt as _, process::Command};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Installation, Running, checkout, ended, gone, poll};

pub(crate) const STORY_WORDS: i64 = 839;

#[tokio::test(flavor = "multi_thread")]
async fn up_is_used_stopped_and_started_again() {
    let installation = Installation::new();
    let up = installation.up(&["--demo"]);
    says_all_it_ever_said(&up.summary);
    assert_closed(&installation);
    demo_is_complete(&up).await;
    script_journey(&up);
    the_lines_of_the_readme_work_as_they_are_pasted(&up);
    status_and_env_tell_the_same(&installation, &up);
    doctor_finds_nothing_wrong(&installation);
    metrics_are_served(&up).await;

    let refused = installation.run(&["up", "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(refused.stderr.contains(&format!("process {}", up.pid())), "{refused:?}");
    assert!(refused.stderr.contains("next: "), "{refused:?}");

    let before = up.summary.clone();
    let postgres = up.postgres();
    let (status, rest) = up.stop(Signal::TERM);
    assert_eq!((status.code(), rest.as_str()), (Some(0), ""), "one line, and a clean end");
    gone(postgres);
    let stopped = installation.run(&["status", "--json"]);
    assert_eq!(stopped.code, Some(1), "{stopped:?}");
    let report: Value = serde_json::from_str(&stopped.stdout).unwrap();
    assert_eq!((&report["running"], &report["api"]), (&false.into(), &before["api"]));

    let again = installation.up(&["--demo"]);
    assert_eq!(again.summary, before, "addresses and logins are the same after a restart");
    demo_is_complete(&again).await;
    assert_eq!(again.stop(Signal::INT).0.code(), Some(0));
}

/// Exactly one project, manuscript and revision, however often the demo is asked for; and the result is right.
async fn demo_is_complete(up: &Running) {
    let password = fs::read_to_string(up.text("/demo/password_file")).unwrap();
    let token = up.sign_in("token?grant_type=password", up.text("/demo/email"), password.trim()).await;
    let items = async |path: String| {
        let (status, list) = up.call("GET", &path, &token, None).await;
        assert_eq!(status, 200, "{list}");
        list["items"].as_array().unwrap().clone()
    };
    let projects = items("/v1/projects".to_owned()).await;
    assert_eq!(projects.len(), 1);
    let project = format!("/v1/projects/{}", projects[0]["project_id"].as_str().unwrap());
    let manuscripts = items(format!("{project}/manuscripts")).await;
    assert_eq!(manuscripts.len(), 1);
    let manuscript = manuscripts[0]["manuscript_id"].as_str().unwrap();
    assert_eq!(items(format!("{project}/manuscripts/{manuscript}/revisions")).await.len(), 1);
    let begun = std::time::Instant::now();
    let analysis = loop {
        let analyses = items(format!("{project}/analyses")).await;
        assert_eq!(analyses.len(), 1);
        if !matches!(analyses[0]["state"].as_str().unwrap(), "queued" | "running") {
            break analyses[0].clone();
        }
        assert!(begun.elapsed().as_secs() < 30, "the analysis does not end");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!(analysis["state"], "succeeded");
    let one = format!("{project}/analyses/{}", analysis["analysis_id"].as_str().unwrap());
    let (_, analysis) = up.call("GET", &one, &token, None).await;
    assert_eq!(analysis["result"]["words"], STORY_WORDS);
    let mut titles =
        analysis["result"]["chapters"].as_array().unwrap().iter().map(|it| it["title"].as_str().unwrap());
    assert_eq!(titles.next_back(), Some("Chapter Three: Half Past Three"));
}

/// Programs read these keys: one that is new is written down here, and none ever goes.
const KEYS: &str = "api auth/audience auth/issuer auth/jwks_url control_database_url data_dir database_url demo/email \
    demo/password_file docs issuer_database_url logins/control_database_url logins/database_url \
    logins/issuer_database_url logins/tenant_database_url metrics postgres_version s3/bucket \
    s3/credentials_file s3/endpoint s3/region tenant_database_url version";

fn says_all_it_ever_said(summary: &Value) {
    fn walk(value: &Value, path: &str, paths: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                for (key, value) in members {
                    walk(value, &if path.is_empty() { key.clone() } else { format!("{path}/{key}") }, paths);
                }
            }
            Value::String(text) => {
                assert!(!text.is_empty(), "{path}");
                paths.insert(path.to_owned());
            }
            other => unreachable!("{path} is {other}"),
        }
    }
    let mut paths = BTreeSet::new();
    walk(summary, "", &mut paths);
    assert_eq!(paths, KEYS.split_ascii_whitespace().map(str::to_owned).collect());
    let logins = serde_json::json!({
        "database_url": "sees every tenant",
        "tenant_database_url": "sees one",
        "control_database_url": "sees the directory and the queue of every tenant",
        "issuer_database_url": "sees accounts and sessions",
    });
    assert_eq!(summary["logins"], logins);
}

fn the_lines_of_the_readme_work_as_they_are_pasted(up: &Running) {
    if Command::new("curl").arg("--version").output().is_err() {
        println!("skipped: there is no curl for the lines of README.md");
        return;
    }
    let readme = fs::read_to_string(checkout().join("README.md")).unwrap();
    let block = readme.split("these lines work as they are pasted").nth(1).unwrap();
    let lines = block.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let here = lines.replacen("api=http://127.0.0.1:8787;", &format!("api={};", up.text("/api")), 1);
    assert_ne!(here, lines, "the first line says where the API is");
    let mut sh = Command::new("timeout");
    sh.args(["60", "sh", "-c", &here]).current_dir(checkout()).env_remove("http_proxy");
    let done = ended(&mut sh);
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""), "{done:?}");
    let analysis: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(analysis["state"], "succeeded", "{analysis}");
    assert!(analysis["result"]["words"].as_u64().unwrap() > 400, "{analysis}");
}

fn script_journey(up: &Running) {
    if Command::new("curl").arg("--version").output().is_err() {
        println!("skipped: there is no curl for script/journey");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("it's \"quoted\" [1] & ünïcode.md");
    fs::copy(checkout().join("crates/cli/src/demo/story.md"), &file).unwrap();
    let journey = |file: &std::path::Path| {
        let mut script = Command::new(checkout().join("script/journey"));
        ended(script.arg(file).env("NOVELFOUNDRY_URL", up.text("/api")).env_remove("http_proxy"))
    };
    let done = journey(&file);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(
        done.stdout.contains("Chapter Two") && done.stdout.contains(&STORY_WORDS.to_string()),
        "{done:?}"
    );
    assert!(done.stdout.matches("\n$ curl ").count() >= 6, "{done:?}");
    for (before, shown) in [("Bearer ", 8), ("\"password\":\"", 0), ("X-Amz-Signature=", 6)] {
        let rests: Vec<_> = done.stdout.split(before).skip(1).collect();
        assert!(!rests.is_empty(), "{before}: {done:?}");
        for rest in rests {
            let length = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "._-".contains(*c)).count();
            assert!(length <= shown, "{before} is shown whole: {done:?}");
        }
    }

    fs::write(&file, b"").unwrap();
    let refused = journey(&file);
    assert_eq!(refused.code, Some(1), "an empty file is refused by the API: {refused:?}");
    assert!(refused.stderr.contains("\"code\""), "{refused:?}");
}

fn status_and_env_tell_the_same(installation: &Installation, up: &Running) {
    let status: Value = serde_json::from_str(&installation.run(&["status", "--json"]).stdout).unwrap();
    assert_eq!(status["demo"], up.summary["demo"]);
    let status = installation.run(&["status"]);
    assert_eq!(status.code, Some(0), "{status:?}");
    assert!(status.stdout.contains("running") && status.stdout.contains(up.text("/api")), "{status:?}");
    assert!(!status.stdout.contains("postgresql://"), "a status shows no password: {status:?}");

    let env: Value = serde_json::from_str(&installation.run(&["env", "--json"]).stdout).unwrap();
    assert_eq!(env, up.summary);
    let shell = installation.run(&["env"]).stdout;
    assert!(
        shell.contains("# The owner's login: sees every tenant.\nexport DATABASE_OWNER_URL='"),
        "{shell}"
    );
    assert!(shell.contains("# The tenant login: sees one.\nexport DATABASE_URL='"), "{shell}");
    let mut sh = Command::new("sh");
    sh.arg("-c").arg(format!("{shell}\nprintf '%s %s' \"$DATABASE_URL\" \"$AWS_ENDPOINT_URL_S3\""));
    let told = format!("{} {}", up.text("/tenant_database_url"), up.text("/s3/endpoint"));
    assert_eq!(ended(&mut sh).stdout, told);
    if Command::new("psql").arg("--version").output().is_err() {
        println!("skipped: there is no psql to be told the login");
        return;
    }
    let mut sh = Command::new("sh");
    sh.arg("-c").arg(format!(
        "{shell}\npsql --no-psqlrc --tuples-only --no-align --command 'select current_database()'"
    ));
    assert_eq!(ended(&mut sh).stdout, "novelfoundry\n", "psql needs nothing on its command line");
}

fn doctor_finds_nothing_wrong(installation: &Installation) {
    let doctor = installation.run(&["doctor", "--storage", "--json"]);
    assert_eq!(doctor.code, Some(0), "{doctor:?}");
    let findings: Vec<Value> = serde_json::from_str(&doctor.stdout).unwrap();
    let verdict = |part: &str| findings.iter().find(|it| it["part"] == part).unwrap()["verdict"].clone();
    for part in
        ["tenant login", "control login", "issuer's login", "fsync", "full_page_writes", "synchronous_commit"]
    {
        assert_eq!(verdict(part), "ok", "{part}");
    }
    for part in ["issuer's keys", "object store", "signed PUT", "HEAD", "signed GET", "DELETE"] {
        assert_eq!(verdict(part), "ok", "{part}");
    }
    assert!(findings.iter().any(|it| it["part"].as_str().unwrap().starts_with("preflight of http://")));
    assert_eq!((verdict("backup"), verdict("mail")), ("warn".into(), "warn".into()));
    // Nobody listens on port 1.
    let smtp = [
        "--smtp-host",
        "127.0.0.1",
        "--smtp-port",
        "1",
        "--smtp-from",
        "a@example.com",
        "--smtp-tls",
        "none",
    ];
    let doctor = installation.run(&[&["doctor"][..], &smtp].concat());
    assert!(
        doctor.code == Some(1) && doctor.stdout.contains("127.0.0.1 on port 1 takes no mail"),
        "{doctor:?}"
    );
    let backup = |args: &[&str]| {
        let findings: Vec<Value> = serde_json::from_str(&installation.run(args).stdout).unwrap();
        findings.iter().find(|it| it["part"] == "backup").unwrap()["verdict"].clone()
    };
    assert_eq!(backup(&["doctor", "--json", "--backup-verified"]), "ok");
    assert_eq!(backup(&["doctor", "--json"]), "ok", "it is remembered");
    fs::write(installation.data_dir().join("backup-verified"), "2020-01-01T00:00:00Z").unwrap();
    assert_eq!(backup(&["doctor", "--json"]), "warn", "that was long ago");
}

async fn metrics_are_served(up: &Running) {
    let text = reqwest::get(up.text("/metrics")).await.unwrap().text().await.unwrap();
    assert!(text.contains("novelfoundry_jobs{state=\"queued\"} 0"), "{text}");
    assert!(text.contains("novelfoundry_jobs_total"), "{text}");
    // On their own listener alone.
    assert_eq!(up.call("GET", "/metrics", "", None).await.0, 404);
}

/// No secret, no key and no object can be read by other users.
fn assert_closed(installation: &Installation) {
    let mode = |path: &str| {
        let path = installation.data_dir().join(path);
        path.metadata().unwrap().permissions().mode() & 0o777
    };
    for directory in ["secrets", "secrets/issuer", "objects", "outbox", "postgres", "run"] {
        assert_eq!(mode(directory), 0o700, "{directory}");
    }
    for file in ["postgres-admin", "postgres-tenant", "postgres-control", "postgres-issuer", "s3-credentials"]
    {
        assert_eq!(mode(&format!("secrets/{file}")), 0o600, "{file}");
    }
    assert_eq!(mode("secrets/demo-password"), 0o600);
    assert_eq!(mode("state.json"), 0o600);
}

#[test]
fn up_ends_well_when_it_is_asked_to_stop_before_it_is_ready() {
    let installation = Installation::new();
    let mut child = installation
        .command(&["up", "--listen", "127.0.0.1:0", "--metrics-listen", "off"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    poll("the making of the database", || {
        fs::read_dir(installation.data_dir())
            .ok()?
            .any(|entry| entry.unwrap().file_name().to_string_lossy().starts_with("postgres"))
            .then_some(())
    });
    crate::support::send(child.id(), Signal::TERM);
    let status = poll("the end", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
    // And nothing is half-made.
    let up = installation.up(&[]);
    assert_eq!(up.stop(Signal::TERM).0.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_signing_key_is_rotated_at_the_next_start() {
    let installation = Installation::new();
    if Command::new("psql").arg("--version").output().is_err() {
        println!("skipped: there is no psql to age a key with");
        return;
    }
    let keys = async |up: &Running| {
        let (_, set) = up.call("GET", "/auth/v1/.well-known/jwks.json", "", None).await;
        set["keys"].as_array().unwrap().len()
    };
    let up = installation.up(&[]);
    let age = "update issuer.signing_keys set created_at = created_at - interval '91 days'";
    let aged = ended(Command::new("psql").args(["--no-psqlrc", up.text("/database_url"), "--command", age]));
    assert_eq!(aged.stdout, "UPDATE 1\n", "{aged:?}");
    assert_eq!(keys(&up).await, 1);
    assert_eq!(up.stop(Signal::TERM).0.code(), Some(0));

    let up = installation.up(&[]);
    let begun = std::time::Instant::now();
    while keys(&up).await != 2 {
        assert!(begun.elapsed().as_secs() < 30, "the next key is not published");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
