//! DNS, Envoy, backends, traffic, ports, downloads.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;

use crate::testbed::binaries::Tool;
use crate::testbed::coredns::DnsError;
use crate::testbed::{
    Backend, Cluster, ClusterSpec, CoreDns, Envoy, EnvoySpec, Traffic, binaries, eventually, hash, ports,
};

const LIMIT: Duration = Duration::from_secs(20);
const PER_SECOND: u32 = 100;

#[tokio::test]
async fn dns_gives_a_services_addresses() {
    let spec = ClusterSpec::named("dns").without_controllers().service_cidrs(&["10.99.0.0/16", "fd00:99::/112"]);
    let cluster = Cluster::start(spec).await;
    cluster
        .apply(
            "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ipFamilyPolicy: RequireDualStack, \
             clusterIP: 10.99.7.7, clusterIPs: [10.99.7.7, 'fd00:99::77'], ports: [{port: 80}]}}",
        )
        .await;
    let dns = CoreDns::start(&cluster).await;
    let expected: [IpAddr; 2] = ["10.99.7.7".parse().unwrap(), "fd00:99::77".parse().unwrap()];
    dns.resolves_to("web.default.svc.cluster.local.", &expected, LIMIT).await;
    assert_eq!(dns.lookup("absent.default.svc.cluster.local.").await, Err(DnsError::NotFound));

    cluster.kubectl(&["delete", "service", "web"]).await;
    eventually("the name is gone", LIMIT, async || match dns.lookup("web.default.svc.cluster.local.").await {
        Err(DnsError::NotFound) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
}

/// A listener and a cluster with two priorities, all from the bootstrap file.
fn static_failover(listen: SocketAddr, near: SocketAddr, far: SocketAddr) -> (String, String) {
    let socket = |at: SocketAddr| format!("{{socket_address: {{address: {}, port_value: {}}}}}", at.ip(), at.port());
    let manager = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
    let router = "envoy.extensions.filters.http.router.v3.Router";
    let listeners = format!(
        "
- name: in
  address: {listen}
  filter_chains:
  - filters:
    - name: http
      typed_config:
        '@type': type.googleapis.com/{manager}
        stat_prefix: in
        route_config:
          virtual_hosts: [{{name: all, domains: ['*'], routes: [{{match: {{prefix: /}}, route: {{cluster: web}}}}]}}]
        http_filters: [{{name: router, typed_config: {{'@type': type.googleapis.com/{router}}}}}]
",
        listen = socket(listen)
    );
    let endpoint = |at| format!("lb_endpoints: [{{endpoint: {{address: {}}}}}]", socket(at));
    let clusters = format!(
        "
- name: web
  type: STATIC
  connect_timeout: 0.5s
  outlier_detection: {{consecutive_5xx: 2, interval: 0.1s, base_ejection_time: 60s, max_ejection_percent: 100}}
  load_assignment:
    cluster_name: web
    endpoints:
    - {{priority: 0, locality: {{region: r1, zone: z1}}, {near}}}
    - {{priority: 1, locality: {{region: r2, zone: z2}}, {far}}}
",
        near = endpoint(near),
        far = endpoint(far)
    );
    (listeners, clusters)
}

#[tokio::test]
async fn envoy_moves_traffic_when_a_backend_dies() {
    let port = ports::free();
    let [near, far] = ["127.9.1.1", "127.9.2.1"].map(|ip| SocketAddr::new(ip.parse().unwrap(), port));
    let mut near = Backend::start(near, "a/z1/web-1").await;
    let far = Backend::start(far, "b/z2/web-1").await;
    let listen = SocketAddr::new("127.0.0.1".parse().unwrap(), ports::free());
    let (listeners, clusters) = static_failover(listen, near.address(), far.address());
    // Nothing serves xDS here: Envoy must still start and report it.
    let xds = SocketAddr::new("127.0.0.1".parse().unwrap(), ports::free());
    let mut spec = EnvoySpec::new("node-1", "r1", "z1", xds).metadata("CLUSTER_ID", "a");
    (spec.static_listeners, spec.static_clusters) = (Some(listeners), Some(clusters));
    spec.first_config_limit = Duration::from_secs(1);
    let begun = Instant::now();
    let envoy = Envoy::start(spec).await;
    eprintln!("testbed: Envoy's admin page answers after {:.1?}", begun.elapsed());

    let info: serde_json::Value = serde_json::from_str(&envoy.admin("/server_info").await).unwrap();
    assert!(info["version"].as_str().is_some_and(|version| version.contains("/1.4")), "{info}");
    assert_eq!(info["node"]["locality"]["zone"], "z1");
    assert_eq!(info["node"]["metadata"]["CLUSTER_ID"], "a");
    let hosts = envoy.hosts("web").await;
    let seen: Vec<_> = hosts.iter().map(|host| (host.priority, host.zone.as_str(), host.address)).collect();
    assert_eq!(seen, [(0, "z1", near.address()), (1, "z2", far.address())]);
    let connects = envoy
        .wait_until("a try to reach the control plane", LIMIT, async |envoy| {
            let stats = envoy.stats("cluster.xds.upstream_cx_connect_fail").await;
            stats.into_values().find(|count| *count > 0).ok_or("none".to_owned())
        })
        .await;
    assert!(connects > 0);
    // The workers start once the first configuration came, or did not come in time.
    envoy.wait_live(LIMIT).await;

    let traffic = Traffic::start(listen, "web.example", PER_SECOND);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let killed = Instant::now();
    near.kill().await;
    eventually("the far backend answers", LIMIT, async || {
        traffic.so_far().first_from(far.identity()).map(|_| ()).ok_or("not yet")
    })
    .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let record = traffic.stop().await;
    let before = record.until(killed);
    assert!(before.samples.len() > 50, "{} requests in the first second", before.samples.len());
    assert_eq!(before.by_identity().into_keys().collect::<Vec<_>>(), [near.identity()]);
    let moved = record.first_from(far.identity()).unwrap();
    let since = record.since(moved + Duration::from_millis(200));
    assert_eq!(since.errors(), []);
    assert_eq!(since.by_identity().into_keys().collect::<Vec<_>>(), [far.identity()]);
    eprintln!("testbed: traffic moved after {:.0?}, {} errors", moved - killed, record.errors().len());
}

#[tokio::test]
async fn a_killed_backend_resets_and_comes_back() {
    let address = SocketAddr::new("127.9.3.1".parse().unwrap(), ports::free());
    let mut backend = Backend::start(address, "a/z1/web-2").await;
    let mut open = tokio::net::TcpStream::connect(address).await.unwrap();
    let traffic = Traffic::start(address, "web", PER_SECOND);
    let answered = async || {
        eventually("an answer", LIMIT, async || {
            let now = Instant::now();
            tokio::time::sleep(Duration::from_millis(50)).await;
            if traffic.so_far().since(now).by_identity().is_empty() { Err("none") } else { Ok(()) }
        })
        .await;
    };
    answered().await;

    let killed = Instant::now();
    backend.kill().await;
    let read = tokio::io::AsyncReadExt::read(&mut open, &mut [0; 8]).await;
    assert!(read.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset), "{read:?}");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let down = traffic.so_far().since(killed + Duration::from_millis(50));
    assert!(!down.samples.is_empty() && down.by_identity().is_empty(), "{down:?}");
    assert!(down.errors().iter().all(|(_, error)| error.contains("refused")), "{:?}", down.errors());

    backend.restore().await;
    answered().await;
    assert!(backend.served() > 0);
    traffic.stop().await;
}

#[test]
fn no_port_is_given_twice() {
    let threads: Vec<_> = (0..8).map(|_| std::thread::spawn(|| [(); 20].map(|()| ports::free()))).collect();
    let all: Vec<u16> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
}

/// A release server on loopback: the official one cannot be reached from every
/// machine, but the check of what came must hold everywhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_download_must_match_its_published_hash() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        for _ in 0..8 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 4096];
            let length = stream.read(&mut head).await.unwrap();
            let head = String::from_utf8_lossy(&head[..length]).into_owned();
            let body = match head.split(' ').nth(1).unwrap_or_default() {
                path if path.ends_with("kubectl.sha256") => hash::sha256_hex(b"good"),
                path if path.ends_with("kube-apiserver.sha256") => hash::sha256_hex(b"other"),
                _ => "good".to_owned(),
            };
            let answer =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let part = folder.path().join("part");
    let base = format!("http://{address}");
    let fetch = |tool| tokio::task::block_in_place(|| binaries::download::fetch(tool, &base, &part));

    assert_eq!(fetch(Tool::Kubectl), Ok(()));
    assert_eq!(std::fs::read(&part).unwrap(), b"good");
    let refused = fetch(Tool::KubeApiserver);
    assert!(refused.as_ref().is_err_and(|error| error.contains("its release says")), "{refused:?}");
    assert!(!part.exists(), "what does not match is not kept");
    assert!(fetch(Tool::Etcd).is_err());
}
