//! TLS to the database: verified against the system's roots or a given file.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{DatabaseUrl, SslMode};

/// Why no connector could be made.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Makes the connector for a URL's mode; one that is not used where the mode is `disable`.
pub fn connector(url: &DatabaseUrl) -> Result<MakeRustlsConnect, Cause> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let config = match url.ssl_mode {
        SslMode::VerifyFull => {
            builder.with_root_certificates(roots(url.ssl_root_cert.as_deref())?).with_no_client_auth()
        }
        SslMode::Disable | SslMode::Require => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unverified(provider)))
            .with_no_client_auth(),
    };
    Ok(MakeRustlsConnect::new(config))
}

fn roots(file: Option<&Path>) -> Result<RootCertStore, Cause> {
    let mut store = RootCertStore::empty();
    if let Some(path) = file {
        for certificate in CertificateDer::pem_file_iter(path)
            .map_err(|error| format!("sslrootcert {} cannot be read: {error}", path.display()))?
        {
            store.add(certificate.map_err(|error| format!("sslrootcert {}: {error}", path.display()))?)?;
        }
    } else {
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if store.is_empty() {
        return Err(
            "no trusted root certificate was found; install ca-certificates or name a file by sslrootcert"
                .into(),
        );
    }
    Ok(store)
}

/// Encrypts without looking at the certificate: what libpq does for `sslmode=require`.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
