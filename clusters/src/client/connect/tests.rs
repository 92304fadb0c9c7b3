//! Which addresses are called, for kubeconfigs that users may write. Nothing is sent to an address that is refused: the
//! listeners here would notice.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::client::secret::SecretBytes;

fn install_crypto() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default(); // another test may have been first
}

fn credential(server: &str) -> Credential {
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{{name: c, cluster: {{server: '{server}', tls-server-name: api.example}}}}]\n\
         users: [{{name: u, user: {{token: t}}}}]\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n"
    );
    Credential::Present { place: Arc::from("Secret x/y"), kubeconfig: SecretBytes::new(text.into_bytes()) }
}

/// A port of this machine, and whether a client connected to it.
struct Witness(TcpListener);

impl Witness {
    fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
        listener.set_nonblocking(true).expect("not blocking");
        Self(listener)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().expect("an address").port()
    }

    fn was_called(&self) -> bool {
        self.0.accept().is_ok()
    }
}

#[tokio::test]
async fn addresses_that_are_no_members_are_refused_in_every_form_and_not_called() {
    install_crypto();
    let witness = Witness::new();
    let port = witness.port();
    let hosts = [
        "127.0.0.1",
        "127.1.2.3",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "localhost",
        // What the system's own resolver takes for an address: decimal, octal, hexadecimal, short.
        "2130706433",
        "0177.0.0.1",
        "0x7f.1",
        "127.1",
        "0",
        "0.0.0.0",
        "[::]",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "224.0.0.1",
        "[ff02::1]",
        "255.255.255.255",
        "100.100.100.200",
    ];
    for host in hosts {
        let error = open(&credential(&format!("https://{host}:{port}")), &Allowed::default()).await.expect_err(host);
        assert_eq!(error.reason, LinkFailure::KubeconfigInvalid, "{host}: {error}");
        assert!(error.message.starts_with("server address is not allowed: it is in "), "{host}: {error}");
        assert!(error.message.contains("--allow-member-cidrs"), "{host}: {error}");
        // Neither the port nor anything of an attempt; the range that it is in is named.
        for part in [port.to_string().as_str(), "https:", "connection", "could not"] {
            assert!(!error.message.contains(part), "{host}: {part:?} is in {error}");
        }
        assert!(!witness.was_called(), "{host} was called");
    }
}

/// The text is the same whether a server is there or not.
#[tokio::test]
async fn a_refusal_does_not_say_who_is_there() {
    install_crypto();
    let witness = Witness::new();
    let closed = Witness::new().port();
    let mut texts = Vec::new();
    for port in [witness.port(), closed] {
        let error = open(&credential(&format!("https://localhost:{port}")), &Allowed::default()).await;
        texts.push(error.expect_err("refused").to_string());
    }
    assert_eq!(texts[0], texts[1]);
}

/// Answers from a table; each name's addresses in turn, the last one forever.
#[derive(Clone)]
struct Table(Arc<BTreeMap<&'static str, Vec<Vec<IpAddr>>>>, Arc<AtomicUsize>);

impl Table {
    fn new(rows: &[(&'static str, &[&[&str]])]) -> Self {
        let parse = |ips: &&[&str]| ips.iter().map(|ip| ip.parse().expect("an address")).collect();
        let rows = rows.iter().map(|(name, answers)| (*name, answers.iter().map(parse).collect())).collect();
        Self(Arc::new(rows), Arc::default())
    }
}

impl tower::Service<Name> for Table {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = std::io::Error;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let turn = self.1.fetch_add(1, Ordering::Relaxed);
        let answers = self.0.get(name.as_str()).expect("a name of the test");
        let ips = answers.get(turn).or(answers.last()).cloned().unwrap_or_default();
        let addresses: Vec<SocketAddr> = ips.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect();
        std::future::ready(Ok(addresses.into_iter()))
    }
}

fn through(table: &Table, name: &str, port: u16, allowed: &Allowed) -> kube::Client {
    let config = kube::Config::new(format!("https://{name}:{port}").parse().expect("a URL"));
    client_through(config, table.clone(), allowed.clone()).expect("a client")
}

async fn failure(client: &kube::Client) -> kube::Error {
    answers::get_text(client, "/livez", "its health").await.expect_err("no server answers")
}

#[tokio::test]
async fn what_a_name_resolves_to_is_checked_each_time_it_is_dialled() {
    install_crypto();
    let witness = Witness::new();
    let table = Table::new(&[
        ("loopback.example", &[&["127.0.0.1"]]),
        ("metadata.example", &[&["169.254.169.254", "fd00:ec2::254"]]),
        ("mapped.example", &[&["::ffff:127.0.0.1", "2002:7f00:1::1"]]),
    ]);
    for name in ["loopback.example", "metadata.example", "mapped.example"] {
        let error = failure(&through(&table, name, witness.port(), &Allowed::default())).await;
        assert!(answers::find::<NotAllowed>(&error).is_some(), "{name}: {error}");
        let described = describe(&http::Uri::from_static("https://x"), "look", &error);
        assert!(described.message.starts_with("server address is not allowed"), "{described}");
        assert!(!witness.was_called(), "{name}");
    }
    // It resolves to an allowed address first, and to another one when it is dialled again.
    let loopback = Allowed::new(&["127.0.0.1/32".parse().expect("a range")]);
    let rebound = Table::new(&[("rebound.example", &[&["127.0.0.1"], &["127.0.0.2"]])]);
    let client = through(&rebound, "rebound.example", witness.port(), &loopback);
    assert!(answers::find::<NotAllowed>(&within(&client).await).is_none(), "the first address is allowed");
    assert!(witness.was_called());
    let error = within(&client).await;
    assert!(answers::find::<NotAllowed>(&error).is_some(), "{error}");
    // Only what is allowed of several addresses is dialled.
    let both = Table::new(&[("both.example", &[&["127.0.0.2", "127.0.0.1"]])]);
    let error = within(&through(&both, "both.example", witness.port(), &loopback)).await;
    assert!(answers::find::<NotAllowed>(&error).is_none(), "{error}");
    assert!(witness.was_called());
}

/// The witness accepts and says nothing.
async fn within(client: &kube::Client) -> kube::Error {
    let silent = tokio::time::timeout(Duration::from_millis(300), failure(client)).await;
    silent.unwrap_or_else(|_| kube::Error::Service("silent".into()))
}

#[tokio::test]
async fn the_hubs_own_address_may_be_anywhere() {
    install_crypto();
    let closed = Witness::new().port();
    let config = kube::Config::new(format!("https://127.0.0.1:{closed}").parse().expect("a URL"));
    let error = failure(&client(config).expect("a client")).await;
    assert_eq!(cause::of(Side::Hub, &error).found, "connection refused");
}
