//! Addresses of two families: one pod is one host, and a client is offered what it can dial.

use super::hosts;
use crate::model::{Families, Family};
use crate::ranking::{ClientClass, assign};
use crate::testing::{TestFederation, make};

const V4: Family = Family::V4;
const V6: Family = Family::V6;

/// `a` has both families, IPv4 first; `b` has IPv4 only, `c` IPv6 only, `d` both, IPv6 first.
fn federation() -> TestFederation {
    TestFederation::new()
        .region("eu", &[])
        .member("a", "eu", "10.0.0.0/16 fd00:a::/64", "10.96.0.0/16 fd00:1a::/112")
        .member("b", "eu", "10.1.0.0/16", "10.97.0.0/16")
        .member("c", "eu", "fd00:c::/64", "fd00:1c::/112")
        .member("d", "eu", "fd00:d::/64 10.3.0.0/16", "fd00:1d::/112 10.99.0.0/16")
}

/// A service of one cluster, with a slice for each family.
fn with(federation: TestFederation, cluster: &str, ips: &str, v4: &[&str], v6: &[&str]) -> TestFederation {
    federation
        .service_object(cluster, make::service("shop/web", "http:80", ips))
        .slice(cluster, make::slice("shop/web", "web-v4", "http:8080", v4))
        .slice(cluster, make::slice("shop/web", "web-v6", "http:8080", v6))
}

fn merged(federation: &TestFederation) -> String {
    hosts(&federation.engine(make::at(1)), "shop/web")
}

#[test]
fn two_addresses_of_one_pod_are_one_host() {
    let one = |v4: &[&str], v6: &[&str]| merged(&with(federation(), "a", "10.96.0.1 fd00:1a::1", v4, v6));
    assert_eq!(one(&["10.0.0.1=p"], &["fd00:a::1=p"]), "http:80/TCP a/- 10.0.0.1:8080+fd00:a::1");
    // Of several pods, each its own; a pod with one address is a host with one.
    assert_eq!(
        one(&["10.0.0.1=p", "10.0.0.2=q", "10.0.0.3=r"], &["fd00:a::1=q", "fd00:a::2=p", "fd00:a::9=s"]),
        "http:80/TCP a/- 10.0.0.1:8080+fd00:a::2 10.0.0.2:8080+fd00:a::1 10.0.0.3:8080 [fd00:a::9]:8080"
    );
    // Both know something: the best state, and the zone that is known.
    let late = one(&["10.0.0.1=p!"], &["fd00:a::1@z1=p"]);
    assert_eq!(late, "http:80/TCP a/z1 10.0.0.1:8080+fd00:a::1");
}

#[test]
fn what_is_not_clear_is_not_joined() {
    let one = |v4: &[&str], v6: &[&str]| merged(&with(federation(), "a", "10.96.0.1 fd00:1a::1", v4, v6));
    let apart = "http:80/TCP a/- 10.0.0.1:8080 [fd00:a::1]:8080";
    assert_eq!(one(&["10.0.0.1"], &["fd00:a::1"]), apart, "the pods are not known");
    assert_eq!(one(&["10.0.0.1=p"], &["fd00:a::1"]), apart);
    let twice = "http:80/TCP a/- 10.0.0.1:8080 10.0.0.2:8080 [fd00:a::1]:8080";
    assert_eq!(one(&["10.0.0.1=p", "10.0.0.2=p"], &["fd00:a::1=p"]), twice, "two of one family");
    // Not on one port.
    let mut federation = with(federation(), "a", "10.96.0.1 fd00:1a::1", &["10.0.0.1=p"], &["fd00:a::1=p"]);
    federation.contents("a").slices[1].ports = make::slice_ports("http:9090");
    assert_eq!(merged(&federation), "http:80/TCP a/- 10.0.0.1:8080 [fd00:a::1]:9090");
}

#[test]
fn a_service_has_the_families_that_it_declares() {
    let one = |ips: &str, families: Option<Families>| {
        let mut federation = with(federation(), "a", ips, &["10.0.0.1=p"], &["fd00:a::1=p"]);
        let service = &mut federation.contents("a").services[0];
        service.families = families.or(service.families);
        merged(&federation)
    };
    let both = "http:80/TCP a/- 10.0.0.1:8080+fd00:a::1";
    let (v4, v6) = ("http:80/TCP a/- 10.0.0.1:8080", "http:80/TCP a/- [fd00:a::1]:8080");
    assert_eq!(one("10.96.0.1 fd00:1a::1", None), both);
    assert_eq!(one("fd00:1a::1 10.96.0.1", None), both);
    assert_eq!((one("10.96.0.1", None), one("fd00:1a::1", None)), (v4.to_owned(), v6.to_owned()));
    // A headless one has its families in ipFamilies alone, or has none.
    assert_eq!(one("", None), both);
    assert_eq!(one("", Some(Families::Only(V4))), v4);
    assert_eq!(one("", Some(Families::Only(V6))), v6);
}

/// What a client is offered, in the order of hosts: `10.0.0.1+fd00:a::1 …`.
fn offered(federation: &TestFederation, families: Option<Families>) -> String {
    let engine = federation.engine(make::at(1));
    let service = super::merged(&engine, "shop/web");
    let class = ClientClass {
        region: make::region_id("eu"),
        zone: None,
        network: make::network("default"),
        cluster: None,
        families,
    };
    let assignment = assign(&class, service, &service.ports[0], &engine.rankings()[&service.key], engine.topology());
    let offers = assignment.tiers.iter().flatten().flat_map(|locality| assignment.reach.offers(locality.backend));
    let text = |offer: crate::ranking::Offer| {
        let second = offer.second.map(|ip| format!("+{ip}")).unwrap_or_default();
        format!("{}{second}", offer.address.ip())
    };
    offers.map(text).collect::<Vec<_>>().join(" ")
}

#[test]
fn clients_are_offered_the_families_that_they_have() {
    for (ips, unknown) in
        [("10.96.0.1 fd00:1a::1", "10.0.0.1+fd00:a::1"), ("fd00:1a::1 10.96.0.1", "fd00:a::1+10.0.0.1")]
    {
        let federation = with(federation(), "a", ips, &["10.0.0.1=p"], &["fd00:a::1=p"]);
        assert_eq!(offered(&federation, Some(Families::Only(V4))), "10.0.0.1", "{ips}");
        assert_eq!(offered(&federation, Some(Families::Only(V6))), "fd00:a::1", "{ips}");
        assert_eq!(offered(&federation, Some(Families::Both(V4))), "10.0.0.1+fd00:a::1", "{ips}");
        assert_eq!(offered(&federation, Some(Families::Both(V6))), "fd00:a::1+10.0.0.1", "{ips}");
        assert_eq!(offered(&federation, None), unknown, "the service's first family goes first: {ips}");
    }
}

#[test]
fn what_cannot_be_dialled_is_no_endpoint() {
    let federation = with(federation(), "b", "10.97.0.1", &["10.1.0.1=p"], &[]);
    let federation = with(federation, "c", "fd00:1c::1", &[], &["fd00:c::1=p"]);
    let federation = with(federation, "d", "fd00:1d::1 10.99.0.1", &["10.3.0.1=p", "10.3.0.2=q"], &["fd00:d::1=p"]);
    assert_eq!(offered(&federation, Some(Families::Only(V4))), "10.1.0.1 10.3.0.1 10.3.0.2");
    assert_eq!(offered(&federation, Some(Families::Only(V6))), "fd00:c::1 fd00:d::1");
    assert_eq!(offered(&federation, Some(Families::Both(V6))), "10.1.0.1 fd00:c::1 fd00:d::1+10.3.0.1 10.3.0.2");
    // Weights and the last resort depend on what can be reached: an IPv6 host that is ready does not count for an IPv4 client.
    let federation = with(self::federation(), "b", "10.97.0.1", &["10.1.0.1~"], &[]);
    let federation = with(federation, "c", "fd00:1c::1", &[], &["fd00:c::1"]);
    let engine = federation.engine(make::at(1));
    let service = super::merged(&engine, "shop/web");
    for (families, last_resort) in
        [(Families::Only(V4), true), (Families::Only(V6), false), (Families::Both(V4), false)]
    {
        let class = ClientClass {
            region: make::region_id("eu"),
            zone: None,
            network: make::network("default"),
            cluster: None,
            families: Some(families),
        };
        let assignment =
            assign(&class, service, &service.ports[0], &engine.rankings()[&service.key], engine.topology());
        assert_eq!(assignment.reach.is_last_resort(), last_resort, "{families}");
    }
}

#[test]
fn a_members_families_are_those_of_its_pod_ranges() {
    let engine = federation().engine(make::at(1));
    let families = |id: &str| engine.topology().members[&make::cluster(id)].families;
    assert_eq!(families("a"), Some(Families::Both(V4)));
    assert_eq!(families("b"), Some(Families::Only(V4)));
    assert_eq!(families("c"), Some(Families::Only(V6)));
    assert_eq!(families("d"), Some(Families::Both(V6)), "declared first");

    // Discovered: the first range of a Node is its primary one.
    let mut federation = TestFederation::new().region("eu", &[]).member("e", "eu", "", "10.100.0.0/16");
    federation.contents("e").nodes.push(make::node("n1", "fd00:e::/64 10.4.0.0/24"));
    let engine = federation.engine(make::at(1));
    assert_eq!(engine.topology().members[&make::cluster("e")].families, Some(Families::Both(V6)));
}

#[test]
fn families_that_do_not_meet_are_reported() {
    let report = |federation: &TestFederation| {
        let engine = federation.engine(make::at(9));
        let of = |report: &std::sync::Arc<crate::report::MemberReport>| {
            let text =
                |c: &crate::report::FamilyConflict| format!("{}: {} x {} of {}", c.service, c.mine, c.theirs, c.with);
            report.family_conflicts.iter().map(text).collect::<Vec<_>>()
        };
        engine.reports().values().flat_map(of).collect::<Vec<_>>()
    };
    let federation = with(federation(), "b", "10.97.0.1", &["10.1.0.1"], &[]);
    let both = with(federation.clone(), "d", "fd00:1d::1 10.99.0.1", &[], &[]);
    assert_eq!(report(&both), [""; 0], "one family in common is enough");
    let mut apart = with(both, "c", "fd00:1c::1", &[], &["fd00:c::1"]);
    assert_eq!(report(&apart), ["shop/web: IPv6 x IPv4 of b"]);
    // The oldest export is whom the others are compared with.
    apart.contents("b").services[0].created = make::at(5);
    apart.contents("d").services[0].created = make::at(5);
    assert_eq!(report(&apart), ["shop/web: IPv4 x IPv6 of c"], "and d has both");
    apart.contents("c").services.clear();
    assert_eq!(report(&apart), [""; 0]);
}
