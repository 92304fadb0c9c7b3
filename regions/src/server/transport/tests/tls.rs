//! TLS and mTLS, and certificates that change.

use std::sync::OnceLock;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;

const NAME: &str = "isthmus-region-eu.isthmus-system";

/// A certificate authority and what it signs.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn sign(&self, name: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap().der().clone();
        Identity { certificate, key: PrivateKeyDer::try_from(key.serialize_der()).unwrap() }
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        Arc::new(roots)
    }
}

fn install() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| drop(aws_lc_rs::default_provider().install_default()));
}

fn server(identity: &Identity, clients: Option<&Authority>) -> Arc<ServerConfig> {
    install();
    let builder = match clients {
        Some(authority) => {
            let verifier = WebPkiClientVerifier::builder(authority.roots()).build().unwrap();
            ServerConfig::builder().with_client_cert_verifier(verifier)
        }
        None => ServerConfig::builder().with_no_client_auth(),
    };
    let chain = vec![identity.certificate.clone()];
    let mut config = builder.with_single_cert(chain, identity.key.clone_key()).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

fn source(config: Arc<ServerConfig>) -> (watch::Sender<Option<Arc<ServerConfig>>>, TlsSource) {
    let (sender, receiver) = watch::channel(Some(config));
    (sender, TlsSource::new(receiver))
}

async fn connect(
    host: &Host,
    trusts: &Authority,
    identity: Option<&Identity>,
) -> std::io::Result<TlsStream<TcpStream>> {
    install();
    let builder = ClientConfig::builder().with_root_certificates(trusts.roots());
    let mut config = match identity {
        Some(Identity { certificate, key }) => {
            builder.with_client_auth_cert(vec![certificate.clone()], key.clone_key()).unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    let tcp = TcpStream::connect(host.at).await.unwrap();
    within(TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(NAME).unwrap(), tcp)).await
}

/// Connects and asks; a client that is refused hears it here at the latest.
async fn ask(host: &Host, trusts: &Authority, identity: Option<&Identity>) -> Result<String, String> {
    let stream = connect(host, trusts, identity).await.map_err(|error| error.to_string())?;
    let mut client = Client::over(stream).await.map_err(|error| error.to_string())?;
    let response = client.try_get("/peer").await.map_err(|error| error.to_string())?;
    Ok(text(response).await)
}

#[tokio::test]
async fn mutual_tls_asks_for_proof_and_says_what_was_proven() {
    let (servers, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let (_, tls) = source(server(&servers.sign(NAME), Some(&clients)));
    let host = Host::start(Limits::default(), Some(tls));

    let envoy = clients.sign("envoy");
    let answer = ask(&host, &servers, Some(&envoy)).await.unwrap();
    let (_, proven) = answer.split_once(' ').unwrap();
    assert_eq!(proven, xxhash_rust::xxh3::xxh3_64(&envoy.certificate).to_string());

    assert!(ask(&host, &servers, None).await.is_err(), "no certificate");
    assert!(ask(&host, &servers, Some(&strangers.sign("envoy"))).await.is_err(), "a certificate of another authority");
    host.until("both are counted", |stats| stats.handshakes_failed.get() == 2).await;
    // Plaintext where TLS is expected.
    let mut raw = Raw::connect(host.at).await;
    raw.greet().await;
    raw.until_closed().await;
    host.until("so is this one", |stats| stats.handshakes_failed.get() == 3).await;
    assert!(ask(&host, &servers, Some(&envoy)).await.is_ok(), "and who may come in still may");
}

#[tokio::test]
async fn without_a_client_ca_no_proof_is_asked_for() {
    let servers = Authority::new();
    let (_, tls) = source(server(&servers.sign(NAME), None));
    let host = Host::start(Limits::default(), Some(tls));
    let answer = ask(&host, &servers, None).await.unwrap();
    assert!(answer.ends_with(' '), "{answer}");
}

#[tokio::test]
async fn new_connections_get_the_new_certificate_and_old_ones_live_on() {
    let (old, new, clients) = (Authority::new(), Authority::new(), Authority::new());
    let envoy = clients.sign("envoy");
    let (configs, tls) = source(server(&old.sign(NAME), Some(&clients)));
    let host = Host::start(Limits::default(), Some(tls));
    let mut early = Client::over(connect(&host, &old, Some(&envoy)).await.unwrap()).await.unwrap();
    let held = early.get("/stay").await;

    configs.send_replace(Some(server(&new.sign(NAME), Some(&clients))));
    assert!(ask(&host, &new, Some(&envoy)).await.is_ok());
    assert!(ask(&host, &old, Some(&envoy)).await.is_err(), "the old one is not shown any more");
    assert_eq!(early.get("/peer").await.status(), 200);
    drop(held);

    let others = Authority::new();
    configs.send_replace(Some(server(&new.sign(NAME), Some(&others))));
    assert!(ask(&host, &new, Some(&envoy)).await.is_err(), "another authority for clients");
    assert!(ask(&host, &new, Some(&others.sign("envoy"))).await.is_ok());
    assert_eq!(early.get("/peer").await.status(), 200, "who is in is in, until its connection is too old");
}

#[tokio::test]
async fn clients_are_refused_until_there_is_a_certificate() {
    let servers = Authority::new();
    let (configs, tls) = source(server(&servers.sign(NAME), None));
    let config = configs.send_replace(None);
    let host = Host::start(Limits::default(), Some(tls));
    assert!(ask(&host, &servers, None).await.is_err());
    host.until("it is counted", |stats| stats.handshakes_failed.get() == 1).await;
    configs.send_replace(config);
    assert!(ask(&host, &servers, None).await.is_ok());
}

#[tokio::test]
async fn a_client_that_is_slow_to_shake_hands_is_given_up_and_keeps_no_other_waiting() {
    let servers = Authority::new();
    let (_, tls) = source(server(&servers.sign(NAME), None));
    let limits = Limits { max_handshakes: 1, handshake_timeout: Duration::from_millis(500), ..Limits::default() };
    let host = Host::start(limits, Some(tls));
    let mut silent = Vec::new();
    for _ in 0..10 {
        silent.push(Raw::connect(host.at).await);
    }
    host.until("all are in", |stats| stats.accepted.get() == 10).await;
    assert!(ask(&host, &servers, None).await.is_ok(), "who says nothing takes no place");
    for raw in silent {
        assert_eq!(raw.until_closed().await, [] as [u8; 0]);
    }
    host.until("they are counted", |stats| stats.handshakes_failed.get() == 10).await;
}

/// They hold a place for as long as others need it less.
#[tokio::test]
async fn handshakes_that_stop_after_the_client_hello_keep_no_client_out() {
    const PLACES: usize = 4;
    let authority = Authority::new();
    let (_sender, tls) = source(server(&authority.sign(NAME), None));
    let limits = Limits { max_handshakes: PLACES, ..Limits::default() };
    let slow = limits.handshake_timeout;
    let host = Host::start(limits, Some(tls));
    let config = ClientConfig::builder().with_root_certificates(authority.roots()).with_no_client_auth();
    let config = Arc::new(config);
    let mut stopped = Vec::new();
    for _ in 0..10 * PLACES {
        let mut hello = Vec::new();
        let name = ServerName::try_from(NAME).unwrap();
        let mut client = rustls::ClientConnection::new(config.clone(), name).unwrap();
        client.write_tls(&mut hello).unwrap();
        let mut tcp = TcpStream::connect(host.at).await.unwrap();
        tcp.write_all(&hello).await.unwrap();
        stopped.push(tcp);
    }
    // The same address, as of proxies behind one address translator: each connection has its turn.
    let begun = std::time::Instant::now();
    ask(&host, &authority, None).await.unwrap();
    assert!(begun.elapsed() < slow, "it waited until the others were given up: {:?}", begun.elapsed());
    assert!(host.stats.connections.places_passed_on.get() > 0);
}
