//! TLS for clients: trust by the system's roots, by a given CA, by a pinned certificate, or not at all.

use clw_core::secret::hex;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, KeyLog, RootCertStore, SignatureScheme};
use sha2::{Digest as _, Sha256};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use thiserror::Error;

/// Whom to believe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The system's certificate authorities.
    System,
    /// The authorities in a PEM file, and no others.
    Authorities(PathBuf),
    /// Only certificates with one of these SHA-256 (lower-case hex of the DER form).
    Pinned(Vec<String>),
    /// Anybody. Only for tests of one's own gateway.
    Anybody,
}

/// TLS cannot be set up; says which file or setting is at fault.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file could not be used.
    #[error("{what} {}: {cause}", path.display())]
    File {
        /// What the file was for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: String,
    },
    /// The system has no certificate authorities.
    #[error(
        "no certificate authorities on this system: name some with --tls-ca, pin one with --pin-sha256, or use --insecure"
    )]
    NoRoots,
    /// rustls refused the settings.
    #[error("TLS settings: {0}")]
    Settings(#[from] rustls::Error),
}

/// A client's TLS settings. `keylog` gets the session secrets in SSLKEYLOGFILE form.
pub fn client_config(trust: &Trust, keylog: Option<&Path>) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let mut config = match trust {
        Trust::System => builder
            .with_root_certificates(system_roots()?)
            .with_no_client_auth(),
        Trust::Authorities(path) => builder
            .with_root_certificates(roots_of(path)?)
            .with_no_client_auth(),
        Trust::Pinned(pins) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Pin {
                sha256: Some(pins.clone()),
                provider,
            }))
            .with_no_client_auth(),
        Trust::Anybody => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Pin {
                sha256: None,
                provider,
            }))
            .with_no_client_auth(),
    };
    if let Some(path) = keylog {
        config.key_log = Arc::new(SecretsFile::open(path)?);
    }
    Ok(Arc::new(config))
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        Err(TlsError::NoRoots)
    } else {
        Ok(roots)
    }
}

fn roots_of(path: &Path) -> Result<RootCertStore, TlsError> {
    let fail = |cause: String| TlsError::File {
        what: "--tls-ca",
        path: path.to_owned(),
        cause,
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|e| fail(e.to_string()))? {
        let certificate = certificate.map_err(|e| fail(e.to_string()))?;
        roots.add(certificate).map_err(|e| fail(e.to_string()))?;
    }
    if roots.is_empty() {
        Err(fail("holds no PEM certificate".to_owned()))
    } else {
        Ok(roots)
    }
}

/// Accepts one certificate by its hash, or (without a hash) every one; signatures are checked all the same.
#[derive(Debug)]
struct Pin {
    sha256: Option<Vec<String>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let found = hex(&Sha256::digest(end_entity));
        match &self.sha256 {
            Some(pins) if !pins.contains(&found) => Err(rustls::Error::General(format!(
                "the server's certificate has SHA-256 {found}, not the pinned one"
            ))),
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// SSLKEYLOGFILE lines, appended: worker processes share the file, one write a line.
#[derive(Debug)]
struct SecretsFile(Mutex<File>);

impl SecretsFile {
    fn open(path: &Path) -> Result<Self, TlsError> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(|e| TlsError::File {
            what: "--keylog",
            path: path.to_owned(),
            cause: e.to_string(),
        })?;
        Ok(Self(Mutex::new(file)))
    }
}

impl KeyLog for SecretsFile {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let line = format!("{label} {} {}\n", hex(client_random), hex(secret));
        if let Ok(mut file) = self.0.lock() {
            // A full disk must not end the session; the missing line shows when somebody decrypts.
            let _ = file.write_all(line.as_bytes());
        }
    }
}
