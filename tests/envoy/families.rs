//! Address families by traffic: a proxy dials the families that its member has, and a pod with two addresses is one host
//! that is reached by either.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::harness::files::replace;
use crate::harness::{Isthmus, SOON, Source, objects};
use crate::testbed::{Backend, Envoy, EnvoySpec, Traffic, eventually, netns};

const HOST: &str = "web.shop.svc.cluster.local";
const CLUSTER: &str = "outbound|80||web.shop.svc.cluster.local";
const PORT: u16 = 8080;
const EGRESS_PORT: u16 = 15_080;
const PER_SECOND: u32 = 50;
const LIVE_LIMIT: Duration = Duration::from_secs(60);
/// So many answers in a row come from all hosts that take part.
const STEADY: usize = 48;

/// Member, pod ranges, service ranges; the family of the first range is the member's first.
const MEMBERS: [(&str, &[&str], &[&str]); 4] = [
    ("four", &["10.8.0.0/16"], &["10.108.0.0/16"]),
    ("six", &["fd00:8::/64"], &["fd00:108::/112"]),
    ("both", &["10.9.0.0/16", "fd00:9::/64"], &["10.109.0.0/16", "fd00:109::/112"]),
    ("six-first", &["fd00:a::/64", "10.10.0.0/16"], &["fd00:10a::/112", "10.110.0.0/16"]),
];
/// Address of a backend, and the name it answers with. Two of them are one pod.
const PODS: [(&str, &str); 4] =
    [("10.8.0.1", "four"), ("fd00:8::1", "six"), ("10.9.0.1", "both/4"), ("fd00:9::1", "both/6")];

#[test]
fn proxies_dial_the_families_that_their_member_has() {
    netns::isolated_without_clusters(async {
        let world = world();
        let mut plane = Isthmus::region("eu", Source::Folder(world.path()));
        plane.wait_ready().await;
        plane.has_service("shop/web", &["both", "four", "six"], 3).await;
        let mut backends = Vec::new();
        for (ip, name) in PODS {
            let at = SocketAddr::new(ip.parse::<IpAddr>().unwrap(), PORT);
            backends.push(Backend::start(at, name).await);
        }
        let mut shows = Vec::new();
        // Who is in no member has both, in the order of the oldest Service.
        let clients = [Some("four"), Some("six"), Some("both"), Some("six-first"), None];
        for (number, (client, endpoints)) in
            (1..).zip(clients.into_iter().flat_map(|client| [(client, "whole"), (client, "single")]))
        {
            shows.push(Show::start(&plane, client, endpoints, number).await);
        }
        let for_all = |answers: [&'static [&'static str]; 5]| clients.into_iter().zip(answers);
        for (client, expected) in for_all([
            &["both/4", "four"],
            &["both/6", "six"],
            &["both/4", "four", "six"],
            &["both/6", "four", "six"],
            &["both/6", "four", "six"],
        ]) {
            settle(&shows, client, Instant::now(), expected).await;
        }
        for show in &shows {
            let hosts = show.envoy.hosts(CLUSTER).await;
            let expected = if matches!(show.client, Some("four" | "six")) { 2 } else { 3 };
            assert_eq!(hosts.len(), expected, "a pod is one host: {hosts:?}");
        }

        // One of a pod's two addresses is dead: clients with both families use the other.
        let begun = Instant::now();
        for backend in backends.iter_mut().filter(|backend| backend.identity() == "both/4") {
            backend.kill().await;
        }
        settle(&shows, Some("both"), begun, &["both/6", "four", "six"]).await;
        for backend in &mut backends {
            backend.restore().await;
        }

        // The pod is not ready, by both of its slices: no client calls it.
        let begun = Instant::now();
        write_pods(&world, false);
        for (client, expected) in for_all([&["four"], &["six"], &["four", "six"], &["four", "six"], &["four", "six"]]) {
            settle(&shows, client, begun, expected).await;
        }
        write_pods(&world, true);
        settle(&shows, Some("six"), Instant::now(), &["both/6", "six"]).await;
        for Show { envoy, traffic, what, .. } in shows {
            drop(traffic);
            let stats = envoy.stats("").await;
            let bad: Vec<_> =
                stats.iter().filter(|(name, count)| name.ends_with("update_rejected") && **count > 0).collect();
            assert!(bad.is_empty(), "{what}: {bad:?}\n{}", envoy.log_tail(20));
        }
    });
}

struct Show {
    what: String,
    client: Option<&'static str>,
    envoy: Envoy,
    traffic: Traffic,
}

impl Show {
    async fn start(plane: &Isthmus, client: Option<&'static str>, endpoints: &str, number: u8) -> Self {
        let at = Ipv4Addr::new(127, 0, 45, number);
        let what = format!("{}, {endpoints}", client.unwrap_or("nowhere"));
        let spec = EnvoySpec::new(&format!("client-{number}"), "eu", "eu-a", plane.xds())
            .metadata("INTERCEPTION_MODE", "NONE")
            .metadata("ENDPOINTS", endpoints)
            .metadata("LISTEN", at.to_string());
        let spec = match client {
            Some(member) => spec.metadata("CLUSTER_ID", member),
            None => spec,
        };
        let envoy = Envoy::start(spec).await;
        envoy.wait_live(LIVE_LIMIT).await;
        let traffic = Traffic::start(SocketAddr::new(at.into(), EGRESS_PORT), HOST, PER_SECOND);
        Self { what, client, envoy, traffic }
    }
}

/// Waits until all answers that a member's clients get come from these, and from each of them.
async fn settle(shows: &[Show], client: Option<&str>, begun: Instant, expected: &[&str]) {
    for show in shows.iter().filter(|show| show.client == client) {
        eventually(&format!("{}: {expected:?} answer", show.what), SOON, async || {
            let record = show.traffic.so_far().since(begun);
            let last = record.samples.get(record.samples.len().saturating_sub(STEADY)..).unwrap_or_default();
            let mut found: Vec<String> =
                last.iter().map(|sample| sample.outcome.clone().unwrap_or_else(|error| error)).collect();
            found.sort_unstable();
            found.dedup();
            if last.len() == STEADY && found == expected { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await;
    }
}

fn world() -> TempDir {
    let world = tempfile::tempdir().expect("a folder");
    let mut hub = vec![objects::region("eu", &[])];
    for (member, pods, services) in MEMBERS {
        hub.push(objects::member_cluster(member, "eu", pods, services));
        let folder = world.path().join("clusters").join(member);
        replace(&folder, "namespace.yaml", &objects::namespace("shop"));
        let (families, created) = match member {
            "four" => ("IPv4", 3),
            "six" => ("IPv6", 2),
            "both" => ("IPv6, IPv4", 1), // the oldest
            _ => continue,
        };
        let service = format!(
            "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  namespace: shop\n  \
             creationTimestamp: '2026-11-0{created}T00:00:00Z'\n  labels: {{isthmus.dev/federate: 'true'}}\n\
             spec: {{selector: {{app: web}}, ipFamilies: [{families}], ports: [{{name: http, port: 80, targetPort: 8080}}]}}\n"
        );
        replace(&folder, "service.yaml", &service);
    }
    replace(world.path(), "hub.yaml", &hub.concat());
    write_pods(&world, true);
    world
}

/// `both`: whether the pod with two addresses is ready.
fn write_pods(world: &TempDir, both: bool) {
    for (member, ip, ready) in [
        ("four", "10.8.0.1", true),
        ("six", "fd00:8::1", true),
        ("both", "10.9.0.1", both),
        ("both", "fd00:9::1", both),
    ] {
        let family = if ip.contains(':') { "IPv6" } else { "IPv4" };
        let slice = format!(
            "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
             metadata: {{name: web-{}, namespace: shop, labels: {{kubernetes.io/service-name: web}}}}\n\
             addressType: {family}\nports: [{{name: http, port: {PORT}}}]\n\
             endpoints: [{{addresses: ['{ip}'], zone: eu-a, conditions: {{ready: {ready}}}, \
             targetRef: {{kind: Pod, namespace: shop, name: web-0, uid: uid-0}}}}]\n",
            family.to_lowercase()
        );
        replace(&world.path().join("clusters").join(member), &format!("{family}.yaml"), &slice);
    }
}
