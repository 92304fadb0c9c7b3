//! Pods that terminate and still serve take the traffic where no other pod can: real Envoys under steady traffic through
//! a rollout that ends all pods before it starts new ones. Nothing fails while a pod serves.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

use tempfile::TempDir;

use super::slices::State::{self, Ended, NotReady, Ready, Terminating};
use super::slices::{Pod, slice};
use crate::harness::files::replace;
use crate::harness::{Isthmus, SOON, Source, objects};
use crate::testbed::{Backend, Envoy, EnvoySpec, Traffic, eventually, netns};

const HOST: &str = "web.shop.svc.cluster.local";
const PORT: u16 = 8080;
const EGRESS_PORT: u16 = 15_080;
const PER_SECOND: u32 = 50;
const LIVE_LIMIT: std::time::Duration = std::time::Duration::from_secs(60);
/// So many answers in a row come from all pods that take part.
const STEADY: usize = 40;
/// Member, zone, last octet. The client is in eu-1 and eu-a.
const PODS: [(&str, &str, u8); 4] =
    [("eu-1", "eu-a", 1), ("eu-1", "eu-a", 2), ("eu-1", "eu-b", 3), ("us-1", "us-a", 4)];

#[test]
fn serving_pods_that_terminate_take_traffic_when_no_pod_is_ready() {
    netns::isolated_without_clusters(async {
        let world = world();
        write(&world, [Ready; 4]);
        let mut plane = Isthmus::region("eu", Source::Folder(world.path()));
        plane.wait_ready().await;
        let mut backends = Vec::new();
        for pod in 1..=4 {
            backends.push(Backend::start(SocketAddr::new(address(pod).into(), PORT), &format!("pod-{pod}")).await);
        }
        let mut shows = Vec::new();
        for (last, variant) in (1..).zip(["whole", "single", "state of the world"]) {
            shows.push(Show::start(&plane, variant, last).await);
        }

        for (states, expected) in [
            ([Ready; 4], &["pod-1", "pod-2"][..]),
            // One by one, as a Deployment with `strategy: Recreate` ends them: while a pod is ready, no other one.
            ([Terminating, Ready, Ready, Ready], &["pod-2"]),
            ([Terminating, Terminating, Ready, Ready], &["pod-3"]),
            ([Terminating, Terminating, Terminating, Ready], &["pod-4"]),
            // No pod is ready: the nearest of those that serve.
            ([Terminating; 4], &["pod-1", "pod-2"]),
            ([Ended, Terminating, Terminating, NotReady], &["pod-2"]),
            ([Ended, Ended, Terminating, NotReady], &["pod-3"]),
            // Members are written one after the other, so that a pod must serve in between.
            ([Ended, Ended, Terminating, Terminating], &["pod-3"]),
            ([Ended, Ended, NotReady, Terminating], &["pod-4"]),
            // The new ones: the one that is ready first has all the traffic.
            ([Ended, Ended, Terminating, Ready], &["pod-4"]),
            ([Ready, Ended, Terminating, Terminating], &["pod-1"]),
            ([Ready; 4], &["pod-1", "pod-2"]),
        ] {
            let begun = Instant::now();
            write(&world, states);
            for show in &shows {
                show.settles(&format!("{states:?}"), begun, expected).await;
            }
        }

        for Show { variant, envoy, traffic } in shows {
            let record = traffic.stop().await;
            let errors = record.errors();
            assert!(errors.is_empty(), "{variant}: {errors:?}\n{}", envoy.log_tail(20));
            eprintln!("testbed: {variant}: 0 of {} requests failed through a Recreate rollout", record.samples.len());
            let stats = envoy.stats("").await;
            let bad: Vec<_> =
                stats.iter().filter(|(name, count)| name.ends_with("update_rejected") && **count > 0).collect();
            assert!(bad.is_empty(), "{variant}: {bad:?}\n{}", envoy.log_tail(20));
        }
        drop(backends);
    });
}

/// A proxy and its steady client.
struct Show {
    variant: &'static str,
    envoy: Envoy,
    traffic: Traffic,
}

impl Show {
    async fn start(plane: &Isthmus, variant: &'static str, last: u8) -> Self {
        let at = Ipv4Addr::new(127, 0, 44, last);
        let spec = EnvoySpec::new(&format!("client-{last}"), "eu", "eu-a", plane.xds())
            .metadata("CLUSTER_ID", "eu-1")
            .metadata("INTERCEPTION_MODE", "NONE")
            .metadata("LISTEN", at.to_string());
        let spec = match variant {
            "state of the world" => spec.state_of_the_world(),
            variant => spec.metadata("ENDPOINTS", variant),
        };
        let envoy = Envoy::start(spec).await;
        envoy.wait_live(LIVE_LIMIT).await;
        let traffic = Traffic::start(SocketAddr::new(at.into(), EGRESS_PORT), HOST, PER_SECOND);
        Self { variant, envoy, traffic }
    }

    /// Waits until all answers come from these, and from each of them.
    async fn settles(&self, what: &str, begun: Instant, expected: &[&str]) {
        eventually(&format!("{}: {what}: {expected:?} answer", self.variant), SOON, async || {
            let record = self.traffic.so_far().since(begun);
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

fn address(pod: u8) -> Ipv4Addr {
    let member = if pod == 4 { 9 } else { 8 };
    Ipv4Addr::new(10, member, 0, pod)
}

fn write(world: &TempDir, states: [State; 4]) {
    for member in ["eu-1", "us-1"] {
        let own = PODS.into_iter().zip(states).filter(|((id, ..), _)| *id == member);
        let pods: Vec<Pod> =
            own.map(|((_, zone, number), state)| Pod::new(address(number).to_string(), zone, state)).collect();
        let slice = slice("web-1", "web", "{name: http, port: 8080}", &pods);
        replace(&world.path().join("clusters").join(member), "slice.yaml", &slice);
    }
}

fn world() -> TempDir {
    let world = tempfile::tempdir().expect("a folder");
    let mut hub = vec![objects::region("eu", &["us"]), objects::region("us", &["eu"])];
    for (member, region, number) in [("eu-1", "eu", 8), ("us-1", "us", 9)] {
        let (pods, services) = (format!("10.{number}.0.0/16"), format!("10.10{number}.0.0/16"));
        hub.push(objects::member_cluster(member, region, &[&pods], &[&services]));
        let all = objects::namespace("shop") + &objects::federated("shop", "web");
        replace(&world.path().join("clusters").join(member), "all.yaml", &all);
    }
    replace(world.path(), "hub.yaml", &hub.concat());
    world
}
