//! What a change costs the engine, by how much else there is. It should cost the same in a small federation and in a large
//! one. Run: `cargo bench -p federation --features testing`.

use divan::Bencher;
use federation::Engine;
use federation::change::{Batch, Delta, Epoch, MemberChanges};
use federation::model::Slice;
use federation::testing::{TestFederation, make};

const SERVICES: [usize; 3] = [100, 1_000, 10_000];
const CLUSTERS: usize = 4;
/// In each cluster, over two zones.
const ENDPOINTS_PER_SERVICE: usize = 10;

fn main() {
    divan::main();
}

fn key(service: usize) -> String {
    format!("team-{}/s{service}", service % 50)
}

/// The endpoints of one service in one cluster; the first of them is ready or not.
fn slice(cluster: usize, service: usize, first_is_ready: bool) -> Slice {
    let endpoints: Vec<String> = (0..ENDPOINTS_PER_SERVICE)
        .map(|n| {
            let health = if n == 0 && !first_is_ready { "!" } else { "" };
            format!("10.{cluster}.{}.{}@z{}{health}", service % 256, n + 1, n % 2)
        })
        .collect();
    let endpoints: Vec<&str> = endpoints.iter().map(String::as_str).collect();
    make::slice(&key(service), &format!("s{service}-1"), "http:8080", &endpoints)
}

fn federation(services: usize) -> TestFederation {
    let mut federation = TestFederation::new().region("eu", &[]).region("us", &["eu"]);
    for cluster in 0..CLUSTERS {
        let id = format!("c{cluster}");
        let region = if cluster % 2 == 0 { "eu" } else { "us" };
        federation = federation.member(&id, region, &format!("10.{cluster}.0.0/16"), &format!("10.10{cluster}.0.0/16"));
        let contents = federation.contents(&id);
        contents.namespaces = (0..50).map(|team| make::namespace(&format!("team-{team}"), "")).collect();
        contents.services = (0..services).map(|s| make::service(&key(s), "http:80", "10.100.0.1")).collect();
        contents.slices = (0..services).map(|s| slice(cluster, s, true)).collect();
    }
    federation
}

fn from_member(changes: MemberChanges) -> Batch {
    Batch::Member { cluster: make::cluster("c1"), epoch: Epoch(1), changes }
}

/// A pod of one service in one cluster gets ready or stops being it.
#[divan::bench(args = SERVICES)]
fn one_endpoint_changes(bencher: Bencher, services: usize) {
    let mut engine = federation(services).engine(make::at(1));
    let mut ready = true;
    let flip = move || {
        ready = !ready;
        from_member(MemberChanges::Slices(Delta::put(slice(1, services / 2, ready))))
    };
    bencher.with_inputs(flip).bench_local_values(|batch| {
        let effects = engine.apply([batch], make::at(2));
        assert_eq!(effects.services.len(), 1, "a benchmark of nothing");
        effects
    });
}

/// A watch breaks and one cluster's slices are listed again, all as they were.
#[divan::bench(args = SERVICES, sample_count = 10)]
fn all_slices_of_a_cluster_are_listed_again(bencher: Bencher, services: usize) {
    let mut engine = federation(services).engine(make::at(1));
    let slices: Vec<Slice> = (0..services).map(|s| slice(1, s, true)).collect();
    bencher
        .with_inputs(|| from_member(MemberChanges::Slices(Delta::full(slices.clone()))))
        .bench_local_values(|batch| engine.apply([batch], make::at(2)));
}

/// The first round of a process: everything there is, at once.
#[divan::bench(args = SERVICES, sample_count = 3)]
fn everything_is_applied_at_once(bencher: Bencher, services: usize) {
    let federation = federation(services);
    bencher.with_inputs(|| federation.batches()).bench_local_values(|batches| {
        let mut engine = Engine::new(TestFederation::config(federation::Authority::Own));
        engine.apply(batches, make::at(1));
        assert_eq!(engine.merged().len(), services);
        engine
    });
}
