//! Endpoints one by one: a real Envoy finds them, moves when they change, and is sent nothing but what changed.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use tempfile::TempDir;

use super::client::get;
use super::plain;
use super::slices::State::{NotReady, Ready, Terminating};
use super::slices::{Pod, State, slice};
use crate::harness::files::replace;
use crate::harness::{Isthmus, SOON, Source, objects};
use crate::testbed::{Backend, Envoy, eventually, netns};

const HTTP: &str = "{name: http, port: 8080}";
/// So many answers, one after another, show who takes part.
const ASKED: usize = 24;

/// Pods by zone; the client is in `eu-a`. One of four may be lost without any traffic spilling to the next zone.
const ZONES: [(&str, &[u8]); 2] = [("eu-a", &[1, 2, 3, 4]), ("eu-b", &[11, 12])];
const HOME: [&str; 4] = ["pod-1", "pod-2", "pod-3", "pod-4"];
const NEXT: [&str; 2] = ["pod-11", "pod-12"];

#[test]
fn c43_endpoints_are_fetched_one_by_one() {
    netns::isolated_without_clusters(async {
        let world = world();
        write(&world, &pods(|_| Some(Ready)));
        let mut plane = Isthmus::region_logging("eu", Source::Folder(world.path()), "info");
        plane.wait_ready().await;
        let mut backends = Vec::new();
        for number in ZONES.into_iter().flat_map(|(_, numbers)| numbers) {
            backends.push(Backend::start(SocketAddr::new(pod(*number).into(), 8080), &format!("pod-{number}")).await);
        }
        let envoys = [start(&plane, "eager", 1).await, start(&plane, "on-demand", 2).await];
        everywhere(&envoys, &HOME).await;

        // One endpoint changes: that is all that is sent, to each of them.
        let before = Sent::by(&plane).await;
        write(&world, &pods(|number| Some(if number == 1 { NotReady } else { Ready })));
        everywhere(&envoys, &["pod-2", "pod-3", "pod-4"]).await;
        let after = Sent::by(&plane).await;
        assert_eq!(after.leds - before.leds, 2.0);
        assert_eq!(after.eds, before.eds, "the load assignment says nothing of health");
        let each = (after.bytes - before.bytes) / 2.0;
        eprintln!("testbed: one endpoint of a service of 6 changes: {each:.0} bytes to each proxy");

        // A zone that is not ready, or drains, hands over to the next, and takes over again.
        for state in [NotReady, Terminating] {
            write(&world, &pods(|number| Some(if number < 10 { state } else { Ready })));
            everywhere(&envoys, &NEXT).await;
            write(&world, &pods(|_| Some(Ready)));
            everywhere(&envoys, &HOME).await;
        }

        // Endpoints come and go, and so does a whole zone.
        write(&world, &pods(|number| (number != 2).then_some(Ready)));
        everywhere(&envoys, &["pod-1", "pod-3", "pod-4"]).await;
        write(&world, &pods(|number| (number > 10).then_some(Ready)));
        everywhere(&envoys, &NEXT).await;
        write(&world, &pods(|_| Some(Ready)));
        everywhere(&envoys, &HOME).await;

        // Traffic goes on while the control plane is down; clients that reconnect are not sent again what they have.
        plane.restart();
        everywhere(&envoys, &HOME).await;
        plane.wait_ready().await;
        write(&world, &pods(|number| Some(if number == 2 { NotReady } else { Ready })));
        everywhere(&envoys, &["pod-1", "pod-3", "pod-4"]).await;
        for (envoy, _) in &envoys {
            let stats = envoy.stats("").await;
            let bad: Vec<_> =
                stats.iter().filter(|(name, count)| name.ends_with("update_rejected") && **count > 0).collect();
            assert!(bad.is_empty(), "{bad:?}\n{}", envoy.log_tail(20));
        }
    });
}

/// What a control plane has sent so far.
struct Sent {
    eds: f64,
    leds: f64,
    bytes: f64,
}

impl Sent {
    async fn by(plane: &Isthmus) -> Self {
        let metrics = plane.metrics().await;
        let of = |name: &str| metrics.get(name).copied().unwrap_or_else(|| panic!("no {name}"));
        Self {
            eds: of("isthmus_xds_responses_total{type=\"eds\"}"),
            leds: of("isthmus_xds_responses_total{type=\"leds\"}"),
            bytes: of("isthmus_xds_sent_bytes_total"),
        }
    }
}

async fn start(plane: &Isthmus, clusters: &str, last: u8) -> (Envoy, SocketAddr) {
    plain::start(plane, clusters, Ipv4Addr::new(127, 0, 43, last), ("ENDPOINTS", "single")).await
}

/// All proxies send their requests to exactly these.
async fn everywhere(envoys: &[(Envoy, SocketAddr)], expected: &[&str]) {
    for (envoy, at) in envoys {
        eventually(&format!("{expected:?} answer at {at}"), SOON, async || {
            let mut found = Vec::new();
            for _ in 0..ASKED {
                let answer = get(*at, "web.shop").await?;
                let identity = answer.rsplit_once("\r\n\r\n").map_or("none", |(_, identity)| identity);
                found.push(identity.to_owned());
            }
            found.sort_unstable();
            found.dedup();
            if found == expected { Ok(()) } else { Err(format!("{found:?}\n{}", envoy.log_tail(3))) }
        })
        .await;
    }
}

/// Pods in the state that is given for their number; `None`: there is no such pod.
fn pods(state: impl Fn(u8) -> Option<State>) -> Vec<Pod> {
    let all = ZONES.into_iter().flat_map(|(zone, numbers)| numbers.iter().map(move |number| (zone, *number)));
    all.filter_map(|(zone, number)| Some(Pod::new(pod(number).to_string(), zone, state(number)?))).collect()
}

fn pod(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 8, 0, number)
}

fn write(world: &TempDir, pods: &[Pod]) {
    replace(&cluster(world), "slice.yaml", &slice("web-1", "web", HTTP, pods));
}

fn world() -> TempDir {
    let world = tempfile::tempdir().expect("a folder");
    let hub = [objects::region("eu", &[]), objects::member_cluster("eu-1", "eu", &["10.8.0.0/16"], &["10.100.0.0/16"])];
    replace(world.path(), "hub.yaml", &hub.concat());
    replace(&cluster(&world), "all.yaml", &(objects::namespace("shop") + &objects::federated("shop", "web")));
    world
}

fn cluster(world: &TempDir) -> PathBuf {
    world.path().join("clusters/eu-1")
}
