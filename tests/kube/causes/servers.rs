//! Servers that are no good API server, each in one way.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::ByteString;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose, SanType};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::testbed::http::read_head;

/// A connection that says nothing for so long is closed.
const IDLE: Duration = Duration::from_secs(60);
const PAGE: &str = "HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\ncontent-length: 13\r\n\r\n<html></html>";

/// What is wrong with the certificate, or with what is served behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    Expired,
    NotYetValid,
    OtherName,
    CaAsServer,
    /// None: a good certificate, and a web page behind it.
    WebPage,
    /// None, but clients must have a certificate.
    WantsCertificate,
}

/// Serves until the process ends.
pub struct Server {
    pub url: String,
    /// What a kubeconfig has as `certificate-authority-data`.
    pub authority: String,
}

impl Server {
    pub fn flawed(flaw: Flaw) -> Self {
        crate::testbed::install_crypto();
        let ca = authority();
        let (chain, key) = identity(flaw, &ca);
        let config = match flaw {
            Flaw::WantsCertificate => {
                let mut roots = RootCertStore::empty();
                roots.add(ca.der().clone()).expect("a CA");
                let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().expect("a verifier");
                ServerConfig::builder().with_client_cert_verifier(verifier)
            }
            _ => ServerConfig::builder().with_no_client_auth(),
        };
        let config = Arc::new(config.with_single_cert(vec![chain], key).expect("a TLS configuration"));
        let address = serve(move |stream| page_over_tls(stream, Arc::clone(&config)));
        Self { url: format!("https://{address}"), authority: base64(&ca.pem()) }
    }

    /// Serves HTTP without TLS.
    pub fn plain() -> Self {
        let address = serve(|mut stream| {
            // Whatever comes, a ClientHello included, is a bad request.
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        });
        Self { url: format!("https://{address}"), authority: base64(&authority().pem()) }
    }

    /// Accepts connections and says nothing.
    pub fn silent() -> Self {
        let address = serve(|mut stream| while matches!(stream.read(&mut [0; 1024]), Ok(read) if read > 0) {});
        Self { url: format!("https://{address}"), authority: base64(&authority().pem()) }
    }
}

fn serve(each: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
    let address = listener.local_addr().expect("an address");
    let each = Arc::new(each);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = stream.set_read_timeout(Some(IDLE));
            let each = Arc::clone(&each);
            std::thread::spawn(move || each(stream));
        }
    });
    address
}

fn page_over_tls(stream: TcpStream, config: Arc<ServerConfig>) {
    let Ok(connection) = ServerConnection::new(config) else { return };
    let mut stream = StreamOwned::new(connection, stream);
    while read_head(&mut stream).is_some() {
        if stream.write_all(PAGE.as_bytes()).and_then(|()| stream.flush()).is_err() {
            return;
        }
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = server_params();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a CA")
}

fn server_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::IpAddress(Ipv4Addr::LOCALHOST.into())];
    params
}

fn identity(flaw: Flaw, ca: &CertifiedIssuer<'static, KeyPair>) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let pkcs8 = |key: &KeyPair| PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    if flaw == Flaw::CaAsServer {
        return (ca.der().clone(), pkcs8(ca.key()));
    }
    let mut params = server_params();
    match flaw {
        Flaw::Expired => {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        }
        Flaw::NotYetValid => params.not_before = rcgen::date_time_ymd(2090, 1, 1),
        Flaw::OtherName => {
            params.subject_alt_names = vec![SanType::DnsName("other.example".try_into().expect("a name"))];
        }
        Flaw::CaAsServer | Flaw::WebPage | Flaw::WantsCertificate => {}
    }
    let key = KeyPair::generate().expect("a key");
    (params.signed_by(&key, ca).expect("a certificate").der().clone(), pkcs8(&key))
}

/// As kubeconfigs hold PEM.
pub fn base64(pem: &str) -> String {
    let value = serde_json::to_value(ByteString(pem.as_bytes().to_vec())).expect("base64");
    value.as_str().expect("a string").to_owned()
}
