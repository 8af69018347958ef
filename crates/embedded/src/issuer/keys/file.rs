//! Private keys as files that only their owner can read. A key is complete on disk before anything names it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::KeyFileError;

/// A PKCS#8 key of P-256 has 138 bytes.
const MAX_FILE_BYTES: u64 = 4096;

/// A key pair that signs.
#[derive(Clone)]
pub(super) struct PrivateKey {
    /// Its name: the RFC 7638 thumbprint of the public key.
    pub(super) kid: String,
    /// The public key as it is published.
    pub(super) public_jwk: Value,
    pub(super) signing: EncodingKey,
}

impl PrivateKey {
    fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).ok()?;
        // An uncompressed point: 4, then both coordinates.
        let point = pair.public_key().as_ref().strip_prefix(&[4])?;
        let (x, y) = point.split_at_checked(32)?;
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let kid = URL_SAFE_NO_PAD.encode(Sha256::digest(canonical));
        let public_jwk = json!({
            "kty": "EC", "crv": "P-256", "x": x, "y": y,
            "kid": kid, "alg": "ES256", "use": "sig", "key_ops": ["verify"],
        });
        Some(Self { kid, public_jwk, signing: EncodingKey::from_ec_der(der) })
    }
}

/// The directory of the private keys.
#[derive(Clone)]
pub(super) struct KeyFiles {
    directory: PathBuf,
}

impl KeyFiles {
    /// Makes the directory where it is missing, and shuts it to everybody else.
    pub(super) fn open(directory: &Path) -> Result<Self, KeyFileError> {
        let directory = directory.to_owned();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory)
            .map_err(io_error("create", &directory))?;
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700))
            .map_err(io_error("shut to others", &directory))?;
        // A directory outlives a crash once its parent is on disk.
        if let Some(parent) = directory.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            File::open(parent).and_then(|parent| parent.sync_all()).map_err(io_error("sync", parent))?;
        }
        Ok(Self { directory })
    }

    /// Makes a key and writes it; it survives a crash once this returns.
    pub(super) fn generate(&self) -> Result<PrivateKey, KeyFileError> {
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .map_err(|_| KeyFileError::Generate)?;
        let key = PrivateKey::from_pkcs8(der.as_ref()).ok_or(KeyFileError::Generate)?;
        let path = self.path(&key.kid);
        let temporary = path.with_extension("tmp");
        let written = write_synced(&temporary, der.as_ref())
            .and_then(|()| fs::rename(&temporary, &path))
            .and_then(|()| File::open(&self.directory)?.sync_all());
        if let Err(source) = written {
            // Half a key is of no use to anybody; where it cannot be removed either, it stays unused.
            let _ = fs::remove_file(&temporary);
            return Err(io_error("write", &path)(source));
        }
        Ok(key)
    }

    /// Reads a key; `None` where it is missing or damaged.
    pub(super) fn read(&self, kid: &str) -> Result<Option<PrivateKey>, KeyFileError> {
        if !is_file_name(kid) {
            return Ok(None);
        }
        let path = self.path(kid);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error("read", &path)(error)),
        };
        let mode = file.metadata().map_err(io_error("read", &path))?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyFileError::Exposed { path, mode });
        }
        let mut der = Vec::new();
        file.take(MAX_FILE_BYTES).read_to_end(&mut der).map_err(io_error("read", &path))?;
        Ok(PrivateKey::from_pkcs8(&der).filter(|key| key.kid == kid))
    }

    /// Removes a key that signs no more.
    pub(super) fn remove(&self, kid: &str) -> Result<(), KeyFileError> {
        if !is_file_name(kid) {
            return Ok(());
        }
        let path = self.path(kid);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("remove", &path)(error)),
            _ => Ok(()),
        }
    }

    fn path(&self, kid: &str) -> PathBuf {
        self.directory.join(format!("{kid}.pk8"))
    }
}

/// Names come from the database: one that is no thumbprint has no file.
fn is_file_name(kid: &str) -> bool {
    kid.len() == 43 && kid.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyFileError {
    let path = path.to_owned();
    move |source| KeyFileError::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> (tempfile::TempDir, KeyFiles) {
        let parent = tempfile::tempdir().unwrap();
        let files = KeyFiles::open(&parent.path().join("secrets/issuer")).unwrap();
        (parent, files)
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_key_is_read_back_and_nobody_else_can() {
        let (_parent, files) = files();
        let made = files.generate().unwrap();
        assert_eq!(files.read(&made.kid).unwrap().unwrap().public_jwk, made.public_jwk);
        assert_eq!((mode(&files.directory), mode(&files.path(&made.kid))), (0o700, 0o600));
        assert_eq!(fs::read_dir(&files.directory).unwrap().count(), 1, "no temporary file stays");
        assert!(made.public_jwk.get("d").is_none());
    }

    #[test]
    fn a_damaged_or_exchanged_key_counts_as_missing() {
        let (_parent, files) = files();
        let (one, other) = (files.generate().unwrap(), files.generate().unwrap());
        fs::copy(files.path(&other.kid), files.path(&one.kid)).unwrap();
        assert!(files.read(&one.kid).unwrap().is_none());
        for damage in [&b""[..], b"garbage", &[0x30; 200], &[0; 10_000]] {
            fs::write(files.path(&one.kid), damage).unwrap();
            assert!(files.read(&one.kid).unwrap().is_none());
        }
        files.remove(&one.kid).unwrap();
        files.remove(&one.kid).unwrap();
        for name in [one.kid.as_str(), "", "../../etc/passwd", "a/b"] {
            assert!(files.read(name).unwrap().is_none(), "{name}");
        }
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let (_parent, files) = files();
        let made = files.generate().unwrap();
        fs::set_permissions(files.path(&made.kid), fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(files.read(&made.kid), Err(KeyFileError::Exposed { mode: 0o640, .. })));
    }
}
