//! What the server takes, refuses, puts off or leaves unanswered.

use std::{
    future::ready,
    time::{Duration, Instant},
};

use novelfoundry_core::Secret;
use novelfoundry_mail::{Encryption, MailError, Mailer, Message, Sent};

use crate::{
    kept, message, options,
    peer::{Manners, Peer},
    smtp,
};

const PATIENCE: Duration = Duration::from_secs(30);

struct Fixture {
    peer: Peer,
    mailer: Mailer,
    directory: tempfile::TempDir,
}

impl Fixture {
    async fn start(manners: Manners) -> Self {
        Self::with(manners, |_| {}).await
    }

    async fn with(manners: Manners, set: impl FnOnce(&mut novelfoundry_mail::MailOptions)) -> Self {
        let peer = Peer::start(manners).await;
        let directory = tempfile::tempdir().unwrap();
        let mut options = options(&directory.path().join("outbox"));
        options.smtp = Some(smtp(peer.port, Encryption::None));
        set(&mut options);
        Self { peer, mailer: Mailer::open(options).unwrap(), directory }
    }

    fn kept(&self) -> Vec<String> {
        kept(&self.directory.path().join("outbox"))
    }
}

#[tokio::test]
async fn a_server_takes_a_message_whole() {
    let fixture = Fixture::start(Manners::default()).await;
    assert_eq!(fixture.mailer.send(&message()).await.unwrap(), Sent::Accepted);
    let letters = fixture.peer.letters();
    let [letter] = letters.as_slice() else { panic!("{letters:?}") };
    assert!(letter.contains("\r\nTo: anna@example.com\r\n"), "{letter}");
    assert!(letter.ends_with("\r\n\r\nOne\r\n.\r\n.two\r\nQUIT\r\n\r\n"), "{letter:?}");
    let commands = fixture.peer.commands();
    assert!(commands.contains(&"MAIL FROM:<novels@example.com>".to_owned()), "{commands:?}");
    assert!(commands.contains(&"RCPT TO:<anna@example.com>".to_owned()), "{commands:?}");
    assert_eq!(fixture.kept(), Vec::<String>::new());
}

#[tokio::test]
async fn a_password_is_given_and_a_wrong_one_told() {
    for (password, right) in [("right", true), ("wrong", false)] {
        let manners = Manners { login: true, ..Manners::default() };
        let fixture = Fixture::with(manners, |options| {
            let login = ("novels".to_owned(), Secret::new(password));
            options.smtp.as_mut().unwrap().login = Some(login);
        })
        .await;
        let sent = fixture.mailer.send(&message()).await;
        assert!(
            matches!((&sent, right), (Ok(_), true) | (Err(MailError::Login(Some(535))), false)),
            "{sent:?}"
        );
        assert_eq!(fixture.peer.letters().len(), usize::from(right));
        let checked = fixture.mailer.check().await;
        assert!(
            matches!((&checked, right), (Ok(true), true) | (Err(MailError::Login(Some(535))), false)),
            "{checked:?}"
        );
        assert_eq!(fixture.peer.letters().len(), usize::from(right), "asking sends nothing");
    }
    // One that knows no passwords is told none.
    let fixture = Fixture::with(Manners::default(), |options| {
        options.smtp.as_mut().unwrap().login = Some(("novels".to_owned(), Secret::new("right")));
    })
    .await;
    assert!(matches!(fixture.mailer.send(&message()).await, Err(MailError::Login(None))));
    assert!(fixture.peer.commands().iter().all(|command| !command.starts_with("AUTH")));
}

#[tokio::test]
async fn a_refused_recipient_is_told_by_the_code_alone_and_not_tried_again() {
    let refusal = "550 no anna@example.com here";
    let manners = Manners { instead: Some(("RCPT", refusal, usize::MAX)), ..Manners::default() };
    let fixture = Fixture::start(manners).await;
    let error = fixture.mailer.send(&message()).await.unwrap_err();
    assert!(matches!(error, MailError::Refused(550)), "{error:?}");
    assert!(!format!("{error:?} {}", novelfoundry_core::report(&error)).contains("anna"), "{error:?}");

    let before = fixture.peer.commands().len();
    fixture.mailer.post(ready(Some(message()))).unwrap();
    fixture.mailer.close(PATIENCE).await;
    let commands = fixture.peer.commands();
    assert_eq!(commands[before..].iter().filter(|command| command.starts_with("RCPT")).count(), 1);
    assert_eq!(fixture.kept().len(), 1, "the operator finds it");
}

#[tokio::test]
async fn what_is_put_off_is_tried_again() {
    let manners = Manners { instead: Some(("MAIL", "451 later", 2)), ..Manners::default() };
    let fixture = Fixture::start(manners.clone()).await;
    fixture.mailer.post(ready(Some(message()))).unwrap();
    fixture.mailer.close(PATIENCE).await;
    assert_eq!((fixture.peer.letters().len(), fixture.kept().len()), (1, 0));

    let always = Manners { instead: Some(("MAIL", "451 later", usize::MAX)), ..manners };
    let fixture = Fixture::start(always).await;
    assert!(matches!(fixture.mailer.send(&message()).await, Err(MailError::Later(451))));
    fixture.mailer.post(ready(Some(message()))).unwrap();
    fixture.mailer.close(PATIENCE).await;
    assert_eq!((fixture.peer.letters().len(), fixture.kept().len()), (0, 1));
}

#[tokio::test]
async fn a_server_that_is_down_leaves_the_message_in_the_outbox() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = options(directory.path());
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    options.smtp = Some(smtp(free.local_addr().unwrap().port(), Encryption::None));
    drop(free);
    let mailer = Mailer::open(options).unwrap();
    assert!(matches!(mailer.send(&message()).await, Err(MailError::Unreachable(_))));
    mailer.post(ready(Some(message()))).unwrap();
    mailer.close(PATIENCE).await;
    assert_eq!(kept(directory.path()).len(), 1);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    for silent_at in ["EHLO", "RCPT", "DATA"] {
        let manners = Manners { silent_at: Some(silent_at), ..Manners::default() };
        let deadline = Duration::from_millis(100);
        let fixture = Fixture::with(manners, |options| options.deadline = deadline).await;
        let begun = Instant::now();
        assert!(matches!(fixture.mailer.send(&message()).await, Err(MailError::TimedOut(_))), "{silent_at}");
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
    // It has the message by then.
    let manners = Manners { silent_at: Some("QUIT"), ..Manners::default() };
    let fixture = Fixture::start(manners).await;
    assert_eq!(fixture.mailer.send(&message()).await.unwrap(), Sent::Accepted);
}

/// Returns the headers by which a reader tells messages apart.
fn identity(letter: &str) -> Vec<&str> {
    let marks = ["Message-ID:", "Date:"];
    letter.lines().filter(|line| marks.iter().any(|mark| line.starts_with(mark))).collect()
}

#[tokio::test]
async fn a_message_that_is_sent_again_is_the_same_message() {
    for untold in [2, 3] {
        let manners = Manners { untold, ..Manners::default() };
        let fixture = Fixture::with(manners, |options| options.deadline = Duration::from_millis(200)).await;
        fixture.mailer.post(ready(Some(message()))).unwrap();
        fixture.mailer.close(PATIENCE).await;
        let (letters, kept) = (fixture.peer.letters(), fixture.kept());
        assert_eq!((letters.len(), kept.len()), (3, untold - 2));
        assert_eq!(identity(&letters[0]).len(), 2, "{letters:?}");
        for letter in letters.iter().chain(&kept) {
            assert_eq!(identity(letter), identity(&letters[0]));
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_not_repeated() {
    let manners =
        Manners { instead: Some(("RCPT", "no anna@example.com here", usize::MAX)), ..Manners::default() };
    let fixture = Fixture::start(manners).await;
    let error = fixture.mailer.send(&message()).await.unwrap_err();
    assert!(matches!(error, MailError::Unreachable(_)), "{error:?}");
    let told = format!("{error:?} {}", novelfoundry_core::report(&error));
    assert!(!told.contains("anna") && told.contains("no answer that can be read"), "{told}");
}

#[tokio::test]
async fn an_address_that_the_server_cannot_write_is_told_and_not_tried_again() {
    let fixture = Fixture::start(Manners::default()).await;
    let message = || Message { to: "änne@example.com".to_owned(), ..message() };
    let error = fixture.mailer.send(&message()).await.unwrap_err();
    assert!(matches!(error, MailError::Incapable), "{error:?}");
    let hellos = || fixture.peer.commands().iter().filter(|command| command.starts_with("EHLO")).count();
    let before = hellos();
    fixture.mailer.post(ready(Some(message()))).unwrap();
    fixture.mailer.close(PATIENCE).await;
    assert_eq!((hellos() - before, fixture.kept().len()), (1, 1));
}

#[tokio::test]
async fn the_end_waits_for_no_server() {
    let fixture = Fixture::start(Manners { silent_at: Some("EHLO"), ..Manners::default() }).await;
    for _ in 0..6 {
        fixture.mailer.post(ready(Some(message()))).unwrap();
    }
    let begun = Instant::now();
    fixture.mailer.close(Duration::from_millis(50)).await;
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(fixture.kept().len(), 6);
}

#[tokio::test]
async fn a_flood_is_turned_away_without_being_looked_at() {
    let fixture = Fixture::start(Manners::default()).await;
    let (open, gate) = tokio::sync::watch::channel(false);
    let mut taken = 0;
    loop {
        let mut gate = gate.clone();
        let message = async move {
            let _ = gate.wait_for(|open| *open).await;
            None
        };
        match fixture.mailer.post(message) {
            Ok(()) => taken += 1,
            Err(error) => {
                assert!(matches!(error, MailError::Busy));
                break;
            }
        }
    }
    assert_eq!(taken, 256);
    open.send(true).unwrap();
    fixture.mailer.close(PATIENCE).await;
    assert!(fixture.peer.commands().is_empty(), "no message was made");
}

#[test]
fn only_this_machine_is_spoken_to_in_the_clear() {
    let directory = tempfile::tempdir().unwrap();
    for (host, good) in [
        ("localhost", true),
        ("127.0.0.1", true),
        ("127.9.9.9", true),
        ("::1", true),
        ("mail.example.com", false),
        ("10.0.0.1", false),
        ("localhost.example.com", false),
    ] {
        let mut options = options(directory.path());
        let mut server = smtp(25, Encryption::None);
        host.clone_into(&mut server.host);
        options.smtp = Some(server);
        let opened = Mailer::open(options).map(drop);
        assert!(matches!((&opened, good), (Ok(()), true) | (Err(MailError::Option(_)), false)), "{host}");
    }
}
