//! A server from its first start to its end, when all goes well.

use std::{
    env, fs,
    os::unix::fs::{MetadataExt, chown},
    path::Path,
    process::{Command, Stdio},
    sync::Mutex,
};

use novelfoundry_postgres::{DataDirLock, Error, Progress, State, Version, start};

use crate::{
    helper::Helper,
    support::{
        PASSWORD, as_user, assert_nothing_left, bin_dir_of, eventually, is_alive, is_root, mode, options,
        processes_in, psql, reachable_dir, sql, sql_at, started, try_start,
    },
};

#[tokio::test]
async fn a_new_server_is_durable_private_and_keeps_its_data() {
    let root = reachable_dir();
    let data_dir = root.path().join("data");
    let steps = Mutex::new(Vec::new());
    let lock = DataDirLock::acquire(&data_dir).unwrap();
    let server = start(lock, options(), |step| steps.lock().unwrap().push(step)).await.unwrap();
    assert!(matches!(
        steps.into_inner().unwrap()[..],
        [Progress::Found { .. }, Progress::CreatingCluster, Progress::Starting, ..]
    ));
    assert!(server.version().major() >= Version::MINIMUM_MAJOR);
    assert!(matches!(*server.state().borrow(), State::Ready));

    for (setting, value) in [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("data_checksums", "on"),
        ("password_encryption", "scram-sha-256"),
        ("server_encoding", "UTF8"),
        ("wal_level", "logical"),
        ("listen_addresses", ""),
        ("max_connections", "100"),
    ] {
        assert_eq!(sql(&server, &format!("show {setting}")).unwrap(), value, "{setting}");
    }
    assert_eq!(sql(&server, "select current_user").unwrap(), "novelfoundry_admin");
    assert_eq!(
        sql(&server, "select string_agg(c, '' order by c) from unnest('{a,B,é}'::text[]) c").unwrap(),
        "Baé"
    );
    let refused = sql_at(server.socket_dir(), server.port(), "guess", "select 1").unwrap_err();
    assert!(refused.contains("password authentication failed"), "{refused}");

    let cluster = data_dir.join("postgres");
    let control =
        Command::new(bin_dir_of(&server).join("pg_controldata")).arg(&cluster).env("LC_ALL", "C").output();
    let control = control.map(|output| String::from_utf8(output.stdout).unwrap());
    if let Ok(control) = control {
        let checksums = control.lines().find(|line| line.starts_with("Data page checksum version:")).unwrap();
        assert!(!checksums.ends_with(" 0"), "{checksums}");
    } else {
        eprintln!("skipped: this server comes without pg_controldata");
    }
    let rules = fs::read_to_string(cluster.join("pg_hba.conf")).unwrap();
    let rules: Vec<_> = rules.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert!(!rules.is_empty() && rules.iter().all(|rule| rule.ends_with("scram-sha-256")), "{rules:?}");

    let uid = fs::metadata(format!("/proc/{}", server.pid())).unwrap().uid();
    assert_ne!(uid, 0);
    assert_eq!(uid, fs::metadata(&cluster).unwrap().uid());
    assert_eq!(mode(&cluster), 0o700);
    assert_eq!(mode(server.socket_dir()), 0o700);
    assert_eq!(mode(&data_dir.join("postgres.log")), 0o600);
    assert!(!data_dir.join("postgres.initdb").exists(), "the password's file is gone");

    sql(&server, "create table kept (line text); insert into kept values ('a first chapter')").unwrap();
    let pid = server.pid();
    server.stop().await.unwrap();
    server.stop().await.unwrap();
    assert!(matches!(*server.state().borrow(), State::Stopped));
    assert!(!Path::new(&format!("/proc/{pid}")).exists(), "not even a zombie is left");
    assert_nothing_left(&data_dir);

    let server = started(&data_dir).await;
    assert_eq!(sql(&server, "select line from kept").unwrap(), "a first chapter");
    drop(server);
    assert_nothing_left(&data_dir);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_open_sessions() {
    let root = reachable_dir();
    let server = started(root.path()).await;
    let mut session = psql(server.socket_dir(), server.port(), PASSWORD, "select pg_sleep(600)")
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    eventually("the session begins", || {
        sql(&server, "select count(*) from pg_stat_activity where query like '%sleep(600)' and pid <> pg_backend_pid()")
            .unwrap()
            == "1"
    });
    server.stop().await.unwrap();
    assert!(!session.wait().unwrap().success());
    assert_nothing_left(root.path());
}

#[tokio::test]
async fn a_start_that_is_dropped_leaves_nothing_and_can_be_repeated() {
    let root = reachable_dir();
    for step in [Progress::CreatingCluster, Progress::Starting] {
        let (sender, mut reached) = tokio::sync::mpsc::unbounded_channel();
        let lock = DataDirLock::acquire(root.path()).unwrap();
        let starting = start(lock, options(), move |now| {
            let _ = sender.send(now);
        });
        let until = async { while reached.recv().await.expect("the step is reached") != step {} };
        tokio::select! {
            started = starting => panic!("it was not to get that far: {started:?}"),
            () = until => {}
        }
        assert_nothing_left(root.path());
    }
    let server = started(root.path()).await;
    assert_eq!(sql(&server, "select 1").unwrap(), "1");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_data_directory_with_a_long_or_odd_path_works() {
    let root = reachable_dir();
    for name in ["d".repeat(110), "it's \"odd\", ünd long".to_owned()] {
        let data_dir = root.path().join(name);
        let server = started(&data_dir).await;
        let socket_dir = server.socket_dir().to_owned();
        assert_eq!(mode(&socket_dir), 0o700);
        assert_eq!(sql(&server, "select 1").unwrap(), "1");
        server.stop().await.unwrap();
        assert!(!socket_dir.exists());
        assert_nothing_left(&data_dir);
    }
}

#[tokio::test]
async fn a_loopback_port_is_opened_when_asked_for() {
    let root = reachable_dir();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut options = options();
    options.listen = Some(address);
    let error = try_start(root.path(), options.clone()).await.unwrap_err();
    assert!(matches!(error, Error::PortInUse { listen } if listen == address), "{error}");
    assert!(processes_in(&root.path().join("postgres")).is_empty());
    drop(listener);

    let server = try_start(root.path(), options).await.unwrap();
    assert_eq!(server.port(), address.port());
    assert_eq!(sql_at(Path::new("127.0.0.1"), address.port(), PASSWORD, "select 1").unwrap(), "1");
    assert!(sql_at(Path::new("127.0.0.1"), address.port(), "guess", "select 1").is_err());
    assert_eq!(sql(&server, "select 1").unwrap(), "1");
    server.stop().await.unwrap();
}

#[test]
fn an_ordinary_user_runs_a_server_as_themselves() {
    if !is_root() {
        eprintln!("skipped: the other tests run as an ordinary user already");
        return;
    }
    let root = reachable_dir();
    // A passwd entry is all that `initdb` wants of a user.
    let user = Command::new("id").args(["-u", "postgres"]).output().unwrap();
    let Ok(uid) = String::from_utf8(user.stdout).unwrap().trim().parse::<u32>() else {
        eprintln!("skipped: there is no user to become");
        return;
    };
    chown(root.path(), Some(uid), Some(uid)).unwrap();
    let program = root.path().join("program");
    fs::copy(env::current_exe().unwrap(), &program).unwrap();
    let data_dir = root.path().join("data");
    let mut helper = Helper::run(&mut as_user(&uid.to_string(), &program), &data_dir).unwrap();
    assert_eq!(fs::metadata(format!("/proc/{}", helper.server)).unwrap().uid(), uid);
    assert_eq!(fs::metadata(data_dir.join("postgres")).unwrap().uid(), uid);
    assert_eq!(mode(&data_dir), 0o700);
    drop(helper.process.stdin.take());
    assert!(helper.process.wait().unwrap().success());
    assert!(!is_alive(helper.server));
    assert_nothing_left(&data_dir);
}
