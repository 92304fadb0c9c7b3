//! Failover as a client sees it: real Envoys, real backends on pod addresses, a steady stream of requests, and
//! EndpointSlices written to real API servers. Times are printed; what is asserted is who answers and that nothing fails
//! but what was on its way to a backend that was killed.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::slices::State::{self, NotReady, Ready, Terminating};
use super::slices::{Pod, slice};
use crate::harness::{Federation, Isthmus, SOON, objects};
use crate::testbed::traffic::{Record, Sample};
use crate::testbed::{Backend, Envoy, EnvoySpec, Traffic, eventually, netns};

const IDS: [&str; 2] = ["eu-1", "us-1"];
const HOST: &str = "web.shop.svc.cluster.local";
const PORT: u16 = 8080;
const PER_SECOND: u32 = 100;
const LIVE_LIMIT: Duration = Duration::from_secs(60);
/// So many answers in a row from one place are no accident: 0.3 s of traffic.
const STEADY: usize = 30;
const ROUNDS: usize = 5;

#[test]
fn requests_find_the_next_place_and_the_way_back() {
    netns::isolated(async {
        let mut show = Show::start().await;
        show.steady("eu-1/eu-a", Instant::now()).await;

        // Planned: pods of a zone terminate, and end only later. No request may fail. Several rounds, for the times.
        let (mut away, mut back) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            away.push(show.write("the zone drains", Place::Home, Terminating, "eu-1/eu-b").await);
            back.push(show.write("the zone is back", Place::Home, Ready, "eu-1/eu-a").await);
        }
        print_times("slice write to next zone, planned", away);
        print_times("slice write to zone's return", back);
        away = Vec::new();
        back = Vec::new();
        for _ in 0..ROUNDS {
            away.push(show.write("the region is not ready", Place::Region, NotReady, "us-1/us-a").await);
            back.push(show.write("the region is back", Place::Region, Ready, "eu-1/eu-a").await);
        }
        print_times("slice write to next region, planned", away);
        print_times("slice write to region's return", back);
        let errors = show.traffic.so_far().errors();
        assert!(errors.is_empty(), "nothing was killed yet, so nothing may fail: {errors:?}");

        // Lost: the backends die first, and Kubernetes notices later. Retries bridge the time between.
        let zone = show.kill("eu-1/eu-a", "eu-1/eu-b").await;
        show.write("Kubernetes has noticed", Place::Home, NotReady, "eu-1/eu-b").await;
        let region = show.kill("eu-1/eu-b", "us-1/us-a").await;
        show.write("Kubernetes has noticed", Place::Region, NotReady, "us-1/us-a").await;
        print_times("zone killed to first answer from the next zone", vec![zone]);
        print_times("region killed to first answer from the next region", vec![region]);

        // Returned.
        for backend in &mut show.backends {
            backend.restore().await;
        }
        let returned = show.write("all are back", Place::Region, Ready, "eu-1/eu-a").await;
        print_times("slice write to return after the loss", vec![returned]);

        let Show { traffic, killed, envoy, plane, .. } = show;
        let record = traffic.stop().await;
        let failed: Vec<&Sample> = record.samples.iter().filter(|sample| sample.outcome.is_err()).collect();
        let excused = |sample: &&Sample| {
            killed.iter().any(|(from, to)| sample.started <= *to && sample.started + sample.took >= *from)
        };
        let (in_flight, others): (Vec<&Sample>, Vec<&Sample>) = failed.into_iter().partition(|sample| excused(sample));
        eprintln!(
            "testbed: failover by traffic: {} requests, {} failed that were in flight to a killed backend, {} others",
            record.samples.len(),
            in_flight.len(),
            others.len()
        );
        assert!(others.is_empty(), "{others:#?}\n{}", envoy.log_tail(20));
        drop(plane);
    });
}

/// Pods whose state changes together.
#[derive(Clone, Copy)]
enum Place {
    /// The client's zone.
    Home,
    /// All of the client's region.
    Region,
}

struct Show {
    federation: Federation,
    _controller: Isthmus,
    plane: Isthmus,
    envoy: Envoy,
    backends: Vec<Backend>,
    traffic: Traffic,
    /// From the beginning to the end of each killing.
    killed: Vec<(Instant, Instant)>,
}

impl Show {
    /// Two pods in each of eu-a, eu-b and us-a; a client and its Envoy in eu-a.
    async fn start() -> Self {
        let federation = Federation::joined(&IDS).await;
        let controller = federation.controller().await;
        federation.all_ready().await;
        let mut backends = Vec::new();
        for (id, zones) in [("eu-1", &["eu-a", "eu-b"][..]), ("us-1", &["us-a"])] {
            let cluster = &federation.member(id).cluster;
            cluster.apply(&objects::namespace("shop")).await;
            cluster.apply(&objects::federated("shop", "web")).await;
            let pods = pods(&federation, id, Place::Region, Ready);
            cluster.apply(&slice("web-1", "web", "{name: http, port: 8080}", &pods)).await;
            for pod in &pods {
                assert!(zones.contains(&pod.zone));
                let address = SocketAddr::new(pod.ip.parse::<IpAddr>().unwrap(), PORT);
                backends.push(Backend::start(address, &format!("{id}/{}/{}", pod.zone, pod.ip)).await);
            }
        }
        let plane = federation.region("eu").await;
        plane.has_service("shop/web", &["eu-1", "us-1"], 6).await;
        let spec = EnvoySpec::new("client", "eu", "eu-a", plane.xds());
        let spec =
            spec.metadata("CLUSTER_ID", "eu-1").metadata("LISTEN", "127.0.0.1").metadata("INTERCEPTION_MODE", "NONE");
        let envoy = Envoy::start(spec).await;
        envoy.wait_live(LIVE_LIMIT).await;
        let traffic = Traffic::start("127.0.0.1:15080".parse().unwrap(), HOST, PER_SECOND);
        Self { federation, _controller: controller, plane, envoy, backends, traffic, killed: Vec::new() }
    }

    /// Writes the state of some pods of eu-1 and waits until all answers come from `place`. The time from the moment
    /// before the write to the first request that was answered there.
    async fn write(&self, what: &str, which: Place, state: State, place: &str) -> Duration {
        let pods = pods(&self.federation, "eu-1", which, state);
        let endpoints: Vec<_> = pods
            .iter()
            .map(|pod| {
                let (ready, terminating) = (pod.state == Ready, pod.state == Terminating);
                let conditions = json!({"ready": ready, "serving": ready || terminating, "terminating": terminating});
                json!({"addresses": [pod.ip], "zone": pod.zone, "conditions": conditions})
            })
            .collect();
        let api = Api::<EndpointSlice>::namespaced(self.federation.member("eu-1").cluster.client(), "shop");
        // The first request of a client pays for its connection, which is not what is measured.
        api.get("web-1").await.unwrap();
        let begun = Instant::now();
        let patch = Patch::Merge(json!({"endpoints": endpoints}));
        api.patch("web-1", &PatchParams::default(), &patch).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        self.steady(place, begun).await;
        self.first(place, begun)
    }

    /// Kills all backends of a place and waits until another answers everything. The time from the first kill to the
    /// first request that was answered there.
    async fn kill(&mut self, lost: &str, next: &str) -> Duration {
        let begun = Instant::now();
        for backend in self.backends.iter_mut().filter(|backend| backend.identity().starts_with(lost)) {
            backend.kill().await;
        }
        let dead = Instant::now();
        self.killed.push((begun, dead));
        self.steady(next, dead).await;
        self.first(next, begun)
    }

    async fn steady(&self, place: &str, from: Instant) {
        eventually(&format!("all answers come from {place}"), SOON, async || {
            let record = self.traffic.so_far().since(from);
            let last: &[Sample] = record.samples.get(record.samples.len().saturating_sub(STEADY)..).unwrap_or_default();
            let there = last.iter().filter(|sample| came_from(sample, place)).count();
            if there == STEADY { Ok(()) } else { Err(format!("{:?}", last.last().map(|sample| &sample.outcome))) }
        })
        .await;
    }

    fn first(&self, place: &str, from: Instant) -> Duration {
        let Record { samples } = self.traffic.so_far().since(from);
        let first = samples.iter().find(|sample| came_from(sample, place)).expect("a host there answered");
        first.started.duration_since(from)
    }
}

fn came_from(sample: &Sample, place: &str) -> bool {
    sample.outcome.as_ref().is_ok_and(|identity| identity.starts_with(place))
}

/// All pods of a member; those of `which` in this state, the others ready.
fn pods(federation: &Federation, id: &str, which: Place, state: State) -> Vec<Pod> {
    let member = federation.member(id);
    let zones: &[(&'static str, [u8; 2])] =
        if id == "eu-1" { &[("eu-a", [1, 2]), ("eu-b", [11, 12])] } else { &[("us-a", [1, 2])] };
    let pod = |zone: &'static str, number: u8| {
        let meant = matches!(which, Place::Region) || zone == "eu-a";
        Pod::new(member.pod(number), zone, if meant { state } else { Ready })
    };
    zones.iter().flat_map(|(zone, numbers)| numbers.map(|number| pod(zone, number))).collect()
}

fn print_times(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let ms = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1000.0);
    eprintln!(
        "testbed: {what}: median {:.0} ms, worst {:.0} ms, of {} (resolution {} ms)",
        ms(times.get(times.len() / 2)),
        ms(times.last()),
        times.len(),
        1000 / PER_SECOND
    );
}
