//! TLS: a certificate from files, or one made for the occasion.

use crate::config::Config;
use crate::error::StartError;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// The acceptor that `config` asks for, if any.
pub(crate) fn acceptor(config: &Config) -> Result<Option<TlsAcceptor>, StartError> {
    let (chain, key) = match &config.tls_files {
        Some((certificate, key)) => from_files(certificate, key),
        None if config.tls => self_signed(),
        None => return Ok(None),
    }
    .map_err(StartError::Tls)?;
    let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|e| StartError::Tls(e.to_string()))?;
    Ok(Some(TlsAcceptor::from(Arc::new(server))))
}

/// A fresh self-signed certificate for `localhost` and the loopback addresses.
fn self_signed() -> Result<Identity, String> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names).map_err(|e| e.to_string())?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    Ok((vec![made.cert.der().clone()], key))
}

fn from_files(certificate: &Path, key: &Path) -> Result<Identity, String> {
    let wrong =
        |path: &Path, e: rustls::pki_types::pem::Error| format!("{}: {e} (PEM is wanted)", path.display());
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| wrong(certificate, e))?;
    if chain.is_empty() {
        return Err(format!("{}: it holds no certificate", certificate.display()));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(|e| wrong(key, e))?;
    Ok((chain, key))
}
