//! TLS to the database: verified against a given root, refused where root or name is another, encrypted by `require`.

use std::{
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
};

use novelfoundry_core::random_token;
use novelfoundry_database::{DatabaseUrl, connect_check};
use novelfoundry_embedded::postgres::{self, DataDirLock, Options};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_s_certificate_is_verified() {
    let folder = tempfile::Builder::new().prefix("nf-tls-").tempdir().unwrap();
    passable(folder.path());
    if !certificates(folder.path()) {
        println!("skipped: openssl is not here to make certificates");
        return;
    }
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen: SocketAddr = free.local_addr().unwrap();
    drop(free);
    let file = |name: &str| folder.path().join(name).display().to_string();
    let password = random_token(16);
    let settings =
        [("ssl", "on".into()), ("ssl_cert_file", file("server.crt")), ("ssl_key_file", file("server.key"))];
    let options = Options {
        bin_dir: std::env::var_os("NOVELFOUNDRY_PG_BIN").map(Into::into),
        admin_password: password.clone(),
        listen: Some(listen),
        settings: settings.map(|(name, value)| (name.to_owned(), value)).into(),
        disposable: None,
    };
    let lock = DataDirLock::acquire(&folder.path().join("data")).unwrap();
    let server = postgres::start(lock, options, |_| {}).await.unwrap();

    let check = async |host: &str, options: String| {
        let port = listen.port();
        let login = format!("{}:{}", postgres::ADMIN_USER, password.expose());
        let url =
            DatabaseUrl::parse(&format!("postgres://{login}@{host}:{port}/postgres?{options}")).unwrap();
        connect_check(&url)
            .await
            .map_err(|error| std::error::Error::source(&error).map_or_else(String::new, ToString::to_string))
    };
    let verified = |root: &str| format!("sslmode=verify-full&sslrootcert={}", file(root));
    check("localhost", verified("ca.crt")).await.unwrap();
    let other = check("localhost", verified("other.crt")).await.unwrap_err();
    assert!(other.contains("certificate") || other.contains("TLS"), "{other}");
    assert!(check("localhost", "sslmode=verify-full".into()).await.is_err(), "no authority of the system's");
    assert!(check("127.0.0.1", verified("ca.crt")).await.is_err(), "the certificate names localhost only");
    check("127.0.0.1", "sslmode=require".into()).await.unwrap();
    server.stop().await.unwrap();
}

/// Makes two authorities and a server certificate of the first; false where there is no `openssl`.
fn certificates(folder: &Path) -> bool {
    let openssl = |arguments: &str| {
        Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(folder)
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost\n").unwrap();
    let key = "-newkey rsa:2048 -nodes";
    let made = openssl(&format!("req -x509 {key} -days 30 -keyout ca.key -out ca.crt -subj /CN=authority"))
        && openssl(&format!("req -x509 {key} -days 30 -keyout other.key -out other.crt -subj /CN=other"))
        && openssl(&format!("req {key} -keyout server.key -out server.csr -subj /CN=localhost"))
        && openssl(
            "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile names -out server.crt",
        );
    // As root the server runs as another user, whose key it must be.
    let whoever = "chmod 600 server.key; [ $(id -u) -ne 0 ] || chown novelfoundry server.key 2>/dev/null || chown postgres server.key";
    made && Command::new("sh")
        .args(["-c", whoever])
        .current_dir(folder)
        .status()
        .is_ok_and(|status| status.success())
}

fn passable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o711)).unwrap();
}
