//! A federation in a folder, a control plane and the proxies of one pod.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::Path as FilePath;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::{TcpSocket, TcpStream};

use crate::envoy::client::{CLIENT, redirect};
use crate::envoy::plain;
use crate::harness::files::replace;
use crate::harness::{Isthmus, Source, objects};
use crate::testbed::{Envoy, EnvoySpec};

const LIVE_LIMIT: Duration = Duration::from_secs(60);
/// `Host` of the service, on the plain port as well.
pub const HOST: &str = "web.shop";
pub const VIP: [u8; 4] = [10, 100, 0, 1];
/// The Service's ports and where its pods listen: HTTP, HTTP/2, bytes.
pub const HTTP: (u16, u16) = (80, 8080);
pub const HTTP2: (u16, u16) = (81, 8081);
pub const TCP: (u16, u16) = (82, 8082);

/// Pods of one zone.
#[derive(Clone, Copy, Debug)]
pub struct Tier {
    pub member: &'static str,
    pub region: &'static str,
    pub zone: &'static str,
    /// The second and third number of its pods' addresses.
    pub net: (u8, u8),
    pub pods: u8,
}

pub const HOME: Tier = Tier { member: "eu-1", region: "eu", zone: "eu-a", net: (8, 0), pods: 1 };

impl Tier {
    pub fn pod(&self, number: u8) -> IpAddr {
        IpAddr::from([10, self.net.0, self.net.1, number])
    }

    pub fn addresses(&self, port: u16) -> impl Iterator<Item = SocketAddr> + '_ {
        (1..=self.pods).map(move |number| SocketAddr::new(self.pod(number), port))
    }
}

/// How a client reaches the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// No proxy in between.
    Direct,
    /// Intercepted.
    Sidecar,
    /// The plain port.
    Egress,
}

pub struct Stage {
    /// Ends with the stage.
    _plane: Isthmus,
    pub sidecar: Envoy,
    pub egress: Envoy,
    world: TempDir,
    tiers: Vec<Tier>,
}

impl Stage {
    /// `clusters`: what the proxies say in `CLUSTERS`.
    pub async fn start(clusters: &str, tiers: &[Tier]) -> Self {
        let world = tempfile::tempdir().expect("a folder");
        let mut hub = String::new();
        let mut known: Vec<&str> = Vec::new();
        for tier in tiers {
            if !known.contains(&tier.region) {
                known.push(tier.region);
                hub.push_str(&objects::region(tier.region, &[]));
            }
            if !known.contains(&tier.member) {
                known.push(tier.member);
                let (pods, services) = (format!("10.{}.0.0/16", tier.net.0), format!("10.{}.0.0/16", tier.net.0 + 92));
                hub.push_str(&objects::member_cluster(tier.member, tier.region, &[&pods], &[&services]));
                replace(&folder(world.path(), tier.member), "service.yaml", &service(tier));
            }
        }
        replace(world.path(), "hub.yaml", &hub);
        for tier in tiers {
            replace(&folder(world.path(), tier.member), &slice_file(tier), &slice(tier, &[]));
        }
        let mut plane = Isthmus::region("eu", Source::Folder(world.path()));
        plane.wait_ready().await;
        let spec = EnvoySpec::new("sidecar", "eu", "eu-a", plane.xds())
            .metadata("CLUSTER_ID", "eu-1")
            .metadata("CLUSTERS", clusters);
        let sidecar = Envoy::start(spec).await;
        sidecar.wait_live(LIVE_LIMIT).await;
        let (egress, _) = plain::start(&plane, clusters, [127, 0, 0, 1].into(), ("ROUTES", "eager")).await;
        redirect();
        Self { _plane: plane, sidecar, egress, world, tiers: tiers.to_vec() }
    }

    /// What Kubernetes says of a tier's pods: these numbers are not ready.
    pub fn not_ready(&self, tier: &Tier, pods: &[u8]) {
        replace(&folder(self.world.path(), tier.member), &slice_file(tier), &slice(tier, pods));
    }

    /// Kubernetes has no such pods any more.
    pub fn withdraw(&self, tier: &Tier) {
        let none = Tier { pods: 0, ..*tier };
        replace(&folder(self.world.path(), tier.member), &slice_file(tier), &slice(&none, &[]));
    }

    /// A connection to the service's port, or to the first pod's.
    pub async fn dial(&self, way: Way, port: (u16, u16)) -> TcpStream {
        let home = self.tiers.first().expect("a tier");
        let (from, to) = match way {
            Way::Direct => (None, SocketAddr::new(home.pod(1), port.1)),
            Way::Sidecar => (Some(CLIENT), SocketAddr::from((VIP, port.0))),
            Way::Egress => (None, SocketAddr::from(([127, 0, 0, 1], 15_080))),
        };
        let socket = TcpSocket::new_v4().expect("a socket");
        if let Some(from) = from {
            socket.bind(SocketAddr::new(from.into(), 0)).expect("bind to the client's address");
        }
        socket.connect(to).await.unwrap_or_else(|error| panic!("{way:?} {to}: {error}"))
    }

    /// No proxy refused anything that it was sent.
    pub async fn nothing_was_rejected(&self) {
        for envoy in [&self.sidecar, &self.egress] {
            let stats = envoy.stats("").await;
            let rejected: Vec<_> =
                stats.iter().filter(|(name, n)| name.ends_with("update_rejected") && **n > 0).collect();
            assert!(rejected.is_empty(), "{rejected:?}\n{}", envoy.log_tail(20));
        }
    }
}

/// Packets to and from these addresses are dropped silently.
pub fn vanish(addresses: &str) {
    for direction in ["-d", "-s"] {
        iptables(&["-I", "INPUT", direction, addresses, "-j", "DROP"]);
    }
}

fn iptables(args: &[&str]) {
    let output = Command::new("iptables").args(args).output();
    let output = output.unwrap_or_else(|error| panic!("\n\n{error}: this test needs iptables\n"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn folder(world: &FilePath, member: &str) -> std::path::PathBuf {
    world.join("clusters").join(member)
}

fn service(tier: &Tier) -> String {
    let vip = if tier.member == "eu-1" { IpAddr::from(VIP) } else { IpAddr::from([10, tier.net.0 + 92, 0, 1]) };
    let ports: Vec<String> = [("http", HTTP), ("grpc", HTTP2), ("tcp", TCP)]
        .map(|(name, (port, target))| format!("{{name: {name}, port: {port}, targetPort: {target}}}"))
        .to_vec();
    let spec = format!("clusterIP: {vip}, selector: {{app: web}}, ports: [{}]", ports.join(", "));
    objects::namespace("shop") + &objects::service("shop", "web", "isthmus.dev/federate: 'true'", &spec)
}

fn slice_file(tier: &Tier) -> String {
    format!("slice-{}.yaml", tier.zone)
}

fn slice(tier: &Tier, not_ready: &[u8]) -> String {
    let mut text = format!(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
         metadata: {{name: web-{}, namespace: shop, labels: {{kubernetes.io/service-name: web}}}}\naddressType: IPv4\n\
         ports: [{{name: http, port: 8080}}, {{name: grpc, port: 8081}}, {{name: tcp, port: 8082}}]\nendpoints: [",
        tier.zone
    );
    for number in 1..=tier.pods {
        let (pod, ready) = (tier.pod(number), !not_ready.contains(&number));
        let conditions = format!("{{ready: {ready}, serving: {ready}, terminating: false}}");
        write!(text, "{{addresses: ['{pod}'], zone: {}, conditions: {conditions}}}, ", tier.zone).expect("a string");
    }
    text + "]\n"
}
