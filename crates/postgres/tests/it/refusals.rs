//! What keeps a server from starting, each with a name and a way out.

use std::{
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt,
    path::Path,
};

use novelfoundry_postgres::Error;

use crate::support::{is_root, options, reachable_dir, started, try_start};

#[tokio::test]
async fn a_second_start_is_refused_and_names_the_first() {
    let root = reachable_dir();
    let server = started(root.path()).await;
    let error = try_start(root.path(), options()).await.unwrap_err();
    assert!(matches!(error, Error::InUse { .. }), "{error}");
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn data_of_another_major_version_is_refused_and_not_touched() {
    let root = reachable_dir();
    let cluster = root.path().join("postgres");
    started(root.path()).await.stop().await.unwrap();
    fs::write(cluster.join("PG_VERSION"), "14\n").unwrap();
    let error = try_start(root.path(), options()).await.unwrap_err();
    assert!(matches!(error, Error::OtherMajor { needed: 14, .. }), "{error}");
    assert!(error.hint().contains("postgresql-14"), "{}", error.hint());
    assert!(cluster.join("global/pg_control").exists());
}

#[tokio::test]
async fn a_directory_that_is_closed_to_the_server_is_named() {
    if !is_root() {
        eprintln!("skipped: an ordinary user's server passes wherever its supervisor does");
        return;
    }
    let root = reachable_dir();
    let closed = root.path().join("closed");
    DirBuilder::new().mode(0o700).create(&closed).unwrap();
    let error = try_start(&closed.join("below/data"), options()).await.unwrap_err();
    assert!(matches!(&error, Error::Unreachable { component, .. } if *component == closed), "{error}");
}

#[tokio::test]
async fn a_directory_without_a_server_is_no_place_for_one() {
    let root = reachable_dir();
    let mut options = options();
    options.bin_dir = Some(root.path().to_owned());
    let error = try_start(&root.path().join("data"), options).await.unwrap_err();
    assert!(matches!(&error, Error::NotABinDir { dir } if dir == root.path()), "{error}");
}

#[tokio::test]
async fn what_is_not_a_cluster_is_left_alone() {
    let root = reachable_dir();
    fs::create_dir(root.path().join("postgres")).unwrap();
    fs::write(root.path().join("postgres/diary.txt"), "dear diary").unwrap();
    let error = try_start(root.path(), options()).await.unwrap_err();
    assert!(matches!(error, Error::NotACluster { .. }), "{error}");
    assert_eq!(fs::read_to_string(root.path().join("postgres/diary.txt")).unwrap(), "dear diary");
}

#[tokio::test]
async fn a_cluster_of_someone_else_is_refused() {
    if !is_root() {
        eprintln!("skipped: only root can give a directory to someone else");
        return;
    }
    let root = reachable_dir();
    let cluster = root.path().join("postgres");
    fs::create_dir(&cluster).unwrap();
    fs::write(cluster.join("PG_VERSION"), "15\n").unwrap();
    std::os::unix::fs::chown(&cluster, Some(12345), None).unwrap();
    let error = try_start(root.path(), options()).await.unwrap_err();
    assert!(matches!(error, Error::WrongOwner { owner: 12345, .. }), "{error}");
}

#[tokio::test]
async fn an_open_port_or_a_password_of_two_lines_is_refused() {
    let root = reachable_dir();
    for address in ["0.0.0.0:5432", "192.0.2.1:5432", "127.0.0.1:0"] {
        let mut options = options();
        options.listen = Some(address.parse().unwrap());
        let error = try_start(root.path(), options).await.unwrap_err();
        assert!(matches!(error, Error::BadListen { .. }), "{error}");
    }
    for password in ["", "two\nlines"] {
        let mut options = options();
        options.admin_password = novelfoundry_core::Secret::new(password);
        let error = try_start(root.path(), options).await.unwrap_err();
        assert!(matches!(error, Error::BadPassword), "{error}");
    }
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_named() {
    for place in ["/proc/data", "/sys/data"] {
        let error = try_start(Path::new(place), options()).await.unwrap_err();
        assert!(error.to_string().contains(&place[..5].trim_end_matches('/').to_owned()), "{error}");
    }
}
