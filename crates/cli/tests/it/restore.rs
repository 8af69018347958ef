//! Backing up and restoring by the very lines of docs/OPERATING.md: lines that nobody runs stop being true.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::Signal;

use crate::{
    lifecycle::STORY_WORDS,
    support::{Installation, Running, checkout, ended},
};

const STORY: &[u8] = include_bytes!("../../src/demo/story.md");
const EMAIL: &str = "anna@example.com";
const PASSWORD: &str = "a long password";

/// Returns the lines that stand below a heading of the manual.
fn lines(heading: &str) -> Vec<String> {
    let manual = fs::read_to_string(checkout().join("docs/OPERATING.md")).unwrap();
    let section = manual.split(&format!("\n## {heading}\n")).nth(1).unwrap();
    let block = section.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    block.lines().map(str::to_owned).collect()
}

/// Where the lines find `novelfoundry`, and the client programs that fit the server.
fn path() -> OsString {
    let program = Path::new(env!("CARGO_BIN_EXE_novelfoundry")).parent().unwrap().to_owned();
    let given = std::env::var_os("NOVELFOUNDRY_PG_BIN").map(PathBuf::from);
    let known = std::env::var_os("PATH").unwrap();
    std::env::join_paths(given.into_iter().chain([program]).chain(std::env::split_paths(&known))).unwrap()
}

/// Runs lines in the directory that the backup is made in, with `DIR` and `NEW` as the manual has them.
fn run(place: &Path, old: &Installation, new: &Installation, script: &str) {
    let mut sh = Command::new("sh");
    sh.args(["-ec", script])
        .env_clear()
        .envs([("PATH", path()), ("DIR", old.data_dir().into()), ("NEW", new.data_dir().into())])
        .current_dir(place);
    let done = ended(&mut sh);
    assert_eq!(done.code, Some(0), "{script}\n{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_of_the_manual_bring_everything_back() {
    let answers = |program: &str| Command::new(program).env("PATH", path()).arg("--version").output().is_ok();
    if !answers("pg_dump") || !answers("pg_restore") {
        println!("skipped: there is no pg_dump and pg_restore to follow the manual with");
        return;
    }
    if !novelfoundry_testkit::can_dump() {
        return;
    }
    let (old, new) = (Installation::new(), Installation::new());
    let place = tempfile::tempdir().unwrap();
    let up = old.up(&[]);
    let token = up.sign_in("signup", EMAIL, PASSWORD).await;
    let (revision, analysis) = up.upload(&token, STORY).await;
    assert_eq!(up.analysis(&token, &analysis).await["state"], "succeeded");
    run(place.path(), &old, &new, &lines("Backing up").join("\n"));
    // What comes later is not in it.
    let (_, later) = up.upload(&token, STORY).await;
    assert_eq!(up.stop(Signal::TERM).0.code(), Some(0));

    let mut running: Option<Running> = None;
    let (mut shell, mut steps) = (String::new(), 0);
    for line in lines("Restoring") {
        if line.starts_with("novelfoundry up") {
            let up = new.up(&[]);
            // The first start only makes the directory.
            if line.contains("--listen") {
                assert_eq!(up.stop(Signal::TERM).0.code(), Some(0));
            } else {
                running = Some(up);
            }
        } else if line.starts_with("# stop it and start it again") {
            let up = running.take().unwrap();
            assert_eq!(up.stop(Signal::TERM).0.code(), Some(0));
            running = Some(new.up(&[]));
        } else if line.starts_with("eval ") {
            shell = line;
        } else {
            run(place.path(), &old, &new, &format!("{shell}\n{line}"));
            steps += 1;
        }
    }
    assert!(steps >= 4, "only {steps} lines of the manual were run");
    let up = running.unwrap();
    let token = up.sign_in("token?grant_type=password", EMAIL, PASSWORD).await;
    let (status, found) = up.call("GET", &analysis, &token, None).await;
    assert_eq!((status, &found["result"]["words"]), (200, &STORY_WORDS.into()), "{found}");
    assert_eq!(up.call("GET", &later, &token, None).await.0, 404);
    let (_, download) = up.call("GET", &format!("{revision}/download"), &token, None).await;
    let file = reqwest::get(download["url"].as_str().unwrap()).await.unwrap();
    assert_eq!(file.bytes().await.unwrap(), STORY);
    // And it works on.
    let (_, analysis) = up.upload(&token, STORY).await;
    assert_eq!(up.analysis(&token, &analysis).await["state"], "succeeded");
    assert_eq!(up.stop(Signal::TERM).0.code(), Some(0));
}
