mod files;
mod keeper;
mod material;
mod secret;

use std::sync::Arc;

use clusters::client::secret::SecretBytes;
use clusters::problem::{ObjectName, ProblemOrigin};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

use super::*;

const NAME: &str = "isthmus-region-eu.isthmus-system";
const FIELDS: Fields = Fields { cert: "tls.crt", key: "tls.key", client_ca: "ca.crt" };

struct Authority(CertifiedIssuer<'static, KeyPair>);

/// PEM.
struct Pair {
    cert: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    fn sign(&self) -> Pair {
        self.sign_for(2_000..=4_000)
    }

    fn sign_for(&self, years: std::ops::RangeInclusive<i32>) -> Pair {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![NAME.to_owned()]).unwrap();
        params.not_before = date_time_ymd(*years.start(), 1, 1);
        params.not_after = date_time_ymd(*years.end(), 1, 1);
        Pair { cert: params.signed_by(&key, &self.0).unwrap().pem(), key: key.serialize_pem() }
    }
}

impl Pair {
    fn material(&self) -> Material {
        Material {
            cert: self.cert.clone().into_bytes(),
            key: SecretBytes::new(self.key.as_bytes()),
            client_ca: None,
            fields: FIELDS,
        }
    }
}

fn install() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// What is wrong now, as the admin page shows it.
fn problems(book: &ProblemBook) -> Vec<String> {
    let all = book.snapshot().remove(&ProblemOrigin::Hub).unwrap_or_default();
    all.problems().map(ToString::to_string).collect()
}

/// Whether a client that trusts this authority comes in.
fn welcomes(config: Arc<ServerConfig>, trusts: &Authority, client: Option<&Pair>) -> Result<(), rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusts.pem().as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder().with_root_certificates(roots);
    let config_of_client = match client {
        Some(pair) => {
            let chain = vec![CertificateDer::from_pem_slice(pair.cert.as_bytes()).unwrap()];
            let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    let mut config_of_client = config_of_client;
    config_of_client.alpn_protocols = vec![b"h2".to_vec()];
    let mut client = ClientConnection::new(Arc::new(config_of_client), ServerName::try_from(NAME).unwrap())?;
    let mut server = ServerConnection::new(config)?;
    for _ in 0..10 {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        while !bytes.is_empty() {
            let read = server.read_tls(&mut &bytes[..]).unwrap();
            bytes.drain(..read);
            server.process_new_packets()?;
        }
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        while !bytes.is_empty() {
            let read = client.read_tls(&mut &bytes[..]).unwrap();
            bytes.drain(..read);
            client.process_new_packets()?;
        }
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    assert_eq!(server.alpn_protocol(), Some(&b"h2"[..]));
    Ok(())
}
