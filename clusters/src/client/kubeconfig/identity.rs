//! Who a kubeconfig's user is: a token, a client certificate, or both.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::SecretString;

use super::error::{KubeconfigError, invalid};
use super::fields::Fields;

/// Longest bearer token accepted, in bytes: API servers refuse larger headers anyway.
const MAX_TOKEN_BYTES: usize = 16 * 1024;
/// Certificates accepted in one bundle.
const MAX_CERTIFICATES: usize = 64;

/// One of both at least. With both, the API server takes the certificate first.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) token: Option<SecretString>,
    pub(super) certificate: Option<Certificate>,
}

/// Base64 of PEM without line breaks, as `kube` wants it; checked before.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    pub(super) chain: String,
    pub(super) key: SecretString,
}

pub(super) fn identity(user: &Fields<'_>) -> Result<Identity, KubeconfigError> {
    const NEITHER: &str = "a token, or client-certificate-data and client-key-data";
    let token = user.text("token")?.map(|token| self::token(user, token)).transpose()?;
    let certificate = match (user.text("client-certificate-data")?, user.text("client-key-data")?) {
        (Some(chain), Some(key)) => Some(certificate(user, chain, key)?),
        (None, None) if token.is_some() => None,
        (None, None) => return Err(invalid(user.path(""), NEITHER)),
        (Some(_), None) => return Err(invalid(user.path(""), "client-key-data beside client-certificate-data")),
        (None, Some(_)) => return Err(invalid(user.path(""), "client-certificate-data beside client-key-data")),
    };
    Ok(Identity { token, certificate })
}

fn token(user: &Fields<'_>, token: &str) -> Result<SecretString, KubeconfigError> {
    let token = token.trim();
    let legal = token.len() <= MAX_TOKEN_BYTES && token.bytes().all(|byte| byte.is_ascii_graphic());
    if token.is_empty() || !legal {
        return Err(invalid(user.path("token"), "one line of printable ASCII without spaces"));
    }
    Ok(SecretString::from(token.to_owned()))
}

fn certificate(user: &Fields<'_>, chain: &str, key: &str) -> Result<Certificate, KubeconfigError> {
    let chain = decode(chain)
        .filter(|pem| certificates(pem).is_some())
        .ok_or_else(|| invalid(user.path("client-certificate-data"), "base64 of PEM certificates"))?;
    let key = decode(key)
        .filter(|pem| PrivateKeyDer::from_pem_slice(pem).is_ok())
        .ok_or_else(|| invalid(user.path("client-key-data"), "base64 of one PEM private key"))?;
    Ok(Certificate { chain: STANDARD.encode(chain), key: SecretString::from(STANDARD.encode(key)) })
}

/// Line breaks, which tools put into long values, and the spaces that YAML folds them into, mean nothing.
pub(super) fn decode(base64: &str) -> Option<Vec<u8>> {
    let dense: String = base64.split_ascii_whitespace().collect();
    STANDARD.decode(dense).ok()
}

/// All certificates of a bundle; `None` if there is none, too many, or one that cannot be read.
pub(super) fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(pem).take(MAX_CERTIFICATES + 1).collect::<Result<_, _>>().ok()?;
    (!certificates.is_empty() && certificates.len() <= MAX_CERTIFICATES).then_some(certificates)
}
