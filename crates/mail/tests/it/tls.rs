//! Encryption: demanded, and of the right server only.

use std::{
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use novelfoundry_core::Secret;
use novelfoundry_mail::{Encryption, MailError, Mailer, Sent};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio_rustls::TlsAcceptor;

use crate::{
    message, options,
    peer::{Manners, Peer},
    smtp,
};

/// Makes an authority and its certificate for `localhost`; false where there is no `openssl`.
fn certificates(folder: &Path) -> bool {
    let openssl = |arguments: &str| {
        let mut command = Command::new("openssl");
        command.args(arguments.split(' ')).current_dir(folder).stderr(Stdio::null()).stdout(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost\n").unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!("req -x509 {key} -days 30 -keyout ca.key -out ca.crt -subj /CN=authority"))
        && openssl(&format!("req {key} -keyout server.key -out server.csr -subj /CN=localhost"))
        && openssl(
            "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -days 30 -extfile names -out server.crt",
        )
}

fn acceptor(folder: &Path) -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_file(folder.join("server.crt")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

fn mailer(folder: &Path, peer: &Peer, encryption: Encryption, host: &str, trusted: bool) -> Mailer {
    let mut server = smtp(peer.port, encryption);
    host.clone_into(&mut server.host);
    server.login = Some(("novels".to_owned(), Secret::new("right")));
    server.root_certificate = trusted.then(|| std::fs::read(folder.join("ca.crt")).unwrap());
    let mut options = options(&folder.join("outbox"));
    options.smtp = Some(server);
    Mailer::open(options).unwrap()
}

#[tokio::test]
async fn an_encrypted_server_is_spoken_to_where_its_certificate_is_right() {
    let folder = tempfile::tempdir().unwrap();
    if !certificates(folder.path()) {
        println!("skipped: openssl is not here to make certificates");
        return;
    }
    for (encryption, implicit) in [(Encryption::StartTls, false), (Encryption::Implicit, true)] {
        let tls = Some(acceptor(folder.path()));
        let peer = Peer::start(Manners { tls, implicit, login: true, ..Manners::default() }).await;
        let send = async |host, trusted| {
            mailer(folder.path(), &peer, encryption, host, trusted).send(&message()).await
        };
        for (host, trusted) in [("localhost", false), ("127.0.0.1", true)] {
            let error = send(host, trusted).await.unwrap_err();
            assert!(matches!(error, MailError::Encryption(_)), "{host} {encryption:?}: {error:?}");
        }
        assert!(peer.commands().iter().all(|command| command.starts_with("EHLO") || command == "STARTTLS"));
        assert_eq!(send("localhost", true).await.unwrap(), Sent::Accepted);
        assert_eq!(peer.letters().len(), 1);
    }
}

#[tokio::test]
async fn a_server_that_does_not_encrypt_is_told_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let instead = Some(("STARTTLS", "454 not now", usize::MAX));
    let missing = Manners { login: true, ..Manners::default() };
    let mut all = vec![missing];
    if certificates(folder.path()) {
        all.push(Manners { tls: Some(acceptor(folder.path())), instead, login: true, ..Manners::default() });
    } else {
        println!("skipped: openssl is not here to make certificates");
    }
    for manners in all {
        let peer = Peer::start(manners).await;
        let error = mailer(folder.path(), &peer, Encryption::StartTls, "localhost", false)
            .send(&message())
            .await
            .unwrap_err();
        assert!(matches!(error, MailError::Encryption(_)), "{error:?}");
        let commands = peer.commands();
        assert!(
            commands
                .iter()
                .all(|command| ["EHLO", "STARTTLS", "QUIT"].iter().any(|it| command.starts_with(it))),
            "{commands:?}"
        );
    }
}
