//! What cannot be done is said in one clear sentence, with what to do next and an exit code; nothing is damaged.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::{PermissionsExt as _, chown},
    process::Command,
};

use rustix::process::Signal;

use crate::support::{Ended, Installation, Running, ended};

fn refused(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    assert!(ended.stdout.is_empty(), "{ended:?}");
    for word in words.iter().chain(&["error: ", "\n  next: "]) {
        assert!(ended.stderr.contains(word), "{word:?} is missing: {}", ended.stderr);
    }
}

#[test]
fn a_port_in_use_is_said_at_once_with_its_holder_and_the_flag() {
    let installation = Installation::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let holder = format!("process {}", std::process::id());
    let words: &[&str] = if cfg!(target_os = "linux") { &[&address, &holder] } else { &[&address] };
    for (flag, args) in [
        ("--listen", vec!["--listen", &address]),
        ("--s3-listen", vec!["--listen", "127.0.0.1:0", "--s3-listen", &address]),
        ("--metrics-listen", vec!["--listen", "127.0.0.1:0", "--metrics-listen", &address]),
    ] {
        let up = installation.run(&[&["up"], args.as_slice()].concat());
        refused(&up, 3, &[words, &[flag]].concat());
    }
    assert!(!installation.data_dir().join("postgres").exists(), "nothing was begun");
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let installation = Installation::new();
    let file = installation.root().join("file");
    fs::write(&file, "").unwrap();
    let inside = file.join("data").display().to_string();
    let up = installation.run(&["up", "--listen", "127.0.0.1:0", "--data-dir", &inside]);
    refused(&up, 2, &[&file.display().to_string()]);
}

#[test]
fn as_root_a_directory_that_the_server_cannot_reach_is_named() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root runs the server as another user");
        return;
    }
    let installation = Installation::new();
    let closed = installation.root().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let data_dir = closed.join("data").display().to_string();
    let up = installation.run(&["up", "--listen", "127.0.0.1:0", "--data-dir", &data_dir]);
    refused(&up, 2, &[&format!("cannot pass through {} ", closed.display()), "/var/lib/novelfoundry"]);
}

#[test]
fn an_ordinary_user_runs_it_too_and_is_told_where_they_may_not_write() {
    let installation = Installation::new();
    if !rustix::process::geteuid().is_root() {
        println!("skipped: the other tests run as an ordinary user already");
        return;
    }
    let id = |flag| {
        let output = Command::new("id").args([flag, "postgres"]).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse::<u32>().ok()
    };
    let (Some(uid), Some(gid)) = (id("-u"), id("-g")) else {
        println!("skipped: there is no ordinary user to try");
        return;
    };
    // The build directory may be closed to others.
    let program = installation.root().join("novelfoundry");
    fs::copy(env!("CARGO_BIN_EXE_novelfoundry"), &program).unwrap();
    let command = |args: &[&str]| {
        let mut command = Command::new("setpriv");
        command
            .args([format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".to_owned()])
            .arg(&program)
            .args(["up", "--json", "--listen", "127.0.0.1:0", "--metrics-listen", "off"])
            .args(args);
        installation.prepare(&mut command);
        command
    };
    if Command::new("setpriv").arg("--version").output().is_err() {
        println!("skipped: there is no setpriv");
        return;
    }
    let up = ended(&mut command(&[]));
    assert_eq!(up.code, Some(2), "{up:?}");
    let root = installation.root().display().to_string();
    assert!(up.stderr.contains(&format!("{root} cannot be written")), "{up:?}");

    fs::create_dir(installation.data_dir()).unwrap();
    chown(installation.data_dir(), Some(uid), Some(gid)).unwrap();
    let up = Running::start(command(&[]));
    let owner = fs::metadata(format!("/proc/{}", up.postgres())).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&owner), uid);
    assert_eq!(up.stop(Signal::TERM).0.code(), Some(0));
}

#[test]
fn the_demo_and_a_nameless_address_are_refused_off_loopback() {
    let installation = Installation::new();
    let off = ["up", "--listen", "0.0.0.0:0", "--metrics-listen", "off"];
    refused(&installation.run(&off), 2, &["`public_url` is needed", "--public-url"]);
    let urls = ["--public-url", "http://novels.example:1", "--s3-public-url", "http://novels.example:2"];
    let demo = installation.run(&[&off[..], &urls, &["--demo"]].concat());
    refused(&demo, 4, &["--demo is for this machine only"]);
    assert!(!installation.data_dir().join("postgres").exists(), "nothing was begun");
}

#[test]
fn a_migration_through_a_transaction_pooler_is_refused() {
    let installation = Installation::new();
    let mut migrate = installation.command(&["migrate"]);
    // Nobody listens there: the URL is enough.
    let url = "postgres://postgres.abc:p@127.0.0.1:6543/postgres";
    let migrate = ended(migrate.env("DATABASE_OWNER_URL", url));
    refused(&migrate, 4, &["Port 6543 is a transaction pooler", "port 5432"]);
}

#[test]
fn what_was_never_started_has_no_status() {
    let installation = Installation::new();
    for command in ["status", "env"] {
        refused(
            &installation.run(&[command]),
            2,
            &["--data-dir", &installation.data_dir().display().to_string()],
        );
    }
}

#[test]
fn a_lost_password_of_the_database_is_not_made_anew() {
    let installation = Installation::new();
    fs::create_dir_all(installation.data_dir().join("postgres")).unwrap();
    let up = installation.run(&["up", "--listen", "127.0.0.1:0", "--metrics-listen", "off"]);
    refused(&up, 4, &["secrets/postgres-admin is missing", "backup"]);
}
