//! A region that serves a folder, one Envoy of it, and backends near and far.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::super::slices::{Pod, State, slice};
use super::drill::{Drill, states};
use super::formula::Tier;
use super::{FOUR, NO_TIER, Shares, TOLERANCE, load, near};
use crate::harness::files::replace;
use crate::harness::{Isthmus, SOON, Source, objects};
use crate::testbed::{Backend, Envoy, EnvoySpec, eventually, ports};

/// Served by eu-1 and us-1: the nearest first, and then the other.
pub(super) const WEB: &str = "web.shop.svc.cluster.local";
/// Served by eu-1 and eu-2, one tier, by declared weight.
pub(super) const SPLIT: &str = "split.shop.svc.cluster.local";

/// Pods of eu-1, us-1 and eu-2 are in `127.<this>.0.0/16`.
const RANGES: [u8; 3] = [78, 81, 80];
const EGRESS_PORT: u16 = 15_080;
const HOSTS: usize = 4;
const REQUESTS: usize = 10_000;
/// What may still be on its way by what was before, once Envoy says that it knows better.
const WARM_UP: usize = 64;
const LIVE_LIMIT: Duration = Duration::from_secs(60);
const MARK: &str = "isthmus.dev/federate: 'true'";
const POLICY: &str = "---\napiVersion: isthmus.dev/v1alpha1\nkind: FederationPolicy\nmetadata: {name: split}\n\
                      spec:\n  selects: {services: {matchLabels: {share: declared}}}\n  \
                      failover: {clusters: [{name: eu-1, weight: 3}, {name: eu-2, weight: 1}]}\n";

pub(super) struct Stage {
    world: TempDir,
    files: TempDir,
    envoy: Envoy,
    egress: SocketAddr,
    drill: SocketAddr,
    /// Of eu-1, us-1 and eu-2: near, far, and what shares a tier with near.
    backends: [Vec<Backend>; 3],
    region: Isthmus,
}

impl Stage {
    pub(super) async fn start() -> Self {
        let (world, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        // No other test has this port, and so none derives this address from it: the listeners' ports are fixed.
        let port = ports::free();
        let [high, low] = port.to_be_bytes();
        let listen = Ipv4Addr::new(127, 77, high, low);
        let mut backends = [Vec::new(), Vec::new(), Vec::new()];
        for ((range, tier), list) in RANGES.into_iter().zip([0, 1, 1]).zip(&mut backends) {
            for pod in 1..=4 {
                let ip = Ipv4Addr::new(127, range, 0, pod);
                list.push(Backend::start(SocketAddr::new(ip.into(), port), &format!("p{tier}/{ip}")).await);
            }
        }
        for drill in [Drill::Calm, Drill::Panicky] {
            drill.write(files.path(), [FOUR; 2], [&addresses(&backends[0]), &addresses(&backends[1])], 140);
        }
        write_hub(world.path());
        let [near, far, beside] = &backends;
        write_service(world.path(), ["eu-1", "us-1"], "web", [FOUR; 2], [near, far]);
        write_service(world.path(), ["eu-1", "eu-2"], "split", [FOUR; 2], [near, beside]);

        let mut region = Isthmus::region("eu", Source::Folder(world.path()));
        region.wait_ready().await;
        let spec = EnvoySpec::new("arithmetic", "eu", "eu-a", region.xds());
        let mut spec = spec.metadata("INTERCEPTION_MODE", "NONE").metadata("LISTEN", listen.to_string());
        let drill = SocketAddr::new(listen.into(), ports::free());
        spec.static_clusters = Some(Drill::clusters(files.path()));
        spec.static_listeners = Some(Drill::listener(drill));
        let envoy = Envoy::start(spec).await;
        envoy.wait_live(LIVE_LIMIT).await;
        let egress = SocketAddr::new(IpAddr::V4(listen), EGRESS_PORT);
        Self { world, files, envoy, egress, drill, backends, region }
    }

    /// `web` in these states, by its EndpointSlices.
    pub(super) async fn serve(&self, tiers: [Tier; 2]) {
        write_service(self.world.path(), ["eu-1", "us-1"], "web", tiers, self.of(WEB));
        self.knows(&format!("outbound|80||{WEB}"), tiers).await;
    }

    /// `split` in these states.
    pub(super) async fn serve_weighted(&self, tiers: [Tier; 2]) {
        write_service(self.world.path(), ["eu-1", "eu-2"], "split", tiers, self.of(SPLIT));
        self.knows(&format!("outbound|80||{SPLIT}"), tiers).await;
    }

    /// Who serves a host or a cluster, tier by tier or half by half.
    fn of(&self, name: &str) -> [&[Backend]; 2] {
        let [near, far, beside] = &self.backends;
        if name.ends_with(SPLIT) { [near, beside] } else { [near, far] }
    }

    /// A cluster that comes from a file.
    pub(super) async fn drill(&self, drill: Drill, tiers: [Tier; 2], factor: u32) {
        let pods = [addresses(&self.backends[0]), addresses(&self.backends[1])];
        drill.write(self.files.path(), tiers, [&pods[0], &pods[1]], factor);
        self.knows(drill.host(), tiers).await;
    }

    /// Waits until Envoy has every host in the state that was written.
    async fn knows(&self, cluster: &str, tiers: [Tier; 2]) {
        let written = |(tier, backends): (&Tier, &[Backend])| -> Vec<(SocketAddr, String)> {
            states(*tier).zip(addresses(backends)).map(|(state, at)| (at, state.to_owned())).collect()
        };
        let mut expected: Vec<_> = tiers.iter().zip(self.of(cluster)).flat_map(written).collect();
        expected.sort();
        eventually(&format!("{cluster} is {tiers:?}"), SOON, async || {
            let mut found: Vec<_> =
                self.envoy.hosts(cluster).await.into_iter().map(|host| (host.address, host.health)).collect();
            found.sort();
            if found == expected { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await;
    }

    /// Sends traffic and compares who answered, tier by tier and host by host.
    pub(super) async fn count(&self, what: &str, host: &str, tiers: [Tier; 2], expected: Shares) {
        let target = if host.ends_with(".drill") { self.drill } else { self.egress };
        load::send(target, host, WARM_UP).await;
        let answers = load::send(target, host, REQUESTS).await;
        let all: usize = answers.values().sum();
        assert!(all >= REQUESTS, "{what}: {answers:?}");
        let share = |tier: usize| {
            let from = answers.iter().filter(|(answer, _)| answer.starts_with(&format!("p{tier}/")));
            100.0 * from.map(|(_, count)| *count).sum::<usize>() as f64 / all as f64
        };
        let found = [share(0), share(1)];
        eprintln!("testbed: arithmetic: {what}: expected {expected:.1?}, counted {found:.1?} of {all}");
        near(what, found, expected, TOLERANCE);
        if expected == NO_TIER {
            assert_eq!(answers, BTreeMap::from([("503".to_owned(), all)]), "{what}");
        } else {
            near(what, [found[0] + found[1], 0.0], [100.0, 0.0], f64::EPSILON);
            self.only_the_right_ones(what, host, tiers, &answers);
        }
    }

    /// While a host is healthy or degraded, no other one is called.
    fn only_the_right_ones(&self, what: &str, host: &str, tiers: [Tier; 2], answers: &BTreeMap<String, usize>) {
        if tiers.iter().all(|tier| tier.healthy + tier.degraded == 0) {
            return; // In panic, all hosts are called.
        }
        for (tier, backends) in tiers.iter().zip(self.of(host)) {
            for (state, backend) in states(*tier).zip(backends) {
                let called = answers.get(backend.identity()).copied().unwrap_or_default();
                let usable = ["HEALTHY", "DEGRADED"].contains(&state);
                assert!(
                    usable || called == 0,
                    "{what}: {} is {state} and was called {called} times",
                    backend.identity()
                );
            }
        }
    }

    /// All that was sent was taken, by Envoy's own account and by the region's.
    pub(super) async fn nothing_was_rejected(&self) {
        let stats = self.envoy.stats("").await;
        let rejected: Vec<_> =
            stats.iter().filter(|(name, count)| name.ends_with("update_rejected") && **count > 0).collect();
        assert!(rejected.is_empty(), "{rejected:?}\n{}", self.envoy.log_tail(20));
        let metrics = self.region.metrics().await;
        let nacks: Vec<_> = metrics.iter().filter(|(name, count)| name.contains("nacks") && **count > 0.0).collect();
        assert!(nacks.is_empty(), "{nacks:?}");
    }
}

fn addresses(backends: &[Backend]) -> Vec<SocketAddr> {
    backends.iter().map(Backend::address).collect()
}

fn write_hub(world: &Path) {
    let member = |id: &str, region: &str, number: u8| {
        objects::member_cluster(id, region, &[&format!("127.{number}.0.0/16")], &[&format!("10.{number}.0.0/16")])
    };
    let hub = [
        objects::region("eu", &["us"]),
        objects::region("us", &[]),
        member("eu-1", "eu", RANGES[0]),
        member("eu-2", "eu", RANGES[2]),
        member("us-1", "us", RANGES[1]),
        POLICY.to_owned(),
    ];
    replace(world, "hub.yaml", &hub.concat());
    for member in ["eu-1", "eu-2", "us-1"] {
        replace(&world.join("clusters").join(member), "namespace.yaml", &objects::namespace("shop"));
    }
}

/// One service, a tier's hosts in each of two members.
fn write_service(world: &Path, members: [&str; 2], name: &str, tiers: [Tier; 2], backends: [&[Backend]; 2]) {
    for ((member, tier), backends) in members.iter().zip(tiers).zip(backends) {
        let state = |state: &str| match state {
            "HEALTHY" => State::Ready,
            "UNHEALTHY" => State::NotReady,
            "DRAINING" => State::Terminating,
            other => panic!("no EndpointSlice says {other}"),
        };
        let zone = if *member == "us-1" { "us-a" } else { "eu-a" };
        let pods: Vec<Pod> = states(tier)
            .zip(backends)
            .map(|(named, backend)| Pod::new(backend.address().ip().to_string(), zone, state(named)))
            .collect();
        assert_eq!(pods.len(), HOSTS);
        let port = backends.first().map_or(0, |backend| backend.address().port());
        let labels = format!("{MARK}, share: {}", if name == "split" { "declared" } else { "equal" });
        let spec = format!("selector: {{app: {name}}}, ports: [{{name: http, port: 80, targetPort: {port}}}]");
        let all = [
            objects::service("shop", name, &labels, &spec),
            slice(&format!("{name}-1"), name, &format!("{{name: http, port: {port}}}"), &pods),
        ];
        replace(&world.join("clusters").join(member), &format!("{name}.yaml"), &all.concat());
    }
}
