//! One service over several clusters (KEP-1645).

use super::{hosts, merged};
use crate::Engine;
use crate::model::{Affinity, Service};
use crate::testing::{TestFederation, make};

fn federation() -> TestFederation {
    TestFederation::new()
        .region("eu", &[])
        .member("a", "eu", "10.0.0.0/16", "10.96.0.0/16")
        .member("b", "eu", "10.1.0.0/16", "10.97.0.0/16")
        .member("c", "eu", "10.2.0.0/16", "10.98.0.0/16")
}

/// Each cluster's Service ports, slice ports and endpoints; `a` is the oldest export, then `b`, then `c`.
fn engine_of(parts: &[(&str, &str, &str, &[&str])]) -> Engine {
    let mut federation = federation();
    for (age, (cluster, ports, slice_ports, endpoints)) in (1..).zip(parts) {
        let mut service = make::service("shop/web", ports, "10.96.0.1");
        service.created = make::at(age);
        federation = federation.service_object(cluster, service);
        federation = federation.slice(cluster, make::slice("shop/web", "web-1", slice_ports, endpoints));
    }
    federation.engine(make::at(100))
}

fn check(parts: &[(&str, &str, &str, &[&str])], expected: &str) {
    assert_eq!(hosts(&engine_of(parts), "shop/web"), expected);
}

#[test]
fn ports_are_a_union_and_endpoints_come_from_clusters_that_expose_them() {
    check(
        &[
            ("a", "http:80", "http:8080", &["10.0.0.1@z1"]),
            ("b", "http:80 admin:9000", "http:8080 admin:9001", &["10.1.0.1"]),
        ],
        "http:80/TCP a/z1 10.0.0.1:8080 b/- 10.1.0.1:8080 | admin:9000/TCP b/- 10.1.0.1:9001",
    );
}

#[test]
fn the_loser_of_a_name_conflict_contributes_nothing_to_that_port() {
    check(
        &[
            ("a", "http:80", "http:8080", &["10.0.0.1"]),
            ("b", "http:8000 tls:443", "http:8080 tls:8443", &["10.1.0.1"]),
        ],
        "http:80/TCP a/- 10.0.0.1:8080 | tls:443/TCP b/- 10.1.0.1:8443",
    );
    // The order of precedence is age, not name.
    check(
        &[("b", "http:8000", "http:8080", &["10.1.0.1"]), ("a", "http:80", "http:8080", &["10.0.0.1"])],
        "http:8000/TCP b/- 10.1.0.1:8080",
    );
}

#[test]
fn one_number_under_two_names_is_one_port() {
    check(
        &[("a", "http:80", "http:8080", &["10.0.0.1"]), ("b", "web:80", "web:8081", &["10.1.0.1"])],
        "http:80/TCP a/- 10.0.0.1:8080 b/- 10.1.0.1:8081",
    );
    // A loser by name still answers on a number that a third cluster brought in.
    check(
        &[
            ("a", "http:80", "http:1", &["10.0.0.1"]),
            ("b", "http:8000", "http:2", &["10.1.0.1"]),
            ("c", "alt:8000", "alt:3", &["10.2.0.1"]),
        ],
        "http:80/TCP a/- 10.0.0.1:1 | alt:8000/TCP b/- 10.1.0.1:2 c/- 10.2.0.1:3",
    );
}

#[test]
fn a_named_target_port_is_each_clusters_own() {
    check(
        &[("a", "http:80", "http:8080", &["10.0.0.1"]), ("b", "http:80", "http:9090", &["10.1.0.1"])],
        "http:80/TCP a/- 10.0.0.1:8080 b/- 10.1.0.1:9090",
    );
}

#[test]
fn tcp_and_udp_may_share_a_number() {
    check(
        &[
            ("a", "dns-tcp:53", "dns-tcp:5353", &["10.0.0.1"]),
            ("b", "dns:53/UDP dns-tcp:53", "dns:5300/UDP dns-tcp:5301", &["10.1.0.1"]),
        ],
        "dns-tcp:53/TCP a/- 10.0.0.1:5353 b/- 10.1.0.1:5301 | dns:53/UDP b/- 10.1.0.1:5300",
    );
    check(&[("a", "gtp:53/SCTP", "gtp:1/SCTP gtp:2", &["10.0.0.1"])], "gtp:53/SCTP a/- 10.0.0.1:1");
}

#[test]
fn an_address_in_two_slices_is_one_host_in_its_best_state() {
    let federation = |slices: &[(&str, &[&str])]| {
        let mut federation = federation().service_object("a", make::service("shop/web", "http:80", "10.96.0.1"));
        for (name, endpoints) in slices {
            federation = federation.slice("a", make::slice("shop/web", name, "http:8080", endpoints));
        }
        hosts(&federation.engine(make::at(1)), "shop/web")
    };
    assert_eq!(federation(&[("1", &["10.0.0.1@z1!"]), ("2", &["10.0.0.1@z1"])]), "http:80/TCP a/z1 10.0.0.1:8080");
    assert_eq!(federation(&[("1", &["10.0.0.1~"]), ("2", &["10.0.0.1!"])]), "http:80/TCP a/- 10.0.0.1:8080~");
    assert_eq!(federation(&[("1", &["10.0.0.1!", "10.0.0.1!"])]), "http:80/TCP a/- 10.0.0.1:8080!");
    assert_eq!(federation(&[("1", &["10.0.0.1#"]), ("2", &["10.0.0.1!"])]), "http:80/TCP a/- 10.0.0.1:8080!");
    assert_eq!(federation(&[("1", &["10.0.0.1#"]), ("2", &["10.0.0.1~"])]), "http:80/TCP a/- 10.0.0.1:8080~");
}

#[test]
fn contradicting_records_withdraw_no_endpoints() {
    let mut federation = TestFederation::new()
        .region("eu", &[])
        .member("a", "eu", "10.0.0.0/16", "10.96.0.0/16")
        .member("b", "eu", "10.0.0.0/15", "10.97.0.0/16")
        .service("a", "shop/web", &[80])
        .endpoints("a", "shop/web", &["10.0.0.1"])
        .service("b", "shop/web", &[80])
        .endpoints("b", "shop/web", &["10.0.0.2"]);
    federation.members[0].recorded = Some(make::admission(1, "uid-a", "10.0.0.0/16", "10.96.0.0/16"));
    federation.members[1].recorded = Some(make::admission(2, "uid-b", "10.0.0.0/15", "10.97.0.0/16"));
    let mut engine = Engine::new(TestFederation::config(crate::Authority::Recorded));
    engine.apply(federation.batches(), make::at(9));
    assert_eq!(hosts(&engine, "shop/web"), "p80:80/TCP a/- 10.0.0.1:8080 b/- 10.0.0.2:8080");
}

#[test]
fn the_oldest_export_decides() {
    let service = |created: i64, headless: bool, affinity: Affinity| Service {
        created: make::at(created),
        affinity,
        ..make::service("shop/web", "http:80", if headless { "" } else { "10.96.0.1" })
    };
    let sticky = Affinity::ClientIp { timeout_s: 60 };
    let federation = federation()
        .service_object("a", service(5, false, Affinity::None))
        .service_object("b", service(3, true, sticky))
        .service_object("c", service(5, false, Affinity::None));
    let engine = federation.engine(make::at(9));
    let found = merged(&engine, "shop/web");
    assert_eq!((found.headless, found.affinity), (true, sticky));
    assert_eq!(found.sources, make::clusters("b a c"));

    // An export is as old as its ServiceExport, where there is one.
    let engine = federation.export("c", "shop/web", 1).engine(make::at(9));
    let found = merged(&engine, "shop/web");
    assert_eq!((found.headless, found.affinity), (false, Affinity::None));
    assert_eq!(found.sources, make::clusters("c b a"));
}
