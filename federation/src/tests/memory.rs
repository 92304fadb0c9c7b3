//! What the engine keeps for each endpoint, in bytes that it requested from the allocator: the same on every machine.

use std::cell::Cell;

use crate::model::{Service, Slice};
use crate::testing::{TestFederation, make};
use crate::{Authority, Engine};

const MEMBERS: usize = 3;
const SERVICES_PER_NAMESPACE: usize = 100;
/// For each endpoint of services that have ten. The catalog takes about 80 for them, and both together are to take 400 at most. A table has room
/// for 1.14 to 2.29 times what it holds; for 1,000 services it is 2.05.
const BOUND: usize = 320;

/// As the one of `isthmus bench`, with names, UIDs and versions as long as those of API servers: every service exists in every member, and
/// its endpoints are spread over the members and over two zones in each.
fn federation(services: usize, endpoints: usize) -> TestFederation {
    let mut federation = TestFederation::new().region("eu", &[]);
    for member in 0..MEMBERS {
        let id = format!("cluster-{member}");
        federation = federation.member(&id, "eu", &format!("10.{member}.0.0/16"), &format!("11.{member}.0.0/16"));
        let contents = federation.contents(&id);
        let namespaces = 0..services.div_ceil(SERVICES_PER_NAMESPACE);
        contents.namespaces = namespaces.map(|n| make::namespace(&format!("ns-{n:03}"), "")).collect();
        contents.services = (0..services).map(|n| service(member, n)).collect();
        contents.slices = (0..services).map(|n| slice(member, n, endpoints)).collect();
    }
    federation
}

fn name(n: usize) -> String {
    format!("ns-{:03}/svc-{n:05}", n / SERVICES_PER_NAMESPACE)
}

fn service(member: usize, n: usize) -> Service {
    let ip = format!("11.{member}.{}.{}", n / 250, n % 250 + 1);
    Service {
        uid: format!("7f0c{n:04x}-3b1d-4c7e-9a52-{member:04x}5e8d9b7a").into(),
        resource_version: (184_467_440 + n).to_string().into(),
        ..make::service(&name(n), "http:80", &ip)
    }
}

fn slice(member: usize, n: usize, endpoints: usize) -> Slice {
    let here = (0..endpoints).filter(|endpoint| (n + endpoint) % MEMBERS == member);
    let endpoint = |e: usize| format!("10.{member}.{}.{}@zone-{member}-{}=pod-{n}-{e}", n % 256, e + 1, e % 2);
    let texts: Vec<String> = here.map(endpoint).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let slice = make::slice(&name(n), &format!("svc-{n:05}-x{member}k7p"), "http:8080", &texts);
    Slice { endpoints: Slice::share_zones(slice.endpoints), ..slice }
}

/// Bytes that an engine holds after its first round.
fn kept(services: usize, endpoints: usize) -> usize {
    let engine = Cell::new(None);
    // What sources report is made in there as well, so that only what the engine keeps of it is counted.
    let kept = allocation_counter::measure(|| {
        let mut filled = Engine::new(TestFederation::config(Authority::Own));
        filled.apply(federation(services, endpoints).batches(), make::at(1));
        engine.set(Some(filled));
    });
    let hosts = |engine: Engine| -> usize {
        let backends = engine.merged().values().flat_map(|merged| &merged.ports).flat_map(|port| &port.backends);
        backends.map(|backend| backend.hosts.len()).sum()
    };
    assert_eq!(engine.into_inner().map(hosts), Some(services * endpoints), "all of them are served");
    usize::try_from(kept.bytes_current).expect("more than nothing")
}

#[test]
fn an_endpoint_costs_few_bytes() {
    let each = kept(1_000, 10) / 10_000;
    println!("1,000 services of 10 endpoints: {each} bytes for each endpoint");
    assert!(each <= BOUND, "found {each} bytes for each endpoint; expected at most {BOUND}");
}

/// The figures of `docs/figures.md`.
#[test]
#[ignore = "takes half a minute, and is only of interest to the page of figures"]
fn what_an_endpoint_costs_in_a_large_federation() {
    let (ten, more) = (kept(10_000, 10), kept(10_000, 40));
    println!("10,000 services of 10 endpoints: {} bytes for each endpoint", ten / 100_000);
    println!("an endpoint more: {} bytes", (more - ten) / 300_000);
}
