//! Where messages lie when no server takes them.

use std::{future::ready, os::unix::fs::PermissionsExt as _};

use novelfoundry_mail::{MailError, Mailer, Sent};

use crate::{kept, message, options};

fn mode(path: &std::path::Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn without_a_server_a_message_is_a_file_of_its_owner_s() {
    let directory = tempfile::tempdir().unwrap();
    let outbox = directory.path().join("outbox");
    let mailer = Mailer::open(options(&outbox)).unwrap();
    let Sent::Kept(path) = mailer.send(&message()).await.unwrap() else { panic!("no server was given") };
    assert_eq!((mode(&outbox), mode(&path)), (0o700, 0o600));
    let name = path.file_name().unwrap().to_str().unwrap();
    assert!(
        name.starts_with("20260921T141320Z-") && path.extension().is_some_and(|it| it == "eml"),
        "{name}"
    );
    let letters = kept(&outbox);
    assert!(letters[0].contains("\r\nTo: anna@example.com\r\n") && letters[0].ends_with("\r\nQUIT\r\n"));
    mailer.post(ready(Some(message()))).unwrap();
    mailer.post(ready(None)).unwrap();
    mailer.close(std::time::Duration::from_secs(30)).await;
    assert_eq!(kept(&outbox).len(), 2);
}

#[tokio::test]
async fn an_outbox_that_cannot_be_written_is_told_and_a_removed_one_made_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    for outbox in [file.clone(), file.join("outbox"), directory.path().join("missing/outbox")] {
        let mailer = Mailer::open(options(&outbox)).unwrap();
        let error = mailer.send(&message()).await.unwrap_err();
        assert!(matches!(&error, MailError::Outbox { path, .. } if *path == outbox), "{error:?}");
    }
    let outbox = directory.path().join("outbox");
    let mailer = Mailer::open(options(&outbox)).unwrap();
    for _ in 0..2 {
        mailer.send(&message()).await.unwrap();
        std::fs::remove_dir_all(&outbox).unwrap();
    }
}

#[tokio::test]
async fn an_outbox_is_made_before_there_is_mail() {
    let directory = tempfile::tempdir().unwrap();
    let outbox = directory.path().join("not/yet/outbox");
    let mailer = Mailer::open(options(&outbox)).unwrap();
    for _ in 0..2 {
        mailer.make_outbox().unwrap();
        assert_eq!((mode(&directory.path().join("not/yet")), mode(&outbox)), (0o700, 0o700));
    }
    mailer.send(&message()).await.unwrap();
    assert_eq!(kept(&outbox).len(), 1, "looking whether it can be written to leaves nothing");
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    for outbox in [file.clone(), file.join("outbox")] {
        let refused = Mailer::open(options(&outbox)).unwrap().make_outbox();
        assert!(matches!(&refused, Err(MailError::Outbox { path, .. }) if *path == outbox), "{refused:?}");
    }
}

#[tokio::test]
async fn an_outbox_that_is_open_to_others_is_closed_and_a_link_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let outbox = directory.path().join("outbox");
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&outbox, &link).unwrap();
    std::fs::create_dir(&outbox).unwrap();
    let open = || std::fs::set_permissions(&outbox, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mailer = Mailer::open(options(&outbox)).unwrap();
    open();
    mailer.send(&message()).await.unwrap();
    assert_eq!(mode(&outbox), 0o700);
    open();
    mailer.make_outbox().unwrap();
    assert_eq!(mode(&outbox), 0o700);
    open();
    let linked = Mailer::open(options(&link)).unwrap();
    assert!(linked.make_outbox().is_err() && linked.send(&message()).await.is_err());
    assert_eq!((mode(&outbox), kept(&outbox).len()), (0o755, 1));
}

#[tokio::test]
async fn an_outbox_that_nobody_reads_fills_no_disk() {
    let directory = tempfile::tempdir().unwrap();
    for index in 0..9_999 {
        std::fs::write(directory.path().join(index.to_string()), "").unwrap();
    }
    let mailer = Mailer::open(options(directory.path())).unwrap();
    mailer.send(&message()).await.unwrap();
    assert!(matches!(mailer.send(&message()).await, Err(MailError::Full(_))));
}

#[tokio::test]
async fn the_log_names_the_file_and_neither_the_recipient_nor_the_text() {
    #[derive(Clone, Default)]
    struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing_subscriber::util::SubscriberInitExt::set_default(subscriber);
    let directory = tempfile::tempdir().unwrap();
    let mailer = Mailer::open(options(directory.path())).unwrap();
    let Sent::Kept(path) = mailer.send(&message()).await.unwrap() else { panic!("no server was given") };
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains(path.to_str().unwrap()), "{text}");
    assert!(!text.contains("anna") && !text.contains("Hello") && !text.contains("two"), "{text}");
}
