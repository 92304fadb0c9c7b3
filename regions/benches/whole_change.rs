//! One endpoint changes: from the change as a source reports it, through engine and encoding, to the published snapshot of
//! one class of clients. It should cost the same in a small federation and in a large one.
//! Run: `cargo bench -p regions --bench whole_change`.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use divan::Bencher;
use federation::change::{Batch, Delta, Epoch, MemberChanges};
use federation::model::{Network, RegionId, Slice, Zone};
use federation::ranking::ClientClass;
use federation::testing::{TestFederation, make};
use federation::{Authority, Engine};
use regions::catalog::{Catalog, ClassSubscription};
use regions::class::{Class, EnvoyProfile, Interception, Profile};
use regions::stats::Stats;

const SERVICES: [usize; 3] = [100, 1_000, 10_000];
const CLUSTERS: usize = 4;
/// In each cluster, over two zones.
const ENDPOINTS_PER_SERVICE: usize = 10;
/// Services are spread over as many namespaces.
const NAMESPACES: usize = 50;

fn main() {
    divan::main();
}

#[divan::bench(args = SERVICES)]
fn one_endpoint_changes(bencher: Bencher, services: usize) {
    let Some(mut plane) = Plane::new(services) else { return };
    let mut ready = true;
    let flip = move || {
        ready = !ready;
        slice(1, services / 2, ready)
    };
    bencher.with_inputs(flip).bench_local_values(|slice| plane.report(slice));
}

/// A region's control plane without sockets and threads.
struct Plane {
    engine: Engine,
    catalog: Catalog,
    stats: Arc<Stats>,
    // A class is kept current as long as a stream follows it.
    _class: ClassSubscription,
}

impl Plane {
    fn new(services: usize) -> Option<Self> {
        let mut engine = Engine::new(TestFederation::config(Authority::Own));
        let stats = Arc::new(Stats::default());
        let mut catalog = Catalog::new(Arc::clone(&stats));
        catalog.apply(&engine.apply(world(services).batches(), make::at(1)));
        catalog.set_ready();
        let client = ClientClass {
            region: RegionId::new("eu").ok()?,
            zone: Zone::new("z0").ok(),
            network: Network::default_network(),
            cluster: Some(make::cluster("c0")),
            families: None,
        };
        let profile = Profile::Envoy(EnvoyProfile {
            listen: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            interception: Interception::None,
            on_demand: false,
            leds: false,
            vhds: false,
        });
        let class = catalog.open(&Class { client, network_named: true, profile }, Arc::default()).ok()?;
        Some(Self { engine, catalog, stats, _class: class })
    }

    /// Applies one change, and proves by counters that no more was done than what it takes.
    fn report(&mut self, slice: Slice) {
        let (merged, encoded) = (self.engine.stats().merged, self.stats.catalog.encoded.get());
        let changes = MemberChanges::Slices(Delta::put(slice));
        let batch = Batch::Member { cluster: make::cluster("c1"), epoch: Epoch(1), changes };
        self.catalog.apply(&self.engine.apply([batch], make::at(2)));
        assert_eq!(self.engine.stats().merged - merged, 1, "one endpoint's change must merge one service");
        assert_eq!(
            self.stats.catalog.encoded.get() - encoded,
            1,
            "one endpoint's change must encode one load assignment"
        );
    }
}

fn key(service: usize) -> String {
    format!("team-{}/s{service}", service % NAMESPACES)
}

/// The endpoints of one service in one cluster; the first of them is ready or not.
fn slice(cluster: usize, service: usize, first_is_ready: bool) -> Slice {
    let endpoint = |n: usize| {
        let health = if n == 0 && !first_is_ready { "!" } else { "" };
        format!("10.{cluster}.{}.{}@z{}{health}", service % 256, n + 1, n % 2)
    };
    let endpoints: Vec<String> = (0..ENDPOINTS_PER_SERVICE).map(endpoint).collect();
    let endpoints: Vec<&str> = endpoints.iter().map(String::as_str).collect();
    make::slice(&key(service), &format!("s{service}-1"), "http:8080", &endpoints)
}

fn world(services: usize) -> TestFederation {
    let mut world = TestFederation::new().region("eu", &[]).region("us", &["eu"]);
    for cluster in 0..CLUSTERS {
        let id = format!("c{cluster}");
        let region = if cluster % 2 == 0 { "eu" } else { "us" };
        world = world.member(&id, region, &format!("10.{cluster}.0.0/16"), &format!("10.10{cluster}.0.0/16"));
        let vip = |s: usize| format!("10.10{cluster}.{}.{}", s / 250 % 256, s % 250 + 1);
        let contents = world.contents(&id);
        contents.namespaces = (0..NAMESPACES).map(|team| make::namespace(&format!("team-{team}"), "")).collect();
        contents.services = (0..services).map(|s| make::service(&key(s), "http:80", &vip(s))).collect();
        contents.slices = (0..services).map(|s| slice(cluster, s, true)).collect();
    }
    world
}
