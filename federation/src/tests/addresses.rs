//! Which addresses are served: those that mean one pod, whichever client connects to them.

use super::{down, from_member, hosts, up};
use crate::Engine;
use crate::change::{Batch, Delta, HubChanges, MemberChanges};
use crate::model::{Federate, Member, Policy, Service};
use crate::report::{AddressRefusal, Listed, RefusedAddress};
use crate::testing::{TestFederation, make};

/// `a` and `b` have ranges of both families; `c` is in a network of its own.
fn federation() -> TestFederation {
    let apart = Member { network: make::network("apart"), ..make::member("c", "eu", "10.2.0.0/16", "10.98.0.0/16") };
    TestFederation::new()
        .region("eu", &[])
        .member("a", "eu", "10.0.0.0/16 fd00:a::/64", "10.96.0.0/16 fd00:aa::/112")
        .member("b", "eu", "10.1.0.0/16 fd00:b::/64", "10.97.0.0/16 fd00:bb::/112")
        .member_object(apart)
}

/// A Service of one cluster in one port, `http` 80 to 8080, with these endpoints in as many slices as there are texts.
fn serving(federation: TestFederation, cluster: &str, name: &str, slices: &[&str]) -> TestFederation {
    let mut federation = federation.service_object(cluster, make::service(name, "http:80", "10.96.0.1"));
    for (number, endpoints) in (1..).zip(slices) {
        let endpoints: Vec<&str> = endpoints.split_whitespace().collect();
        let called = format!("{}-{number}", name.replace('/', "-"));
        federation = federation.slice(cluster, make::slice(name, &called, "http:8080", &endpoints));
    }
    federation
}

fn strict(federate: Federate) -> Policy {
    Policy { strict_cidrs: true, ..make::policy("default", federate) }
}

/// Slice `number` of `shop/web` now has these endpoints.
fn slice(cluster: &str, service: &str, endpoints: &[&str]) -> Batch {
    let name = format!("{}-1", service.replace('/', "-"));
    from_member(cluster, 1, MemberChanges::Slices(Delta::put(make::slice(service, &name, "http:8080", endpoints))))
}

/// What is not served of a member, as text.
fn refused(engine: &Engine, cluster: &str) -> Vec<String> {
    let Listed { total, first } = &engine.reports()[&make::cluster(cluster)].refused;
    assert_eq!(*total, first.len(), "all of them are named");
    let text = |RefusedAddress { why, service, ip }: &RefusedAddress| match why {
        AddressRefusal::InRangeOf(owner) => format!("{service} {ip} of {owner}"),
        AddressRefusal::AlsoOfferedBy(other) => format!("{service} {ip} also {other}"),
        AddressRefusal::VirtualIp => format!("{service} {ip} virtual"),
        AddressRefusal::Loopback => format!("{service} {ip} loopback"),
        AddressRefusal::OutsideRanges => format!("{service} {ip} outside"),
    };
    first.iter().map(text).collect()
}

fn outside(engine: &Engine, cluster: &str) -> Vec<String> {
    let listed = &engine.reports()[&make::cluster(cluster)].outside;
    listed.first.iter().map(|address| format!("{} {}", address.service, address.ip)).collect()
}

#[test]
fn an_address_in_another_members_range_is_refused() {
    let federation = serving(federation(), "a", "shop/web", &["10.0.0.1 10.1.0.66"]);
    let engine = serving(federation, "b", "shop/web", &["10.1.0.1 10.96.0.5"]).engine(make::at(1));
    assert_eq!(hosts(&engine, "shop/web"), "http:80/TCP a/- 10.0.0.1:8080 b/- 10.1.0.1:8080");
    assert_eq!(refused(&engine, "a"), ["shop/web 10.1.0.66 of b"]);
    assert_eq!(refused(&engine, "b"), ["shop/web 10.96.0.5 of a"]);
    assert_eq!(engine.reports()[&make::cluster("a")].counts.endpoints, 1);
}

#[test]
fn an_address_outside_all_ranges_is_served_and_reported() {
    let federation = serving(federation(), "a", "shop/web", &["10.0.0.1 192.168.7.5", "172.16.0.9 192.168.7.5"]);
    let engine = federation.engine(make::at(1));
    assert_eq!(
        hosts(&engine, "shop/web"),
        "http:80/TCP a/- 10.0.0.1:8080 172.16.0.9:8080 192.168.7.5:8080",
        "twice by the same member is once"
    );
    assert_eq!(outside(&engine, "a"), ["shop/web 172.16.0.9", "shop/web 192.168.7.5"]);
    assert_eq!(refused(&engine, "a"), [""; 0]);
}

#[test]
fn a_strict_policy_serves_nothing_from_outside() {
    let federation = serving(federation().policy(strict(Federate::All)), "a", "shop/web", &["10.0.0.1 192.168.7.5"]);
    let mut engine = federation.engine(make::at(1));
    assert_eq!(hosts(&engine, "shop/web"), "http:80/TCP a/- 10.0.0.1:8080");
    assert_eq!(refused(&engine, "a"), ["shop/web 192.168.7.5 outside"]);
    // Who declares the range is served, and so is who is not selected by the strict policy.
    let mut member = federation.members[0].clone();
    member.pods = Some(make::nets("10.0.0.0/16 fd00:a::/64 192.168.7.0/24"));
    engine.apply([Batch::Hub(HubChanges::Members(Delta::put(member)))], make::at(2));
    assert_eq!(hosts(&engine, "shop/web"), "http:80/TCP a/- 10.0.0.1:8080 192.168.7.5:8080");
    assert_eq!(refused(&engine, "a"), [""; 0]);

    let lenient = Policy { services: make::selector("tier=front"), ..make::policy("front", Federate::All) };
    let mut federation = serving(federation, "a", "shop/api", &["192.168.7.6"]).policy(lenient);
    federation.contents("a").services[1].labels = make::labels("tier=front");
    let engine = federation.engine(make::at(3));
    assert_eq!(hosts(&engine, "shop/web"), "http:80/TCP a/- 10.0.0.1:8080");
    assert_eq!(hosts(&engine, "shop/api"), "http:80/TCP a/- 192.168.7.6:8080", "its policy is another one");
}

#[test]
fn what_two_members_offer_is_refused_to_both() {
    // Under one name, under two, in both families, in a range that is reserved, and by a headless Service.
    let reserving = Policy { reserved: make::nets("172.16.0.0/12"), ..make::policy("default", Federate::All) };
    let headless = |federation: TestFederation, cluster: &str| {
        let service = Service { created: make::at(3), ..make::service("shop/pods", "http:80", "") };
        let federation = federation.service_object(cluster, service);
        federation.slice(cluster, make::slice("shop/pods", "pods-1", "http:8080", &["192.168.9.9"]))
    };
    let v6 = |federation: TestFederation, cluster: &str| {
        let federation = federation.service_object(cluster, make::service("shop/six", "http:80", "fd00:aa::1"));
        federation.slice(cluster, make::slice("shop/six", "six-1", "http:8080", &["2001:db8::5"]))
    };
    let mut federation = serving(federation().policy(reserving), "a", "shop/web", &["10.0.0.1 192.168.7.5 172.16.0.3"]);
    federation = serving(federation, "b", "shop/web", &["10.1.0.1 192.168.7.5"]);
    federation = serving(federation, "b", "shop/api", &["172.16.0.3"]);
    federation = serving(federation, "c", "shop/api", &["192.168.7.5 172.16.0.3"]); // another network, where these are other hosts
    for cluster in ["a", "b"] {
        federation = headless(v6(federation, cluster), cluster);
    }
    let engine = federation.engine(make::at(1));
    assert_eq!(hosts(&engine, "shop/web"), "http:80/TCP a/- 10.0.0.1:8080 b/- 10.1.0.1:8080");
    assert_eq!(hosts(&engine, "shop/api"), "http:80/TCP c/- 172.16.0.3:8080 192.168.7.5:8080");
    assert_eq!(hosts(&engine, "shop/six"), "http:80/TCP");
    assert_eq!(hosts(&engine, "shop/pods"), "http:80/TCP");
    let of_a = ["shop/pods 192.168.9.9", "shop/six 2001:db8::5", "shop/web 172.16.0.3", "shop/web 192.168.7.5"];
    assert_eq!(refused(&engine, "a"), of_a.map(|text| format!("{text} also b")));
    let of_b = ["shop/api 172.16.0.3", "shop/pods 192.168.9.9", "shop/six 2001:db8::5", "shop/web 192.168.7.5"];
    assert_eq!(refused(&engine, "b"), of_b.map(|text| format!("{text} also a")));
    assert_eq!(refused(&engine, "c"), [""; 0]);
}

#[test]
fn which_member_offers_an_address_first_does_not_matter_and_one_that_leaves_frees_it() {
    let federation = serving(federation(), "a", "shop/web", &["192.168.7.5"]);
    let federation = serving(federation, "b", "shop/api", &["10.1.0.1"]);
    let mut engine = federation.engine(make::at(1));
    assert_eq!(hosts(&engine, "shop/web"), "http:80/TCP a/- 192.168.7.5:8080");
    // The other one comes, under another name: one batch, and both services change.
    let effects = engine.apply([slice("b", "shop/api", &["10.1.0.1", "192.168.7.5"])], make::at(2));
    let changed: Vec<String> = effects.services.iter().map(|(key, _)| key.to_string()).collect();
    assert_eq!(changed, ["shop/web"], "the younger offer was never served");
    assert_eq!(hosts(&engine, "shop/web"), "http:80/TCP");
    assert_eq!(hosts(&engine, "shop/api"), "http:80/TCP b/- 10.1.0.1:8080");
    // Not hearing of a member is not hearing that it gave an address up.
    engine.apply([down("b", 1)], make::at(3));
    assert_eq!(hosts(&engine, "shop/web"), "http:80/TCP");
    engine.apply([up("b", 1, "uid-b")], make::at(4));
    engine.apply([slice("b", "shop/api", &["10.1.0.1"])], make::at(5));
    assert_eq!(hosts(&engine, "shop/web"), "http:80/TCP a/- 192.168.7.5:8080");
    // And with the member that goes, its offers go.
    engine.apply([slice("b", "shop/api", &["192.168.7.5"])], make::at(6));
    assert_eq!(refused(&engine, "a"), ["shop/web 192.168.7.5 also b"]);
    engine.apply([Batch::Hub(HubChanges::Members(Delta::delete(make::cluster("b"))))], make::at(7));
    assert_eq!(hosts(&engine, "shop/web"), "http:80/TCP a/- 192.168.7.5:8080");
    assert_eq!(refused(&engine, "a"), [""; 0]);
}

#[test]
fn a_declared_range_decides_which_member_holds_an_address() {
    let federation =
        serving(serving(federation(), "a", "shop/web", &["192.168.7.5"]), "b", "shop/web", &["192.168.7.5"]);
    let mut engine = federation.engine(make::at(1));
    assert_eq!(hosts(&engine, "shop/web"), "http:80/TCP");
    let mut member = federation.members[1].clone();
    member.pods = Some(make::nets("10.1.0.0/16 fd00:b::/64 192.168.0.0/16"));
    engine.apply([Batch::Hub(HubChanges::Members(Delta::put(member)))], make::at(2));
    assert_eq!(hosts(&engine, "shop/web"), "http:80/TCP b/- 192.168.7.5:8080");
    assert_eq!(refused(&engine, "a"), ["shop/web 192.168.7.5 of b"]);
    assert_eq!(refused(&engine, "b"), [""; 0]);
}

#[test]
fn addresses_of_nodes_are_expected_outside() {
    let node = |cluster: &str, addresses: &str| {
        from_member(cluster, 1, MemberChanges::Nodes(Delta::put(make::addressed_node("n1", "", addresses))))
    };
    let federation = serving(federation().policy(strict(Federate::All)), "a", "shop/agent", &["172.18.0.2 172.18.0.3"]);
    let mut engine = federation.engine(make::at(1));
    assert_eq!(hosts(&engine, "shop/agent"), "http:80/TCP");
    // The host network of one Node: no condition, and no strictness.
    engine.apply([node("a", "172.18.0.2 fe80::1")], make::at(2));
    assert_eq!(hosts(&engine, "shop/agent"), "http:80/TCP a/- 172.18.0.2:8080");
    assert_eq!(refused(&engine, "a"), ["shop/agent 172.18.0.3 outside"]);
    engine.apply([Batch::Hub(HubChanges::Policies(Delta::put(make::policy("default", Federate::All))))], make::at(3));
    assert_eq!(outside(&engine, "a"), ["shop/agent 172.18.0.3"]);
    // A Node of another member is no reason to serve it, nor is being a Node where two members offer the address.
    engine.apply([node("b", "172.18.0.3")], make::at(4));
    assert_eq!(outside(&engine, "a"), ["shop/agent 172.18.0.3"]);
    let twice = serving(federation, "b", "shop/agent", &["172.18.0.2"]).engine(make::at(5));
    assert_eq!(refused(&twice, "b"), ["shop/agent 172.18.0.2 also a"]);
    // Nodes go.
    engine.apply([from_member("a", 1, MemberChanges::Nodes(Delta::full(Vec::new())))], make::at(6));
    assert_eq!(outside(&engine, "a"), ["shop/agent 172.18.0.2", "shop/agent 172.18.0.3"]);
}

#[test]
fn virtual_ips_and_loopback_are_no_pods() {
    let federation = serving(federation(), "a", "shop/web", &["10.0.0.1 10.96.0.9 127.0.0.1", "10.96.0.9"]);
    let engine = federation.engine(make::at(1));
    assert_eq!(hosts(&engine, "shop/web"), "http:80/TCP a/- 10.0.0.1:8080");
    assert_eq!(refused(&engine, "a"), ["shop/web 10.96.0.9 virtual", "shop/web 127.0.0.1 loopback"]);
    // One machine that plays several clusters declares its loopback ranges.
    let local = TestFederation::new().region("eu", &[]).member("a", "eu", "127.8.0.0/16", "127.100.0.0/16");
    let engine = serving(local, "a", "shop/web", &["127.8.0.1"]).engine(make::at(1));
    assert_eq!(hosts(&engine, "shop/web"), "http:80/TCP a/- 127.8.0.1:8080");
}

#[test]
fn only_what_is_exported_offers_anything() {
    let marked = |federation: TestFederation| federation.policy(make::policy("default", Federate::Marked));
    let federation =
        serving(serving(marked(federation()), "a", "shop/web", &["192.168.7.5"]), "b", "shop/web", &["192.168.7.5"]);
    let mut engine = federation.export("a", "shop/web", 1).engine(make::at(1));
    assert_eq!(hosts(&engine, "shop/web"), "http:80/TCP a/- 192.168.7.5:8080");
    let export = MemberChanges::Exports(Delta::put(make::export("shop/web", 2)));
    engine.apply([from_member("b", 1, export)], make::at(2));
    assert_eq!(hosts(&engine, "shop/web"), "http:80/TCP");
    engine.apply([from_member("b", 1, MemberChanges::Exports(Delta::delete(make::key("shop/web"))))], make::at(3));
    assert_eq!(hosts(&engine, "shop/web"), "http:80/TCP a/- 192.168.7.5:8080");
}

#[test]
fn at_most_16_addresses_are_named_and_all_are_counted() {
    let many = |prefix: &str| (1..=40).map(|n| format!("{prefix}.{n}")).collect::<Vec<_>>().join(" ");
    let engine = serving(federation(), "a", "shop/web", &[&many("10.1.0"), &many("192.168.0")]).engine(make::at(1));
    let report = &engine.reports()[&make::cluster("a")];
    assert_eq!((report.refused.total, report.refused.first.len()), (40, 16));
    assert_eq!((report.outside.total, report.outside.first.len()), (40, 16));
}

#[test]
fn a_change_costs_what_offers_the_address_and_no_more() {
    let mut federation = federation();
    for n in 0..200 {
        federation = serving(federation, "a", &format!("shop/s{n}"), &[&format!("192.168.1.{n}")]);
        federation = serving(federation, "b", &format!("shop/t{n}"), &[&format!("10.1.1.{n}")]);
    }
    let mut engine = federation.engine(make::at(1));
    let before = engine.stats().merged;
    engine.apply([slice("b", "shop/t7", &["10.1.1.7", "192.168.1.9"])], make::at(2));
    assert_eq!(engine.stats().merged - before, 3, "itself before and after the offers are known, and the one other");
    assert_eq!(hosts(&engine, "shop/s9"), "http:80/TCP");
}
