//! What happens when the server, its supervisor or both are killed, and what each leaves behind.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use novelfoundry_postgres::{DataDirLock, Error, Progress, State, start};

use crate::{
    helper::Helper,
    support::{
        PASSWORD, as_user, assert_nothing_left, bin_dir_of, eventually, is_alive, kill, options, owner,
        processes_in, psql, reachable_dir, ready_again, sql, started, try_start,
    },
};

#[tokio::test]
async fn a_server_that_is_killed_is_started_again_with_its_data() {
    let root = reachable_dir();
    let server = started(root.path()).await;
    let mut state = server.state();
    sql(&server, "create table kept (line text)").unwrap();
    for round in 1..=3 {
        sql(&server, "insert into kept values ('acknowledged')").unwrap();
        // A session that notices nothing keeps working on the cluster without its server.
        let mut session = psql(server.socket_dir(), server.port(), PASSWORD, "select pg_sleep(600)")
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let killed = server.pid();
        state.mark_unchanged();
        kill("-KILL", killed);
        state
            .wait_for(|state| matches!(state, State::Restarting { attempt } if *attempt == round))
            .await
            .unwrap();
        ready_again(&server).await;
        assert_ne!(server.pid(), killed);
        assert_eq!(sql(&server, "select count(*) from kept").unwrap(), round.to_string());
        assert!(!Path::new(&format!("/proc/{killed}")).exists(), "it is reaped");
        assert!(!session.wait().unwrap().success());
    }
    server.stop().await.unwrap();
    assert_nothing_left(root.path());
}

#[tokio::test]
async fn a_session_that_hangs_after_its_server_died_is_removed() {
    let root = reachable_dir();
    let server = started(root.path()).await;
    let mut session = psql(server.socket_dir(), server.port(), PASSWORD, "select pg_sleep(600)")
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut backend = String::new();
    eventually("the session begins", || {
        let find = "select pid from pg_stat_activity where query = 'select pg_sleep(600)'";
        backend = sql(&server, find).unwrap();
        !backend.is_empty()
    });
    let backend = backend.parse().unwrap();
    // It holds on to the shared memory, and a new server must not start beside it.
    kill("-STOP", backend);
    let mut state = server.state();
    state.mark_unchanged();
    kill("-KILL", server.pid());
    state.wait_for(|state| matches!(state, State::Restarting { .. })).await.unwrap();
    ready_again(&server).await;
    assert!(!is_alive(backend));
    assert!(!session.wait().unwrap().success());
    server.stop().await.unwrap();
    assert_nothing_left(root.path());
}

#[tokio::test]
async fn a_stop_is_heard_while_the_server_is_started_again() {
    let root = reachable_dir();
    for step in ["at once", "once it is noticed"] {
        let server = started(root.path()).await;
        let mut state = server.state();
        kill("-KILL", server.pid());
        if step != "at once" {
            state.wait_for(|state| matches!(state, State::Restarting { .. })).await.unwrap();
        }
        server.stop().await.unwrap();
        assert!(matches!(*state.borrow(), State::Stopped), "{step}: {:?}", *state.borrow());
        assert_nothing_left(root.path());
    }
}

#[tokio::test]
async fn a_server_that_cannot_start_any_more_is_given_up_with_its_reason() {
    let root = reachable_dir();
    let server = started(root.path()).await;
    fs::write(root.path().join("postgres/postgresql.auto.conf"), "no_such_setting = 1\n").unwrap();
    kill("-KILL", server.pid());
    let mut state = server.state();
    let end = state.wait_for(State::is_final).await.unwrap().clone();
    let State::Failed(error) = end else { panic!("{end:?}") };
    assert!(matches!(*error, Error::GaveUp { .. }));
    assert!(error.to_string().contains("no_such_setting"), "{error}");
    server.stop().await.unwrap();
    assert_nothing_left(root.path());
}

#[tokio::test]
async fn a_supervisor_that_is_killed_leaves_no_orphan() {
    let root = reachable_dir();
    let mut helper = Helper::start(root.path());
    let refused = try_start(root.path(), options()).await.unwrap_err();
    assert!(
        matches!(refused, Error::InUse { pid: Some(pid), .. } if pid == helper.process.id()),
        "{refused}"
    );
    helper.process.kill().unwrap();
    helper.process.wait().unwrap();
    eventually("the server ends by itself", || !is_alive(helper.server));
    eventually("its children too", || processes_in(&root.path().join("postgres")).is_empty());
    let server = started(root.path()).await;
    server.stop().await.unwrap();
    assert_nothing_left(root.path());
}

#[tokio::test]
async fn a_start_right_after_a_kill_of_both_is_a_normal_start() {
    let root = reachable_dir();
    let mut helper = Helper::start(root.path());
    kill("-KILL", helper.server);
    helper.process.kill().unwrap();
    helper.process.wait().unwrap();
    let server = started(root.path()).await;
    assert_eq!(sql(&server, "select 1").unwrap(), "1");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_start_right_after_a_kill_of_the_supervisor_waits_for_the_old_server() {
    let root = reachable_dir();
    let mut helper = Helper::start(root.path());
    helper.process.kill().unwrap();
    helper.process.wait().unwrap();
    let server = started(root.path()).await;
    assert_ne!(server.pid(), helper.server);
    assert_eq!(sql(&server, "select 1").unwrap(), "1");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_nobody_supervises_is_stopped_first() {
    let root = reachable_dir();
    let server = started(root.path()).await;
    let bin_dir = bin_dir_of(&server);
    server.stop().await.unwrap();
    let cluster = root.path().join("postgres");
    let mut orphan = as_user(&owner(&cluster), &bin_dir.join("postgres"))
        .arg("-D")
        .arg(&cluster)
        .args(["-c", "listen_addresses=", "-c", "unix_socket_directories=."])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    eventually("the orphan is ready", || {
        fs::read_to_string(cluster.join("postmaster.pid")).is_ok_and(|file| file.contains("\nready"))
    });
    let (sender, mut steps) = tokio::sync::mpsc::unbounded_channel();
    let lock = DataDirLock::acquire(root.path()).unwrap();
    // The orphan is this test's child and stays a zombie until it is reaped below: that must not be in the way.
    let server = start(lock, options(), move |step| {
        let _ = sender.send(step);
    })
    .await
    .unwrap();
    let pid = orphan.id();
    let mut stopped = false;
    while let Some(step) = steps.recv().await {
        stopped |= step == Progress::StoppingOrphan { pid };
    }
    assert!(stopped);
    assert!(orphan.wait().unwrap().success(), "it was stopped in order");
    assert_eq!(sql(&server, "select 1").unwrap(), "1");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_pid_file_that_names_a_stranger_is_no_obstacle_and_the_stranger_lives() {
    let root = reachable_dir();
    let server = started(root.path()).await;
    server.stop().await.unwrap();
    let cluster = root.path().join("postgres");
    let run = root.path().join("run");
    fs::create_dir(&run).unwrap();
    let mut stranger = as_user(&owner(&cluster), Path::new("/bin/sleep")).arg("600").spawn().unwrap();
    let stale = format!("{}\n{}\n1790000000\n5432\n\n\n  1 2\nready   \n", stranger.id(), cluster.display());
    fs::write(cluster.join("postmaster.pid"), &stale).unwrap();
    fs::write(run.join(".s.PGSQL.5432.lock"), &stale).unwrap();
    let server = started(root.path()).await;
    assert!(is_alive(stranger.id()));
    assert_eq!(sql(&server, "select 1").unwrap(), "1");
    server.stop().await.unwrap();
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test]
async fn an_initdb_that_was_killed_leaves_nothing_in_the_way() {
    let root = reachable_dir();
    let half = root.path().join("postgres.initdb/cluster");
    fs::create_dir_all(half.join("base")).unwrap();
    fs::write(half.join("PG_VERSION"), "15\n").unwrap();
    fs::write(root.path().join("postgres.initdb/password"), "old").unwrap();
    let server = started(root.path()).await;
    assert_eq!(sql(&server, "select 1").unwrap(), "1");
    server.stop().await.unwrap();
    assert_nothing_left(root.path());
}

#[tokio::test]
async fn a_full_disk_is_called_by_its_name() {
    let root = reachable_dir();
    let disk = root.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=16m,mode=755", "tmpfs"]).arg(&disk).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: a small disk cannot be mounted here");
        return;
    }
    let result = try_start(&disk.join("data"), options()).await;
    assert!(Command::new("umount").arg("-l").arg(&disk).status().unwrap().success());
    let error = result.unwrap_err();
    assert!(matches!(error, Error::DiskFull { .. }), "{error}");
}
