//! Certificate, key and clients' CA as they were found, and the TLS configuration that is built from them.

use std::sync::Arc;

use clusters::client::secret::SecretBytes;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::time::ASN1Time;

/// Largest file or value, in bytes. A Secret is not larger either.
pub const MAX_BYTES: usize = 1 << 20;

/// PEM, not looked into yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Material {
    pub cert: Vec<u8>,
    pub key: SecretBytes,
    /// `None`: clients are not asked who they are.
    pub client_ca: Option<Vec<u8>>,
    /// What its parts are called where it came from.
    pub fields: Fields,
}

/// Names of the parts, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields {
    pub cert: &'static str,
    pub key: &'static str,
    pub client_ca: &'static str,
}

/// Why it cannot be used. Never quotes what it found: it may be a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: found {found}; expected {expected}")]
pub struct Unusable {
    pub field: &'static str,
    pub found: String,
    pub expected: &'static str,
}

/// What can be served.
pub(super) struct Ready {
    pub(super) config: Arc<ServerConfig>,
    /// When the certificate ends, in seconds since 1970.
    pub(super) not_after_s: i64,
}

const CHAIN: &str = "certificates in PEM form, the server's own first";
const VALID: &str = "a certificate that is valid now";
const KEY: &str = "the certificate's private key, in PEM form and not encrypted";
const CLIENT_CA: &str = "one or more CA certificates in PEM form";

impl Material {
    pub(super) fn ready(&self) -> Result<Ready, Unusable> {
        let Fields { cert, key, client_ca } = self.fields;
        let chain = certificates(&self.cert).ok_or_else(|| unusable(cert, "something else", CHAIN))?;
        let not_after_s = chain.first().map_or_else(|| Err(unusable(cert, "none", CHAIN)), |leaf| valid(cert, leaf))?;
        let private = PrivateKeyDer::from_pem_slice(self.key.expose());
        let private = private.map_err(|_| unusable(key, "something else", KEY))?;
        let builder = match &self.client_ca {
            Some(pem) => {
                let roots = roots(pem).ok_or_else(|| unusable(client_ca, "something else", CLIENT_CA))?;
                let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build();
                let verifier = verifier.map_err(|_| unusable(client_ca, "none", CLIENT_CA))?;
                ServerConfig::builder().with_client_cert_verifier(verifier)
            }
            None => ServerConfig::builder().with_no_client_auth(),
        };
        let config = builder.with_single_cert(chain, private);
        let mut config = config.map_err(|_| unusable(key, "a key that does not belong to the certificate", KEY))?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        // Every connection proves its identity again: a session that is resumed would outlive a certificate that is not
        // trusted any more, and connections live too long for resumption to save anything.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Ready { config: Arc::new(config), not_after_s })
    }
}

fn unusable(field: &'static str, found: impl Into<String>, expected: &'static str) -> Unusable {
    Unusable { field, found: found.into(), expected }
}

/// All of them, or nothing.
fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()
}

fn roots(pem: &[u8]) -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate).ok()?;
    }
    Some(roots)
}

/// When it ends, if it has begun and not ended.
fn valid(field: &'static str, leaf: &CertificateDer<'_>) -> Result<i64, Unusable> {
    let (_, leaf) = X509Certificate::from_der(leaf).map_err(|_| unusable(field, "something else", CHAIN))?;
    let (validity, now) = (leaf.validity(), ASN1Time::now());
    if now > validity.not_after {
        return Err(unusable(field, format!("one that ended on {}", validity.not_after), VALID));
    }
    if now < validity.not_before {
        return Err(unusable(field, format!("one that begins on {}", validity.not_before), VALID));
    }
    Ok(validity.not_after.timestamp())
}
