//! `sessionAffinity: ClientIP` by traffic: a client stays with a pod, through HTTP and bytes, intercepted and at the plain
//! port, and hardly any but the clients of a pod that goes move.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use super::client::{CLIENT, redirect};
use super::slices::State::{NotReady, Ready};
use super::slices::{Pod, slice};
use crate::harness::{Isthmus, SOON, Source, objects};
use crate::testbed::{Backend, Envoy, EnvoySpec, eventually, netns};

const LIVE_LIMIT: Duration = Duration::from_secs(60);
const CALL_LIMIT: Duration = Duration::from_secs(5);
const PODS: u8 = 6;
const CALLS: usize = 30;
const STICKY: Ipv4Addr = Ipv4Addr::new(10, 101, 0, 7);
const FREE: Ipv4Addr = Ipv4Addr::new(10, 101, 0, 8);
const HTTP: u16 = 80;
const BYTES: u16 = 5432;
const PLAIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 40, 0, 9)), 15_080);

#[test]
fn clients_stay_with_a_pod_where_the_service_says_so() {
    netns::isolated_without_clusters(async {
        let world = tempfile::tempdir().unwrap();
        write_world(world.path());
        let mut plane = Isthmus::region("eu", Source::Folder(world.path()));
        plane.wait_ready().await;
        let mut backends = Vec::new();
        for pod in 1..=PODS {
            backends.push(Backend::start(SocketAddr::new(address(pod), 8080), &format!("pod-{pod}")).await);
        }
        let spec = |name: &str| EnvoySpec::new(name, "eu", "eu-a", plane.xds()).metadata("CLUSTER_ID", "eu-1");
        let sidecar = Envoy::start(spec("sidecar")).await;
        let plain = spec("plain").metadata("INTERCEPTION_MODE", "NONE").metadata("LISTEN", PLAIN.ip().to_string());
        let plain = Envoy::start(plain).await;
        sidecar.wait_live(LIVE_LIMIT).await;
        plain.wait_live(LIVE_LIMIT).await;
        redirect();
        eventually("the service answers", SOON, async || call(CLIENT, vip(STICKY, HTTP), "sticky").await).await;
        eventually("the plain port answers", SOON, async || call(CLIENT, PLAIN, "sticky.shop").await).await;

        for port in [HTTP, BYTES] {
            assert_eq!(pods(CLIENT, vip(STICKY, port), "sticky").await.len(), 1, "port {port}");
            assert!(pods(CLIENT, vip(FREE, port), "free").await.len() > 1, "port {port}: no affinity is configured");
        }
        // Other clients have other pods, and each stays with its own.
        let clients: Vec<Ipv4Addr> = (1..=16).map(|last| Ipv4Addr::new(127, 50, 0, last)).collect();
        let mut before = Vec::new();
        for client in &clients {
            let found = pods(*client, PLAIN, "sticky.shop").await;
            assert_eq!(found.len(), 1, "{client}");
            before.extend(found);
        }
        let used: BTreeSet<&String> = before.iter().collect();
        assert!(used.len() > 2, "sixteen clients use {used:?}");
        // The pod of the first client goes: its clients move and stay together no more than chance has it; all others stay.
        let gone = before.first().cloned().unwrap();
        write_slices(world.path(), Some(&gone));
        eventually("the first client moved", SOON, async || {
            let now = call(clients[0], PLAIN, "sticky.shop").await?;
            if now == gone { Err(format!("still {now}")) } else { Ok(()) }
        })
        .await;
        let mut moved = 0;
        for (client, was) in clients.iter().zip(&before) {
            let now = pods(*client, PLAIN, "sticky.shop").await;
            assert!(now.len() == 1 && !now.contains(&gone), "{client} is at {now:?}");
            moved += usize::from(*was != gone && !now.contains(was));
        }
        assert!(moved <= 1, "{moved} clients of other pods moved");
    });
}

/// The pods that answer many calls of one client.
async fn pods(client: Ipv4Addr, to: SocketAddr, host: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for _ in 0..CALLS {
        found.insert(call(client, to, host).await.expect("an answer"));
    }
    found
}

/// One request on a connection of its own, from this address. Returns the body.
async fn call(client: Ipv4Addr, to: SocketAddr, host: &str) -> Result<String, String> {
    let exchange = async {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(client.into(), 0))?;
        let mut stream = socket.connect(to).await?;
        let words = format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(words.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    let answer = tokio::time::timeout(CALL_LIMIT, exchange).await.map_err(|_| "no end".to_owned())?;
    let answer = answer.map_err(|error| error.to_string())?;
    match answer.rsplit_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200") => Ok(body.to_owned()),
        _ => Err(answer),
    }
}

fn vip(ip: Ipv4Addr, port: u16) -> SocketAddr {
    SocketAddr::new(ip.into(), port)
}

fn address(pod: u8) -> IpAddr {
    IpAddr::from([127, 31, 0, pod])
}

fn write_world(world: &std::path::Path) {
    let hub =
        [objects::region("eu", &[]), objects::member_cluster("eu-1", "eu", &["127.31.0.0/16"], &["10.101.0.0/16"])];
    std::fs::write(world.join("hub.yaml"), hub.concat()).unwrap();
    let service = |name: &str, vip: Ipv4Addr, affinity: &str| {
        format!(
            "---
apiVersion: v1
kind: Service
metadata: {{namespace: shop, name: {name}, labels: {{isthmus.dev/federate: 'true'}}}}
spec: {{clusterIP: {vip}, clusterIPs: [{vip}], sessionAffinity: {affinity}, ports: [{{name: http, port: {HTTP}, targetPort: 8080}}, {{name: tcp, port: {BYTES}, targetPort: 8080}}]}}
"
        )
    };
    let folder = world.join("clusters/eu-1");
    std::fs::create_dir_all(&folder).unwrap();
    let objects =
        [objects::namespace("shop"), service("sticky", STICKY, "ClientIP"), service("free", FREE, "None")].concat();
    std::fs::write(folder.join("services.yaml"), objects).unwrap();
    write_slices(world, None);
}

/// Slices of both services; `gone` is not ready.
fn write_slices(world: &std::path::Path, gone: Option<&str>) {
    let state = |pod: u8| if gone == Some(&*format!("pod-{pod}")) { NotReady } else { Ready };
    let pods: Vec<Pod> = (1..=PODS).map(|pod| Pod::new(address(pod).to_string(), "eu-a", state(pod))).collect();
    let ports = "{name: http, port: 8080}, {name: tcp, port: 8080}";
    let slices: String =
        ["sticky", "free"].map(|service| slice(&format!("{service}-1"), service, ports, &pods)).concat();
    let folder = world.join("clusters/eu-1");
    std::fs::write(folder.join("slices.yaml.new"), slices).unwrap();
    std::fs::rename(folder.join("slices.yaml.new"), folder.join("slices.yaml")).unwrap();
}
