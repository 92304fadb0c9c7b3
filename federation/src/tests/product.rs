//! Services whose ports times endpoints are far more than what they were written with: one tenant costs the others nothing.

use super::merged;
use crate::model::{Merged, Service};
use crate::report::Notable;
use crate::testing::{TestFederation, make};
use crate::{Engine, MAX_HOSTS};

const PORTS: usize = 1_000;
const ENDPOINTS: usize = 1_000;

fn federation() -> TestFederation {
    TestFederation::new().region("eu", &[]).member("a", "eu", "10.0.0.0/16", "10.96.0.0/16").member(
        "b",
        "eu",
        "10.1.0.0/16",
        "10.97.0.0/16",
    )
}

/// `p1:1001 p2:1002 …`
fn ports(count: usize, name: impl Fn(usize) -> String) -> String {
    (1..=count).map(|n| format!("{}:{}", name(n), 1_000 + n)).collect::<Vec<_>>().join(" ")
}

fn endpoints(network: u8, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("10.{network}.{}.{}", n / 250, 1 + n % 250)).collect()
}

fn wide(
    mut federation: TestFederation,
    cluster: &str,
    network: u8,
    created: i64,
    service_ports: &str,
    slice_ports: &str,
) -> TestFederation {
    let service = Service { created: make::at(created), ..make::service("shop/wide", service_ports, "10.96.0.1") };
    federation = federation.service_object(cluster, service);
    let endpoints = endpoints(network, ENDPOINTS);
    let endpoints: Vec<&str> = endpoints.iter().map(|ip| &**ip).collect();
    federation.slice(cluster, make::slice("shop/wide", "wide-1", slice_ports, &endpoints))
}

fn count(service: &Merged) -> usize {
    service.ports.iter().flat_map(|port| &port.backends).map(|backend| backend.hosts.len()).sum()
}

fn left_out(engine: &Engine, cluster: &str) -> Option<usize> {
    let notices = &engine.reports()[&make::cluster(cluster)].notices.first;
    notices.iter().find_map(|notice| match notice.what {
        Notable::TooManyHosts { left_out } => Some(left_out),
        _ => None,
    })
}

#[test]
fn ports_times_endpoints_are_bounded_and_what_is_left_out_is_reported() {
    let all = ports(PORTS, |n| format!("p{n}"));
    let engine = wide(federation(), "a", 0, 1, &all, &all).service("b", "shop/web", &[80]).endpoints(
        "b",
        "shop/web",
        &["10.1.0.9"],
    );
    let engine = engine.engine(make::at(100));
    let service = merged(&engine, "shop/wide");
    assert_eq!((service.ports.len(), count(service)), (PORTS, MAX_HOSTS));
    let whole =
        service.ports.iter().take_while(|port| port.backends.iter().any(|found| found.hosts.len() == ENDPOINTS));
    assert_eq!(whole.count(), MAX_HOSTS / ENDPOINTS, "the first ports stay whole");
    assert_eq!(left_out(&engine, "a"), Some(PORTS * ENDPOINTS - MAX_HOSTS));
    assert_eq!((count(merged(&engine, "shop/web")), left_out(&engine, "b")), (1, None));
}

#[test]
fn the_oldest_export_comes_first() {
    let all = ports(90, |n| format!("p{n}"));
    let federation = wide(wide(federation(), "a", 0, 2, &all, &all), "b", 1, 1, &all, &all);
    let engine = federation.engine(make::at(100));
    assert_eq!((left_out(&engine, "b"), left_out(&engine, "a")), (None, Some(2 * 90 * ENDPOINTS - MAX_HOSTS)));
    assert_eq!(count(merged(&engine, "shop/wide")), MAX_HOSTS);
}

/// An API server refuses such slices; a member need not be one.
#[test]
fn one_port_name_many_times_in_a_slice_is_bounded_as_well() {
    let same = ports(PORTS, |_| "http".to_owned());
    let engine = wide(federation(), "a", 0, 1, "http:80", &same).engine(make::at(100));
    assert_eq!(count(merged(&engine, "shop/wide")), MAX_HOSTS);
    assert_eq!(left_out(&engine, "a"), Some(PORTS * ENDPOINTS - MAX_HOSTS));
}

#[test]
fn a_service_within_the_bound_loses_nothing_and_has_no_notice() {
    let all = ports(MAX_HOSTS / ENDPOINTS, |n| format!("p{n}"));
    let engine = wide(federation(), "a", 0, 1, &all, &all).engine(make::at(100));
    assert_eq!((count(merged(&engine, "shop/wide")), left_out(&engine, "a")), (MAX_HOSTS, None));
}
