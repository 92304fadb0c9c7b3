//! Every Envoy is sent exactly what the members' EndpointSlices hold, nearest first.
//!
//! What is right is worked out here, from what the API servers answer, by the rule alone: own zone, own region, the
//! Region's failover list, all others by name; no gaps.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::{EndpointConditions, EndpointSlice};
use kube::Api;
use kube::api::ListParams;

use super::slices::State::{NotReady, Ready, Terminating, Unsaid};
use super::slices::{Pod, slice};
use crate::harness::{Federation, Isthmus, SOON, objects};
use crate::testbed::{Envoy, EnvoySpec, netns};

const IDS: [&str; 3] = ["eu-1", "us-1", "ap-1"];
/// No list is in the order of names, and one does not name all regions.
const FAILOVER: [(&str, &[&str]); 3] = [("eu", &["us", "ap"]), ("us", &["eu", "ap"]), ("ap", &["us"])];
/// All regions from each one's point of view.
const NEAREST_FIRST: [(&str, [&str; 3]); 3] =
    [("eu", ["eu", "us", "ap"]), ("us", ["us", "eu", "ap"]), ("ap", ["ap", "us", "eu"])];
const BUILT_IN: [&str; 2] = ["PassthroughCluster", "BlackHoleCluster"];
const LIVE_LIMIT: Duration = Duration::from_secs(60);
const MARK: &str = "isthmus.dev/federate: 'true'";
const HTTP: &str = "{name: http, port: 8080}";

/// `(priority, region, zone, address, health)`.
type Host = (u64, String, String, SocketAddr, &'static str);
/// Sorted.
type Hosts = Vec<Host>;

#[test]
fn envoys_hold_what_the_slices_of_all_members_hold() {
    netns::isolated(async {
        let federation = Federation::start(&IDS).await;
        for (region, failover) in FAILOVER {
            federation.hub.apply(&objects::region(region, failover)).await;
        }
        for id in IDS {
            federation.join(id).await;
        }
        let _controller = federation.controller().await;
        federation.all_ready().await;
        first_scene(&federation).await;

        let mut planes: Vec<Isthmus> = Vec::new();
        let mut envoys: Vec<(&str, Envoy)> = Vec::new();
        for (number, (region, _)) in (1..).zip(FAILOVER) {
            let plane = federation.region(region).await;
            let id = format!("{region}-1");
            let spec = |variant: &str, octet: u8| {
                let node = format!("{region}-{variant}");
                EnvoySpec::new(&node, region, &format!("{region}-a"), plane.xds())
                    .metadata("CLUSTER_ID", id.as_str())
                    .metadata("LISTEN", format!("127.11.{number}.{octet}"))
                    // All clusters, so that all can be compared.
                    .metadata("CLUSTERS", "eager")
            };
            envoys.push((region, Envoy::start(spec("delta", 1)).await));
            envoys.push((region, Envoy::start(spec("sotw", 2).state_of_the_world()).await));
            planes.push(plane);
        }
        for (_, envoy) in &envoys {
            envoy.wait_live(LIVE_LIMIT).await;
        }
        all_match(&federation, &envoys, "at first").await;
        // The oracle itself, where it can be seen with the naked eye: a zone each, and the failover order.
        let web = expected(&federation, "ap").await.remove("outbound|80||web.shop.svc.cluster.local").unwrap();
        let order: Vec<(u64, &str)> = web.iter().map(|host| (host.0, host.2.as_str())).collect();
        assert_eq!(
            order,
            [(0, "ap-a"), (1, "ap-b"), (2, "us-a"), (2, "us-b"), (3, "eu-a"), (3, "eu-a"), (3, "eu-b"), (3, "eu-b")]
        );

        second_scene(&federation).await;
        all_match(&federation, &envoys, "after the change").await;

        for (region, envoy) in &envoys {
            let stats = envoy.stats("").await;
            let rejected: BTreeMap<_, _> =
                stats.iter().filter(|(name, count)| name.ends_with("update_rejected") && **count > 0).collect();
            assert!(rejected.is_empty(), "{region}: {rejected:?}\n{}", envoy.log_tail(20));
            for kind in ["cluster_manager.cds", "listener_manager.lds"] {
                assert!(stats[&format!("{kind}.update_success")] > 0, "{region}: {kind} was never updated");
            }
        }
        for plane in &planes {
            let nacks =
                plane.metrics().await.into_iter().filter(|(name, count)| name.contains("nacks") && *count > 0.0);
            assert_eq!(nacks.collect::<Vec<_>>(), []);
        }
    });
}

/// A service of all members in all states, one of two members with two ports, one of one member.
async fn first_scene(federation: &Federation) {
    let [eu, us, ap] = IDS.map(|id| federation.member(id));
    for member in [eu, us, ap] {
        member.cluster.apply(&objects::namespace("shop")).await;
        member.cluster.apply(&objects::federated("shop", "web")).await;
    }
    let pods = |member: &crate::harness::Member, list: &[(u8, &'static str, super::slices::State)]| -> Vec<Pod> {
        list.iter().map(|(number, zone, state)| Pod::new(member.pod(*number), zone, *state)).collect()
    };
    let list = [(1, "eu-a", Ready), (2, "eu-a", NotReady), (3, "eu-b", Terminating), (4, "eu-b", Ready)];
    eu.cluster.apply(&slice("web-1", "web", HTTP, &pods(eu, &list))).await;
    us.cluster.apply(&slice("web-1", "web", HTTP, &pods(us, &[(1, "us-a", Ready), (2, "us-b", Ready)]))).await;
    ap.cluster.apply(&slice("web-1", "web", HTTP, &pods(ap, &[(1, "ap-a", Ready), (2, "ap-b", NotReady)]))).await;

    // With selectors, as services of pods have: what is applied over a mirror without one stays a mirror.
    let two_ports = "selector: {app: api}, ports: [{name: http, port: 80}, {name: admin, port: 9090}]";
    for (member, zone) in [(eu, "eu-b"), (ap, "ap-a")] {
        member.cluster.apply(&objects::service("shop", "api", MARK, two_ports)).await;
        let both = "{name: http, port: 8081}, {name: admin, port: 9091}";
        member.cluster.apply(&slice("api-1", "api", both, &pods(member, &[(11, zone, Ready)]))).await;
    }
    ap.cluster.apply(&objects::federated("shop", "lone")).await;
    ap.cluster.apply(&slice("lone-1", "lone", HTTP, &pods(ap, &[(21, "ap-b", Ready)]))).await;
}

/// States change, a region empties, a second slice joins, a service goes.
async fn second_scene(federation: &Federation) {
    let [eu, us, ap] = IDS.map(|id| federation.member(id));
    let first = [Pod::new(eu.pod(1), "eu-a", Terminating), Pod::new(eu.pod(2), "eu-a", Ready)];
    eu.cluster.apply(&slice("web-1", "web", HTTP, &first)).await;
    let more = [Pod::new(eu.pod(9), "eu-b", Unsaid), Pod::new(eu.pod(10), "eu-c", NotReady)];
    eu.cluster.apply(&slice("web-2", "web", HTTP, &more)).await;
    us.cluster.apply(&slice("web-1", "web", HTTP, &[])).await;
    ap.cluster.apply(&slice("web-1", "web", HTTP, &[Pod::new(ap.pod(2), "ap-b", Terminating)])).await;
    ap.cluster.kubectl(&["delete", "-n", "shop", "service", "lone"]).await;
    ap.cluster.kubectl(&["delete", "-n", "shop", "endpointslice", "lone-1"]).await;
}

async fn all_match(federation: &Federation, envoys: &[(&str, Envoy)], when: &str) {
    for (index, (region, envoy)) in envoys.iter().enumerate() {
        let wanted = expected(federation, region).await;
        assert!(!wanted.is_empty());
        let variant = if index % 2 == 0 { "delta" } else { "state of the world" };
        envoy
            .wait_until(
                &format!("{region}, {variant}, {when}: Envoy holds what the slices hold"),
                SOON,
                async |envoy| {
                    let found = held(envoy).await;
                    let names: BTreeSet<&String> = found.keys().chain(wanted.keys()).collect();
                    let differs = |name: &&String| found.get(*name) != wanted.get(*name);
                    let difference =
                        |name: &String| format!("{name}: found {:?}, expected {:?}", found.get(name), wanted.get(name));
                    match names.into_iter().filter(differs).map(difference).collect::<Vec<_>>() {
                        same if same.is_empty() => Ok(()),
                        different => Err(different.join("\n")),
                    }
                },
            )
            .await;
    }
}

/// What Envoy has from the control plane.
async fn held(envoy: &Envoy) -> BTreeMap<String, Hosts> {
    let clusters = envoy.clusters().await.into_iter();
    let ours = clusters.filter(|(name, cluster)| cluster.dynamic && !BUILT_IN.contains(&name.as_str()));
    ours.map(|(name, cluster)| {
        let hosts = cluster.hosts.into_iter().map(|host| {
            let health = ["HEALTHY", "UNHEALTHY", "DRAINING"].into_iter().find(|known| *known == host.health);
            (host.priority, host.region, host.zone, host.address, health.unwrap_or("something else"))
        });
        (name, hosts.collect())
    })
    .collect()
}

/// What Envoys in zone `<region>-a` should have, by what the API servers say now.
async fn expected(federation: &Federation, region: &str) -> BTreeMap<String, Hosts> {
    let nearest = NEAREST_FIRST.into_iter().find(|(name, _)| *name == region).unwrap().1;
    let mut ranked: BTreeMap<String, Hosts> = BTreeMap::new();
    for id in IDS {
        let member = federation.member(id);
        let services = Api::<Service>::namespaced(member.cluster.client(), "shop");
        let marked = ListParams::default().labels("isthmus.dev/federate=true");
        for service in services.list(&marked).await.unwrap() {
            let name = service.metadata.name.unwrap();
            let slices = Api::<EndpointSlice>::namespaced(member.cluster.client(), "shop");
            let own = ListParams::default().labels(&format!("kubernetes.io/service-name={name}"));
            let slices = slices.list(&own).await.unwrap().items;
            for port in service.spec.unwrap().ports.unwrap() {
                let cluster = format!("outbound|{}||{name}.shop.svc.cluster.local", port.port);
                let hosts = ranked.entry(cluster).or_default();
                for slice in &slices {
                    let target = slice.ports.iter().flatten().find(|found| found.name == port.name).unwrap();
                    for endpoint in slice.endpoints.iter().flatten() {
                        let zone = endpoint.zone.clone().unwrap();
                        let distance = nearest.iter().position(|near| *near == member.region).unwrap();
                        let rank = if zone == format!("{region}-a") { 0 } else { 1 + distance as u64 };
                        let port = u16::try_from(target.port.unwrap()).unwrap();
                        let address = SocketAddr::new(endpoint.addresses[0].parse().unwrap(), port);
                        hosts.push((rank, member.region.clone(), zone, address, health(endpoint.conditions.as_ref())));
                    }
                }
            }
        }
    }
    ranked.into_iter().map(|(name, hosts)| (name, without_gaps(hosts))).collect()
}

fn health(conditions: Option<&EndpointConditions>) -> &'static str {
    let ready = conditions.and_then(|conditions| conditions.ready);
    let terminating = conditions.and_then(|conditions| conditions.terminating);
    match (ready, terminating) {
        (_, Some(true)) => "DRAINING",
        (Some(false), _) => "UNHEALTHY",
        _ => "HEALTHY",
    }
}

/// Ranks become priorities.
fn without_gaps(hosts: Hosts) -> Hosts {
    let ranks: BTreeSet<u64> = hosts.iter().map(|host| host.0).collect();
    let priority = |rank: u64| ranks.iter().take_while(|other| **other < rank).count() as u64;
    let mut hosts: Hosts = hosts.into_iter().map(|host| (priority(host.0), host.1, host.2, host.3, host.4)).collect();
    hosts.sort();
    hosts
}
